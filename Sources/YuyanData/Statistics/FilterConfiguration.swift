/// What a statistic must lie between.
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

    /// Bounds by value.
    public init(minimum: Double? = nil, maximum: Double? = nil) {
        self.minimum = minimum
        self.maximum = maximum
    }

    /// Bounds by percentile.
    public init(minimumPercentile: Double? = nil, maximumPercentile: Double? = nil) {
        self.minimumPercentile = minimumPercentile
        self.maximumPercentile = maximumPercentile
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
    /// The languages that are kept (zh, ja, ko, en, other); empty: all. Where none is given, that of the set.
    public var languages: [String]?

    /// Everything is kept.
    public init() {}

    /// All bounds in the order of the statistics, those of the set included; throws for a name that is none, and for bounds that keep nothing.
    public func allBounds() throws -> [(statistic: Statistic, bounds: Bounds)] {
        var all = preset.bounds
        for (name, bounds) in bounds.sorted(by: { $0.key < $1.key }) {
            let statistic = try Statistic(named: name)
            for percentile in [bounds.minimumPercentile, bounds.maximumPercentile].compactMap(\.self) where !(0...100).contains(percentile) {
                throw DataError("bounds of \"\(name)\": a percentile lies between 0 and 100, not at \(percentile)")
            }
            if let minimum = bounds.minimum, let maximum = bounds.maximum, minimum > maximum {
                throw DataError("bounds of \"\(name)\": the minimum \(minimum) is above the maximum \(maximum)")
            }
            all[statistic] = bounds
        }
        return Statistic.allCases.compactMap { statistic in all[statistic].map { (statistic, $0) } }
    }

    /// The statistics whose values over all texts `resolve` asks for.
    public func statisticsByPercentile() throws -> [Statistic] {
        try allBounds().filter { $0.bounds.minimumPercentile != nil || $0.bounds.maximumPercentile != nil }.map(\.statistic)
    }

    /// The filter with each percentile made a number. `values` gives all values of a statistic, in any order; it is asked for those of
    /// `statisticsByPercentile` only.
    public func resolve(_ values: (Statistic) throws -> [Float] = { _ in [] }) throws -> TextFilter {
        var filter = TextFilter()
        for name in languages ?? (preset == .none ? [] : [Language.zh.rawValue]) {
            guard let language = Language(rawValue: name) else {
                throw DataError("there is no language \"\(name)\" here; there are \(Language.allCases.map(\.rawValue).quotedList)")
            }
            filter.languages.insert(language)
        }
        for (statistic, bounds) in try allBounds() {
            var (minimum, maximum) = (bounds.minimum.map { Float($0) }, bounds.maximum.map { Float($0) })
            if bounds.minimumPercentile != nil || bounds.maximumPercentile != nil {
                let sorted = try values(statistic).filter(\.isFinite).sorted()
                guard !sorted.isEmpty else { throw DataError("no text has a \(statistic.rawValue), so there are no percentiles of it") }
                if let percentile = bounds.minimumPercentile { minimum = max(minimum ?? -.infinity, Self.percentile(percentile, of: sorted)) }
                if let percentile = bounds.maximumPercentile { maximum = min(maximum ?? .infinity, Self.percentile(percentile, of: sorted)) }
            }
            filter.bounds.append(.init(statistic: statistic, minimum: minimum, maximum: maximum))
        }
        return filter
    }

    /// Between the two neighbours in proportion, as NumPy does by default (Hyndman and Fan's definition 7).
    static func percentile(_ percentile: Double, of sorted: [Float]) -> Float {
        let place = percentile / 100 * Double(sorted.count - 1)
        let low = Int(place)
        guard low + 1 < sorted.count else { return sorted[sorted.count - 1] }
        let part = place - Double(low)
        return Float(Double(sorted[low]) * (1 - part) + Double(sorted[low + 1]) * part)
    }
}

/// Bounds as numbers.
public struct TextFilter: Sendable, Hashable {
    /// One statistic and what it must lie between.
    public struct Bound: Sendable, Hashable {
        /// The statistic.
        public let statistic: Statistic
        /// The least that is kept.
        public let minimum: Float?
        /// The most that is kept.
        public let maximum: Float?
    }

    /// In the order of the statistics.
    public internal(set) var bounds: [Bound] = []
    /// Languages that are kept; empty: all.
    public internal(set) var languages: Set<Language> = []

    /// Why a text is not kept: `language` or the first statistic out of its bounds, and the comparison that failed (`0.12 < 0.3`). Nil where it is kept.
    /// A statistic that was not computed is within all bounds.
    public func reason(for statistics: TextStatistics) -> (name: String, value: String)? {
        if !languages.isEmpty, !languages.contains(statistics.language) { return ("language", statistics.language.rawValue) }
        for bound in bounds {
            guard let value = statistics[bound.statistic] else { continue }
            if let minimum = bound.minimum, value < minimum { return (bound.statistic.rawValue, "\(Self.text(value)) < \(Self.text(minimum))") }
            if let maximum = bound.maximum, value > maximum { return (bound.statistic.rawValue, "\(Self.text(value)) > \(Self.text(maximum))") }
        }
        return nil
    }

    /// Whole numbers without a point, others as short as they read back.
    private static func text(_ value: Float) -> String {
        value == value.rounded() && abs(value) < 16_777_216 ? String(Int(value)) : value.description
    }
}
