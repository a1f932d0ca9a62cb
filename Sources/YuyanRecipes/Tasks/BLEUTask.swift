import Foundation
import YuyanData
import YuyanEvaluation
public import YuyanGeneration
import YuyanModels
import YuyanTensor
import YuyanText

/// Have a model answer pairs and conversations, and compare with what should be said.
public struct BLEUTask: ModelTask {
    /// What is measured by what.
    public struct Subject: ConfigurationSection {
        public static let help = [
            "model": "the folder of a model, or of the run that made it",
            "data": "pairs or conversations, of which the last answer counts: files, folders, globs",
            "template": "the chat template, in place of the model's own: \(ChatTemplate.known.map(\.name).joined(separator: ", "))",
            "limit": "at most so many records, evenly chosen",
            "batch": "sequences that go through the model together",
        ]

        public var model = InputPath("")
        public var data: [InputPath] = []
        public var template: String?
        public var limit: Int?
        public var batch = 32

        public init() {}
    }

    public static let task = "bleu"
    public static let summary = "Measure a model's answers against references by BLEU"
    public static let required = ["model", "data"]
    public static let positional: String? = "data"

    public var subject = Subject()
    public var settings = GenerationConfiguration.greedy(maxTokens: 128)
    public var compute = ComputeSettings()

    public init() {}

    public func validate() throws {
        try settings.check()
        try compute.validate()
        try requirePositive(["limit": subject.limit ?? 1, "batch": subject.batch])
        if settings.samples != 1 { throw InvalidValue("samples", "must be 1: one answer is compared with one reference") }
    }

    /// What was measured. Questions, answers and references are in `answers.jsonl`.
    public struct Report: Encodable, Sendable {
        var model: String
        var bleu: Double
        var precisions: [Double]
        var brevityPenalty: Double
        /// Answers that are their reference to the letter.
        var exact: Int
        var count: Int
    }

    private struct Line: Encodable {
        var input: String
        var reference: String
        var answer: String
    }

    public func run(in stage: StageContext) async throws -> Report { try await measure(stage) }

    @Engine private func measure(_ stage: StageContext) async throws -> Report {
        var records = try readExamples(subject.data.map(\.url.path))
        if let limit = subject.limit, records.count > limit { records = (0..<limit).map { records[$0 * records.count / limit] } }
        let (model, tokenizer, description) = try ModelFolder(subject.model).loadPair(compute)
        stage.console.line(description)
        let isEncoderDecoder = model is any EncoderDecoder
        let template =
            try subject.template.map(ChatTemplate.named) ?? tokenizer.chatTemplate ?? .standard(isEncoderDecoder: isEncoderDecoder)
        let encoder = try ExampleEncoder(tokenizer: tokenizer, template: template)
        let questions = try records.compactMap { try encoder.question(of: $0, endsSource: isEncoderDecoder) }
        guard !questions.isEmpty else { throw RequestError("there are no pairs and no conversations with an answer in the data") }
        var configuration = settings
        configuration.overflow = .slide
        configuration.end(at: template, with: tokenizer)
        let meter = ProgressMeter("answers", total: questions.count, unit: "answers", on: stage.console)
        let completions = try await complete(
            model, tokenizer: tokenizer, prompts: questions.map(\.ids), configuration: configuration, batch: subject.batch,
            progress: { meter.update($0) })
        meter.finish()
        let answers = completions.map { template.read($0[0].text) }
        let bleu = BLEU(answers, references: questions.map(\.answer))
        let lines = zip(questions, answers).map { question, answer in
            Line(input: template.read(tokenizer.decode(question.ids)), reference: question.answer, answer: answer)
        }
        try lines.writeLines(to: stage.output.appending(path: "answers.jsonl"))
        return Report(
            model: subject.model.path, bleu: bleu.score, precisions: bleu.precisions, brevityPenalty: bleu.brevityPenalty,
            exact: zip(questions, answers).count { $0.answer == $1 }, count: questions.count)
    }
}
