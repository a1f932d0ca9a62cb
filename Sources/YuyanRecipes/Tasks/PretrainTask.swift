import Foundation
import YuyanData
import YuyanModels
import YuyanTensor
import YuyanText
public import YuyanTraining

/// Train a model to predict the next token of packed text.
public struct PretrainTask: ModelTask {
    /// What is trained on what.
    public struct Subject: ConfigurationSection {
        public static let help = [
            "data": "a folder that the task pack has filled",
            "model": "a preset (\(ModelPreset.names.joined(separator: ", "))) or the folder of a model to go on from",
            "layers": "blocks, in place of the preset's",
            "heads": "attention heads, in place of the preset's",
            "width": "width of the hidden states, in place of the preset's",
            "context_length": "positions that the model has; by default sequence_length, or the preset's if that is more",
            "separate_documents": "attention ends at the border between two documents",
        ]

        public var data = InputPath("")
        public var model = "gpt-micro"
        public var layers: Int?
        public var heads: Int?
        public var width: Int?
        public var contextLength: Int?
        public var separateDocuments = false

        public init() {}
    }

    public static let task = "pretrain"
    public static let summary = "Pre-train a model on packed text"
    public static let required = ["data"]
    public static let isResumable = true

    public var subject = Subject()
    public var settings = TrainingConfiguration()
    public var compute = ComputeSettings()

    public init() {}

    public func validate() throws {
        try settings.check()
        try compute.validateForTraining()
        guard let preset else { return }
        if case .t5 = preset {
            throw InvalidValue(
                "model", "\(preset.name) reads a source and writes a target, so it learns from pairs: yuyan finetune --preset \(preset.name)")
        }
        let width = subject.width ?? preset.shape.width
        let heads = subject.heads ?? preset.shape.heads
        try requirePositive(["width": width, "heads": heads, "layers": subject.layers ?? 1])
        guard width.isMultiple(of: heads) else { throw InvalidValue("width", "must be a multiple of the \(heads) heads, found \(width)") }
        if let context = subject.contextLength, context < settings.sequenceLength {
            throw InvalidValue("context_length", "must be at least sequence_length (\(settings.sequenceLength)), found \(context)")
        }
    }

    private var preset: ModelPreset? { ModelPreset(subject.model) }

    public func run(in stage: StageContext) async throws -> TrainingResult {
        let tokenizer = try Tokenizer(contentsOf: subject.data.url)
        let shards = try ShardSet(subject.data.url, split: .train, verifyingChecksums: true)
        try shards.check(tokenizer)
        let t = settings
        let source = try PretrainLoader(
            shards, sequenceLength: t.sequenceLength, batchSize: t.microBatch, seed: t.seed, separateDocuments: subject.separateDocuments)
        let held = try PackReport(contentsOf: subject.data.url).validation.tokens > 1
        let validation =
            try held
            ? PretrainLoader.validation(
                try ShardSet(subject.data.url, split: .validation), sequenceLength: t.sequenceLength, batchSize: t.microBatch,
                separateDocuments: subject.separateDocuments) : nil
        return try await train(tokenizer, source, validation, stage)
    }

    @Engine private func train(
        _ tokenizer: Tokenizer, _ source: PretrainLoader, _ validation: PretrainLoader?, _ stage: StageContext
    ) async throws -> TrainingResult {
        let choice = try compute.choose()
        let model = try makeModel(vocabularySize: tokenizer.vocabularySize, choice)
        stage.console.line(
            "\(stage.name): \(model.parameterCount.formatted()) parameters, \(source.rowsPerEpoch.formatted()) rows of "
                + "\(settings.sequenceLength) tokens, \(choice.description)")
        if let preset {
            stage.console.line(
                "published for \(preset.name): learning rate \(preset.shape.learningRate), batches of \(preset.shape.batchTokens.formatted()) tokens",
                .faint)
        }
        let run = TrainingRun(stage: stage, configuration: settings, compute: choice, tokenizer: tokenizer) { prompt in
            let ids = tokenizer.encode(prompt)
            return ids.isEmpty ? [tokenizer.special.eos ?? 0] : ids
        }
        return try await run.train(model, source: source, validation: validation)
    }

    @Engine private func makeModel(vocabularySize: Int, _ choice: ComputeSettings.Choice) throws -> any LanguageModel {
        if let preset {
            var changes = ModelPreset.Changes()
            (changes.layers, changes.heads, changes.width) = (subject.layers, subject.heads, subject.width)
            changes.contextLength = subject.contextLength ?? max(preset.shape.contextLength, settings.sequenceLength)
            changes.dropout = settings.dropout
            return try preset.model(vocabularySize: vocabularySize, changes, seed: settings.seed, dtype: choice.dtype, device: choice.device)
        }
        let folder = try ModelFolder(orPreset: subject.model)
        return try loadModel(from: folder.url, dtype: choice.dtype, device: choice.device, dropout: settings.dropout)
    }
}
