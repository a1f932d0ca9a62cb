public import Foundation
public import YuyanData

/// Which mending texts get, and what is measured afterwards. Sections are applied in their order here.
public struct CleanSettings: ConfigurationSection {
    public static let help = [
        "control": "control and invisible characters, text in the wrong encoding",
        "normalize": "Unicode normalisation and line ends",
        "simplify": "traditional to simplified characters",
        "html": "tags, entities, Markdown",
        "links": "web addresses",
        "whitespace": "spaces and blank lines",
        "lines": "lines that are not the text",
        "privacy": "private data",
        "statistics": "what the statistics need besides the text",
        "perplexity": "an n-gram model, or the folder of the stage that trained it: each text's perplexity becomes a statistic",
    ]

    public var control: ControlConfiguration? = ControlConfiguration()
    public var normalize: NormalizeConfiguration? = NormalizeConfiguration()
    public var simplify: SimplifyConfiguration?
    public var html: MarkupConfiguration?
    public var links: LinksConfiguration?
    public var whitespace: WhitespaceConfiguration? = WhitespaceConfiguration()
    public var lines: LinesConfiguration?
    public var privacy: PrivacyConfiguration?
    public var statistics = StatisticsConfiguration()
    public var perplexity: InputPath?

    public init() {}

    func cleaners() throws -> [any TextCleaner] {
        var cleaning = CleaningConfiguration()
        (cleaning.control, cleaning.normalize, cleaning.simplify, cleaning.html) = (control, normalize, simplify, html)
        (cleaning.links, cleaning.whitespace, cleaning.lines) = (links, whitespace, lines)
        return try cleaning.cleaners() + (privacy.map { [PrivateData($0)] } ?? [])
    }
}

/// Mend texts and measure them.
public struct CleanTask: RecordTask {
    public static let task = "clean"
    public static let summary = "Mend texts: encodings, markup, spaces, private data; and measure what the task filter decides by"

    public var files: [InputPath] = []
    public var settings = CleanSettings()

    public init() {}

    public func process(_ paths: [String], to folder: URL, _ watch: Watch) throws -> StepReport {
        let meter = try TextMeter(settings.statistics)
        let model = try settings.perplexity.map { try NGramModel(contentsOf: NGramTask.model(in: $0)) }
        let statistics = Statistic.allCases.filter { $0 != .perplexity || model != nil }
        return try clean(
            paths, to: folder, fingerprint: TaskResult.json(settings), cleaners: settings.cleaners(), statistics: statistics.map(\.rawValue),
            remembered: [Statistic.perplexity.rawValue],
            isCancelled: watch.isCancelled, progress: watch.progress
        ) { record in
            let text = record.text
            let numbers = meter.measure(text)
            return statistics.map { statistic in
                if statistic == .perplexity, let model { return model.perplexity(of: text) }
                return numbers[statistic].map(Double.init) ?? .nan
            }
        }
    }
}

/// Train the n-gram model that perplexity is measured with.
public struct NGramTask: TaskConfiguration {
    public static let task = "ngram"
    public static let summary = "Train an n-gram model of characters on good text, to measure perplexity with"
    public static let help = ["files": "text to learn from: data files, folders, globs, folders of stages"].merging(NGramConfiguration.help) { $1 }
    public static let required = ["files"]
    public static let positional: String? = "files"

    public var files: [InputPath] = []
    public var settings = NGramConfiguration()

    public init() {}

    public init(from decoder: any Decoder) throws {
        files = try decoder.container(keyedBy: CodingKeys.self).decode([InputPath].self, forKey: .files)
        settings = try NGramConfiguration(from: decoder)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(files, forKey: .files)
        try settings.encode(to: encoder)
    }

    enum CodingKeys: CodingKey {
        case files
    }

    /// What was trained.
    public struct Summary: Encodable, Sendable {
        var output: String
        var order: Int
        var characters: Int
        var ngrams: [Int]
    }

    /// The model's file where the user named the file or the stage's folder.
    static func model(in path: InputPath) -> URL {
        let inside = path.url.appending(path: "ngram.bin")
        return FileManager.default.fileExists(atPath: inside.path) ? inside : path.url
    }

    public func validate() throws { try refusing { try settings.check() } }

    public func run(in stage: StageContext) async throws -> Summary {
        let model = try NGramModel.train(paths: files.map(\.reading), settings)
        let file = stage.output.appending(path: "ngram.bin")
        try model.save(to: file)
        return Summary(output: file.relativePath, order: model.order, characters: model.vocabularySize, ngrams: model.ngramCounts)
    }
}

extension NGramConfiguration: ConfigurationSection {
    public static let help = [
        "order": "characters of the longest n-grams",
        "minimum_counts": "how often an n-gram must occur to be kept, by length; the last holds for all longer ones",
        "vocabulary_minimum": "how often a character must occur to be known",
        "memory_megabytes": "memory that counting may take; the rest waits on disk",
    ]
}

extension ControlConfiguration: ConfigurationSection {
    public static let help = ["mojibake": "mend UTF-8 that was read as Latin-1 or GBK"]
}
extension NormalizeConfiguration: ConfigurationSection {
    public static let help = ["form": "the normal form", "full_width": "full-width forms: keep, fold letters and digits, or fold all"]
}
extension SimplifyConfiguration: ConfigurationSection {
    public static let help = ["from": "OpenCC's conversion: from traditional, Taiwan's (with its phrases) or Hong Kong's characters"]
}
extension MarkupConfiguration: ConfigurationSection {
    public static let help = ["markdown": "Markdown too: links and pictures become their text"]
}
extension LinksConfiguration: ConfigurationSection {
    public static let help = ["replacement": "what stands in the place of an address"]
}
extension WhitespaceConfiguration: ConfigurationSection {
    public static let help = [
        "tabs": "tabs become spaces, or stay", "remove_indent": "take away the indent of lines",
        "join_han": "take away spaces between Han characters",
        "maximum_blank_lines": "blank lines that may follow each other",
    ]
}
extension LinesConfiguration: ConfigurationSection {
    public static let help = [
        "boilerplate": "take away lines of navigation, rights and advertising", "phrases": "further phrases that make a line boilerplate",
        "boilerplate_length": "longer lines are never boilerplate", "short_line_length": "lines up to this length are short",
        "short_line_run": "so many short lines without end punctuation are taken away together; 0: never",
        "repeated_line_length": "lines from this length on may stand once in a text; 0: as often as they like",
        "ellipsis": "take away lines of dots alone",
    ]
}
extension PrivacyConfiguration: ConfigurationSection {
    public static let help = [
        "kinds": "what is looked for", "mode": "a mask in its place, or a consistent fake", "seed": "of the fakes", "keep": "words that stay",
    ]
}
extension StatisticsConfiguration: ConfigurationSection {
    public static let help = [
        "stop_words": "a file of stop words", "keywords": "files of keywords whose hits are counted",
        "allowed": "files of phrases in which keywords do not count", "language_model": "a fastText model of languages (lid.176.bin)",
    ]
}
