/// Splits normalised text into the words that the model encodes one by one: the pre-tokenisers of `tokenizer.json`.
indirect enum PreTokenizer: Sendable {
    /// The model's alphabet is bytes; with `usesExpression` the text is split by GPT-2's expression first.
    case byteLevel(addsPrefixSpace: Bool, usesExpression: Bool)
    case bert
    /// `\w+|[^\w\s]+`
    case whitespace
    case whitespaceSplit
    case words(WordMatcher)
    case split(Pattern, SplitBehavior, inverted: Bool)
    case digits(individually: Bool)
    case punctuation(SplitBehavior)
    case metaspace(replacement: [UInt8], prepends: Metaspace, splits: Bool)
    case sequence([PreTokenizer])

    enum Metaspace: String, Sendable {
        case always, first, never
    }

    /// What becomes of the text that an expression matches.
    enum SplitBehavior: String, Sendable {
        case removed = "Removed"
        case isolated = "Isolated"
        case mergedWithPrevious = "MergedWithPrevious"
        case mergedWithNext = "MergedWithNext"
        case contiguous = "Contiguous"
    }

    typealias Text = UnsafeBufferPointer<UInt8>

    /// Calls `body` with the text, rewritten where a rule asks for it, and the words in it, none of them empty.
    /// `isStart`: the text stands at the beginning of what the user gave.
    func split(_ text: Text, _ ranges: [Range<Int>], isStart: Bool, _ body: (Text, [Range<Int>]) -> Void) {
        switch self {
        case .sequence(let steps):
            PreTokenizer.run(steps[...], text, ranges, isStart, body)
        case .byteLevel(let addsPrefixSpace, let usesExpression):
            rewritten(text, ranges) { word in
                addsPrefixSpace && word.first != 0x20 ? [0x20] + word : nil
            } body: { text, ranges in
                if usesExpression {
                    PreTokenizer.words(WordMatcher(style: .gpt2, digits: nil)).split(text, ranges, isStart: isStart, body)
                } else {
                    body(text, ranges)
                }
            }
        case .words(let matcher):
            guard let base = text.baseAddress else { return body(text, []) }
            var words: [Range<Int>] = []
            for range in ranges {
                // A word ends with its range, so that the look-ahead does not see past it.
                var start = range.lowerBound
                while start < range.upperBound {
                    let end = matcher.end(base, range.upperBound, from: start, classes: ScalarClasses.table)
                    words.append(start..<end)
                    start = end
                }
            }
            body(text, words)
        case .bert:
            let pieces = divide(text, ranges, .removed, by: .space)
            body(text, divide(text, pieces, .isolated, by: .punctuation))
        case .whitespaceSplit:
            body(text, divide(text, ranges, .removed, by: .space))
        case .whitespace:
            let pieces = divide(text, ranges, .removed, by: .space)
            body(text, pieces.flatMap { runs(text, $0) { $0.contains(.word) } }.map(\.range))
        case .digits(let individually):
            body(text, divide(text, ranges, individually ? .isolated : .contiguous, by: .number))
        case .punctuation(let behavior):
            body(text, divide(text, ranges, behavior, by: .punctuation))
        case .split(let pattern, let behavior, let inverted):
            body(
                text,
                ranges.flatMap { range in
                    let matches = pattern.matches(in: UnsafeBufferPointer(rebasing: text[range]))
                    return divide(
                        range, matches.map { $0.lowerBound + range.lowerBound..<$0.upperBound + range.lowerBound }, behavior, inverted: inverted)
                })
        case .metaspace(let replacement, let prepends, let splits):
            rewritten(text, ranges) { word in
                var result: [UInt8] = []
                for byte in word { if byte == 0x20 { result += replacement } else { result.append(byte) } }
                let atStart = word.startIndex == ranges.first?.lowerBound && isStart
                if !result.starts(with: replacement), prepends == .always || (prepends == .first && atStart) { result = replacement + result }
                return result
            } body: { text, ranges in
                guard splits else { return body(text, ranges) }
                body(text, ranges.flatMap { divide($0, occurrences(of: replacement, in: text, $0), .mergedWithNext) })
            }
        }
    }

    private static func run(
        _ steps: ArraySlice<PreTokenizer>, _ text: Text, _ ranges: [Range<Int>], _ isStart: Bool, _ body: (Text, [Range<Int>]) -> Void
    ) {
        guard let first = steps.first else { return body(text, ranges) }
        first.split(text, ranges, isStart: isStart) { run(steps.dropFirst(), $0, $1, isStart, body) }
    }
}

/// Each word replaced by what `rewrite` gives; the text is copied only if some word changes.
private func rewritten(
    _ text: PreTokenizer.Text, _ ranges: [Range<Int>], _ rewrite: (Slice<PreTokenizer.Text>) -> [UInt8]?,
    body: (PreTokenizer.Text, [Range<Int>]) -> Void
) {
    let changes = ranges.map { rewrite(text[$0]) }
    if changes.allSatisfy({ $0 == nil }) { return body(text, ranges) }
    var copy: [UInt8] = []
    var words: [Range<Int>] = []
    for (range, change) in zip(ranges, changes) {
        let start = copy.count
        if let change { copy += change } else { copy += text[range] }
        words.append(start..<copy.count)
    }
    copy.withUnsafeBufferPointer { body($0, words) }
}

/// The ranges divided where scalars of a class stand; each scalar is a match of its own.
private func divide(
    _ text: PreTokenizer.Text, _ ranges: [Range<Int>], _ behavior: PreTokenizer.SplitBehavior, by wanted: ScalarClasses
) -> [Range<Int>] {
    guard let base = text.baseAddress else { return [] }
    return ranges.flatMap { range in
        var matches: [Range<Int>] = []
        var index = range.lowerBound
        while index < range.upperBound {
            let (value, length) = scalar(base, index)
            if ScalarClasses.table[Int(value)] & wanted.rawValue != 0 { matches.append(index..<index + length) }
            index += length
        }
        return divide(range, matches, behavior)
    }
}

/// A range divided at matches, each handled as `behavior` says.
func divide(
    _ range: Range<Int>, _ matches: [Range<Int>], _ behavior: PreTokenizer.SplitBehavior, inverted: Bool = false
) -> [Range<Int>] {
    var parts: [(range: Range<Int>, isMatch: Bool)] = []
    var end = range.lowerBound
    for match in matches {
        if end < match.lowerBound { parts.append((end..<match.lowerBound, inverted)) }
        parts.append((match, !inverted))
        end = match.upperBound
    }
    if end < range.upperBound { parts.append((end..<range.upperBound, inverted)) }

    var result: [Range<Int>] = []
    switch behavior {
    case .removed: return parts.filter { !$0.isMatch }.map(\.range)
    case .isolated: return parts.map(\.range)
    case .contiguous:
        var previous: Bool?
        for part in parts {
            if part.isMatch == previous, let last = result.popLast() {
                result.append(last.lowerBound..<part.range.upperBound)
            } else {
                result.append(part.range)
            }
            previous = part.isMatch
        }
    case .mergedWithPrevious:
        var previous = false
        for part in parts {
            if part.isMatch, !previous, let last = result.popLast() {
                result.append(last.lowerBound..<part.range.upperBound)
            } else {
                result.append(part.range)
            }
            previous = part.isMatch
        }
    case .mergedWithNext:
        var previous = false
        for part in parts.reversed() {
            if part.isMatch, !previous, let last = result.popLast() {
                result.append(part.range.lowerBound..<last.upperBound)
            } else {
                result.append(part.range)
            }
            previous = part.isMatch
        }
        result.reverse()
    }
    return result
}

/// Runs of scalars of which a property is the same.
private func runs(
    _ text: PreTokenizer.Text, _ range: Range<Int>, _ property: (ScalarClasses) -> Bool
) -> [(range: Range<Int>, holds: Bool)] {
    guard let base = text.baseAddress else { return [] }
    var result: [(range: Range<Int>, holds: Bool)] = []
    var index = range.lowerBound
    while index < range.upperBound {
        let (value, length) = scalar(base, index)
        let holds = property(ScalarClasses(rawValue: ScalarClasses.table[Int(value)]))
        if let last = result.last, last.holds == holds {
            result[result.count - 1].range = last.range.lowerBound..<index + length
        } else {
            result.append((index..<index + length, holds))
        }
        index += length
    }
    return result
}

private func occurrences(of needle: [UInt8], in text: PreTokenizer.Text, _ range: Range<Int>) -> [Range<Int>] {
    var found: [Range<Int>] = []
    var index = range.lowerBound
    while index + needle.count <= range.upperBound {
        if text[index..<index + needle.count].elementsEqual(needle) {
            found.append(index..<index + needle.count)
            index += needle.count
        } else {
            index += 1
        }
    }
    return found
}
