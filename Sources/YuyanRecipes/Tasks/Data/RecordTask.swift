public import Foundation
public import YuyanData

/// A task that reads records and leaves the folder of a stage: `documents/`, `dropped/`, `report.json`. What it reads (`files`) and how it works
/// (`settings`) stand side by side in one configuration.
public protocol RecordTask: TaskConfiguration where Output == StepSummary {
    associatedtype Settings: ConfigurationSection

    var files: [InputPath] { get set }
    var settings: Settings { get set }

    /// Does the work; finished parts of an earlier try are in the folder.
    func process(_ paths: [String], to folder: URL, _ watch: Watch) throws -> StepReport
}

/// How a long step over records looks up: whether it should stop, and who wants to know how far it is.
public struct Watch: Sendable {
    public let isCancelled: @Sendable () -> Bool = { Interrupt.requested }
    let meter: ProgressMeter

    init(_ stage: StageContext) {
        meter = ProgressMeter(stage.name, total: nil, unit: "records", on: stage.console)
    }

    public func progress(_ report: StepReport) {
        meter.update(report.input.records, note: report.kept.records > 0 ? "\(report.kept.records.formatted()) kept" : "")
    }
}

/// What a step did, in a few numbers; the whole is in `report.json`.
public struct StepSummary: Encodable, Sendable {
    var output: String
    var records: Int
    var kept: Int
    var characters: Int
    var keptCharacters: Int
    /// Records by reason.
    var dropped: [String: Int]
    var changes: [String: Int]
    /// What could not be read and was passed over.
    var problems: Int
    var seconds: Double

    init(_ report: StepReport, in folder: URL) {
        output = folder.relativePath
        (records, kept) = (report.input.records, report.kept.records)
        (characters, keptCharacters) = (report.input.characters, report.kept.characters)
        dropped = report.dropped.mapValues(\.records)
        (changes, problems, seconds) = (report.changes, report.problems.count, report.seconds)
    }
}

extension RecordTask {
    public static var help: [String: String] {
        ["files": "data files, folders of them, globs, or the folders of earlier stages"].merging(Settings.help) { $1 }
    }
    public static var required: [String] { ["files"] }
    public static var positional: String? { "files" }
    public static var isResumable: Bool { true }

    public init(from decoder: any Decoder) throws {
        self.init()
        files = try decoder.container(keyedBy: FilesKey.self).decode([InputPath].self, forKey: .files)
        settings = try Settings(from: decoder)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: FilesKey.self)
        try container.encode(files, forKey: .files)
        try settings.encode(to: encoder)
    }

    public func run(in stage: StageContext) async throws -> StepSummary {
        try stage.watching { watch in
            let report = try process(files.map(\.url.path), to: stage.output, watch)
            for problem in report.problems.prefix(3) { stage.console.warn("passed over: \(problem)") }
            return StepSummary(report, in: stage.output)
        }
    }
}

private enum FilesKey: String, CodingKey {
    case files
}

extension StageContext {
    /// Runs work over records with a meter; an interruption becomes the sentence that says how to go on.
    func watching<Result>(_ work: (Watch) throws -> Result) throws -> Result {
        let watch = Watch(self)
        do {
            let result = try work(watch)
            watch.meter.finish()
            return result
        } catch is CancellationError {
            throw Interrupted(saved: "the finished parts are in \(output.relativePath); go on with: \(resumeCommand)")
        }
    }
}
