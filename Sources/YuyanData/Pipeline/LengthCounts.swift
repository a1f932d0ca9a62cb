/// How often each length was seen: exactly below 256, from there in 32 steps for each doubling (to 3 %), so that memory does not grow with the data.
public struct LengthCounts: Codable, Sendable, Hashable {
    /// How many, by step.
    private var counts: [Int] = []
    /// How many lengths there are.
    public private(set) var total = 0

    /// Nothing yet.
    public init() {}

    /// Counts one.
    public mutating func add(_ length: Int) {
        let step = Self.step(of: length)
        if step >= counts.count { counts += [Int](repeating: 0, count: step + 1 - counts.count) }
        counts[step] += 1
        total += 1
    }

    /// Both counted together.
    public static func += (sum: inout LengthCounts, other: LengthCounts) {
        if other.counts.count > sum.counts.count { sum.counts += [Int](repeating: 0, count: other.counts.count - sum.counts.count) }
        for (step, count) in other.counts.enumerated() { sum.counts[step] += count }
        sum.total += other.total
    }

    /// The length that `share` (0…1) of the others do not pass; 0 where there is none.
    public func quantile(_ share: Double) -> Int {
        let rank = Int((share * Double(max(0, total - 1))).rounded())
        var seen = 0
        for (step, count) in counts.enumerated() {
            seen += count
            if seen > rank { return Self.length(of: step) }
        }
        return 0
    }

    /// How many are at least the lower bound and below the upper one (to the exactness of the steps).
    public func count(in range: Range<Int>) -> Int {
        counts.indices.reduce(0) { range.contains(Self.length(of: $1)) ? $0 + counts[$1] : $0 }
    }

    /// 0, 1, 2, 5, 10, 20, 50, … as far as lengths reach: ranges to draw.
    public var decades: [Range<Int>] {
        guard total > 0 else { return [] }
        var bounds = [0]
        var power = 1
        while bounds.last! <= quantile(1) {
            bounds += [power, 2 * power, 5 * power]
            power *= 10
        }
        let ranges = zip(bounds, bounds.dropFirst()).map { $0..<$1 }
        let first = ranges.firstIndex { count(in: $0) > 0 } ?? 0
        let last = ranges.lastIndex { count(in: $0) > 0 } ?? 0
        return Array(ranges[first...last])
    }

    private static func step(of length: Int) -> Int {
        guard length >= 256 else { return max(0, length) }
        let octave = Int.bitWidth - 1 - length.leadingZeroBitCount
        return 256 + (octave - 8) * 32 + (length >> (octave - 5)) - 32
    }

    private static func length(of step: Int) -> Int {
        guard step >= 256 else { return step }
        let (octave, rest) = (step - 256).quotientAndRemainder(dividingBy: 32)
        return (rest + 32) << (octave + 3)
    }
}
