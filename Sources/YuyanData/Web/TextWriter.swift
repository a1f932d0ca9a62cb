/// Puts the text of a page together as lines: white space is folded as a browser folds it, and a line break between two Han characters,
/// which is layout and no space, goes.
struct TextWriter {
    /// What stands between the text so far and what comes next on the line; the strongest wins.
    private enum Gap: Int {
        case none, space, newline, nonBreaking, tab
    }

    private(set) var output: [UInt8] = []
    private var lineStart = 0
    private var gap = Gap.none

    /// Text in UTF-8, its white space folded.
    mutating func append(_ text: some Collection<UInt8>) {
        text.withContiguousStorageIfAvailable { fold($0) } ?? Array(text).withUnsafeBufferPointer { fold($0) }
    }

    private mutating func fold(_ bytes: UnsafeBufferPointer<UInt8>) {
        var index = 0
        while index < bytes.count {
            let length = Self.spaceLength(bytes, index)
            if length == 0 {
                let start = index
                repeat { index += 1 } while index < bytes.count && Self.spaceLength(bytes, index) == 0
                fill(before: bytes, start)
                output.append(contentsOf: bytes[start..<index])
            } else if length < 3 {
                widen(length == 2 ? .nonBreaking : bytes[index] == 0x0A || bytes[index] == 0x0D ? .newline : .space)
                index += length
            } else {
                // An ideographic space indents a paragraph; within a line it is the writer's.
                if output.count > lineStart { fill(before: bytes, index) }
                if output.count > lineStart { output.append(contentsOf: bytes[index..<index + 3]) }
                index += 3
            }
        }
    }

    /// Text as it stands, line breaks included: `pre`.
    mutating func appendVerbatim(_ text: some Collection<UInt8>) {
        gap = .none
        for byte in text {
            if byte == 0x0A { endLine() } else if byte != 0x0D { output.append(byte) }
        }
    }

    /// A new cell of the table's row.
    mutating func endCell() { widen(.tab) }

    /// Ends the line, if there is anything on it, and gives its place in `output`.
    @discardableResult mutating func endLine() -> Range<Int>? {
        gap = .none
        while output.count > lineStart {
            if let last = output.last, last == 0x20 || last == 0x09 {
                output.removeLast()
            } else if output.count - lineStart >= 3, output.suffix(3).elementsEqual([0xE3, 0x80, 0x80]) {
                output.removeLast(3)
            } else {
                break
            }
        }
        guard output.count > lineStart else { return nil }
        let line = lineStart..<output.count
        output.append(0x0A)
        lineStart = output.count
        return line
    }

    /// The lines so far, without a line break at their end.
    mutating func finish() -> String {
        endLine()
        return String(decoding: output.dropLast(), as: UTF8.self)
    }

    private mutating func widen(_ other: Gap) {
        if other.rawValue > gap.rawValue { gap = other }
    }

    private mutating func fill(before bytes: UnsafeBufferPointer<UInt8>, _ index: Int) {
        defer { gap = .none }
        guard gap != .none, output.count > lineStart else { return }
        switch gap {
        case .none: break
        case .tab: output.append(0x09)
        case .space, .nonBreaking: output.append(0x20)
        case .newline:
            let before = output.count - lineStart
            let endsWide = before >= 3 && Self.isWide(output[output.count - 3], output[output.count - 2], output[output.count - 1])
            let beginsWide = index + 2 < bytes.count && Self.isWide(bytes[index], bytes[index + 1], bytes[index + 2])
            if !(endsWide && beginsWide) { output.append(0x20) }
        }
    }

    /// The bytes of the white space that begins here: 1 in ASCII, 2 for U+00A0, 3 for U+3000; 0 where there is none.
    @inline(__always) private static func spaceLength(_ bytes: UnsafeBufferPointer<UInt8>, _ index: Int) -> Int {
        let byte = bytes[index]
        if byte <= 0x20 { return 1 }
        if byte == 0xC2 { return index + 1 < bytes.count && bytes[index + 1] == 0xA0 ? 2 : 0 }
        if byte == 0xE3 { return index + 2 < bytes.count && bytes[index + 1] == 0x80 && bytes[index + 2] == 0x80 ? 3 : 0 }
        return 0
    }

    /// Whether three bytes of UTF-8 are a character that stands without spaces: Han, kana, ideographic and full-width punctuation, and
    /// the quotation marks, dashes and ellipses of Chinese.
    private static func isWide(_ first: UInt8, _ second: UInt8, _ third: UInt8) -> Bool {
        switch first {
        case 0xE3...0xE9: true  // U+3000–U+9FFF
        case 0xEF: second == 0xBC || second == 0xBD || second >= 0xA4 && second <= 0xAB  // U+FF00–U+FF7F, U+F900–U+FAFF
        case 0xE2: second == 0x80 && (0x94...0xA6).contains(third)  // — ‘ ’ “ ” …
        default: false
        }
    }
}
