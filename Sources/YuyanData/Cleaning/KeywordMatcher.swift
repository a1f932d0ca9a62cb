import Foundation

/// Finds all words of a list in one pass over a text (Aho and Corasick, "Efficient string matching", 1975), however many words there are.
///
/// The automaton steps by Unicode scalars that some word holds; any other scalar brings it back to its beginning with one look into a table. ASCII
/// letters match in both cases. A hit inside a longer phrase of the allow-list does not count.
public struct KeywordMatcher: Sendable {
    /// One place where a word stands.
    public struct Match: Sendable, Hashable {
        /// Where it begins and ends, in Unicode scalars from the beginning of the text.
        public let range: Range<Int>
        /// Its number in the list of words.
        public let word: Int
    }

    /// What a text holds of the words.
    public struct Count: Sendable, Hashable {
        /// Places where a word stands; words inside words count too.
        public var hits = 0
        /// How often each word that is there was found.
        public var words: [String: Int] = [:]
        /// Unicode scalars of the text.
        public var characters = 0
        /// Hits for each character of the text.
        public var rate: Double { characters == 0 ? 0 : Double(hits) / Double(characters) }
    }

    /// The words to be found, as they were given, without repetitions.
    public let words: [String]
    private let automaton: Automaton
    /// Words from this number on are those that are allowed.
    private let firstAllowed: Int

    /// A matcher of `words` that leaves alone what stands inside one of the `allowed` phrases. Empty words are passed over.
    public init(_ words: [String], allowed: [String] = []) {
        let (words, patterns) = Self.distinct(words)
        self.words = words
        firstAllowed = words.count
        automaton = Automaton(patterns + Self.distinct(allowed).patterns)
    }

    /// A matcher of the words in these files, one on each line.
    public init(files: [String], allowed: [String] = []) throws {
        self.init(try files.flatMap(Self.readWords), allowed: try allowed.flatMap(Self.readWords))
    }

    /// The words of a list, one on each line; blank lines and white space around a word are passed over.
    public static func readWords(_ file: String) throws -> [String] {
        try readText(URL(fileURLWithPath: file)).split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }.filter {
            !$0.isEmpty
        }
    }

    private static func distinct(_ list: [String]) -> (words: [String], patterns: [[UInt32]]) {
        var seen: Set<[UInt32]> = []
        var words: [String] = []
        var patterns: [[UInt32]] = []
        for word in list {
            let pattern = word.unicodeScalars.map { $0.value < 0x80 ? UInt32(lowercased(UInt8($0.value))) : $0.value }
            guard !pattern.isEmpty, seen.insert(pattern).inserted else { continue }
            words.append(word)
            patterns.append(pattern)
        }
        return (words, patterns)
    }

    /// All places where a word stands and no allowed phrase around it, by their end; of those with one end the longest first.
    public func matches(in text: String) -> [Match] {
        find(in: text).matches
    }

    /// How often the words stand in `text`.
    public func count(in text: String) -> Count {
        let (matches, characters) = find(in: text)
        var count = Count(hits: matches.count, words: [:], characters: characters)
        var hits: [Int: Int] = [:]
        for match in matches { hits[match.word, default: 0] += 1 }
        for (word, hits) in hits { count.words[words[word]] = hits }
        return count
    }

    private func find(in text: String) -> (matches: [Match], characters: Int) {
        var text = text
        return text.withUTF8 { bytes in
            var state: Int32 = 0
            var index = 0
            var characters = 0
            var found: [Match] = []
            while index < bytes.count {
                let (value, length) = scalar(in: bytes, at: index)
                index += length
                characters += 1
                if automaton.advance(&state, value) {
                    automaton.outputs(state) { found.append(Match(range: characters - $1..<characters, word: $0)) }
                }
            }
            return (withoutAllowed(found), characters)
        }
    }

    /// The places in scalars that were decoded already.
    func matches(in scalars: UnsafeBufferPointer<UInt32>) -> [Match] {
        var state: Int32 = 0
        var found: [Match] = []
        for index in scalars.indices where automaton.advance(&state, scalars[index]) {
            automaton.outputs(state) { found.append(Match(range: index + 1 - $1..<index + 1, word: $0)) }
        }
        return withoutAllowed(found)
    }

    /// Whether one of the words stands in these bytes, the allow-list aside.
    func contains(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var state: Int32 = 0
        var index = 0
        while index < bytes.count {
            let (value, length) = scalar(in: bytes, at: index)
            index += length
            if automaton.advance(&state, value) { return true }
        }
        return false
    }

    /// How many scalars lie under some word.
    func coveredCount(in scalars: UnsafeBufferPointer<UInt32>) -> Int {
        var state: Int32 = 0
        var covered: [Range<Int>] = []  // the last places, apart from each other, in order
        var sum = 0
        for index in scalars.indices where automaton.advance(&state, scalars[index]) {
            var range = index + 1 - automaton.longestOutput(state)..<index + 1
            while let last = covered.last, last.upperBound >= range.lowerBound {
                range = min(last.lowerBound, range.lowerBound)..<range.upperBound
                sum -= last.count
                covered.removeLast()
            }
            covered.append(range)
            sum += range.count
        }
        return sum
    }

    private func withoutAllowed(_ found: [Match]) -> [Match] {
        let allowed = found.filter { $0.word >= firstAllowed }.map(\.range).sorted { ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound) }
        guard !allowed.isEmpty else { return found }
        // Of the allowed places that begin at or before a hit, the one that reaches farthest decides.
        var reach: [Int] = []
        for range in allowed { reach.append(max(reach.last ?? 0, range.upperBound)) }
        return found.filter { match in
            guard match.word < firstAllowed else { return false }
            let before = allowed.partitioningIndex { $0.lowerBound > match.range.lowerBound }
            return before == 0 || reach[before - 1] < match.range.upperBound
        }
    }
}

extension Array {
    /// The first index whose element satisfies the condition, in an array where all that do come last.
    fileprivate func partitioningIndex(where condition: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if condition(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// The trie with its failure links as a double array (Aoe, "An efficient digital search algorithm by using a double-array structure", 1989) over
/// the scalars that occur in patterns. Never changed once it is built, hence shared between threads.
private final class Automaton: @unchecked Sendable {
    private struct State {
        /// The child by letter `c` stands at `base + c`.
        var base: Int32 = 0
        /// The state whose child this is; -1 where the place is free.
        var parent: Int32 = -1
        /// The longest proper suffix that is a state too.
        var failure: Int32 = 0
        /// The longest pattern that ends here, as its place in `endings`; -1 where none does.
        var output: Int32 = -1
    }

    /// The letter of each scalar; 0: in no pattern.
    private let letters: UnsafeMutablePointer<UInt32>
    private static let planes = 0x30000
    private var states: UnsafeMutablePointer<State>
    private var count: Int
    private struct Ending {
        let pattern: Int
        let length: Int
        /// The place of the next shorter pattern that ends here; -1 where there is none.
        let next: Int32
    }
    private var endings: [Ending] = []

    deinit {
        letters.deallocate()
        states.deallocate()
    }

    /// One step; says whether a pattern ends here.
    @inline(__always)
    func advance(_ state: inout Int32, _ value: UInt32) -> Bool {
        let letter = value < Self.planes ? letters[Int(value)] : 0
        guard letter != 0 else {
            state = 0
            return false
        }
        while true {
            let next = Int(states[Int(state)].base) + Int(letter)
            if UInt(bitPattern: next) < UInt(bitPattern: count), states[next].parent == state {
                state = Int32(truncatingIfNeeded: next)
                return states[next].output >= 0
            }
            if state == 0 { return false }
            state = states[Int(state)].failure
        }
    }

    /// The patterns that end at a state, longest first, with their lengths.
    func outputs(_ state: Int32, _ body: (Int, Int) -> Void) {
        var next = states[Int(state)].output
        while next >= 0 {
            let ending = endings[Int(next)]
            body(ending.pattern, ending.length)
            next = ending.next
        }
    }

    /// The length of the longest pattern that ends at a state where one does.
    func longestOutput(_ state: Int32) -> Int {
        endings[Int(states[Int(state)].output)].length
    }

    init(_ patterns: [[UInt32]]) {
        letters = .allocate(capacity: Self.planes)
        letters.initialize(repeating: 0, count: Self.planes)
        // Frequent letters get small numbers, which packs the array; the order of scalars settles ties.
        var frequency: [UInt32: Int] = [:]
        for pattern in patterns { for value in pattern where value < Self.planes { frequency[value, default: 0] += 1 } }
        let alphabet = frequency.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
        for (number, value) in alphabet.enumerated() {
            letters[Int(value)] = UInt32(number + 1)
            if value &- 0x61 < 26 { letters[Int(value - 0x20)] = UInt32(number + 1) }
        }
        count = alphabet.count + 256
        states = .allocate(capacity: count)
        states.initialize(repeating: State(), count: count)
        states[0].parent = -2
        // A pattern with a scalar of planes 3 and up (unassigned, tags, private use) never matches.
        let letters = letters
        let spelled = patterns.enumerated().filter { $0.element.allSatisfy { $0 < Self.planes } }
            .map { (pattern: $0.offset, letters: $0.element.map { letters[Int($0)] }) }
            .sorted { $0.letters.lexicographicallyPrecedes($1.letters) || $0.letters == $1.letters && $0.pattern < $1.pattern }
        build(spelled)
    }

    private func build(_ patterns: [(pattern: Int, letters: [UInt32])]) {
        var queue: [(state: Int32, patterns: Range<Int>, depth: Int)] = [(0, patterns.indices, 0)]
        var head = 0
        var firstFree = 1
        while head < queue.count {
            let (state, range, depth) = queue[head]
            head += 1
            var lower = range.lowerBound
            // Equal patterns (a word that is allowed as well) end at one state; the last of them counts, and that is the allowed one.
            var pattern: Int?
            while lower < range.upperBound, patterns[lower].letters.count == depth {
                pattern = patterns[lower].pattern
                lower += 1
            }
            if state != 0 {
                let shorter = states[Int(states[Int(state)].failure)].output
                states[Int(state)].output = pattern == nil ? shorter : Int32(endings.count)
                if let pattern { endings.append(Ending(pattern: pattern, length: depth, next: shorter)) }
            }
            guard lower < range.upperBound else { continue }
            var children: [(letter: UInt32, patterns: Range<Int>)] = []
            while lower < range.upperBound {
                let letter = patterns[lower].letters[depth]
                var upper = lower + 1
                while upper < range.upperBound, patterns[upper].letters[depth] == letter { upper += 1 }
                children.append((letter, lower..<upper))
                lower = upper
            }
            let base = place(children.map(\.letter), &firstFree)
            states[Int(state)].base = Int32(base)
            for child in children {
                let next = base + Int(child.letter)
                states[next].parent = state
                states[next].failure = state == 0 ? 0 : follow(states[Int(state)].failure, child.letter)
                queue.append((Int32(next), child.patterns, depth + 1))
            }
        }
    }

    /// Where a suffix that failed goes with this letter.
    private func follow(_ start: Int32, _ letter: UInt32) -> Int32 {
        var state = start
        while true {
            let next = Int(states[Int(state)].base) + Int(letter)
            if next >= 0, next < count, states[next].parent == state { return Int32(next) }
            if state == 0 { return 0 }
            state = states[Int(state)].failure
        }
    }

    /// A base at which all these letters find a free place.
    private func place(_ letters: [UInt32], _ firstFree: inout Int) -> Int {
        while firstFree < count, states[firstFree].parent != -1 { firstFree += 1 }
        let lowest = Int(letters[0])
        let highest = Int(letters[letters.count - 1])
        var slot = firstFree
        while true {
            let base = slot - lowest
            grow(to: base + highest + 1)
            if states[slot].parent == -1, letters.allSatisfy({ states[base + Int($0)].parent == -1 }) { return base }
            slot += 1
        }
    }

    private func grow(to needed: Int) {
        guard needed > count else { return }
        let size = max(needed, count * 3 / 2)
        let larger = UnsafeMutablePointer<State>.allocate(capacity: size)
        larger.moveInitialize(from: states, count: count)
        (larger + count).initialize(repeating: State(), count: size - count)
        states.deallocate()
        states = larger
        count = size
    }
}
