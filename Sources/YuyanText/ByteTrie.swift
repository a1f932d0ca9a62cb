/// A trie over bytes that finds the longest of its entries at the start of a text. Nodes are dense numbers, edges live in one flat hash table.
struct ByteTrie: Sendable {
    private final class Storage: @unchecked Sendable {  // written only while the trie is built
        var edges = PairTable(capacity: 1024)
        var edgeCount = 0
        var nodes: Int32 = 1
    }

    private var storage = Storage()

    init() {}

    /// `value` must not be negative; the first value of an entry stays.
    mutating func add(_ entry: some Collection<UInt8>, value: Int32) {
        var node: Int32 = 0
        for (offset, byte) in entry.enumerated() {
            let key = ByteTrie.key(node, byte)
            let isLast = offset == entry.count - 1
            if let edge = storage.edges.find(key) {
                node = edge.pointee.first
                if isLast, edge.pointee.second < 0 { storage.edges.update(key, second: value) }
            } else {
                if storage.edgeCount * 2 > storage.edges.mask { grow() }
                storage.edges.insert(key, storage.nodes, isLast ? value : -1)
                storage.edgeCount += 1
                node = storage.nodes
                storage.nodes += 1
            }
        }
    }

    @inline(__always)
    private static func key(_ node: Int32, _ byte: UInt8) -> UInt64 {
        UInt64(UInt32(bitPattern: node)) << 8 | UInt64(byte)
    }

    @inline(__always)
    func longestMatch(_ text: UnsafeBufferPointer<UInt8>) -> (value: Int32, length: Int)? {
        var node: Int32 = 0
        var found: (value: Int32, length: Int)?
        var index = 0
        let edges = storage.edges
        while index < text.count, let edge = edges.find(ByteTrie.key(node, text[index])) {
            node = edge.pointee.first
            index += 1
            if edge.pointee.second >= 0 { found = (edge.pointee.second, index) }
        }
        return found
    }

    /// Every entry that the text begins with, the shortest first.
    @inline(__always)
    func forEachPrefix(_ text: UnsafeBufferPointer<UInt8>, _ body: (_ value: Int32, _ length: Int) -> Void) {
        var node: Int32 = 0
        var index = 0
        let edges = storage.edges
        while index < text.count, let edge = edges.find(ByteTrie.key(node, text[index])) {
            node = edge.pointee.first
            index += 1
            if edge.pointee.second >= 0 { body(edge.pointee.second, index) }
        }
    }

    private func grow() {
        let larger = PairTable(capacity: (storage.edges.mask + 1) * 2)
        for index in 0...storage.edges.mask {
            let entry = storage.edges.entries[index]
            if entry.key != .max { larger.insert(entry.key, entry.first, entry.second) }
        }
        storage.edges = larger
    }
}
