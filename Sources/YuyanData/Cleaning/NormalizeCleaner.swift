import CUTF8Proc
import Foundation

/// `normalize`: one way of writing for what Unicode can write in several.
public struct NormalizeConfiguration: Codable, Sendable, Hashable {
    /// A normalisation form of Unicode Standard Annex 15.
    public enum Form: String, CaseIterable, Codable, Sendable {
        /// Canonical composition: looks the same before and after.
        case nfc
        /// Compatibility composition: `①` becomes `1`, `㎏` becomes `kg`, half-width kana become full.
        case nfkc
        /// No normalisation; line ends are still made one.
        case none
    }

    /// What becomes of full-width forms (U+FF01–FF5E and the ideographic space).
    public enum FullWidth: String, CaseIterable, Codable, Sendable {
        /// They stay as they are, under NFKC too, and so does the ellipsis `…`: `，` is Chinese punctuation, not a wide comma.
        case keep
        /// Letters and digits become ASCII: `ＡＢＣ１２３` → `ABC123`; punctuation stays.
        case letters
        /// All of them become ASCII.
        case fold
    }

    /// The form.
    public var form = Form.nfc
    /// Full-width forms.
    public var fullWidth = FullWidth.keep

    /// NFC, full-width forms kept.
    public init() {}
}

/// Unicode normalisation by utf8proc, and one kind of line end. Runs that normalisation cannot change are passed over by a table.
public struct NormalizeCleaner: TextCleaner {
    public let name = "normalize"
    private let configuration: NormalizeConfiguration

    /// A cleaner with this form.
    public init(_ configuration: NormalizeConfiguration = .init()) {
        self.configuration = configuration
    }

    public func clean(_ text: inout String) -> Int {
        var count = edit(&text, mendLineEnds)
        if configuration.fullWidth != .keep { count += edit(&text, foldFullWidth) }
        switch configuration.form {
        case .none: break
        case .nfc: count += edit(&text) { normalize(&$0, NormalizationTable.nfc, Int32(UTF8PROC_STABLE.rawValue | UTF8PROC_COMPOSE.rawValue)) }
        case .nfkc:
            count += edit(&text) {
                normalize(
                    &$0, NormalizationTable.nfkc, Int32(UTF8PROC_STABLE.rawValue | UTF8PROC_COMPOSE.rawValue | UTF8PROC_COMPAT.rawValue))
            }
        }
        return count
    }

    /// CRLF, CR, VT, FF, NEL, LS and PS → LF.
    private func mendLineEnds(_ edits: inout TextEdits) {
        let bytes = edits.source
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case 0x0D where index + 1 < bytes.count && bytes[index + 1] == 0x0A:
                edits.remove(index..<index + 1)
                index += 1
            case 0x0B...0x0D:
                edits.replace(index..<index + 1, with: CollectionOfOne(0x0A))
                index += 1
            case 0xC2 where bytes[index + 1] == 0x85:
                edits.replace(index..<index + 2, with: CollectionOfOne(0x0A))
                index += 2
            case 0xE2 where bytes[index + 1] == 0x80 && bytes[index + 2] & 0xFE == 0xA8:
                edits.replace(index..<index + 3, with: CollectionOfOne(0x0A))
                index += 3
            default: index += byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
            }
        }
    }

    private func foldFullWidth(_ edits: inout TextEdits) {
        let bytes = edits.source
        let all = configuration.fullWidth == .fold
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == 0xEF || byte == 0xE3 {
                let value = scalar(in: bytes, at: index).value
                let isWide = value &- 0xFF01 < 0x5E
                if isWide || value == 0x3000 {
                    let narrow = isWide ? UInt8(value - 0xFEE0) : 0x20
                    if all || narrow &- 0x30 < 10 || (narrow | 0x20) &- 0x61 < 26 { edits.replace(index..<index + 3, with: CollectionOfOne(narrow)) }
                }
            }
            index += byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
        }
    }

    /// A scalar that neither changes nor joins what stands before it begins a stretch that is normalised alone (Annex 15, section 9.1), so a
    /// stretch with an unstable scalar runs from the stable one before it to the next.
    private func normalize(_ edits: inout TextEdits, _ table: UnsafePointer<Bool>, _ options: Int32) {
        let bytes = edits.source
        guard let base = bytes.baseAddress else { return }
        var index = 0
        var boundary = 0
        while index < bytes.count {
            let (value, length) = scalar(in: bytes, at: index)
            if NormalizationTable.isStable(value, table) {
                boundary = index
                index += length
                continue
            }
            var end = index + length
            while end < bytes.count {
                let (next, nextLength) = scalar(in: bytes, at: end)
                if NormalizationTable.isStable(next, table) { break }
                end += nextLength
            }
            var start = boundary
            // A form that is kept is an inert starter: nothing composes with it, and what follows it is normalised without it.
            if start < index, NormalizationTable.isKept(scalar(in: bytes, at: start).value) { start = index }
            var normal: UnsafeMutablePointer<UInt8>?
            let written = utf8proc_map(base + start, end - start, &normal, utf8proc_option_t(rawValue: UInt32(options)))
            if written >= 0, let normal {
                let result = UnsafeBufferPointer(start: normal, count: written)
                if !result.elementsEqual(bytes[start..<end]) { edits.replace(start..<end, with: result) }
            }
            free(normal)
            boundary = end
            index = end
        }
    }
}

/// Which scalars normalisation leaves alone whatever stands beside them, asked of utf8proc once for all.
enum NormalizationTable {
    private static let size = 0x20000

    nonisolated(unsafe) static let nfc = table(UTF8PROC_STABLE.rawValue | UTF8PROC_COMPOSE.rawValue)
    nonisolated(unsafe) static let nfkc = table(UTF8PROC_STABLE.rawValue | UTF8PROC_COMPOSE.rawValue | UTF8PROC_COMPAT.rawValue)

    /// Beyond the table: the ideographs of planes 2 and 3 (but not the compatibility ones) are stable, the rest takes the full way.
    @inline(__always)
    static func isStable(_ value: UInt32, _ table: UnsafePointer<Bool>) -> Bool {
        value < size ? table[Int(value)] : value &- 0x20000 < 0xF800 || value &- 0x30000 < 0x23B0
    }

    /// Full-width forms, the ideographic space, and the ellipses.
    static func isKept(_ value: UInt32) -> Bool {
        value &- 0xFF01 < 0x5E || value == 0x3000 || value == 0x2026 || value == 0x2025
    }

    private static func table(_ options: UInt32) -> UnsafePointer<Bool> {
        let table = UnsafeMutablePointer<Bool>.allocate(capacity: size)
        table.initialize(repeating: false, count: size)
        for value in 0..<UInt32(size) {
            guard let scalar = Unicode.Scalar(value), let property = utf8proc_get_property(utf8proc_int32_t(value))?.pointee else { continue }
            if isKept(value) {
                table[Int(value)] = true
                continue
            }
            // Marks and jamo may join what stands before them.
            switch UInt32(utf8proc_category(utf8proc_int32_t(value)).rawValue) {
            case UTF8PROC_CATEGORY_MN.rawValue, UTF8PROC_CATEGORY_MC.rawValue, UTF8PROC_CATEGORY_ME.rawValue: continue
            default: break
            }
            guard property.combining_class == 0, !(0x1100...0x11FF).contains(value) else { continue }
            let bytes = Array(String(Character(scalar)).utf8)
            var normal: UnsafeMutablePointer<UInt8>?
            let length = utf8proc_map(bytes, bytes.count, &normal, utf8proc_option_t(rawValue: options))
            table[Int(value)] = length >= 0 && UnsafeBufferPointer(start: normal, count: max(0, length)).elementsEqual(bytes)
            free(normal)
        }
        return UnsafePointer(table)
    }
}
