/// `whitespace`: spaces and blank lines.
public struct WhitespaceConfiguration: Codable, Sendable, Hashable {
    /// What becomes of a tabulator inside a line.
    public enum Tabs: String, CaseIterable, Codable, Sendable {
        /// It is a space.
        case space
        /// It stays, and spaces on both sides of it too.
        case keep
    }

    /// Tabulators inside lines; those at the beginning of a line always stay.
    public var tabs = Tabs.space
    /// Removes the indentation that is written with ideographic spaces (`　　从前`).
    public var removeIndent = true
    /// Removes spaces between two Han characters, or between one and Chinese punctuation: text from PDF files and OCR. Wrong for verse and tables.
    public var joinHan = false
    /// Blank lines in a row that stay.
    public var maximumBlankLines = 1

    /// Runs of spaces become one, indentation goes, at most one blank line stays.
    public init() {}
}

/// Runs of spaces inside lines → one, no space at the end of a line, no more blank lines than asked for and none at the beginning and end of the text.
/// A run is one ASCII space afterwards; a single ideographic space stays. Spaces that begin a line stay: lists and code need them.
public struct WhitespaceCleaner: TextCleaner {
    public let name = "whitespace"
    private let configuration: WhitespaceConfiguration

    /// A cleaner.
    public init(_ configuration: WhitespaceConfiguration = .init()) {
        self.configuration = configuration
    }

    public func clean(_ text: inout String) -> Int {
        edit(&text) { edits in
            let bytes = edits.source
            var index = 0
            var blank = Int.max / 2  // blank lines before this one; none are wanted at the beginning
            while index < bytes.count {
                // What is white at the beginning of the line.
                let start = index
                var hasIdeographic = false
                var needsMending = false
                while index < bytes.count, let (kind, length) = Self.space(in: bytes, at: index) {
                    if kind == .ideographic { hasIdeographic = true }
                    if kind == .odd { needsMending = true }
                    index += length
                }
                if index == bytes.count || bytes[index] == 0x0A {
                    let end = min(index + 1, bytes.count)
                    if blank >= configuration.maximumBlankLines {
                        if end > start { edits.remove(start..<end) }
                    } else if index > start {
                        edits.remove(start..<index)
                    }
                    blank += 1
                    index = end
                    continue
                }
                blank = 0
                if hasIdeographic && configuration.removeIndent {
                    edits.remove(start..<index)
                } else if needsMending {
                    edits.replace(start..<index, with: Self.indent(bytes[start..<index]))
                }
                mendLine(&edits, &index)
            }
            edits.trimBlankEnd()
        }
    }

    /// The rest of a line, from its first visible character past its line end.
    private func mendLine(_ edits: inout TextEdits, _ index: inout Int) {
        let bytes = edits.source
        while index < bytes.count {
            let byte = bytes[index]
            if byte == 0x0A {
                index += 1
                return
            }
            guard Self.mayBeSpace(byte), let (kind, length) = Self.space(in: bytes, at: index) else {
                index += byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
                continue
            }
            let start = index
            index += length
            var count = 1
            var hasTab = kind == .tab
            while index < bytes.count, let (kind, length) = Self.space(in: bytes, at: index) {
                if kind == .tab { hasTab = true }
                index += length
                count += 1
            }
            if index == bytes.count || bytes[index] == 0x0A {
                edits.remove(start..<index)
            } else if hasTab && configuration.tabs == .keep {
                continue
            } else if configuration.joinHan, isJoined(bytes, start, index) {
                edits.remove(start..<index)
            } else if count > 1 || kind == .odd || kind == .tab {
                edits.replace(start..<index, with: CollectionOfOne(0x20))
            }
        }
    }

    private func isJoined(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        guard let before = scalar(in: bytes, before: start)?.value else { return false }
        let after = scalar(in: bytes, at: end).value
        return Self.isChinese(before) && Self.isChinese(after) && (isHan(before) || isHan(after))
    }

    /// Han, CJK punctuation, full-width forms, and the quotes, dashes and dots that Chinese shares with others.
    private static func isChinese(_ value: UInt32) -> Bool {
        isHan(value) || value &- 0x3001 < 0x2F || value &- 0xFF01 < 0x5E || value == 0x2018 || value == 0x2019 || value == 0x201C || value == 0x201D
            || value == 0x2026 || value == 0x2014
    }

    private enum Kind { case plain, tab, ideographic, odd }

    @inline(__always)
    private static func mayBeSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0xE3 || byte == 0xE2 || byte == 0xC2 || byte == 0xE1
    }

    /// The horizontal space at `index`, if one is there.
    @inline(__always)
    private static func space(in bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> (Kind, Int)? {
        switch bytes[index] {
        case 0x20: return (.plain, 1)
        case 0x09: return (.tab, 1)
        case 0xC2: return bytes[index + 1] == 0xA0 ? (.odd, 2) : nil
        case 0xE1: return bytes[index + 1] == 0x9A && bytes[index + 2] == 0x80 ? (.odd, 3) : nil
        case 0xE2:
            // U+2000–200A, U+202F, U+205F
            let (second, third) = (bytes[index + 1], bytes[index + 2])
            return second == 0x80 && (third <= 0x8A || third == 0xAF) || second == 0x81 && third == 0x9F ? (.odd, 3) : nil
        case 0xE3: return bytes[index + 1] == 0x80 && bytes[index + 2] == 0x80 ? (.ideographic, 3) : nil
        default: return nil
        }
    }

    /// Indentation with its odd spaces made plain.
    private static func indent(_ slice: Slice<UnsafeBufferPointer<UInt8>>) -> [UInt8] {
        let bytes = UnsafeBufferPointer(rebasing: slice)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count, let (kind, length) = space(in: bytes, at: index) {
            result += kind == .odd ? [0x20] : Array(bytes[index..<index + length])
            index += length
        }
        return result
    }
}
