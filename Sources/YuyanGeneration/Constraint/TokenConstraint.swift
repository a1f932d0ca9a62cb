import YuyanModels
import YuyanTensor
import YuyanText

/// Which tokens may come next, so that the whole text is one that a grammar allows (Willard and Louf 2023, "Efficient Guided Generation for Large Language
/// Models"): an automaton reads the bytes of the text, and what may follow one of its states is found once, by a walk through the tokens' trie.
@Engine final class TokenConstraint {
    /// How far a text has come.
    struct Position: Hashable {
        fileprivate var state: Int32
        /// Which of `tables` the next token's bytes are found in.
        fileprivate var place: Int
    }

    /// What tokens add at one kind of place.
    private struct Table {
        var trie: TokenTrie
        /// For each id the number of the place behind it.
        var next: [Int]
    }

    private let automaton: ByteAutomaton
    private let tokens: TokenBytes
    private let vocabulary: Int
    private let stopTokens: [Int32]
    /// Tokens that are not part of the text, or must not come.
    private let isBarred: [Bool]
    private var places: [TokenBytes.Place]
    private var tables: [Table?] = [nil]
    /// The fewest tokens that end the text; nil: every byte is a token, and the automaton's count of bytes will do.
    private var distances: [Position: Int]?
    private var masks: [Position: TokenMask] = [:]

    /// The constraint that a configuration asks for; nil: none.
    /// - Parameter stopTokens: end an answer; they may come where the text is complete.
    /// - Throws: `GenerationError` for what cannot be read, is too large, or cannot be written with the tokenizer's tokens.
    static func of(
        _ configuration: GenerationConfiguration, tokenizer: Tokenizer?, vocabulary: Int, stopTokens: Set<Int32>
    ) throws -> TokenConstraint? {
        guard let (key, automaton) = try configuration.automaton() else { return nil }
        guard let tokenizer else { throw GenerationError(key: key, "needs a tokenizer") }
        let constraint = TokenConstraint(
            automaton, tokenizer: tokenizer, vocabulary: vocabulary, stopTokens: stopTokens, bannedTokens: configuration.bannedTokens)
        guard constraint.distance(constraint.start) < .max, !constraint.mask(at: constraint.start, remaining: .max).isEmpty else {
            throw GenerationError(key: key, "allows no text that the tokenizer's tokens can write")
        }
        return constraint
    }

    init(_ automaton: ByteAutomaton, tokenizer: Tokenizer, vocabulary: Int, stopTokens: Set<Int32>, bannedTokens: [Int32]) {
        (self.automaton, self.vocabulary) = (automaton, vocabulary)
        tokens = TokenBytes(tokenizer)
        let known = 0..<Int32(vocabulary)
        self.stopTokens = stopTokens.subtracting(bannedTokens).filter(known.contains).sorted()
        var isBarred = [Bool](repeating: false, count: vocabulary)
        for id in stopTokens.union(bannedTokens) where known.contains(id) { isBarred[Int(id)] = true }
        self.isBarred = isBarred
        places = [tokens.start]
        if !everyByteIsAToken { explore() }
    }

    var start: Position { Position(state: ByteAutomaton.start, place: 0) }

    /// The position behind a token that its mask allows.
    func position(after id: Int32, at position: Position) -> Position {
        let bytes = tokens.bytes(of: id, at: places[position.place]).bytes
        return Position(state: automaton.next(position.state, bytes), place: table(position.place).next[Int(id)])
    }

    /// Whether the text may end here.
    func isComplete(_ position: Position) -> Bool { automaton.isAccepting(position.state) }

    /// The tokens that may come here so that the text can be completed with the `remaining` ones behind; where that cannot be, those that come nearest to it.
    func mask(at position: Position, remaining: Int) -> TokenMask {
        let all = masks[position] ?? remember(mask(at: position, within: .max), at: position)
        if all.distances.upperBound <= remaining { return all }
        let timely = mask(at: position, within: remaining)
        return timely.isEmpty && !isComplete(position) ? mask(at: position, within: all.distances.lowerBound) : timely
    }

    private func remember(_ mask: TokenMask, at position: Position) -> TokenMask {
        // A mask takes a bit for each token.
        if masks.count * vocabulary >= 1 << 29 { masks = [:] }
        masks[position] = mask
        return mask
    }

    /// The tokens behind which at most so many more are needed.
    private func mask(at position: Position, within remaining: Int) -> TokenMask {
        var mask = TokenMask(count: vocabulary)
        let table = table(position.place)
        table.trie.forEach(from: position.state, in: automaton) { id, state in
            let distance = distance(Position(state: state, place: table.next[Int(id)]))
            if distance <= remaining, distance < .max { mask.insert(id, distance: distance) }
        }
        if isComplete(position) { for id in stopTokens { mask.insertStop(id) } }
        return mask
    }

    private func distance(_ position: Position) -> Int {
        position.state < 0 ? .max : distances.map { $0[position] ?? .max } ?? automaton.distances[Int(position.state)]
    }

    private func table(_ place: Int) -> Table {
        if let table = tables[place] { return table }
        var next = [Int](repeating: place, count: vocabulary)
        var written: [(bytes: [UInt8], id: Int32)] = []
        for id in 0..<Int32(vocabulary) where !isBarred[Int(id)] {
            let token = tokens.bytes(of: id, at: places[place])
            guard !token.bytes.isEmpty else { continue }
            if places[next[Int(id)]] != token.next {
                if !places.contains(token.next) {
                    places.append(token.next)
                    tables.append(nil)
                }
                next[Int(id)] = places.firstIndex(of: token.next) ?? place
            }
            written.append((token.bytes, id))
        }
        let table = Table(trie: TokenTrie(written), next: next)
        tables[place] = table
        return table
    }

    /// Whether behind the first token everything can be written byte by byte, so that no way ends for want of a token.
    private var everyByteIsAToken: Bool {
        _ = table(0)
        let inside = places.count - 1
        guard inside <= 1 else { return false }
        _ = table(inside)
        guard places.count == inside + 1 else { return false }
        let single = Set(
            (0..<Int32(vocabulary)).lazy.filter { !self.isBarred[Int($0)] }.compactMap { id -> UInt8? in
                let bytes = self.tokens.bytes(of: id, at: self.places[inside]).bytes
                return bytes.count == 1 ? bytes[0] : nil
            })
        return automaton.bytes.allSatisfy(single.contains)
    }

    /// Distances in tokens from all positions that tokens lead to.
    private func explore() {
        var (numbers, positions) = ([start: 0], [start])
        var sources: [[Int32]] = [[]]
        var number = 0
        while number < positions.count {
            let table = table(positions[number].place)
            var targets: Set<Position> = []
            table.trie.forEach(from: positions[number].state, in: automaton) { id, state in
                targets.insert(Position(state: state, place: table.next[Int(id)]))
            }
            for target in targets {
                if numbers[target] == nil {
                    numbers[target] = positions.count
                    positions.append(target)
                    sources.append([])
                }
                if let place = numbers[target] { sources[place].append(Int32(number)) }
            }
            number += 1
        }
        distances = Dictionary(uniqueKeysWithValues: zip(positions, stepsToEnd(positions.map { isComplete($0) }, sources: sources)))
    }
}

/// A set of tokens.
struct TokenMask: Sendable, Hashable {
    private var words: [UInt64]
    private let count: Int
    /// The fewest and the most tokens that are needed behind one of these.
    private(set) var distances = 0...0
    /// Whether it holds no token that goes on.
    private(set) var isEmpty = true

    init(count: Int) {
        (words, self.count) = (Array(repeating: 0, count: (count + 63) / 64), count)
    }

    fileprivate mutating func insert(_ id: Int32, distance: Int) {
        insertStop(id)
        distances = isEmpty ? distance...distance : min(distances.lowerBound, distance)...max(distances.upperBound, distance)
        isEmpty = false
    }

    fileprivate mutating func insertStop(_ id: Int32) { words[Int(id) / 64] |= 1 << UInt64(id % 64) }

    func contains(_ id: Int32) -> Bool { words[Int(id) / 64] >> UInt64(id % 64) & 1 == 1 }

    /// The first of them.
    var first: Int32? { words.firstIndex { $0 != 0 }.map { Int32($0 * 64 + words[$0].trailingZeroBitCount) } }

    /// Takes all probability from the tokens outside.
    func apply(to scores: UnsafeMutableBufferPointer<Float>) {
        for (number, word) in words.enumerated() where word != .max {
            for bit in 0..<min(64, count - number * 64) where word >> UInt64(bit) & 1 == 0 { scores[number * 64 + bit] = -.infinity }
        }
    }
}

extension GenerationConfiguration {
    /// What `regex` or `jsonSchema` allows, and which of the keys it is; nil: there is neither. Throws `GenerationError`.
    func automaton() throws -> (key: String, automaton: ByteAutomaton)? {
        let key = regex == nil ? "json_schema" : "regex"
        do {
            guard let grammar = try regex.map({ try RegularExpression.grammar($0) }) ?? jsonSchema.map({ try JSONSchema.grammar($0) }) else {
                return nil
            }
            let automaton = try ByteAutomaton(grammar)
            if automaton.isEmpty { throw GenerationError(key: key, "allows no text at all") }
            return (key, automaton)
        } catch let mistake as RegularExpression.Mistake {
            throw GenerationError(key: key, "has \(mistake.problem)")
        } catch let error as ByteAutomaton.TooLarge {
            throw GenerationError(key: key, "needs \(error.problem) to be followed; shorten its repetitions")
        }
    }
}
