import Foundation
public import YuyanData

extension FilterConfiguration: ConfigurationSection {
    public static let help = [
        "preset": "a set of bounds to start from",
        "bounds": "minimum, maximum, minimum_percentile or maximum_percentile of a statistic, by its name; in place of the set's",
    ]
}
extension Bounds: ConfigurationSection {
    public static let help = [
        "minimum": "the least that is kept", "maximum": "the most that is kept",
        "minimum_percentile": "the least that is kept, as a percentile of all texts",
        "maximum_percentile": "the most that is kept, as a percentile of all texts",
    ]
}

/// Keep the records whose statistics lie within bounds.
public struct FilterTask: TaskConfiguration {
    public static let task = "filter"
    public static let summary = "Keep the records of a clean stage whose statistics lie within bounds"
    public static let help = ["data": "the folder of a clean stage"].merging(FilterConfiguration.help) { $1 }
    public static let required = ["data"]
    public static let positional: String? = "data"
    public static let isResumable = true

    public var data = InputPath("")
    public var settings = FilterConfiguration()

    public init() {}

    public init(from decoder: any Decoder) throws {
        data = try decoder.container(keyedBy: CodingKeys.self).decode(InputPath.self, forKey: .data)
        settings = try FilterConfiguration(from: decoder)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(data, forKey: .data)
        try settings.encode(to: encoder)
    }

    enum CodingKeys: CodingKey {
        case data
    }

    public func validate() throws {
        do { _ = try settings.allBounds() } catch let error as DataError { throw InvalidValue("bounds", error.description) }
    }

    public func run(in stage: StageContext) async throws -> StepSummary {
        try stage.watching { watch in
            let report = try filter(
                data.url, to: stage.output, bounds: settings.allBounds(), isCancelled: watch.isCancelled, progress: watch.progress)
            return StepSummary(report, in: stage.output)
        }
    }
}
