/// Working memory that one text after another is measured in, so that measuring allocates nothing. Used by one thread at a time.
final class StatisticsScratch: @unchecked Sendable {
    /// The text, decoded.
    let scalars = Memory<UInt32>()
    /// The words, each by a number that no other word of the text has, and the number of characters in all words before each.
    let words = Memory<UInt32>()
    let starts = Memory<Int32>()
    /// Where n-grams stand that occur more than once, and the place of each in `grams`.
    let positions = Memory<Int32>()
    let places = Memory<UInt32>()
    let grams = HashTable()
    let wordNumbers = HashTable()
    /// Once or more often: a first look at rows of characters.
    let seen = Memory<UInt8>()
    let hashes = Memory<UInt64>()
    /// How often each scalar occurs; all zero between texts.
    let frequencies = Memory<UInt32>()
    let touched = Memory<UInt32>()

    init() {
        _ = frequencies.reserve(0x110000)
        frequencies.pointer.update(repeating: 0, count: 0x110000)
    }

    /// Gives back what a giant text needed.
    func trim() {
        let limit = 1 << 24
        for memory in [scalars, words, places, touched] { memory.trim(limit) }
        for memory in [starts, positions] { memory.trim(limit) }
        seen.trim(limit)
        hashes.trim(limit)
        grams.trim(limit)
        wordNumbers.trim(limit)
    }

    final class Memory<Element: FixedWidthInteger> {
        private(set) var pointer: UnsafeMutablePointer<Element> = .allocate(capacity: 1)
        private var capacity = 1

        /// Room for so many; what was there is lost where it must grow.
        func reserve(_ count: Int) -> UnsafeMutablePointer<Element> {
            if count > capacity {
                pointer.deallocate()
                capacity = count + count / 4
                pointer = .allocate(capacity: capacity)
            }
            return pointer
        }

        func trim(_ bytes: Int) {
            guard capacity * MemoryLayout<Element>.stride > bytes else { return }
            pointer.deallocate()
            capacity = 1
            pointer = .allocate(capacity: 1)
        }

        deinit { pointer.deallocate() }
    }
}

/// Counts of 64-bit keys by open addressing with linear probes.
final class HashTable {
    struct Entry {
        var key: UInt64
        /// 0: the place is free.
        var count: UInt32
        /// What the user of the table keeps with the key.
        var mark: UInt32
    }

    private(set) var entries: UnsafeMutablePointer<Entry> = .allocate(capacity: 16)
    private var capacity = 16
    private var shift: UInt64 = 60
    private var mask = 15

    /// Empties it for at most so many keys.
    func prepare(_ keys: Int) {
        var bits = 4
        while 1 << bits < 2 * keys { bits += 1 }
        if 1 << bits > capacity {
            entries.deallocate()
            capacity = 1 << bits
            entries = .allocate(capacity: capacity)
        }
        mask = (1 << bits) - 1
        shift = UInt64(64 - bits)
        entries.update(repeating: Entry(key: 0, count: 0, mark: 0), count: 1 << bits)
    }

    /// The place of the key; a free one where it is new.
    @inline(__always)
    func place(_ key: UInt64) -> Int {
        var place = Int(truncatingIfNeeded: ((key ^ key >> 29) &* 0x9E37_79B9_7F4A_7C15) >> shift)
        while entries[place].count != 0 && entries[place].key != key { place = (place + 1) & mask }
        return place
    }

    func isHalfFull(_ keys: Int) -> Bool { 2 * keys > mask }

    /// Twice the room, with all that is there.
    func grow() {
        let old = entries
        let size = mask + 1
        capacity = 2 * size
        entries = .allocate(capacity: capacity)
        entries.initialize(repeating: Entry(key: 0, count: 0, mark: 0), count: capacity)
        mask = capacity - 1
        shift -= 1
        for index in 0..<size where old[index].count != 0 { entries[place(old[index].key)] = old[index] }
        old.deallocate()
    }

    func trim(_ bytes: Int) {
        guard capacity * MemoryLayout<Entry>.stride > bytes else { return }
        entries.deallocate()
        capacity = 16
        entries = .allocate(capacity: 16)
        prepare(1)
    }

    deinit { entries.deallocate() }
}
