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
public struct StepSummary: Encodable, Sendable, CustomStringConvertible {
    var step: String
    var output: String
    var records: Int
    /// Records that came of splitting others.
    var added: Int
    var kept: Int
    var characters: Int
    var keptCharacters: Int
    /// Records by reason.
    var dropped: [String: Int]
    var changes: [String: Int]
    /// Records that were passed over in reading, because there is nothing in them.
    var emptyRecords: Int
    /// What could not be read and was passed over.
    var problems: Int
    var seconds: Double

    init(_ report: StepReport, in folder: URL) {
        (step, output) = (report.step, folder.relativePath)
        (records, added, kept) = (report.input.records, report.added, report.kept.records)
        (characters, keptCharacters) = (report.input.characters, report.kept.characters)
        dropped = report.dropped.mapValues(\.records)
        (changes, emptyRecords, problems, seconds) = (report.changes, report.emptyRecords, report.problemCount, report.seconds)
    }

    /// Lines for a person: what came in and was kept, then whatever else there was, the most frequent first.
    public var description: String {
        func number(_ count: Int) -> String { ProgressMeter.count(Double(count)) }
        func counts(_ counts: [String: Int]) -> String {
            counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \(number($0.value))" }.joined(separator: ", ")
        }
        var lines = [
            "kept: \(number(kept)) of \(number(records + added)) records\(Self.share(kept, of: records + added)), "
                + "\(number(keptCharacters)) of \(number(characters)) characters\(Self.share(keptCharacters, of: characters))"
        ]
        if added > 0 { lines.append("records read: \(number(records)); \(number(added)) more came of splitting them") }
        if !dropped.isEmpty { lines.append("dropped: \(number(dropped.values.reduce(0, +))): \(counts(dropped))") }
        if !changes.isEmpty { lines.append("\(Self.wording[step] ?? "changed"): \(counts(changes))") }
        if emptyRecords > 0 { lines.append("empty: \(number(emptyRecords)) more records hold nothing and were passed over") }
        if problems > 0 { lines.append("problems: \(number(problems)), see \(output)/report.json") }
        return (lines + ["output: \(output)"]).joined(separator: "\n")
    }

    /// What is counted as a change, where that is something else.
    private static let wording = ["split": "parts", "shape": "made", "triples": "made"]

    /// ` (86.2 %)`; nothing where all or none is meant.
    private static func share(_ part: Int, of whole: Int) -> String {
        part == 0 || part >= whole ? "" : String(format: " (%.1f %%)", min(max(Double(part) / Double(whole) * 100, 0.1), 99.9))
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
            let report = try process(files.map(\.reading), to: stage.output, watch)
            for problem in report.problems.prefix(3) { stage.console.warn("passed over: \(problem)") }
            return StepSummary(report, in: stage.output)
        }
    }
}

private enum FilesKey: String, CodingKey {
    case files
}

extension TaskConfiguration {
    /// Has the library look at its settings before any stage starts: what it says against them is about the request.
    func refusing(_ check: () throws -> Void) throws {
        do { try check() } catch let error as DataError { throw RequestError(error.description) }
    }
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
