import Foundation
public import YuyanData

/// Turn Sogou cell dictionaries into word lists.
public struct LexiconTask: TaskConfiguration {
    public static let task = "lexicon"
    public static let summary = "Turn Sogou cell dictionaries (.scel) into a word list"
    public static let help = ["files": "cell dictionaries"]
    public static let required = ["files"]
    public static let positional: String? = "files"

    public var files: [InputPath] = []

    public init() {}

    /// What one dictionary held.
    public struct Dictionary: Encodable, Sendable {
        var file: String
        var name: String
        var type: String
        var summary: String
        var words: Int
    }

    public func run(in stage: StageContext) async throws -> [Dictionary] {
        var words: [String] = []
        var results: [Dictionary] = []
        for file in files {
            let dictionary = try SogouDictionary(contentsOf: file.url)
            words += dictionary.words
            results.append(
                Dictionary(
                    file: file.path, name: dictionary.name, type: dictionary.type, summary: dictionary.summary, words: dictionary.words.count))
        }
        try writeWordList(words, to: stage.output.appending(path: "words.txt"))
        return results
    }
}

/// How an encyclopedia is crawled, and which words.
public struct CrawlSettings: ConfigurationSection {
    public static let help = [
        "words": "word lists, a word on each line, or .scel dictionaries",
        "template": "the address of a word's page, with {word} in it",
        "contact": "an e-mail address or page where the site's owner can reach you; it is sent along",
        "user_agent": "the crawler's name",
        "delay": "seconds between two requests to a host",
        "timeout": "seconds that an answer may take",
        "retries": "how often a failed request is repeated",
        "maximum_pages": "the crawl ends with so many pages",
        "seed": "of the pauses",
    ]

    public var words: [InputPath] = []
    public var template = ""
    public var contact = ""
    public var userAgent = CrawlConfiguration().userAgent
    public var delay = CrawlConfiguration().delay
    public var timeout = CrawlConfiguration().timeout
    public var retries = CrawlConfiguration().retries
    public var maximumPages: Int?
    public var seed = 0

    public init() {}

    var configuration: CrawlConfiguration {
        var configuration = CrawlConfiguration()
        (configuration.template, configuration.contact, configuration.userAgent) = (template, contact, userAgent)
        (configuration.delay, configuration.timeout, configuration.retries) = (delay, timeout, retries)
        (configuration.maximumPages, configuration.seed) = (maximumPages, seed)
        return configuration
    }
}

/// Fetch an encyclopedia's pages for a list of words.
public struct CrawlTask: TaskConfiguration {
    public static let task = "crawl"
    public static let summary = "Fetch an encyclopedia's pages for a list of words, politely"
    public static let help = CrawlSettings.help
    public static let required = ["words", "template", "contact"]
    public static let positional: String? = "words"
    public static let isResumable = true

    public var settings = CrawlSettings()

    public init() {}

    public init(from decoder: any Decoder) throws { settings = try CrawlSettings(from: decoder) }
    public func encode(to encoder: any Encoder) throws { try settings.encode(to: encoder) }

    public func validate() throws {
        do { try settings.configuration.check() } catch let error as DataError { throw RequestError(error.description) }
    }

    public func run(in stage: StageContext) async throws -> CrawlReport {
        let words = try settings.words.flatMap { list in
            list.url.pathExtension == "scel" ? try SogouDictionary(contentsOf: list.url).words : try KeywordMatcher.readWords(list.url.path)
        }
        let meter = ProgressMeter(stage.name, total: words.count, unit: "words", on: stage.console)
        let work = Task {
            try await crawl(words: words, configuration: settings.configuration, to: stage.output) {
                meter.update($0.words, note: "\($0.records) pages, \($0.requests) requests")
            }
        }
        // Ctrl-C sets a flag; the crawl listens to its task.
        let watch = Task {
            while !Task.isCancelled {
                if Interrupt.requested { work.cancel() }
                try await Task.sleep(for: .milliseconds(200))
            }
        }
        defer { watch.cancel() }
        do {
            let report = try await work.value
            meter.finish()
            return report
        } catch is CancellationError {
            throw Interrupted(saved: "the pages so far are in \(stage.output.relativePath); go on with: \(stage.resumeCommand)")
        }
    }
}
