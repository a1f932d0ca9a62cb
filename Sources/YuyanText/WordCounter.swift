/// Counts words by their bytes, in the order in which they are first met.
struct WordCounter: ~Copyable {
    private(set) var counts: [Int64] = []
    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    private var slots = [Int32](repeating: -1, count: 1 << 16)

    var count: Int { counts.count }

    /// The bytes of a word.
    subscript(word: Int) -> ArraySlice<UInt8> {
        bytes[(word == 0 ? 0 : ends[word - 1])..<ends[word]]
    }

    mutating func add(_ word: UnsafeBufferPointer<UInt8>, times: Int64 = 1) {
        var slot = Int(truncatingIfNeeded: hash(word)) & (slots.count - 1)
        while slots[slot] >= 0 {
            let known = Int(slots[slot])
            let start = known == 0 ? 0 : ends[known - 1]
            if ends[known] - start == word.count, matches(word, at: start) {
                counts[known] += times
                return
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        slots[slot] = Int32(counts.count)
        counts.append(times)
        bytes.append(contentsOf: word)
        ends.append(bytes.count)
        if counts.count * 2 > slots.count { grow() }
    }

    private func matches(_ word: UnsafeBufferPointer<UInt8>, at start: Int) -> Bool {
        bytes.withUnsafeBufferPointer { bytes in
            for index in 0..<word.count where bytes[start + index] != word[index] { return false }
            return true
        }
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        for word in 0..<counts.count {
            let hash = self[word].withUnsafeBufferPointer { YuyanText.hash($0) }
            var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Int32(word)
        }
    }
}
