public import Foundation
public import YuyanData
import YuyanText

// MARK: - Mixing

extension MixSource: ConfigurationSection {
    public init() { self.init("", paths: []) }

    public static let help = [
        "name": "how reports call it", "paths": "files, folders, globs, folders of stages", "weight": "its share, relative to the others' weights",
        "target": "how much of it, in the mixture's unit, instead of a weight", "maximum_epochs": "how many times its records may come at most",
    ]
}

/// A mixture, and where its order comes from.
public struct MixSettings: ConfigurationSection {
    public static let help = [
        "sources": "what is mixed, each {name: …, paths: […], weight: … or target: …, maximum_epochs: …}",
        "unit": "what shares, targets and the total are measured in",
        "total": "how much the whole should be; by default as much as the limits on epochs allow",
        "temperature": "without weights and targets: above 1 brings small sources up",
        "order": "inside each source: shuffled, or as it is read",
        "tokenizer": "needed where the unit is tokens",
        "seed": "of the order",
    ]

    public var sources: [MixSource] = []
    public var unit = MixUnit.characters
    public var total: Int?
    public var temperature: Double?
    public var order = MixOrder.shuffled
    public var tokenizer: InputPath?
    public var seed = 0

    public init() {}

    var configuration: MixConfiguration {
        var configuration = MixConfiguration()
        (configuration.sources, configuration.unit, configuration.total) = (sources, unit, total)
        (configuration.temperature, configuration.order, configuration.seed) = (temperature, order, seed)
        return configuration
    }
}

/// Mix sources into one stream.
public struct MixTask: TaskConfiguration {
    public static let task = "mix"
    public static let summary = "Mix sources by weights, targets or temperature into one stream of records"
    public static let help = MixSettings.help
    public static let required = ["sources"]

    public var settings = MixSettings()

    public init() {}

    public init(from decoder: any Decoder) throws { settings = try MixSettings(from: decoder) }
    public func encode(to encoder: any Encoder) throws { try settings.encode(to: encoder) }

    public func validate() throws {
        try refusing { try settings.configuration.check() }
        guard settings.unit != .tokens || settings.tokenizer != nil else {
            throw InvalidValue("unit", "a mixture measured in tokens needs a tokenizer (tokenizer)")
        }
    }

    public func run(in stage: StageContext) async throws -> MixReport {
        try stage.watching { watch in
            try mix(
                settings.configuration, tokenizer: settings.tokenizer.map(ModelFolder.tokenizer), to: stage.output,
                progress: { watch.progress($0.step) })
        }
    }
}

// MARK: - Orders and splits

extension OrderConfiguration: ConfigurationSection {
    public static let help = [
        "by": "what records are put in order by", "key": "the metadata key of a perplexity or score", "descending": "from the highest to the lowest",
        "stages": "so many stages by quantile, shuffled inside", "seed": "of what is shuffled",
    ]
}

/// Put records in order.
public struct OrderTask: RecordTask {
    public static let task = "order"
    public static let summary = "Put records in order: by length, perplexity or a score, in stages, or shuffled"
    public static let isResumable = false

    public var files: [InputPath] = []
    public var settings = OrderConfiguration()

    public init() {}

    public func validate() throws { try refusing { try settings.check() } }

    public func process(_ paths: [String], to folder: URL, _ watch: Watch) throws -> StepReport {
        try order(paths, settings, to: folder, progress: watch.progress)
    }
}

extension SplitConfiguration: ConfigurationSection {
    public static let help = [
        "validation": "share to choose by", "test": "share to measure with", "cluster_key": "the metadata key of records that belong together",
    ]
}

/// Divide records into those to learn from, to choose by and to measure with.
public struct SplitTask: RecordTask {
    public static let task = "split"
    public static let summary = "Divide records into train/, validation/ and test/ by a hash of their text"
    public static let isResumable = false

    public var files: [InputPath] = []
    public var settings = SplitConfiguration()

    public init() {}

    public func validate() throws { try refusing { try settings.check() } }

    public func process(_ paths: [String], to folder: URL, _ watch: Watch) throws -> StepReport {
        try split(paths, settings, to: folder, progress: watch.progress)
    }
}

// MARK: - Examples

extension TitleConfiguration: ConfigurationSection {
    public static let help = [
        "title": "the metadata key of the title", "description": "metadata keys of the description; the first that is there counts",
        "separator": "what stands between them", "budget": "the most of the two together", "unit": "what the budget is in",
    ]
}
extension WindowConfiguration: ConfigurationSection {
    public static let help = [
        "budget": "the most of history and question", "unit": "what the budget is in", "turns": "the most earlier turns",
        "turn": "how an earlier turn is written", "current": "how the question is written",
    ]
}
extension TemplateConfiguration: ConfigurationSection {
    public static let help = [
        "file": "a JSON file of phrasings", "per_record": "phrasings of each record", "held_out_fraction": "share of the phrasings that is held out",
    ]
}

/// What examples are made of records.
public struct ShapeSettings: ConfigurationSection {
    public static let help = [
        "title": "questions of titles and descriptions",
        "windows": "pairs of a conversation's last turns and the answer",
        "templates": "many phrasings of the input",
        "tokenizer": "needed where a budget is in tokens",
        "seed": "of what is drawn",
    ]

    public var title: TitleConfiguration?
    public var windows: WindowConfiguration?
    public var templates: TemplateConfiguration?
    public var tokenizer: InputPath?
    public var seed = 0

    public init() {}

    var configuration: ShapeConfiguration {
        var configuration = ShapeConfiguration()
        (configuration.title, configuration.windows, configuration.templates, configuration.seed) = (title, windows, templates, seed)
        return configuration
    }
}

/// Make training examples of records.
public struct ShapeTask: RecordTask {
    public static let task = "shape"
    public static let summary = "Make training examples: windows of conversations, questions of titles, many phrasings"

    public var files: [InputPath] = []
    public var settings = ShapeSettings()

    public init() {}

    public func validate() throws {
        // A tokenizer or a file of phrasings may still have to be made by an earlier stage.
        guard settings.tokenizer == nil else { return }
        var configuration = settings.configuration
        configuration.templates = nil
        try refusing { _ = try Shaper(configuration) }
    }

    public func process(_ paths: [String], to folder: URL, _ watch: Watch) throws -> StepReport {
        try shape(
            paths, settings.configuration, tokenizer: settings.tokenizer.map(ModelFolder.tokenizer), to: folder,
            isCancelled: watch.isCancelled, progress: watch.progress)
    }
}

extension TripleConfiguration: ConfigurationSection {
    public static let help = ["templates": "a JSON file of templates by relation; by default the built-in ones", "seed": "of what is drawn"]
}

/// Make text of knowledge triples.
public struct TriplesTask: RecordTask {
    public static let task = "triples"
    public static let summary = "Make sentences and questions of knowledge triples, some phrasings held out"
    public static let isResumable = false

    public var files: [InputPath] = []
    public var settings = TripleConfiguration()

    public init() {}

    public func process(_ paths: [String], to folder: URL, _ watch: Watch) throws -> StepReport {
        try expandTriples(paths, settings, to: folder, progress: watch.progress)
    }
}
