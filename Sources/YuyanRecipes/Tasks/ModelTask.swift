/// A task with a model: what is done to what (`subject`), how (`settings`) and where (`compute`). The keys of the three stand side by side in one
/// configuration.
public protocol ModelTask: TaskConfiguration {
    associatedtype Subject: ConfigurationSection
    associatedtype Settings: ConfigurationSection

    var subject: Subject { get set }
    var settings: Settings { get set }
    var compute: ComputeSettings { get set }
}

extension ModelTask {
    public static var help: [String: String] {
        Subject.help.merging(Settings.help) { $1 }.merging(ComputeSettings.help) { $1 }
    }

    public init(from decoder: any Decoder) throws {
        self.init()
        (subject, settings, compute) = (try Subject(from: decoder), try Settings(from: decoder), try ComputeSettings(from: decoder))
    }

    public func encode(to encoder: any Encoder) throws {
        try subject.encode(to: encoder)
        try settings.encode(to: encoder)
        try compute.encode(to: encoder)
    }
}

/// For tasks that have nothing to set but their subject.
public struct NoSettings: ConfigurationSection {
    public static let help: [String: String] = [:]

    public init() {}
}
