public import Foundation
public import YuyanData

extension DeduplicationConfiguration: ConfigurationSection {
    public static let help = [
        "level": "what is compared: lines, sentences, whole texts exactly, or nearly",
        "shingle": "near: characters of the runs that texts are compared by",
        "threshold": "near: the Jaccard similarity from which texts are copies",
        "bands": "near: bands of the MinHash signature; by default chosen for the threshold",
        "rows": "near: rows of a band",
        "verify": "near: hold the similarity of candidates against the threshold",
        "quality": "the metadata key whose number says which copy stays; by default the longest does",
        "index": "a folder that remembers earlier batches",
        "occurrences": "lines, sentences: how many documents may share one",
        "minimum_characters": "lines, sentences: shorter ones always stay",
    ]
}

/// Remove copies.
public struct DedupTask: RecordTask {
    public static let task = "dedup"
    public static let summary = "Remove copies: exact or near ones, or lines and sentences that many texts share"

    public var files: [InputPath] = []
    public var settings = DeduplicationConfiguration()

    public init() {}

    public func validate() throws { try refusing { try settings.check() } }

    public func process(_ paths: [String], to folder: URL, _ watch: Watch) throws -> StepReport {
        try deduplicate(paths, to: folder, configuration: settings, isCancelled: watch.isCancelled, progress: watch.progress)
    }
}

/// How test sets are kept out.
public struct DecontaminateSettings: ConfigurationSection {
    public static let help = [
        "against": "the test sets: files, folders, globs",
        "ngram": "characters in a run that is looked for",
        "overlap": "the share of a test record's runs that must be found",
        "minimum_matches": "the number of its runs that must be found",
        "cut": "take the passage out of a document instead of dropping it",
    ]

    public var against: [InputPath] = []
    public var ngram = DecontaminationConfiguration().ngram
    public var overlap = DecontaminationConfiguration().overlap
    public var minimumMatches = DecontaminationConfiguration().minimumMatches
    public var cut = false

    public init() {}

    var configuration: DecontaminationConfiguration {
        var configuration = DecontaminationConfiguration()
        (configuration.ngram, configuration.overlap) = (ngram, overlap)
        (configuration.minimumMatches, configuration.cut) = (minimumMatches, cut)
        return configuration
    }
}

/// Remove what contains test data.
public struct DecontaminateTask: RecordTask {
    public static let task = "decontaminate"
    public static let summary = "Remove what contains records of test sets"
    public static let required = ["files", "against"]

    public var files: [InputPath] = []
    public var settings = DecontaminateSettings()

    public init() {}

    public func validate() throws { try refusing { try settings.configuration.check() } }

    public func process(_ paths: [String], to folder: URL, _ watch: Watch) throws -> StepReport {
        try decontaminate(
            paths, against: settings.against.map(\.reading), to: folder, configuration: settings.configuration, isCancelled: watch.isCancelled,
            progress: watch.progress)
    }
}
