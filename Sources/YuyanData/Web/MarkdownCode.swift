import Foundation

/// The code in a Markdown text, between backticks on a line and in fenced blocks: a tag or a character reference there is what the text is about.
struct MarkdownCode {
    private let bytes: UnsafeBufferPointer<UInt8>
    private let hasBackticks: Bool
    /// One past the line break of the current line.
    private var lineEnd = 0
    private var lastBacktick: Int?
    private var isInFence = false
    private var isLineCode = false
    /// Up to where the line's backticks are counted, and whether they are odd.
    private var counted = 0
    private var isOdd = false

    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
        hasBackticks = bytes.baseAddress.map { memchr($0, 0x60, bytes.count) != nil } ?? false
    }

    /// Whether this place is in code; the places that are asked for must grow.
    mutating func contains(_ place: Int) -> Bool {
        guard hasBackticks else { return false }
        while lineEnd <= place { nextLine() }
        if isLineCode { return true }
        guard let lastBacktick, lastBacktick > place else { return false }
        while counted < place {
            if bytes[counted] == 0x60 { isOdd.toggle() }
            counted += 1
        }
        return isOdd
    }

    private mutating func nextLine() {
        let line = bytes[lineEnd...].prefix { $0 != 0x0A }
        (counted, isOdd) = (line.startIndex, false)
        lineEnd = min(line.endIndex + 1, bytes.count)
        lastBacktick = line.lastIndex(of: 0x60)
        let content = line.drop { $0 == 0x20 }
        // The line that opens or closes a block has no backticks but its first ones (CommonMark 0.31, 4.5).
        let fence = content.prefix { $0 == 0x60 }
        let isFence = fence.count >= 3 && lastBacktick == fence.endIndex - 1
        isLineCode = isInFence || isFence
        if isFence { isInFence.toggle() }
    }
}
