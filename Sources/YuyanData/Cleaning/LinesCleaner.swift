/// `lines`: lines that are not the text.
public struct LinesConfiguration: Codable, Sendable, Hashable {
    /// Removes the furniture of web pages: copyright notices, calls to follow and share, navigation.
    public var boilerplate = true
    /// Further phrases that mark a short line as furniture.
    public var phrases: [String] = []
    /// How long a line with such a phrase may be to be removed for it, in characters.
    public var boilerplateLength = 60
    /// Lines shorter than this (characters) that end without punctuation go where they stand in rows: menus, tag clouds. 0: none go.
    public var shortLineLength = 8
    /// How many of them make a row; blank lines between do not count.
    public var shortLineRun = 6
    /// A line of this many characters or more that stood in the text before goes. 0: none goes.
    public var repeatedLineLength = 15
    /// Removes lines that hold dots and ellipses only.
    public var ellipsis = true

    /// All rules, none of them touching a line of running prose.
    public init() {}
}

/// Removes lines by rules. Verse keeps its short lines as long as they end in punctuation; code between Markdown's fences stays as it is, and lists,
/// headings and tables of Markdown are no menus.
public struct LinesCleaner: TextCleaner {
    public let name = "lines"
    private let configuration: LinesConfiguration
    private let phrases: KeywordMatcher

    /// A cleaner.
    public init(_ configuration: LinesConfiguration = .init()) {
        self.configuration = configuration
        phrases = KeywordMatcher((configuration.boilerplate ? Boilerplate.phrases : []) + configuration.phrases)
    }

    private struct Line {
        var range: Range<Int>
        var isRemoved = false
        var isBlank = false
        var isShort = false
    }

    public func clean(_ text: inout String) -> Int {
        var removed = 0
        _ = edit(&text) { edits in
            let bytes = edits.source
            var lines: [Line] = []
            var seen: Set<UInt64> = []
            var start = 0
            var hasShort = 0
            var hasRemoved = false
            var isCode = false
            while start < bytes.count {
                let end = position(of: 0x0A, in: bytes, from: start) ?? bytes.count
                var line = Line(range: start..<min(end + 1, bytes.count))
                let content = Self.trimmed(bytes, start..<end)
                if content.isEmpty {
                    line.isBlank = true
                } else if hasPrefix("```", in: bytes, at: content.lowerBound) || hasPrefix("~~~", in: bytes, at: content.lowerBound) {
                    isCode.toggle()
                } else if !isCode {
                    judge(&line, UnsafeBufferPointer(rebasing: bytes[content]), &seen)
                    if line.isShort { hasShort += 1 }
                    if line.isRemoved { hasRemoved = true }
                }
                lines.append(line)
                start = end + 1
            }
            if hasShort >= configuration.shortLineRun, configuration.shortLineRun > 0 { hasRemoved = markRuns(&lines) || hasRemoved }
            guard hasRemoved else { return }
            // The blank lines that parted what is removed from the rest do not add up.
            var (afterBlank, afterRemoved) = (true, false)
            for line in lines {
                if line.isRemoved {
                    removed += 1
                    afterRemoved = true
                    edits.remove(line.range)
                } else if line.isBlank && afterBlank && afterRemoved {
                    edits.remove(line.range)
                } else {
                    (afterBlank, afterRemoved) = (line.isBlank, false)
                }
            }
            if afterRemoved { edits.trimBlankEnd() }
        }
        return removed
    }

    private func judge(_ line: inout Line, _ content: UnsafeBufferPointer<UInt8>, _ seen: inout Set<UInt64>) {
        if configuration.ellipsis, Self.isEllipsis(content) {
            line.isRemoved = true
            return
        }
        // Three bytes at most for nearly every character: what is longer in bytes needs no counting.
        let longest = max(configuration.boilerplateLength, configuration.shortLineLength, configuration.repeatedLineLength)
        let length = content.count > 4 * longest ? longest + 1 : content.count { $0 & 0xC0 != 0x80 }
        if length <= configuration.boilerplateLength {
            if !phrases.words.isEmpty, phrases.contains(content) || configuration.boilerplate && Boilerplate.isFurniture(content) {
                line.isRemoved = true
                return
            }
        }
        if configuration.repeatedLineLength > 0, length >= configuration.repeatedLineLength {
            if !seen.insert(hash(content)).inserted {
                line.isRemoved = true
                return
            }
        }
        line.isShort = length < configuration.shortLineLength && !EndPunctuation.ends(content) && !Self.isMarkdown(content[0])
    }

    /// Marks the rows of short lines; lines that are removed and blank lines do not part a row.
    private func markRuns(_ lines: inout [Line]) -> Bool {
        var row: [Int] = []
        var any = false
        func close() {
            if row.count >= configuration.shortLineRun {
                for index in row { lines[index].isRemoved = true }
                any = true
            }
            row.removeAll(keepingCapacity: true)
        }
        for index in lines.indices where !lines[index].isBlank && !lines[index].isRemoved {
            if lines[index].isShort { row.append(index) } else { close() }
        }
        close()
        return any
    }

    /// A range without the white space at both ends.
    private static func trimmed(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end {
            if bytes[start] == 0x20 || bytes[start] == 0x09 || bytes[start] == 0x0D {
                start += 1
            } else if start + 3 <= end, bytes[start] == 0xE3, bytes[start + 1] == 0x80, bytes[start + 2] == 0x80 {
                start += 3
            } else {
                break
            }
        }
        while start < end {
            if bytes[end - 1] == 0x20 || bytes[end - 1] == 0x09 || bytes[end - 1] == 0x0D {
                end -= 1
            } else if end - 3 >= start, bytes[end - 1] == 0x80, bytes[end - 2] == 0x80, bytes[end - 3] == 0xE3 {
                end -= 3
            } else {
                break
            }
        }
        return start..<end
    }

    private static func isMarkdown(_ first: UInt8) -> Bool {
        switch first {
        case UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "#"), UInt8(ascii: "|"), UInt8(ascii: ">"): true
        default: false
        }
    }

    /// Whether nothing but dots and ellipses stands in a line. Dashes and asterisks part sections in Markdown and stay.
    private static func isEllipsis(_ content: UnsafeBufferPointer<UInt8>) -> Bool {
        var index = 0
        var dots = 0
        while index < content.count {
            let (value, length) = scalar(in: content, at: index)
            switch value {
            case 0x2E, 0x3002, 0x2026, 0x00B7, 0x30FB, 0xFF0E, 0x22EF: dots += 1
            case 0x20, 0x3000: break
            default: return false
            }
            index += length
        }
        return dots > 0
    }

    private func hash(_ content: UnsafeBufferPointer<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in content { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return mix(hash)
    }
}
