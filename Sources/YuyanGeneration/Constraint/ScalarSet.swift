/// A set of Unicode scalars, as ranges in order that neither overlap nor touch.
struct ScalarSet: Sendable, Hashable {
    private(set) var ranges: [ClosedRange<UInt32>] = []

    static let all = ScalarSet([0...0x10FFFF])

    init(_ ranges: some Sequence<ClosedRange<UInt32>>) {
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = self.ranges.last, range.lowerBound <= last.upperBound &+ 1 {
                self.ranges[self.ranges.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                self.ranges.append(range)
            }
        }
    }

    init(_ characters: String) { self.init(characters.unicodeScalars.map { $0.value...$0.value }) }

    var isEmpty: Bool { ranges.isEmpty }

    /// All scalars but these.
    var inverted: ScalarSet {
        var (gaps, next): ([ClosedRange<UInt32>], UInt32) = ([], 0)
        for range in ranges {
            if next < range.lowerBound { gaps.append(next...range.lowerBound - 1) }
            next = range.upperBound + 1
        }
        if next <= 0x10FFFF { gaps.append(next...0x10FFFF) }
        return ScalarSet(gaps)
    }

    func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }

    func intersection(_ other: ScalarSet) -> ScalarSet { inverted.union(other.inverted).inverted }

    func contains(_ scalar: UInt32) -> Bool { ranges.contains { $0.contains(scalar) } }

    /// The UTF-8 of the set: sequences of byte ranges, one byte of each range in order is a scalar. Surrogates have none.
    var utf8: [[ClosedRange<UInt8>]] {
        // Scalars of one length whose last bytes run through all values, as far as they do.
        let lengths: [ClosedRange<UInt32>] = [0...0x7F, 0x80...0x7FF, 0x800...0xD7FF, 0xE000...0xFFFF, 0x10000...0x10FFFF]
        return ranges.flatMap { range in
            lengths.filter { $0.overlaps(range) }.flatMap { ScalarSet.sequences(range.clamped(to: $0)) }
        }
    }

    private static func sequences(_ range: ClosedRange<UInt32>) -> [[ClosedRange<UInt8>]] {
        let (low, high) = (range.lowerBound, range.upperBound)
        let (first, last) = (encoded(low), encoded(high))
        // Where the leads differ, the continuations must run from 80 to BF on both sides; else cut there.
        for place in 1..<max(first.count, 1) {
            let below = UInt32(1) << (6 * UInt32(place)) - 1
            guard low & ~below != high & ~below else { continue }
            if low & below != 0 { return sequences(low...(low | below)) + sequences((low | below) + 1...high) }
            if high & below != below { return sequences(low...(high & ~below) - 1) + sequences((high & ~below)...high) }
        }
        return [zip(first, last).map { $0...$1 }]
    }

    private static func encoded(_ scalar: UInt32) -> [UInt8] { Unicode.Scalar(scalar).map { Array(UTF8.encode($0) ?? .init()) } ?? [] }
}
