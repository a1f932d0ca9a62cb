/// Learns merges: the most frequent pair of neighbouring symbols becomes a symbol, again and again (Sennrich et al. 2016, algorithm 1).
/// Counts are kept for all pairs and changed only where a merge happens. Of equally frequent pairs the one with the smaller ids comes first.
struct MergeLearner: ~Copyable {
    /// The symbols' bytes by id, the alphabet first.
    private(set) var symbols: [[UInt8]]
    /// Left, right, merged, in the order in which they were learned.
    private(set) var merges: [(Int32, Int32, Int32)] = []

    /// The words' symbols one word after the other; merging shortens a word in place.
    private var text: [Int32] = []
    private var starts: [Int] = []
    private var lengths: [Int32] = []
    private var counts: [Int64] = []

    private var pairs = GrowingPairIndex()
    private var pairCounts: [Int64] = []
    /// Words that a pair may be in.
    private var places: [[Int32]] = []
    private var heap: [Candidate] = []
    private let continuation: [UInt8]

    private struct Candidate {
        var count: Int64
        var left: Int32
        var right: Int32
        var pair: Int32

        static func precedes(_ a: Candidate, _ b: Candidate) -> Bool {
            if a.count != b.count { return a.count > b.count }
            return a.left != b.left ? a.left < b.left : a.right < b.right
        }
    }

    /// `alphabet`: the first symbols. `continuation`: what marks a symbol inside a word ("##"), dropped from the right one when two are merged.
    init(alphabet: [[UInt8]], continuation: [UInt8] = []) {
        symbols = alphabet
        self.continuation = continuation
    }

    mutating func add(word: [Int32], count: Int64) {
        guard word.count > 1 else { return }
        starts.append(text.count)
        lengths.append(Int32(word.count))
        counts.append(count)
        text.append(contentsOf: word)
    }

    /// Learns until there are `size` symbols or no pair occurs `minimum` times.
    mutating func learn(size: Int, minimum: Int64 = 2) {
        var known = Vocabulary()
        for (id, symbol) in symbols.enumerated() { known.add(symbol, id: Int32(id)) }
        countPairs()
        while symbols.count < size, let top = pop() {
            let count = pairCounts[Int(top.pair)]
            if top.count != count {
                if count > 0 { push(Candidate(count: count, left: top.left, right: top.right, pair: top.pair)) }
                continue
            }
            if count < minimum { break }
            let right = symbols[Int(top.right)]
            let merged = symbols[Int(top.left)] + (right.starts(with: continuation) ? right.dropFirst(continuation.count) : right[...])
            let id: Int32
            if let same = known.id(of: merged) {
                id = same
            } else {
                id = Int32(symbols.count)
                symbols.append(merged)
                known.add(merged, id: id)
            }
            merges.append((top.left, top.right, id))
            apply(top, id)
        }
        known = Vocabulary()
    }

    private mutating func countPairs() {
        for word in 0..<starts.count {
            let start = starts[word]
            for index in start..<start + Int(lengths[word]) - 1 {
                change(text[index], text[index + 1], by: counts[word], word: Int32(word))
            }
        }
        for index in 0..<pairs.count {
            let key = pairs.keys[index]
            push(
                Candidate(
                    count: pairCounts[index], left: Int32(truncatingIfNeeded: key >> 32), right: Int32(truncatingIfNeeded: key), pair: Int32(index)))
        }
    }

    @discardableResult
    private mutating func change(_ left: Int32, _ right: Int32, by count: Int64, word: Int32) -> Int {
        let pair = pairs.index(of: pairKey(left, right))
        if pair == pairCounts.count {
            pairCounts.append(0)
            places.append([])
        }
        pairCounts[pair] += count
        if count > 0, places[pair].last != word { places[pair].append(word) }
        return pair
    }

    private mutating func apply(_ top: Candidate, _ id: Int32) {
        var grown: [Int] = []
        let words = places[Int(top.pair)]
        places[Int(top.pair)] = []
        for word in words {
            let start = starts[Int(word)]
            let length = Int(lengths[Int(word)])
            let count = counts[Int(word)]
            var read = start
            var write = start
            let end = start + length
            while read < end {
                let symbol = text[read]
                guard symbol == top.left, read + 1 < end, text[read + 1] == top.right else {
                    text[write] = symbol
                    write += 1
                    read += 1
                    continue
                }
                if write > start {
                    let previous = text[write - 1]
                    change(previous, top.left, by: -count, word: word)
                    grown.append(change(previous, id, by: count, word: word))
                }
                if read + 2 < end {
                    let next = text[read + 2]
                    change(top.right, next, by: -count, word: word)
                    grown.append(change(id, next, by: count, word: word))
                }
                text[write] = id
                write += 1
                read += 2
            }
            lengths[Int(word)] = Int32(write - start)
        }
        pairCounts[Int(top.pair)] = 0
        grown.sort()
        var previous = -1
        for pair in grown where pair != previous {
            previous = pair
            let key = pairs.keys[pair]
            if pairCounts[pair] > 0 {
                push(
                    Candidate(
                        count: pairCounts[pair], left: Int32(truncatingIfNeeded: key >> 32), right: Int32(truncatingIfNeeded: key), pair: Int32(pair))
                )
            }
        }
    }

    private mutating func push(_ candidate: Candidate) {
        var index = heap.count
        heap.append(candidate)
        while index > 0 {
            let parent = (index - 1) / 2
            guard Candidate.precedes(candidate, heap[parent]) else { break }
            heap[index] = heap[parent]
            index = parent
        }
        heap[index] = candidate
    }

    private mutating func pop() -> Candidate? {
        guard let top = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return top }
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, Candidate.precedes(heap[child + 1], heap[child]) { child += 1 }
            guard Candidate.precedes(heap[child], last) else { break }
            heap[index] = heap[child]
            index = child
        }
        heap[index] = last
        return top
    }
}

/// Numbers pairs from 0 in the order in which they are first asked for.
private struct GrowingPairIndex {
    private(set) var keys: [UInt64] = []
    private var slots = [Int32](repeating: -1, count: 1 << 16)

    var count: Int { keys.count }

    @inline(__always)
    private func slot(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & (slots.count - 1)
    }

    /// The key's number; equal to the former `count` for a new key.
    mutating func index(of key: UInt64) -> Int {
        var index = slot(key)
        while slots[index] >= 0 {
            if keys[Int(slots[index])] == key { return Int(slots[index]) }
            index = (index + 1) & (slots.count - 1)
        }
        slots[index] = Int32(keys.count)
        keys.append(key)
        if keys.count * 2 > slots.count { grow() }
        return keys.count - 1
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        for (number, key) in keys.enumerated() {
            var index = slot(key)
            while slots[index] >= 0 { index = (index + 1) & (slots.count - 1) }
            slots[index] = Int32(number)
        }
    }
}
