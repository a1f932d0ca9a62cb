/// A deterministic automaton over bytes: it reads UTF-8 and says what may follow. Every state but a dead one has a way to an accepting state.
struct ByteAutomaton: Sendable {
    /// The dead state: no text that comes here can be completed.
    static let dead: Int32 = -1
    static let start: Int32 = 0

    /// Bytes of one class lead everywhere to the same state.
    private let classes: [UInt8]
    private let classCount: Int
    /// [state, class]
    private var transitions: [Int32]
    private let accepts: [Bool]
    /// The fewest bytes from a state to an accepting one.
    private(set) var distances: [Int] = []

    /// More states than this are refused: a mask is computed for each that a text comes through.
    static let limit = 50_000

    /// What is wrong with a grammar: goes on behind "needs".
    struct TooLarge: Error { var problem: String }

    init(_ grammar: Grammar) throws {
        var builder = NondeterministicAutomaton()
        let start = builder.state()
        let end = try builder.add(grammar, from: start)
        try self.init(builder, start: start, end: end)
    }

    var count: Int { accepts.count }

    func isAccepting(_ state: Int32) -> Bool { state >= 0 && accepts[Int(state)] }

    @inline(__always)
    func next(_ state: Int32, _ byte: UInt8) -> Int32 { state < 0 ? state : transitions[Int(state) * classCount + Int(classes[Int(byte)])] }

    func next(_ state: Int32, _ bytes: some Sequence<UInt8>) -> Int32 { bytes.reduce(state) { next($0, $1) } }

    /// Whether no text is accepted.
    var isEmpty: Bool { distances[0] == .max }

    /// The bytes that some accepted text holds.
    var bytes: [UInt8] {
        (0...UInt8.max).filter { byte in accepts.indices.contains { distances[$0] < .max && next(Int32($0), byte) >= 0 } }
    }

    /// The subset construction.
    private init(_ source: NondeterministicAutomaton, start: Int32, end: Int32) throws {
        (classes, classCount) = source.classes()
        var (numbers, sets): ([[Int32]: Int32], [[Int32]]) = ([:], [])
        var (transitions, accepts): ([Int32], [Bool]) = ([], [])
        var closure = Closure(source, end: end)
        func number(of targets: [Int32]) throws -> Int32 {
            let set = closure.of(targets)
            if let known = numbers[set] { return known }
            guard sets.count < ByteAutomaton.limit else { throw TooLarge(problem: "more than \(ByteAutomaton.limit) states") }
            numbers[set] = Int32(sets.count)
            sets.append(set)
            accepts.append(set.contains(end))
            return Int32(sets.count - 1)
        }
        _ = try number(of: [start])
        var state = 0
        while state < sets.count {
            var targets = [[Int32]](repeating: [], count: classCount)
            for member in sets[state] {
                for edge in source.edges[Int(member)] {
                    for number in classes[Int(edge.bytes.lowerBound)]...classes[Int(edge.bytes.upperBound)] {
                        targets[Int(number)].append(edge.target)
                    }
                }
            }
            // Most classes lead where another one has led already.
            var known: [(targets: [Int32], state: Int32)] = []
            for targets in targets {
                if targets.isEmpty {
                    transitions.append(ByteAutomaton.dead)
                } else if let found = known.first(where: { $0.targets == targets }) {
                    transitions.append(found.state)
                } else {
                    known.append((targets, try number(of: targets)))
                    transitions.append(known[known.count - 1].state)
                }
            }
            state += 1
        }
        (self.transitions, self.accepts) = (transitions, accepts)
        measure()
    }

    /// Finds the distances; what has none leads nowhere.
    private mutating func measure() {
        var sources = [[Int32]](repeating: [], count: count)
        for state in 0..<count {
            for target in transitions[state * classCount..<(state + 1) * classCount] where target >= 0 {
                if sources[Int(target)].last != Int32(state) { sources[Int(target)].append(Int32(state)) }
            }
        }
        distances = stepsToEnd(accepts, sources: sources)
        for place in transitions.indices where transitions[place] >= 0 && distances[Int(transitions[place])] == .max {
            transitions[place] = ByteAutomaton.dead
        }
    }

    /// The automaton of what both accept, as edges: state pairs, numbered as they are met.
    static func meeting(
        _ one: ByteAutomaton, _ other: ByteAutomaton
    ) throws -> (edges: [[(bytes: ClosedRange<UInt8>, target: Int)]], accepts: [Bool]) {
        struct Pair: Hashable { var one, other: Int32 }
        var (numbers, pairs) = ([Pair(one: start, other: start): 0], [Pair(one: start, other: start)])
        var edges: [[(bytes: ClosedRange<UInt8>, target: Int)]] = []
        while edges.count < pairs.count {
            let pair = pairs[edges.count]
            var own: [(bytes: ClosedRange<UInt8>, target: Int)] = []
            for byte in 0...UInt8.max {
                let next = Pair(one: one.next(pair.one, byte), other: other.next(pair.other, byte))
                guard next.one >= 0, next.other >= 0 else { continue }
                if numbers[next] == nil {
                    guard pairs.count < limit else { throw TooLarge(problem: "more than \(limit) states") }
                    numbers[next] = pairs.count
                    pairs.append(next)
                }
                guard let target = numbers[next] else { continue }
                if let last = own.last, last.target == target, last.bytes.upperBound + 1 == byte {
                    own[own.count - 1].bytes = last.bytes.lowerBound...byte
                } else {
                    own.append((byte...byte, target))
                }
            }
            edges.append(own)
        }
        return (edges, pairs.map { one.isAccepting($0.one) && other.isAccepting($0.other) })
    }
}

/// The fewest steps from each node of a graph to one that is an end, by a breadth-first search from the ends back; `.max` where no way leads to one.
///
/// - Parameter sources: for each node those that a step leads from to it.
func stepsToEnd(_ isEnd: [Bool], sources: [[Int32]]) -> [Int] {
    var steps = isEnd.map { $0 ? 0 : Int.max }
    var queue = isEnd.indices.filter { isEnd[$0] }
    var head = 0
    while head < queue.count {
        for source in sources[queue[head]] where steps[Int(source)] == .max {
            steps[Int(source)] = steps[queue[head]] + 1
            queue.append(Int(source))
        }
        head += 1
    }
    return steps
}

/// An automaton as a grammar is translated into it (Thompson 1968): edges of bytes, and steps that read nothing.
struct NondeterministicAutomaton {
    fileprivate(set) var edges: [[(bytes: ClosedRange<UInt8>, target: Int32)]] = []
    fileprivate(set) var steps: [[Int32]] = []

    mutating func state() -> Int32 {
        edges.append([])
        steps.append([])
        return Int32(edges.count - 1)
    }

    private mutating func step(_ from: Int32, _ to: Int32) { steps[Int(from)].append(to) }

    private mutating func edge(_ from: Int32, _ bytes: ClosedRange<UInt8>, _ to: Int32) { edges[Int(from)].append((bytes, to)) }

    /// Adds what a grammar allows from a state on; gives the state behind it.
    mutating func add(_ grammar: Grammar, from start: Int32) throws -> Int32 {
        guard edges.count < 20 * ByteAutomaton.limit else { throw ByteAutomaton.TooLarge(problem: "more than \(20 * ByteAutomaton.limit) states") }
        switch grammar {
        case .scalars(let set): return add(set, from: start)
        case .bytes(let bytes):
            return bytes.reduce(start) { from, byte in
                let to = state()
                edge(from, byte...byte, to)
                return to
            }
        case .sequence(let parts): return try parts.reduce(start) { try add($1, from: $0) }
        case .choice(let ways):
            let end = state()
            for way in ways { step(try add(way, from: start), end) }
            return end
        case .repeated(let item, let least, let most, let separator): return try add(item, least, most, separator, from: start)
        case .list(let items, let separator): return try add(items, separator, from: start)
        case .both(let one, let other):
            let meeting = try ByteAutomaton.meeting(ByteAutomaton(one), ByteAutomaton(other))
            let states = meeting.edges.map { _ in state() }
            let end = state()
            step(start, states[0])
            for (number, own) in meeting.edges.enumerated() {
                for target in own { edge(states[number], target.bytes, states[target.target]) }
                if meeting.accepts[number] { step(states[number], end) }
            }
            return end
        }
    }

    /// The bytes of scalars; sequences that end alike share their ends.
    private mutating func add(_ set: ScalarSet, from start: Int32) -> Int32 {
        let end = state()
        var tails: [[ClosedRange<UInt8>]: Int32] = [[]: end]
        for sequence in set.utf8 {
            var target = end
            for place in sequence.indices.reversed() {
                guard place > 0 else {
                    edge(start, sequence[0], target)
                    break
                }
                let tail = Array(sequence[place...])
                if let known = tails[tail] {
                    target = known
                } else {
                    let from = state()
                    edge(from, sequence[place], target)
                    tails[tail] = from
                    target = from
                }
            }
        }
        return end
    }

    private mutating func add(_ item: Grammar, _ least: Int, _ most: Int?, _ separator: Grammar, from start: Int32) throws -> Int32 {
        let end = state()
        if least == 0 { step(start, end) }
        if most == 0 { return end }
        var from = start
        // Without an upper bound the last copy is a loop.
        let copies = most ?? max(least, 1)
        for copy in 1...copies {
            if copy > 1 { from = try add(separator, from: from) }
            let isLoop = copy == copies && most == nil
            if isLoop {
                let loop = state()
                step(from, loop)
                from = loop
            }
            let begin = from
            from = try add(item, from: begin)
            if isLoop { step(try add(separator, from: from), begin) }
            if copy >= least { step(from, end) }
        }
        return end
    }

    /// Two tracks through the items: before the first one that is there, and behind one.
    private mutating func add(_ items: [(item: Grammar, isRequired: Bool)], _ separator: Grammar, from start: Int32) throws -> Int32 {
        var (before, behind): (Int32?, Int32?) = (start, nil)
        for (item, isRequired) in items {
            let begin = state()
            if let before { step(before, begin) }
            if let behind { step(try add(separator, from: behind), begin) }
            let after = state()
            step(try add(item, from: begin), after)
            if isRequired {
                before = nil
            } else if let behind {
                step(behind, after)
            }
            behind = after
        }
        let end = state()
        for track in [before, behind] { if let track { step(track, end) } }
        return end
    }

    /// Classes of bytes that no edge tells apart, in the order of the bytes.
    func classes() -> (classes: [UInt8], count: Int) {
        var begins = [Bool](repeating: false, count: 257)
        for edge in edges.joined() {
            begins[Int(edge.bytes.lowerBound)] = true
            begins[Int(edge.bytes.upperBound) + 1] = true
        }
        var (classes, number) = ([UInt8](), 0)
        for byte in 0..<256 {
            if byte > 0, begins[byte] { number += 1 }
            classes.append(UInt8(number))
        }
        return (classes, number + 1)
    }
}

/// What states are reached from others without reading: those that read something, and the end.
private struct Closure {
    private let source: NondeterministicAutomaton
    private let end: Int32
    private var visited: [Int]
    private var round = 0

    init(_ source: NondeterministicAutomaton, end: Int32) {
        (self.source, self.end) = (source, end)
        visited = Array(repeating: 0, count: source.edges.count)
    }

    mutating func of(_ states: [Int32]) -> [Int32] {
        round += 1
        var (stack, found) = (states, [Int32]())
        while let state = stack.popLast() {
            guard visited[Int(state)] != round else { continue }
            visited[Int(state)] = round
            if state == end || !source.edges[Int(state)].isEmpty { found.append(state) }
            stack += source.steps[Int(state)]
        }
        return found.sorted()
    }
}
