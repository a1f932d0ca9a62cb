/// All numbers of one text, by name.
public struct TextStatistics: Sendable, Hashable {
    /// In the order of `Statistic.allCases`; what was not computed is not a number.
    private var values: [Float]

    /// Nothing is known yet.
    public init() {
        values = [Float](repeating: .nan, count: Statistic.allCases.count)
    }

    /// The number; nil where it was not computed.
    public subscript(_ statistic: Statistic) -> Float? {
        get {
            let value = values[statistic.index]
            return value.isNaN ? nil : value
        }
        set { values[statistic.index] = newValue ?? .nan }
    }

    /// Whether all numbers are the same; what was not computed is the same as itself.
    public static func == (left: TextStatistics, right: TextStatistics) -> Bool {
        left.values.elementsEqual(right.values) { $0 == $1 || $0.isNaN && $1.isNaN }
    }

    /// The hash of what is there.
    public func hash(into hasher: inout Hasher) {
        for value in values where !value.isNaN { hasher.combine(value) }
    }

    /// The place of the numbers, for the one who fills them.
    mutating func fill(_ body: (UnsafeMutableBufferPointer<Float>) -> Void) {
        values.withUnsafeMutableBufferPointer { body($0) }
    }
}

extension Statistic {
    /// Its place in the order of all cases. Cases without payload are numbered from 0 in one byte; a dictionary here would cost more than counting.
    var index: Int { Int(unsafeBitCast(self, to: UInt8.self)) }
}
