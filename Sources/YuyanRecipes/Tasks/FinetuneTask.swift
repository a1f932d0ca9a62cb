import Foundation
import YuyanData
public import YuyanModels
import YuyanTensor
import YuyanText
public import YuyanTraining

/// Teach a model what to write: conversations and pairs, the loss on the answers alone; texts, the loss on all of them. What the data holds decides.
public struct FinetuneTask: ModelTask {
    /// What is trained on what.
    public struct Subject: ConfigurationSection {
        public static let help = [
            "model": "the folder of a model, or of the run that made it",
            "preset": "a new model of this size, in place of a folder: \(ModelPreset.names.joined(separator: ", "))",
            "tokenizer": "the folder of a new model's tokenizer",
            "data": "conversations, instructions, src_txt with tgt_txt, or texts to go on with: files, folders, globs",
            "lora": "train a low-rank adapter in place of the model's weights",
            "quantize": "keep the model's matrices in 4 bits while an adapter is trained on them (QLoRA)",
            "template": "the chat template to learn, in place of the model's own: \(ChatTemplate.known.map(\.name).joined(separator: ", "))",
            "target_length": "the most tokens of an encoder-decoder's answer; by default sequence_length, which is the most of its source",
            "validation_fraction": "share of the examples that is held back to measure by",
        ]

        public var model: InputPath?
        public var preset: String?
        public var tokenizer: InputPath?
        public var data: [InputPath] = []
        public var lora: LoRAConfiguration?
        public var quantize: Quantization?
        public var template: String?
        public var targetLength: Int?
        public var validationFraction = 0.02

        public init() {}
    }

    public static let task = "sft"
    public static let summary = "Fine-tune a model on conversations, pairs and texts; with --kind, give it a head that classifies"
    public static let required = ["data"]
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
        if let name = subject.preset {
            guard ModelPreset(name) != nil else {
                throw InvalidValue("preset", "there is no size \"\(name)\"\(Suggestion.nearest(to: name, among: ModelPreset.names))")
            }
            guard subject.model == nil else { throw InvalidValue("preset", "a new model and model go against each other: give one of them") }
            guard subject.tokenizer != nil else { throw InvalidValue("tokenizer", "must be given with preset: the folder of a tokenizer") }
        } else if subject.model == nil {
            throw InvalidValue("model", "must be given, or preset and tokenizer for a new one")
        }
        try requirePositive(["target_length": subject.targetLength ?? 1])
        guard (0..<1).contains(subject.validationFraction) else {
            throw InvalidValue("validation_fraction", "must be at least 0 and below 1, found \(subject.validationFraction)")
        }
    }

    public func run(in stage: StageContext) async throws -> TrainingResult {
        let parts = split(try readRecords(), validationFraction: subject.validationFraction)
        let folder = try subject.model.map { try ModelFolder($0) }
        guard var tokenizer = try folder?.tokenizer() ?? subject.tokenizer.map(ModelFolder.tokenizer) else {
            preconditionFailure("checked by validate")
        }
        if let name = subject.template { tokenizer.chatTemplate = try ChatTemplate.named(name) }
        return try await train(folder, tokenizer, parts.train, parts.validation, stage)
    }

    /// Where a chat template is asked for, pairs are questions and answers.
    private func readRecords() throws -> [Record] {
        let records = try readExamples(subject.data.map(\.url.path))
        guard subject.template != nil else { return records }
        return records.map { record in
            guard case .pair(let pair) = record else { return record }
            return .conversation(
                Conversation(id: pair.id, question: pair.input, answer: pair.target, source: pair.source, metadata: pair.metadata))
        }
    }

    @Engine private func train(
        _ folder: ModelFolder?, _ tokenizer: Tokenizer, _ records: [Record], _ heldOut: [Record], _ stage: StageContext
    ) async throws -> TrainingResult {
        let choice = try compute.choose()
        if let folder { try checkMemory(folder, choice, stage) }
        let model = try makeModel(folder, tokenizer, choice)
        let isEncoderDecoder = model is any EncoderDecoder
        let template = tokenizer.chatTemplate ?? .standard(isEncoderDecoder: isEncoderDecoder)
        let (source, report) = try loader(records, for: model, tokenizer, template, shuffled: true)
        let validation = try heldOut.isEmpty ? nil : loader(heldOut, for: model, tokenizer, template, shuffled: false).source
        stage.console.line(
            "\(stage.name): \(report.examples.formatted()) examples in \(report.rows.formatted()) rows of \(settings.sequenceLength) tokens, "
                + "\(report.answerTokens.formatted()) tokens to learn; \(report.truncated) shortened, \(report.tooLong + report.withoutAnswer) left out"
        )
        stage.console.line("\(stage.name): \(model.parameterCount.formatted()) parameters, \(choice.description)")
        if let adapter = model.adapter {
            let trained = adapter.parameters.reduce(0) { $0 + $1.value.count }
            stage.console.line(
                "\(stage.name): an adapter of rank \(adapter.configuration.rank) is trained: \(trained.formatted()) parameters, "
                    + "\((100 * Double(trained) / Double(model.parameterCount)).shown(2)) % of the model's")
        }
        let isChat = records.contains { if case .conversation = $0 { true } else { false } }
        let ending = isEncoderDecoder ? [tokenizer.special.eos].compactMap { $0 } : []
        let run = TrainingRun(stage: stage, configuration: settings, compute: choice, tokenizer: tokenizer, base: folder?.url) { prompt in
            guard isChat else { return tokenizer.encode(plain: template.written(prompt)) + ending }
            return try template.encode([Message(role: "user", content: prompt)], with: tokenizer, addingGenerationPrompt: true).ids + ending
        }
        return try await run.train(model, source: source, validation: validation)
    }

    @Engine private func makeModel(
        _ folder: ModelFolder?, _ tokenizer: Tokenizer, _ choice: ComputeSettings.Choice
    ) throws -> any LanguageModel {
        if let folder {
            return try loadModel(
                from: folder.url, dtype: choice.dtype, device: choice.device, dropout: settings.dropout, lora: subject.lora,
                quantization: subject.quantize, seed: settings.seed)
        }
        guard let preset = subject.preset.flatMap(ModelPreset.init) else { preconditionFailure("checked by validate") }
        var changes = ModelPreset.Changes()
        changes.contextLength = max(preset.shape.contextLength, settings.sequenceLength)
        changes.dropout = settings.dropout
        return try preset.model(
            vocabularySize: tokenizer.vocabularySize, changes, lora: subject.lora, quantization: subject.quantize, seed: settings.seed,
            dtype: choice.dtype, device: choice.device)
    }

    /// Rows for a model that goes on with a text, pairs for one that reads a source.
    @Engine private func loader(
        _ records: [Record], for model: any LanguageModel, _ tokenizer: Tokenizer, _ template: ChatTemplate, shuffled: Bool
    ) throws -> (source: any BatchSource, report: ExampleReport) {
        let epochs = shuffled ? nil : 1
        guard let reader = model as? any EncoderDecoder else {
            let source = try ExampleLoader(
                records, tokenizer: tokenizer, template: template, sequenceLength: settings.sequenceLength, batchSize: settings.microBatch,
                seed: settings.seed, shuffled: shuffled, epochs: epochs)
            return (source, source.report)
        }
        let source = try ExchangeLoader(
            records, tokenizer: tokenizer, template: template, sourceLength: settings.sequenceLength,
            targetLength: subject.targetLength ?? settings.sequenceLength, decoderStart: reader.decoderStart, batchSize: settings.microBatch,
            seed: settings.seed, shuffled: shuffled, epochs: epochs)
        return (source, source.report)
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
