/// Which items share which row.
struct PackedRows: Sendable, Hashable {
    /// The items of all rows, row by row.
    private let items: [Int32]
    private let starts: [Int32]

    var count: Int { starts.count - 1 }

    /// The items of one row.
    subscript(row: Int) -> ArraySlice<Int32> { items[Int(starts[row])..<Int(starts[row + 1])] }

    /// Best-fit decreasing (Johnson et al., 1974; for language models Ding et al., "Fewer Truncations Improve Language Modeling",
    /// 2024): from the longest to the shortest, each item goes into the row that it leaves the least room in. `order` settles which of
    /// several items of one length comes first; the number of rows does not depend on it.
    init(lengths: [Int], capacity: Int, order: [Int32]) {
        precondition(lengths.allSatisfy { $0 > 0 && $0 <= capacity }, "an item is longer than a row")
        var byLength = [[Int32]](repeating: [], count: capacity + 1)
        for item in order { byLength[lengths[Int(item)]].append(item) }
        var rowsByRoom = [[Int32]](repeating: [], count: capacity + 1)
        var rooms = BitSet(count: capacity + 1)
        var rowOfItem = [Int32](repeating: 0, count: lengths.count)
        var rowCount: Int32 = 0
        for length in stride(from: capacity, to: 0, by: -1) {
            for item in byLength[length] {
                var row = rowCount
                var room = capacity
                if let found = rooms.first(from: length) {
                    row = rowsByRoom[found].removeLast()
                    if rowsByRoom[found].isEmpty { rooms.remove(found) }
                    room = found
                } else {
                    rowCount += 1
                }
                rowOfItem[Int(item)] = row
                rowsByRoom[room - length].append(row)
                rooms.insert(room - length)
            }
        }
        var starts = [Int32](repeating: 0, count: Int(rowCount) + 1)
        for row in rowOfItem { starts[Int(row) + 1] += 1 }
        for row in 0..<Int(rowCount) { starts[row + 1] += starts[row] }
        var items = [Int32](repeating: 0, count: lengths.count)
        var next = starts
        for item in order {
            let row = Int(rowOfItem[Int(item)])
            items[Int(next[row])] = item
            next[row] += 1
        }
        self.items = items
        self.starts = starts
    }
}

/// A set of small numbers that finds its next member fast.
private struct BitSet {
    private var words: [UInt64]

    init(count: Int) { words = [UInt64](repeating: 0, count: (count + 63) / 64) }

    mutating func insert(_ value: Int) { words[value / 64] |= 1 << UInt64(value % 64) }
    mutating func remove(_ value: Int) { words[value / 64] &= ~(1 << UInt64(value % 64)) }

    /// The least member that is not below `start`.
    func first(from start: Int) -> Int? {
        var index = start / 64
        guard index < words.count else { return nil }
        var word = words[index] & (~0 << UInt64(start % 64))
        while word == 0 {
            index += 1
            guard index < words.count else { return nil }
            word = words[index]
        }
        return index * 64 + word.trailingZeroBitCount
    }
}
