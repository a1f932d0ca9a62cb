/// `control`: characters that no reader sees, and text that was read in the wrong encoding.
public struct ControlConfiguration: Codable, Sendable, Hashable {
    /// Mends UTF-8 that was read as Latin-1 (`ä¸­æ–‡`) or as GBK (`锛屾垜`), where the way back is exact.
    public var mojibake = true

    /// All of it.
    public init() {}
}

/// Takes out what is not text: control characters but tab and line ends, zero-width characters, byte order marks, marks of writing direction, soft
/// hyphens, private use, noncharacters, U+FFFD. Joiners and variation selectors stay where they hold an emoji together.
public struct ControlCleaner: TextCleaner {
    public let name = "control"
    private let configuration: ControlConfiguration

    /// A cleaner.
    public init(_ configuration: ControlConfiguration = .init()) {
        self.configuration = configuration
    }

    public func clean(_ text: inout String) -> Int {
        // The way back needs the controls and private characters that would be removed, and some text went that way twice.
        var count = 0
        while true {
            let changes = (configuration.mojibake ? Mojibake.mend(&text) : 0) + edit(&text, removeControls)
            if changes == 0 { return count }
            count += changes
        }
    }

    /// What a lead byte may begin: 0 nothing to look at, else the scalar is looked at.
    private static let leads: [Bool] = (0...255).map { byte in
        switch byte {
        case 0x09, 0x0A: false
        case 0..<0x20, 0x7F, 0xC2, 0xCD, 0xD8, 0xE1, 0xE2, 0xEE, 0xEF, 0xF0...0xF4: true
        default: false
        }
    }

    private func removeControls(_ edits: inout TextEdits) {
        let bytes = edits.source
        let count = bytes.count
        Self.leads.withUnsafeBufferPointer { leads in
            var index = 0
            while index < count {
                let byte = bytes[index]
                guard leads[Int(byte)] else {
                    index += byte < 0x80 ? 1 : byte < 0xE0 ? 2 : 3
                    continue
                }
                let (value, length) = scalar(in: bytes, at: index)
                switch Self.verdict(value) {
                case .keep: break
                case .lineEnd:
                    if value == 0x0D, index + 1 < count, bytes[index + 1] == 0x0A {
                        edits.remove(index..<index + 1)
                    } else {
                        edits.replace(index..<index + length, with: CollectionOfOne(0x0A))
                    }
                case .remove: edits.remove(index..<index + length)
                case .emojiPart:
                    if !Self.holdsEmoji(value, in: bytes, at: index, length) { edits.remove(index..<index + length) }
                }
                index += length
            }
        }
    }

    enum Verdict { case keep, remove, lineEnd, emojiPart }

    @inline(__always)
    static func verdict(_ value: UInt32) -> Verdict {
        switch value {
        case 0x09, 0x0A: .keep
        case 0x0B...0x0D, 0x85, 0x2028, 0x2029: .lineEnd
        case 0x00...0x1F, 0x7F...0x9F: .remove
        case 0xAD, 0x034F, 0x061C, 0x180B...0x180E, 0x200B, 0x200C, 0x200E, 0x200F, 0x202A...0x202E, 0x2060...0x206F: .remove
        case 0x200D, 0xFE00...0xFE0F, 0xE0020...0xE007F: .emojiPart
        case 0xE000...0xF8FF, 0xFDD0...0xFDEF, 0xFEFF, 0xFFF0...0xFFFF: .remove
        case 0xE0000...0x10FFFF: .remove  // tags, ideographic variation selectors, private planes
        default: value & 0xFFFE == 0xFFFE ? .remove : .keep
        }
    }

    /// Whether a joiner, a variation selector or a tag belongs to an emoji (UTS 51): the selector follows one, the joiner stands between two, the
    /// tags follow the black flag.
    private static func holdsEmoji(_ value: UInt32, in bytes: UnsafeBufferPointer<UInt8>, at index: Int, _ length: Int) -> Bool {
        // A selector or joiner that is itself removed does not part what stands around it, so look past them.
        var start = index
        var before: UInt32?
        while let (scalar, length) = YuyanData.scalar(in: bytes, before: start) {
            start -= length
            let isTag = value >= 0xE0000 && scalar >= 0xE0020 && scalar <= 0xE007F
            let isSelector = value == 0x200D && scalar >= 0xFE00 && scalar <= 0xFE0F
            if isTag || isSelector { continue }
            before = scalar
            break
        }
        guard let before else { return false }
        switch value {
        case 0xE0020...0xE007F: return before == 0x1F3F4
        case 0xFE00...0xFE0F: return isEmoji(before) || before < 0x80 && isKeycap(before, bytes, index + length)
        default:
            guard index + length < bytes.count else { return false }
            return isEmoji(before) && isEmoji(YuyanData.scalar(in: bytes, at: index + length).value)
        }
    }

    /// `1`, U+FE0F, U+20E3: a digit on a key.
    private static func isKeycap(_ before: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, _ next: Int) -> Bool {
        (0x30...0x39).contains(before) || before == 0x23 || before == 0x2A
            ? next < bytes.count && YuyanData.scalar(in: bytes, at: next).value == 0x20E3 : false
    }

    private static func isEmoji(_ value: UInt32) -> Bool {
        value >= 0xA9 && Unicode.Scalar(value).map { $0.properties.isEmoji } ?? false
    }
}
