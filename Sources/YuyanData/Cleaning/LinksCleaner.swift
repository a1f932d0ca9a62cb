/// `links`: web addresses in running text.
public struct LinksConfiguration: Codable, Sendable, Hashable {
    /// What stands in an address's place; empty removes it.
    public var replacement = ""

    /// Addresses are removed.
    public init() {}
}

/// Removes or replaces addresses that begin with http://, https://, ftp:// or www. An address ends before white space, quotes, angle brackets and
/// everything that is not ASCII: `见https://a.cn/b，谢谢` keeps its comma.
public struct LinksCleaner: TextCleaner {
    public let name = "links"
    private let replacement: [UInt8]

    /// A cleaner.
    public init(_ configuration: LinksConfiguration = .init()) {
        replacement = Array(configuration.replacement.utf8)
    }

    public func clean(_ text: inout String) -> Int {
        edit(&text) { edits in
            let bytes = edits.source
            var index = 0
            var floor = 0  // where the last address ended
            while index < bytes.count {
                let byte = bytes[index]
                var found: Range<Int>?
                if byte == UInt8(ascii: ":") {
                    found = Self.schemeLink(in: bytes, colon: index, floor: floor)
                } else if byte | 0x20 == UInt8(ascii: "w") {
                    found = Self.bareLink(in: bytes, at: index)
                }
                if let found {
                    edits.replace(found, with: replacement)
                    index = found.upperBound
                    floor = index
                } else {
                    index += 1
                }
            }
        }
    }

    private static func schemeLink(in bytes: UnsafeBufferPointer<UInt8>, colon: Int, floor: Int) -> Range<Int>? {
        guard hasPrefix("://", in: bytes, at: colon) else { return nil }
        let start: Int
        if hasPrefix("https", in: bytes, at: colon - 5) {
            start = colon - 5
        } else if hasPrefix("http", in: bytes, at: colon - 4) {
            start = colon - 4
        } else if hasPrefix("ftp", in: bytes, at: colon - 3) {
            start = colon - 3
        } else {
            return nil
        }
        guard start >= floor else { return nil }
        return end(in: bytes, from: colon + 3).map { start..<$0 }
    }

    private static func bareLink(in bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> Range<Int>? {
        guard hasPrefix("www.", in: bytes, at: start), start == 0 || !isWordByte(bytes[start - 1]) else { return nil }
        return end(in: bytes, from: start + 4).map { start..<$0 }
    }

    /// The end of an address whose host begins at `start`.
    private static func end(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
        var end = start
        var open = 0
        while end < bytes.count, isLinkByte(bytes[end]) {
            // A bracket that the address did not open closes what stands around it.
            if bytes[end] == UInt8(ascii: "(") { open += 1 }
            if bytes[end] == UInt8(ascii: ")") {
                if open == 0 { break }
                open -= 1
            }
            end += 1
        }
        // Punctuation at the end belongs to the sentence.
        trim: while end > start {
            switch bytes[end - 1] {
            case UInt8(ascii: "."), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ":"), UInt8(ascii: "!"), UInt8(ascii: "?"), UInt8(ascii: "'"),
                UInt8(ascii: "*"), UInt8(ascii: "]"), UInt8(ascii: "("):
                end -= 1
            default: break trim
            }
        }
        return end > start && isWordByte(bytes[start]) ? end : nil
    }

    @inline(__always)
    private static func isWordByte(_ byte: UInt8) -> Bool {
        lowercased(byte) &- 0x61 < 26 || byte &- 0x30 < 10
    }

    /// Printable ASCII but space, quotes, angle brackets, braces, bar, backslash, caret and backquote (RFC 3986, section 2).
    private static let linkBytes: (UInt64, UInt64) = {
        var bits: (UInt64, UInt64) = (0, 0)
        for byte in UInt8(0x21)...0x7E where !Array("\"<>{}|\\^`".utf8).contains(byte) {
            if byte < 64 { bits.0 |= 1 << UInt64(byte) } else { bits.1 |= 1 << UInt64(byte - 64) }
        }
        return bits
    }()

    @inline(__always)
    private static func isLinkByte(_ byte: UInt8) -> Bool {
        byte < 64 ? linkBytes.0 >> UInt64(byte) & 1 == 1 : byte < 128 ? linkBytes.1 >> UInt64(byte - 64) & 1 == 1 : false
    }
}
