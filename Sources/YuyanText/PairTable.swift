/// A fixed table from 64-bit keys to two 32-bit values by open addressing: merges, tries. The key `UInt64.max` is not allowed.
final class PairTable: @unchecked Sendable {  // written only while it is built
    struct Entry {
        var key: UInt64
        var first: Int32
        var second: Int32
    }

    let entries: UnsafeMutablePointer<Entry>
    let mask: Int
    private let shift: UInt64

    /// Room for `capacity` keys.
    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        entries = .allocate(capacity: size)
        entries.initialize(repeating: Entry(key: .max, first: -1, second: -1), count: size)
        mask = size - 1
        shift = UInt64(64 - size.trailingZeroBitCount)
    }

    deinit {
        entries.deallocate()
    }

    @inline(__always)
    private func slot(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> shift)
    }

    /// Keeps the value that is already there.
    func insert(_ key: UInt64, _ first: Int32, _ second: Int32 = 0) {
        var index = slot(key)
        while entries[index].key != .max {
            if entries[index].key == key { return }
            index = (index + 1) & mask
        }
        entries[index] = Entry(key: key, first: first, second: second)
    }

    func update(_ key: UInt64, second: Int32) {
        guard let entry = find(key) else { return }
        UnsafeMutablePointer(mutating: entry).pointee.second = second
    }

    @inline(__always)
    func find(_ key: UInt64) -> UnsafePointer<Entry>? {
        var index = slot(key)
        while true {
            let found = entries[index].key
            if found == key { return UnsafePointer(entries + index) }
            if found == .max { return nil }
            index = (index + 1) & mask
        }
    }
}

@inline(__always)
func pairKey(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
}
