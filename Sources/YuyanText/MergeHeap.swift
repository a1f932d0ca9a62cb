/// A binary heap of merges, the lowest rank and then the leftmost first.
struct MergeHeap {
    struct Element {
        var merge: BytePairEncoding.Merge
        var position: Int32

        @inline(__always)
        static func < (left: Element, right: Element) -> Bool {
            left.merge != right.merge ? left.merge < right.merge : left.position < right.position
        }
    }

    private(set) var storage: [(UInt64, Int32)]

    init(reusing array: inout [(UInt64, Int32)]) {
        storage = array
        array = []
        storage.removeAll(keepingCapacity: true)
    }

    private subscript(index: Int) -> Element {
        Element(merge: storage[index].0, position: storage[index].1)
    }

    mutating func push(_ element: Element) {
        var index = storage.count
        storage.append((element.merge, element.position))
        while index > 0 {
            let parent = (index - 1) / 2
            guard element < self[parent] else { break }
            storage[index] = storage[parent]
            index = parent
        }
        storage[index] = (element.merge, element.position)
    }

    mutating func pop() -> Element? {
        guard !storage.isEmpty else { return nil }
        let top = self[0]
        let last = storage.removeLast()
        guard !storage.isEmpty else { return top }
        let element = Element(merge: last.0, position: last.1)
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < storage.count else { break }
            if child + 1 < storage.count, self[child + 1] < self[child] { child += 1 }
            guard self[child] < element else { break }
            storage[index] = storage[child]
            index = child
        }
        storage[index] = last
        return top
    }
}
