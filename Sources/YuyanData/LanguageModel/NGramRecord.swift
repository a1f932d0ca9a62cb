/// Up to six symbols of 16 bits in a row and a number of 32 bits beside them. Records of one sequence length sort by their symbols,
/// the first one first.
struct NGramRecord: Sendable, Equatable {
    /// Symbols 1…4, the first in the highest bits.
    var high: UInt64 = 0
    /// Symbols 5 and 6 in the upper half, the number in the lower.
    var low: UInt64 = 0

    static let maximumOrder = 6

    /// The symbols alone.
    @inline(__always)
    var keyLow: UInt64 { low >> 32 }

    var value: UInt32 {
        @inline(__always) get { UInt32(truncatingIfNeeded: low) }
        set { low = low & ~0xFFFF_FFFF | UInt64(newValue) }
    }

    @inline(__always)
    func symbol(_ index: Int) -> UInt16 {
        index < 4 ? UInt16(truncatingIfNeeded: high >> UInt64(48 - 16 * index)) : UInt16(truncatingIfNeeded: low >> UInt64(48 - 16 * (index - 4)))
    }

    mutating func set(_ symbol: UInt16, at index: Int) {
        if index < 4 { high |= UInt64(symbol) << UInt64(48 - 16 * index) } else { low |= UInt64(symbol) << UInt64(48 - 16 * (index - 4)) }
    }

    @inline(__always)
    func hasSymbols(of other: NGramRecord) -> Bool { high == other.high && keyLow == other.keyLow }

    @inline(__always)
    func precedes(_ other: NGramRecord) -> Bool { high != other.high ? high < other.high : keyLow < other.keyLow }

    /// How many symbols at the start are the same in both.
    @inline(__always)
    func commonSymbols(_ other: NGramRecord) -> Int {
        let difference = high ^ other.high
        if difference != 0 { return difference.leadingZeroBitCount / 16 }
        let rest = (low ^ other.low) >> 32
        return rest != 0 ? 4 + (rest.leadingZeroBitCount - 32) / 16 : 6
    }

    /// The sequence as the key of a table: its last symbol in the lowest bits.
    @inline(__always)
    func key(order: Int) -> NGramKey {
        switch order {
        case ...4: NGramKey(high: 0, low: high >> UInt64(64 - 16 * order))
        case 5: NGramKey(high: high >> 48, low: high << 16 | low >> 48)
        default: NGramKey(high: high >> 32, low: high << 32 | low >> 32)
        }
    }
}

/// The symbols of an n-gram as a number, its last symbol in the lowest bits: another symbol is a shift, a shorter history a mask.
struct NGramKey: Sendable, Equatable {
    var high: UInt64 = 0
    var low: UInt64 = 0

    @inline(__always)
    mutating func append(_ symbol: UInt16) {
        high = (high << 16 | low >> 48) & 0xFFFF_FFFF
        low = low << 16 | UInt64(symbol)
    }

    /// The last `order` symbols.
    @inline(__always)
    func suffix(_ order: Int) -> NGramKey {
        order <= 4
            ? NGramKey(high: 0, low: low & (.max >> UInt64(64 - 16 * order))) : NGramKey(high: high & (.max >> UInt64(128 - 16 * order)), low: low)
    }

    /// All symbols but the last.
    @inline(__always)
    var context: NGramKey { NGramKey(high: high >> 16, low: low >> 16 | high << 48) }

    @inline(__always)
    var hash: UInt64 { high == 0 ? mix(low) : mix(low &+ mix(high)) }
}

/// Sorts by the first `symbols` symbols: a radix sort from the last byte to the first, in which bytes that are the same everywhere cost
/// nothing. The sorted records lie in the buffer that is given back, one of the two.
func radixSort(
    _ records: UnsafeMutableBufferPointer<NGramRecord>, scratch: UnsafeMutableBufferPointer<NGramRecord>, symbols: Int
) -> UnsafeMutableBufferPointer<NGramRecord> {
    let digits = symbols * 2
    let count = records.count
    guard count > 1 else { return records }
    @inline(__always)
    func digit(_ record: NGramRecord, _ index: Int) -> Int {
        Int(truncatingIfNeeded: (index < 8 ? record.high >> UInt64(56 - 8 * index) : record.low >> UInt64(56 - 8 * (index - 8))) & 0xFF)
    }
    var counts = [Int](repeating: 0, count: digits * 256)
    for record in records {
        for index in 0..<digits { counts[index * 256 + digit(record, index)] += 1 }
    }
    var (source, target) = (records, scratch)
    for index in stride(from: digits - 1, through: 0, by: -1) {
        let row = index * 256
        if counts[row + digit(source[0], index)] == count { continue }
        var sum = 0
        for value in row..<row + 256 { (counts[value], sum) = (sum, sum + counts[value]) }
        counts.withUnsafeMutableBufferPointer { places in
            for position in 0..<count {
                let record = source[position]
                let slot = row + digit(record, index)
                target[places[slot]] = record
                places[slot] += 1
            }
        }
        (source, target) = (target, source)
    }
    return source
}
