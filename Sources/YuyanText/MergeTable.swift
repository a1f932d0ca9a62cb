/// The merges of a byte-pair encoding by their two symbols: open addressing, one word for each merge, and before it a filter of single bits,
/// small enough for a near cache, that answers most questions about pairs that never merge.
final class MergeTable: @unchecked Sendable {  // written only while it is built
    /// Ids that a merge can have to do with are below this.
    static let idLimit: Int32 = 1 << 20

    private static let idBits: UInt64 = 20
    private static let rankBits: UInt64 = 24
    private let slots: UnsafeMutablePointer<UInt64>
    private let filter: UnsafeMutablePointer<UInt64>
    /// By rank.
    private let merged: UnsafeMutablePointer<Int32>
    private let mask: Int
    private let slotShift: UInt64
    private let bitShift: UInt64

    /// `merges` in the order of rank: left, right, merged; of equal pairs the first counts.
    init(_ merges: [(Int32, Int32, Int32)]) {
        precondition(merges.count < 1 << 24 && merges.allSatisfy { max($0.0, $0.1, $0.2) < MergeTable.idLimit })
        var size = 64
        while size < merges.count * 2 { size *= 2 }
        let sizeBits = UInt64(size.trailingZeroBitCount)
        mask = size - 1
        slotShift = 64 - sizeBits
        bitShift = 64 - (sizeBits + 3)
        slots = .allocate(capacity: size)
        slots.initialize(repeating: .max, count: size)
        filter = .allocate(capacity: size / 8)
        filter.initialize(repeating: 0, count: size / 8)
        merged = .allocate(capacity: max(merges.count, 1))
        for (rank, merge) in merges.enumerated() {
            merged[rank] = merge.2
            let key = MergeTable.key(merge.0, merge.1)
            let hash = MergeTable.hash(key)
            filter[Int(hash >> bitShift) >> 6] |= 1 << ((hash >> bitShift) & 63)
            var index = Int(truncatingIfNeeded: hash >> slotShift)
            while slots[index] != .max, slots[index] >> MergeTable.rankBits != key { index = (index + 1) & mask }
            if slots[index] == .max { slots[index] = key << MergeTable.rankBits | UInt64(rank) }
        }
    }

    deinit {
        slots.deallocate()
        filter.deallocate()
        merged.deallocate()
    }

    @inline(__always)
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << idBits | UInt64(UInt32(bitPattern: right))
    }

    @inline(__always)
    private static func hash(_ key: UInt64) -> UInt64 {
        key &* 0x9E37_79B9_7F4A_7C15
    }

    @inline(__always)
    func merge(_ left: Int32, _ right: Int32) -> BytePairEncoding.Merge {
        let key = MergeTable.key(left, right)
        let hash = MergeTable.hash(key)
        let bit = hash &>> bitShift
        if filter[Int(truncatingIfNeeded: bit &>> 6)] &>> (bit & 63) & 1 == 0 { return BytePairEncoding.none }
        var index = Int(truncatingIfNeeded: hash &>> slotShift)
        while true {
            let slot = slots[index]
            if slot &>> MergeTable.rankBits == key {
                let rank = slot & (1 << MergeTable.rankBits - 1)
                return rank << 32 | UInt64(UInt32(bitPattern: merged[Int(truncatingIfNeeded: rank)]))
            }
            if slot == .max { return BytePairEncoding.none }
            index = (index &+ 1) & mask
        }
    }
}
