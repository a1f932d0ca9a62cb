/// What the lines of a text are like. Lines of white space do not count.
struct LineStatistics {
    private(set) var count = 0
    private(set) var characters = 0
    private(set) var longest = 0
    /// Fewer than ten characters.
    private(set) var short = 0
    private(set) var list = 0
    private(set) var ellipsis = 0
    private(set) var ended = 0

    init(_ scalars: UnsafeBufferPointer<UInt32>, _ kinds: UnsafePointer<UInt8>) {
        var start = 0
        while start < scalars.count {
            var end = start
            while end < scalars.count, scalars[end] != 0x0A { end += 1 }
            add(scalars, start, end, kinds)
            start = end + 1
        }
    }

    private mutating func add(_ scalars: UnsafeBufferPointer<UInt32>, _ start: Int, _ end: Int, _ kinds: UnsafePointer<UInt8>) {
        @inline(__always) func isSpace(_ index: Int) -> Bool {
            scalars[index] < ScalarKind.limit && kinds[Int(scalars[index])] & ScalarKind.mask == ScalarKind.space
        }
        var (first, last) = (start, end - 1)
        while first < end, isSpace(first) { first += 1 }
        guard first < end else { return }
        while isSpace(last) { last -= 1 }
        count += 1
        characters += end - start
        longest = max(longest, end - start)
        if end - start < 10 { short += 1 }
        let final = scalars[last]
        if EndPunctuation.contains(final) { ended += 1 }
        let dots = last - first >= 2 && scalars[last - 1] == final && scalars[last - 2] == final
        if final == 0x2026 || (final == 0x2E || final == 0x3002) && dots { ellipsis += 1 }
        if Self.isListItem(UnsafeBufferPointer(rebasing: scalars[first...last])) { list += 1 }
    }

    /// Whether a line begins with a bullet or with a number and its sign: `•`, `- `, `1.`, `2、`, `（三）`, `④`.
    static func isListItem(_ line: UnsafeBufferPointer<UInt32>) -> Bool {
        func at(_ index: Int) -> UInt32 { index < line.count ? line[index] : 0 }
        switch line[0] {
        case 0x2D, 0x2A, 0x2B, 0x2013: return at(1) == 0x20 || at(1) == 0x09
        case 0x2022, 0x2023, 0x25E6, 0x25CF, 0x25CB, 0x25A0, 0x25A1, 0x25AA, 0x25AB, 0x25C6, 0x25C7, 0x2605, 0x2606, 0x203B, 0x25BA, 0x25B6, 0x27A4,
            0x2714, 0x2713, 0x00B7, 0x2460...0x249B, 0x3220...0x3229, 0x2776...0x2793:
            return true
        default: break
        }
        let isBracketed = line[0] == 0x28 || line[0] == 0xFF08
        let start = isBracketed ? 1 : 0
        var index = start
        while index < min(line.count, start + 3), isNumeral(line[index]) { index += 1 }
        guard index > start else { return false }
        let isChinese = line[start] > 0x100 && line[start] < 0xFF10
        switch at(index) {
        case 0x29, 0xFF09: return true
        case 0x3001, 0xFF0E: return !isBracketed
        // 3.14 and 一.
        case 0x2E: return !isBracketed && !isChinese && !(0x30...0x39).contains(at(index + 1))
        default: return false
        }
    }

    private static func isNumeral(_ value: UInt32) -> Bool {
        switch value {
        case 0x30...0x39, 0xFF10...0xFF19, 0x4E00, 0x4E8C, 0x4E09, 0x56DB, 0x4E94, 0x516D, 0x4E03, 0x516B, 0x4E5D, 0x5341: true
        default: false
        }
    }
}

/// Lines and paragraphs that stood before in the same text, counted as datatrove counts them: lines are parted by one or more line ends (an end at the
/// beginning or end of the text gives an empty line there), paragraphs by two or more in the text without white space around it.
struct DuplicateBlocks {
    private(set) var lines = 0
    private(set) var duplicateLines = 0
    private(set) var duplicateLineCharacters = 0
    private(set) var paragraphs = 0
    private(set) var duplicateParagraphs = 0
    private(set) var duplicateParagraphCharacters = 0

    init(_ scalars: UnsafeBufferPointer<UInt32>, _ kinds: UnsafePointer<UInt8>, _ scratch: StatisticsScratch) {
        let table = scratch.grams
        var ends = 0
        for value in scalars where value == 0x0A { ends += 1 }
        table.prepare(ends + 1)
        (lines, duplicateLines, duplicateLineCharacters) = Self.count(scalars, 0..<scalars.count, gap: 1, table)
        var range = 0..<scalars.count
        func isSpace(_ value: UInt32) -> Bool {
            guard value < ScalarKind.limit else { return false }
            let kind = kinds[Int(value)] & ScalarKind.mask
            return kind == ScalarKind.space || kind == ScalarKind.lineEnd || value &- 0x1C < 4
        }
        while let first = range.first, isSpace(scalars[first]) { range.removeFirst() }
        while let last = range.last, isSpace(scalars[last]) { range.removeLast() }
        table.prepare(ends + 1)
        (paragraphs, duplicateParagraphs, duplicateParagraphCharacters) = Self.count(scalars, range, gap: 2, table)
    }

    /// Blocks parted by `gap` or more line ends: how many, how many of them repeat an earlier one, and the characters in those.
    private static func count(_ scalars: UnsafeBufferPointer<UInt32>, _ range: Range<Int>, gap: Int, _ table: HashTable) -> (Int, Int, Int) {
        var (blocks, duplicates, characters) = (0, 0, 0)
        var start = range.lowerBound
        while true {
            var hash: UInt64 = 0x9E37_79B9_7F4A_7C15
            var index = start
            var pause = 0
            while index < range.upperBound {
                let value = scalars[index]
                if value == 0x0A {
                    pause = 1
                    while index + pause < range.upperBound, scalars[index + pause] == 0x0A { pause += 1 }
                    if pause >= gap { break }
                }
                hash = (hash ^ UInt64(value)) &* 0xD134_2543_DE82_EF95
                hash ^= hash >> 32
                index += 1
                pause = 0
            }
            blocks += 1
            let place = table.place(hash)
            if table.entries[place].count > 0 {
                duplicates += 1
                characters += index - start
            }
            table.entries[place].key = hash
            table.entries[place].count &+= 1
            if pause == 0 { return (blocks, duplicates, characters) }
            start = index + pause
        }
    }
}
