import ArgumentParser
import Foundation
import YuyanData
import YuyanRecipes

struct DataGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Prepare what models learn from.",
        subcommands: [
            DataInspect.self, DataConvert.self, DataCrawl.self, DataLexicon.self, DataNGram.self, DataClean.self, DataFilter.self, DataDedup.self,
            DataDecontaminate.self, DataSplit.self, DataMix.self, DataOrder.self, DataShape.self, DataTriples.self, DataFacts.self, DataPack.self,
            DataWhy.self, DataReport.self,
        ])
}

struct DataConvert: StageCommand {
    typealias Configuration = ConvertRecordsTask
    static let path = "yuyan data convert"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct DataCrawl: StageCommand {
    typealias Configuration = CrawlTask
    static let path = "yuyan data crawl"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct DataLexicon: StageCommand {
    typealias Configuration = LexiconTask
    static let path = "yuyan data lexicon"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct DataNGram: StageCommand {
    typealias Configuration = NGramTask
    static let path = "yuyan data ngram"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct DataClean: StageCommand {
    typealias Configuration = CleanTask
    static let path = "yuyan data clean"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct DataFilter: StageCommand {
    typealias Configuration = FilterTask
    static let path = "yuyan data filter"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct DataDedup: StageCommand {
    typealias Configuration = DedupTask
    static let path = "yuyan data dedup"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct DataDecontaminate: StageCommand {
    typealias Configuration = DecontaminateTask
    static let path = "yuyan data decontaminate"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct DataSplit: StageCommand {
    typealias Configuration = SplitTask
    static let path = "yuyan data split"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct DataMix: StageCommand {
    typealias Configuration = MixTask
    static let path = "yuyan data mix"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct DataOrder: StageCommand {
    typealias Configuration = OrderTask
    static let path = "yuyan data order"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct DataShape: StageCommand {
    typealias Configuration = ShapeTask
    static let path = "yuyan data shape"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct DataTriples: StageCommand {
    typealias Configuration = TriplesTask
    static let path = "yuyan data triples"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct DataFacts: StageCommand {
    typealias Configuration = FactsTask
    static let path = "yuyan data facts"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct DataPack: StageCommand {
    typealias Configuration = PackTask
    static let path = "yuyan data pack"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

/// Tasks that only look need no folder of their own.
struct DataInspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show what is in data files: kinds, lengths, scripts, copies, samples.")

    @Argument(help: "Data files, folders of them, globs, folders of stages.") var files: [String]
    @Option(help: ArgumentHelp("How many records are shown.", valueName: "count")) var samples = 5
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        try files.forEach(mustExist)
        let inspection = try inspect(files, samples: samples)
        StandardOutput.line(json ? TaskResult.json(inspection) : inspection.description)
    }
}

struct DataWhy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why", abstract: "Tell what became of one record in a run: where it was changed, kept or dropped, and by which number.")

    @Argument(help: "The record's id, or the end of it.") var id: String
    @Argument(help: "The folder of the run.") var folder: String
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        try mustExist(folder)
        let story = try why(id, in: URL(fileURLWithPath: folder))
        guard !story.chapters.isEmpty else { throw RequestError(story.description) }
        StandardOutput.line(json ? TaskResult.json(story) : story.description)
    }
}

struct DataReport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Draw what each step of a run kept and dropped, as one HTML page.")

    @Argument(help: "The folder of the run.") var folder: String

    func run() async throws {
        try mustExist(folder)
        let run = URL(fileURLWithPath: folder)
        let file = run.appending(path: "report.html")
        try Data(report(run).utf8).write(to: file, options: .atomic)
        StandardOutput.line(file.relativePath)
    }
}

private func mustExist(_ path: String) throws {
    guard InputPath(path).exists else { throw RequestError("there is no file or folder \"\(path)\"") }
}
