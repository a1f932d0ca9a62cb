import Foundation
import YuyanData
public import YuyanModels
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
            "lora": "train a low-rank adapter in place of the model's weights",
            "quantize": "keep the model's matrices in 4 bits while an adapter is trained on them (QLoRA)",
            "template": "the chat template to learn, in place of the model's own: \(ChatTemplate.known.map(\.name).joined(separator: ", "))",
            "validation_fraction": "share of the conversations that is held back to measure by",
        ]

        public var model = InputPath("")
        public var data: [InputPath] = []
        public var lora: LoRAConfiguration?
        public var quantize: Quantization?
        public var template: String?
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
        try subject.lora?.check()
        if subject.quantize != nil, subject.lora == nil { throw InvalidValue("quantize", "is for training an adapter: lora is needed with it") }
        try compute.validateForTraining()
        guard (0..<1).contains(subject.validationFraction) else {
            throw InvalidValue("validation_fraction", "must be at least 0 and below 1, found \(subject.validationFraction)")
        }
    }

    public func run(in stage: StageContext) async throws -> TrainingResult {
        let folder = try ModelFolder(subject.model)
        var tokenizer = try folder.tokenizer()
        if let name = subject.template { tokenizer.chatTemplate = try ChatTemplate.named(name) }
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
        let model = try loadModel(
            from: folder.url, dtype: choice.dtype, device: choice.device, dropout: settings.dropout, lora: subject.lora,
            quantization: subject.quantize, seed: settings.seed)
        stage.console.line("\(stage.name): \(model.parameterCount.formatted()) parameters, \(choice.description)")
        if let adapter = model.adapter {
            let trained = adapter.parameters.reduce(0) { $0 + $1.value.count }
            stage.console.line(
                "\(stage.name): an adapter of rank \(adapter.configuration.rank) is trained: \(trained.formatted()) parameters, "
                    + "\((100 * Double(trained) / Double(model.parameterCount)).shown(2)) % of the model's")
        }
        let template = tokenizer.chatTemplate ?? .yuyan
        let run = TrainingRun(stage: stage, configuration: settings, compute: choice, tokenizer: tokenizer, base: folder.url) { prompt in
            try template.encode([Message(role: "user", content: prompt)], with: tokenizer, addingGenerationPrompt: true).ids
        }
        return try await run.train(model, source: source, validation: validation)
    }
}

extension LoRAConfiguration: ConfigurationSection {
    public init() { self.init(rank: 8) }

    public static let help = [
        "rank": "columns of the low-rank matrices", "alpha": "what they add is multiplied by alpha / rank",
        "dropout": "probability of dropping an element before them",
        "targets": "ends of the names of the layers that get them; by default all linear layers",
        "scales_by_root": "alpha / √rank instead (rank-stabilised)",
    ]

    /// Checks the values; what is wrong is told with its key.
    func check() throws {
        guard rank > 0 else { throw InvalidValue("lora.rank", "must be above 0, found \(rank)") }
        guard alpha > 0, alpha.isFinite else { throw InvalidValue("lora.alpha", "must be above 0, found \(alpha)") }
        guard (0..<1).contains(dropout) else { throw InvalidValue("lora.dropout", "must be at least 0 and below 1, found \(dropout)") }
    }
}
