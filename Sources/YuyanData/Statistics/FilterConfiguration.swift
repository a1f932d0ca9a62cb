/// What a statistic must lie between. Where several limits are given, all hold.
public struct Bounds: Codable, Sendable, Hashable {
    /// The least that is kept.
    public var minimum: Double?
    /// The most that is kept.
    public var maximum: Double?
    /// The least that is kept, as a percentile (0 to 100) of all texts.
    public var minimumPercentile: Double?
    /// The most that is kept, as a percentile (0 to 100) of all texts.
    public var maximumPercentile: Double?

    /// No bounds.
    public init() {}

    /// Bounds by value and by percentile.
    public init(minimum: Double? = nil, maximum: Double? = nil, minimumPercentile: Double? = nil, maximumPercentile: Double? = nil) {
        (self.minimum, self.maximum) = (minimum, maximum)
        (self.minimumPercentile, self.maximumPercentile) = (minimumPercentile, maximumPercentile)
    }

    /// Throws for bounds that cannot be, or that keep nothing.
    func check(_ name: String) throws {
        for percentile in [minimumPercentile, maximumPercentile].compactMap(\.self) where !(0...100).contains(percentile) {
            throw DataError("the percentile of \(name) is \(shortNumber(percentile)), and should be from 0 to 100")
        }
        if let limit = [minimum, maximum].compactMap(\.self).first(where: { !$0.isFinite }) {
            throw DataError("the limit of \(name) is \(limit), and should be a finite number")
        }
        if let minimum, let maximum, minimum > maximum {
            throw DataError("the minimum of \(name), \(shortNumber(minimum)), is above its maximum, \(shortNumber(maximum))")
        }
    }
}

/// Which texts are kept, by their statistics.
public struct FilterConfiguration: Codable, Sendable, Hashable {
    /// A set of bounds to start from.
    public enum Preset: String, CaseIterable, Codable, Sendable {
        /// No bounds.
        case none
        /// The thresholds of FineWeb-2 for Chinese (cmn_Hani).
        case fineweb2Chinese = "fineweb2-chinese"
        /// The rules of Gopher with lengths and shares fitted to Chinese.
        case gopher
        /// Web text: FineWeb-2's thresholds with those of other published Chinese sets.
        case web
        /// Books: long texts, few repetitions, any length of line.
        case books
        /// Dialogue: short texts.
        case dialogue
    }

    /// The set to start from.
    public var preset = Preset.none
    /// Bounds by the statistic's name (`han_share`); they take the place of the set's for that statistic.
    public var bounds: [String: Bounds] = [:]

    /// Everything is kept.
    public init() {}

    /// All bounds by the statistic's name, those of the set included; throws for a name that is none, and for bounds that keep nothing.
    public func allBounds() throws -> [String: Bounds] {
        var all = preset.bounds
        for (name, bounds) in bounds.sorted(by: { $0.key < $1.key }) {
            let statistic = try Statistic(named: name)
            try bounds.check(statistic.rawValue)
            all[statistic] = bounds
        }
        return Dictionary(uniqueKeysWithValues: all.map { ($0.rawValue, $1) })
    }
}
