import CData

/// Finds the entries that have the same hash, by sorting: linear time, and bounded memory however many they are.
struct EqualHashes {
    /// How many hashes are sorted at once, 24 bytes each. More go in several passes, each over those with the same upper bits.
    var limit = 1 << 25

    /// Calls `body` for each hash that several entries have, with the entries' numbers in ascending order. The hashes come in blocks, one after the other,
    /// as often as there are passes; 0 is not a hash.
    func forEachGroup(
        count: Int, blocks: Int, block: (Int) throws -> [UInt64], body: (UnsafeBufferPointer<UInt32>) throws -> Void
    ) throws {
        guard count > 1 else { return }
        guard count <= UInt32.max else {
            throw DataError("\(count) hashes are more than the 4,294,967,295 that can be compared at once; split the input")
        }
        var bits = 0
        while count >> bits > limit { bits += 1 }
        for pass in 0..<UInt64(1) << UInt64(bits) {
            var keys: [UInt64] = []
            var entries: [UInt32] = []
            keys.reserveCapacity((count >> bits) + (count >> (bits + 4)))
            entries.reserveCapacity((count >> bits) + (count >> (bits + 4)))
            var first: UInt32 = 0
            for number in 0..<blocks {
                try block(number).withUnsafeBufferPointer { hashes in
                    for index in 0..<hashes.count where hashes[index] != 0 && (bits == 0 || hashes[index] >> UInt64(64 - bits) == pass) {
                        keys.append(hashes[index])
                        entries.append(first + UInt32(truncatingIfNeeded: index))
                    }
                    first += UInt32(hashes.count)
                }
            }
            sort(&keys, &entries)
            try keys.withUnsafeBufferPointer { keys in
                try entries.withUnsafeBufferPointer { entries in
                    var start = 0
                    while start < keys.count {
                        var end = start + 1
                        while end < keys.count, keys[end] == keys[start] { end += 1 }
                        if end - start > 1 { try body(UnsafeBufferPointer(rebasing: entries[start..<end])) }
                        start = end
                    }
                }
            }
        }
    }

    /// Sorts by key; entries of equal keys keep their order.
    private func sort(_ keys: inout [UInt64], _ entries: inout [UInt32]) {
        let count = keys.count
        // Uninitialised: pages that are not touched cost nothing.
        let keyScratch = UnsafeMutablePointer<UInt64>.allocate(capacity: count)
        let entryScratch = UnsafeMutablePointer<UInt32>.allocate(capacity: count)
        keys.withUnsafeMutableBufferPointer { keys in
            entries.withUnsafeMutableBufferPointer { cdata_sort_pairs(keys.baseAddress, $0.baseAddress, keyScratch, entryScratch, count) }
        }
        keyScratch.deallocate()
        entryScratch.deallocate()
    }
}
