import Foundation
import YuyanData
import YuyanModels
import YuyanTensor
import YuyanText
import YuyanTraining

/// Measure a model with a task head: how many examples it decides rightly.
public struct EvaluateHeadTask: ModelTask {
    /// What is measured by what.
    public struct Subject: ConfigurationSection {
        public static let help = [
            "model": "the folder of a model with a task head, or of the run that made it",
            "files": "examples with labels: JSON, JSON Lines, CSV or TSV files, folders, globs",
            "batch": "rows that go through the model together",
        ]

        public var model = InputPath("")
        public var files: [InputPath] = []
        public var batch = 8

        public init() {}
    }

    public static let task = "evaluate-head"
    public static let summary = "Measure how many texts, pairs or questions a task head decides rightly"
    public static let required = ["model", "files"]
    public static let positional: String? = "files"

    public var subject = Subject()
    public var settings = NoSettings()
    public var compute = ComputeSettings()

    public init() {}

    public func validate() throws {
        try compute.validate()
        try requirePositive(["batch": subject.batch])
    }

    /// What was measured. Each decision is in `decisions.jsonl`, wrong ones first.
    public struct Report: Encodable, Sendable {
        var model: String
        var kind: String
        var accuracy: Double
        var right: Int
        var count: Int
        /// The share of the most frequent class: what always saying it would get.
        var majority: Double
        var loss: Double
    }

    private struct Line: Encodable {
        var id: String
        var texts: [String]
        var label: String
        var decision: String
        var probability: Double
    }

    public func run(in stage: StageContext) async throws -> Report { try await measure(stage) }

    @Engine private func measure(_ stage: StageContext) async throws -> Report {
        let folder = try ModelFolder(subject.model)
        guard let head = try taskHead(of: folder.url) else {
            throw RequestError("\(subject.model): this model has no task head; give it one with yuyan finetune --kind")
        }
        let (model, tokenizer, description) = try folder.loadPair(compute)
        guard let model = model as? TaskModel else { preconditionFailure("a folder with a head gives another model") }
        stage.console.line(description)
        let examples = try readLabelledExamples(subject.files.map(\.url.path), head.task.layout)
        let decided = try decisions(
            of: model,
            on: LabelledExampleLoader(
                head.encode(examples, with: tokenizer), sequenceLength: head.limit, batchSize: subject.batch,
                padding: tokenizer.special.pad ?? tokenizer.special.eos ?? 0, seed: 0, shuffled: false, epochs: 1))
        func name(_ place: Int) -> String { head.task == .choice ? "\(place)" : head.labels[place] }
        let lines = decided.sorted { (($0.isRight ? 1 : 0), $0.number) < (($1.isRight ? 1 : 0), $1.number) }.map { decision in
            let example = examples[decision.number]
            return Line(
                id: example.id, texts: example.texts, label: example.label, decision: name(decision.choice),
                probability: decision.probabilities[decision.choice])
        }
        try lines.writeLines(to: stage.output.appending(path: "decisions.jsonl"))
        let measured = try HeldOutLoss(decided)
        let largest = Dictionary(grouping: decided, by: \.label).values.map(\.count).max() ?? 0
        return Report(
            model: subject.model.path, kind: head.task.rawValue, accuracy: measured.accuracy ?? 0, right: decided.count { $0.isRight },
            count: decided.count, majority: Double(largest) / Double(decided.count), loss: measured.loss)
    }
}
