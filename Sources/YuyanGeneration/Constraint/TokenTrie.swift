import YuyanText

/// The bytes of all tokens at one kind of place, as a trie in the order of a walk through it.
struct TokenTrie: Sendable {
    private var bytes: [UInt8] = []
    /// Behind the last node below this one.
    private var ends: [Int32] = []
    private var depths: [Int32] = []
    /// Where a node's tokens begin; they end where the next node's do.
    private var firsts: [Int32] = []
    private var ids: [Int32] = []
    private let deepest: Int

    /// - Parameter tokens: bytes, none of them empty, with ids.
    init(_ tokens: [(bytes: [UInt8], id: Int32)]) {
        deepest = tokens.map(\.bytes.count).max() ?? 0
        var path: [Int] = []
        var previous: [UInt8] = []
        for (token, id) in tokens.sorted(by: { $0.bytes == $1.bytes ? $0.id < $1.id : $0.bytes.lexicographicallyPrecedes($1.bytes) }) {
            let shared = zip(previous, token).prefix { $0 == $1 }.count
            for node in path[shared...] { ends[node] = Int32(bytes.count) }
            path.removeSubrange(shared...)
            for byte in token[shared...] {
                path.append(bytes.count)
                bytes.append(byte)
                depths.append(Int32(path.count - 1))
                ends.append(0)
                firsts.append(Int32(ids.count))
            }
            ids.append(id)
            previous = token
        }
        for node in path { ends[node] = Int32(bytes.count) }
        firsts.append(Int32(ids.count))
    }

    /// Every token that an automaton can read from a state on, with the state behind it.
    func forEach(from state: Int32, in automaton: ByteAutomaton, _ body: (_ id: Int32, _ state: Int32) -> Void) {
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: deepest + 1) { states in
            states[0] = state
            var node = 0
            while node < bytes.count {
                let depth = Int(depths[node])
                let next = automaton.next(states[depth], bytes[node])
                guard next >= 0 else {
                    node = Int(ends[node])
                    continue
                }
                states[depth + 1] = next
                for place in firsts[node]..<firsts[node + 1] { body(ids[Int(place)], next) }
                node += 1
            }
        }
    }
}
