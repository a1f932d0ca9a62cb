/// Tokens that are found in the text before the model sees it: special tokens and others that were added to a vocabulary.
struct AddedTokens: Sendable {
    struct Token: Sendable {
        var id: Int32
        var content: [UInt8]
        /// Takes the white space before, after it along.
        var stripsLeft = false
        var stripsRight = false
        /// Matches only where no word character touches it.
        var isSingleWord = false
        /// Matches in the normalised text instead of the text as it stands.
        var isNormalized = false
        var isSpecial = false
    }

    /// A stretch of text: a token that was found, or what stands between tokens.
    enum Part {
        case token(Int32, Range<Int>)
        case text(Range<Int>)
    }

    private(set) var tokens: [Token] = []
    private(set) var specialIDs: Set<Int32> = []
    private var raw = Matcher()
    private var normalized = Matcher()

    init() {}

    init(_ tokens: [Token], normalizer: Normalizer?) {
        self.tokens = tokens
        specialIDs = Set(tokens.lazy.filter(\.isSpecial).map(\.id))
        raw = Matcher(tokens.enumerated().filter { !$0.element.isNormalized }.map { ($0.offset, $0.element.content) })
        normalized = Matcher(
            tokens.enumerated().filter { $0.element.isNormalized }.map {
                ($0.offset, normalizer?.normalize($0.element.content) ?? $0.element.content)
            })
    }

    var hasNormalizedTokens: Bool { !normalized.isEmpty }

    /// Whether no token can begin in the text: then it is one part.
    @inline(__always)
    func isAbsent(from text: UnsafeBufferPointer<UInt8>, normalized isNormalized: Bool) -> Bool {
        (isNormalized ? normalized : raw).firstCandidate(text, from: 0) == nil
    }

    /// The text's parts in order, leftmost and longest tokens first; `parsingSpecial: false` leaves special tokens to the model.
    func parts(of text: UnsafeBufferPointer<UInt8>, normalized isNormalized: Bool, parsingSpecial: Bool) -> [Part] {
        let matcher = isNormalized ? normalized : raw
        var parts: [Part] = []
        var end = 0
        var index = 0
        while let start = matcher.firstCandidate(text, from: index) {
            guard let (number, length) = matcher.longestMatch(text, at: start) else {
                index = start + 1
                continue
            }
            let token = tokens[number]
            var span = start..<start + length
            index = span.upperBound
            if token.isSpecial && !parsingSpecial { continue }
            if token.isSingleWord, isWord(text, before: span.lowerBound) || isWord(text, at: span.upperBound) { continue }
            if token.stripsLeft { span = max(end, spaceStart(text, before: span.lowerBound))..<span.upperBound }
            if token.stripsRight { span = span.lowerBound..<spaceEnd(text, from: span.upperBound) }
            if span.lowerBound < end { span = end..<max(end, span.upperBound) }
            if end < span.lowerBound { parts.append(.text(end..<span.lowerBound)) }
            parts.append(.token(token.id, span))
            end = span.upperBound
        }
        if end < text.count { parts.append(.text(end..<text.count)) }
        return parts
    }

    /// Finds the tokens' contents: a table of first bytes to skip by, then a trie.
    private struct Matcher: Sendable {
        private var first = [Bool](repeating: false, count: 256)
        private var lead: [UInt8] = []
        private var trie = ByteTrie()
        let isEmpty: Bool

        init(_ contents: [(number: Int, content: [UInt8])] = []) {
            isEmpty = !contents.contains { !$0.content.isEmpty }
            for (number, content) in contents where !content.isEmpty {
                first[Int(content[0])] = true
                trie.add(content, value: Int32(number))
            }
            lead = (0..<256).filter { first[$0] }.map { UInt8($0) }
        }

        @inline(__always)
        func firstCandidate(_ text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
            guard !isEmpty, let base = text.baseAddress else { return nil }
            if lead.count == 1 {
                let wanted = lead[0]
                var index = start
                while index < text.count {
                    if base[index] == wanted { return index }
                    index += 1
                }
                return nil
            }
            return first.withUnsafeBufferPointer { first in
                var index = start
                while index < text.count {
                    if first[Int(base[index])] { return index }
                    index += 1
                }
                return nil
            }
        }

        func longestMatch(_ text: UnsafeBufferPointer<UInt8>, at start: Int) -> (number: Int, length: Int)? {
            trie.longestMatch(UnsafeBufferPointer(rebasing: text[start...])).map { (Int($0.value), $0.length) }
        }
    }
}

/// The byte position where white space before `end` begins.
private func spaceStart(_ text: UnsafeBufferPointer<UInt8>, before end: Int) -> Int {
    var end = end
    while let previous = scalarStart(text, before: end), classes(text, previous).contains(.space) { end = previous }
    return end
}

private func spaceEnd(_ text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    guard let base = text.baseAddress else { return start }
    var index = start
    while index < text.count, classes(text, index).contains(.space) { index += scalar(base, index).length }
    return index
}

private func isWord(_ text: UnsafeBufferPointer<UInt8>, before end: Int) -> Bool {
    scalarStart(text, before: end).map { classes(text, $0).contains(.word) } ?? false
}

private func isWord(_ text: UnsafeBufferPointer<UInt8>, at start: Int) -> Bool {
    start < text.count && classes(text, start).contains(.word)
}

private func scalarStart(_ text: UnsafeBufferPointer<UInt8>, before end: Int) -> Int? {
    var index = end - 1
    while index > 0, text[index] & 0xC0 == 0x80 { index -= 1 }
    return index >= 0 ? index : nil
}

private func classes(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> ScalarClasses {
    guard let base = text.baseAddress else { return [] }
    return ScalarClasses(rawValue: ScalarClasses.table[Int(scalar(base, index).value)])
}
