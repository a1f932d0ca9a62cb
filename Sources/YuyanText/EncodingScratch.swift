import Synchronization

/// Ids in memory of its own, which grows without the checks of an array on every append.
struct IDBuffer: ~Copyable {
    private(set) var base: UnsafeMutablePointer<Int32>
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int = 1024) {
        self.capacity = capacity
        base = .allocate(capacity: capacity)
    }

    deinit {
        base.deallocate()
    }

    @inline(__always)
    mutating func append(_ id: Int32) {
        if count == capacity { grow(1) }
        base[count] = id
        count += 1
    }

    @inline(__always)
    mutating func append(contentsOf ids: UnsafePointer<Int32>, count added: Int) {
        if count + added > capacity { grow(added) }
        (base + count).update(from: ids, count: added)
        count += added
    }

    mutating func truncate(to count: Int) {
        self.count = count
    }

    private mutating func grow(_ added: Int) {
        capacity = max(capacity * 2, count + added)
        let larger = UnsafeMutablePointer<Int32>.allocate(capacity: capacity)
        larger.update(from: base, count: count)
        base.deallocate()
        base = larger
    }
}

/// The memory that one thread encodes with; none of it outlives a call but the cache.
final class EncodingScratch: @unchecked Sendable {  // in the hands of one call at a time: the pool lends it out
    var cache = WordCache()
    var ids = IDBuffer()
    var word = UnsafeMutablePointer<UInt8>.allocate(capacity: EncodingScratch.longestWord)
    private(set) var symbols = UnsafeMutablePointer<Int32>.allocate(capacity: 256)
    private(set) var merges = UnsafeMutablePointer<UInt64>.allocate(capacity: 256)
    private(set) var next = UnsafeMutablePointer<Int32>.allocate(capacity: 256)
    private(set) var previous = UnsafeMutablePointer<Int32>.allocate(capacity: 256)
    var heap: [(UInt64, Int32)] = []
    private var capacity = 256

    /// Bytes that a WordPiece word can have.
    static let longestWord = 512

    deinit {
        word.deallocate()
        release()
    }

    /// Makes room for a word of this many symbols; what is in the buffers is lost.
    @inline(__always)
    func reserve(_ count: Int) {
        if count > capacity { grow(count) }
    }

    private func grow(_ count: Int) {
        release()
        capacity = count * 2
        symbols = .allocate(capacity: capacity)
        merges = .allocate(capacity: capacity)
        next = .allocate(capacity: capacity)
        previous = .allocate(capacity: capacity)
    }

    private func release() {
        symbols.deallocate()
        merges.deallocate()
        next.deallocate()
        previous.deallocate()
    }
}

/// Lends scratch memory to threads and keeps it between calls.
final class ScratchPool: Sendable {
    private let free = Mutex<[EncodingScratch]>([])

    func borrow() -> EncodingScratch {
        free.withLock { $0.popLast() } ?? EncodingScratch()
    }

    func giveBack(_ scratch: EncodingScratch) {
        free.withLock { if $0.count < 64 { $0.append(scratch) } }
    }
}

/// The ids of words met before, by their bytes. A word takes the slot of another with the same hash; when the memory is used up all is forgotten.
struct WordCache: ~Copyable {
    static let longestKey = 48
    private static let slots = 1 << 15
    private static let keyBytes = 1 << 20
    private static let idCount = 1 << 19

    private struct Slot {
        var hash: UInt64 = 0
        var key: UInt32 = 0
        var ids: UInt32 = 0
        var keyLength: UInt16 = 0
        var idLength: UInt16 = 0
    }

    private let table: UnsafeMutablePointer<Slot>
    private let keys: UnsafeMutablePointer<UInt8>
    private let ids: UnsafeMutablePointer<Int32>
    private var keysUsed = 0
    private var idsUsed = 0

    init() {
        table = .allocate(capacity: WordCache.slots)
        table.initialize(repeating: Slot(), count: WordCache.slots)
        keys = .allocate(capacity: WordCache.keyBytes)
        ids = .allocate(capacity: WordCache.idCount)
    }

    deinit {
        table.deallocate()
        keys.deallocate()
        ids.deallocate()
    }

    /// Appends the ids of a word that is here; false for one that is not. An empty word never is.
    @inline(__always)
    func append(_ word: UnsafeBufferPointer<UInt8>, _ hash: UInt64, to output: inout IDBuffer) -> Bool {
        let slot = table + Int(truncatingIfNeeded: hash) & (WordCache.slots - 1)
        guard slot.pointee.hash == hash, Int(slot.pointee.keyLength) == word.count, let base = word.baseAddress else { return false }
        let key = keys + Int(slot.pointee.key)
        for index in 0..<word.count where key[index] != base[index] { return false }
        output.append(contentsOf: ids + Int(slot.pointee.ids), count: Int(slot.pointee.idLength))
        return true
    }

    /// Remembers the ids from `start` on as those of the word.
    mutating func insert(_ word: UnsafeBufferPointer<UInt8>, _ hash: UInt64, _ output: borrowing IDBuffer, from start: Int) {
        let count = output.count - start
        guard let base = word.baseAddress else { return }
        if keysUsed + word.count > WordCache.keyBytes || idsUsed + count > WordCache.idCount {
            table.update(repeating: Slot(), count: WordCache.slots)
            (keysUsed, idsUsed) = (0, 0)
        }
        table[Int(truncatingIfNeeded: hash) & (WordCache.slots - 1)] = Slot(
            hash: hash, key: UInt32(keysUsed), ids: UInt32(idsUsed), keyLength: UInt16(word.count), idLength: UInt16(count))
        (keys + keysUsed).update(from: base, count: word.count)
        (ids + idsUsed).update(from: output.base + start, count: count)
        keysUsed += word.count
        idsUsed += count
    }
}
