import Foundation
import YuyanData
import YuyanModels
import YuyanTensor
import YuyanText
public import YuyanTraining

/// Teach a model to answer: conversations and instructions, the loss on the answers alone.
public struct FinetuneTask: ModelTask {
    /// What is trained on what.
    public struct Subject: ConfigurationSection {
        public static let help = [
            "model": "the folder of a model, or of the run that made it",
            "data": "conversations or instructions: JSON, JSON Lines, CSV or TSV files, folders, globs",
            "validation_fraction": "share of the conversations that is held back to measure by",
        ]

        public var model = InputPath("")
        public var data: [InputPath] = []
        public var validationFraction = 0.02

        public init() {}
    }

    public static let task = "sft"
    public static let summary = "Fine-tune a model on conversations and instructions"
    public static let required = ["model", "data"]
    public static let isResumable = true

    public var subject = Subject()
    public var settings = TrainingConfiguration()
    public var compute = ComputeSettings()

    public init() { settings.learningRate = 1e-4 }

    public func validate() throws {
        try settings.check()
        try compute.validateForTraining()
        guard (0..<1).contains(subject.validationFraction) else {
            throw InvalidValue("validation_fraction", "must be at least 0 and below 1, found \(subject.validationFraction)")
        }
    }

    public func run(in stage: StageContext) async throws -> TrainingResult {
        let folder = try ModelFolder(subject.model)
        let tokenizer = try folder.tokenizer()
        let parts = split(try readConversations(subject.data.map(\.url.path)), validationFraction: subject.validationFraction)
        let source = try loader(parts.train, tokenizer, shuffled: true)
        let validation = try parts.validation.isEmpty ? nil : loader(parts.validation, tokenizer, shuffled: false)
        let report = source.report
        stage.console.line(
            "\(stage.name): \(report.conversations.formatted()) conversations in \(report.rows.formatted()) rows of \(settings.sequenceLength) tokens, "
                + "\(report.answerTokens.formatted()) answer tokens; \(report.truncated) shortened, \(report.tooLong + report.withoutAnswer) left out"
        )
        return try await train(folder, tokenizer, source, validation, stage)
    }

    private func loader(_ conversations: [Conversation], _ tokenizer: Tokenizer, shuffled: Bool) throws -> ConversationLoader {
        try ConversationLoader(
            conversations, tokenizer: tokenizer, sequenceLength: settings.sequenceLength, batchSize: settings.microBatch, seed: settings.seed,
            shuffled: shuffled, epochs: shuffled ? nil : 1)
    }

    @Engine private func train(
        _ folder: ModelFolder, _ tokenizer: Tokenizer, _ source: ConversationLoader, _ validation: ConversationLoader?, _ stage: StageContext
    ) async throws -> TrainingResult {
        let choice = try compute.choose()
        let model = try loadModel(from: folder.url, dtype: choice.dtype, device: choice.device, dropout: settings.dropout)
        stage.console.line("\(stage.name): \(model.parameterCount.formatted()) parameters, \(choice.description)")
        let template = tokenizer.chatTemplate ?? .yuyan
        let run = TrainingRun(stage: stage, configuration: settings, compute: choice, tokenizer: tokenizer) { prompt in
            try template.encode([Message(role: "user", content: prompt)], with: tokenizer, addingGenerationPrompt: true).ids
        }
        return try await run.train(model, source: source, validation: validation)
    }
}
