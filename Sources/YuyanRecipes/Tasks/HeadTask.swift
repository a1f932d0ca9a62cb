import Foundation
import YuyanData
public import YuyanModels
import YuyanTensor
import YuyanText
public import YuyanTraining

extension TaskHead.Task {
    var layout: ExampleLayout {
        switch self {
        case .classification: .text
        case .entailment, .similarity: .pair
        case .choice: .choice
        }
    }
}

/// Give a decoder a head that classifies texts, compares two of them or chooses among answers, and train both (Radford et al. 2018).
public struct HeadTask: ModelTask {
    /// What is trained on what.
    public struct Subject: ConfigurationSection {
        public static let help = [
            "kind": "what is decided: the class of a text, of a pair in its order (entailment) or in both (similarity), or the right answer (choice)",
            "model": "the folder of a model, or of the run that made it",
            "data": "examples with labels: JSON, JSON Lines, CSV or TSV files, folders, globs",
            "validation": "examples to measure by; without them a share of the data",
            "validation_fraction": "that share, chosen by a hash of the texts",
            "language_weight": "how much the loss of the language model counts beside that of the task",
        ]

        public var kind = TaskHead.Task.classification
        public var model = InputPath("")
        public var data: [InputPath] = []
        public var validation: [InputPath] = []
        public var validationFraction = 0.1
        public var languageWeight = 0.5

        public init() {}
    }

    public static let task = "head"
    public static let summary = "Train a head that classifies, compares or chooses, and the model under it"
    public static let required = ["kind", "model", "data"]
    public static let isResumable = true

    public var subject = Subject()
    public var settings = TrainingConfiguration()
    public var compute = ComputeSettings()

    /// The settings of the paper (section 4.1).
    public init() {
        (settings.learningRate, settings.schedule, settings.minimumRatio) = (6.25e-5, .linear, 0)
        (settings.dropout, settings.weightDecay, settings.beta2) = (0.1, 0.01, 0.999)
    }

    public func validate() throws {
        try settings.check()
        try compute.validateForTraining()
        guard (0..<1).contains(subject.validationFraction) else {
            throw InvalidValue("validation_fraction", "must be at least 0 and below 1, found \(subject.validationFraction)")
        }
        guard subject.languageWeight >= 0, subject.languageWeight.isFinite else {
            throw InvalidValue("language_weight", "must not be negative, found \(subject.languageWeight)")
        }
    }

    /// The paper's three epochs, where no length is given.
    private var training: TrainingConfiguration {
        var training = settings
        if training.steps == nil, training.tokens == nil, training.epochs == nil { training.epochs = 3 }
        return training
    }

    public func run(in stage: StageContext) async throws -> TrainingResult {
        let folder = try ModelFolder(subject.model)
        let tokenizer = try folder.tokenizer()
        let examples = try readLabelledExamples(subject.data.map(\.url.path), subject.kind.layout)
        let parts =
            try subject.validation.isEmpty
            ? split(examples, validationFraction: subject.validationFraction)
            : (examples, readLabelledExamples(subject.validation.map(\.url.path), subject.kind.layout))
        return try await train(folder, tokenizer, parts.0, parts.1, stage)
    }

    @Engine private func train(
        _ folder: ModelFolder, _ tokenizer: Tokenizer, _ examples: [LabelledExample], _ heldOut: [LabelledExample], _ stage: StageContext
    ) async throws -> TrainingResult {
        let choice = try compute.choose()
        let labels = subject.kind == .choice ? [] : Set(examples.map(\.label)).sorted { $0.localizedStandardCompare($1) == .orderedAscending }
        guard subject.kind == .choice || labels.count > 1 else {
            throw RequestError("data: all examples have the label \"\(labels.first ?? "")\"; there is nothing to decide")
        }
        let model = try loadTaskModel(
            from: folder.url, task: subject.kind, labels: labels, limit: settings.sequenceLength, dtype: choice.dtype, device: choice.device,
            dropout: settings.dropout, seed: settings.seed)
        model.languageWeight = subject.languageWeight
        stage.console.line(
            "\(stage.name): \(model.parameterCount.formatted()) parameters, \(examples.count.formatted()) examples, \(heldOut.count.formatted()) held out, "
                + "\(labels.isEmpty ? "answers to choose from" : "labels \(labels.joined(separator: ", "))"), \(choice.description)")
        func loader(_ examples: [LabelledExample], shuffled: Bool) throws -> LabelledExampleLoader {
            try LabelledExampleLoader(
                model.head.encode(examples, with: tokenizer), sequenceLength: settings.sequenceLength, batchSize: settings.microBatch,
                padding: tokenizer.special.pad ?? tokenizer.special.eos ?? 0, seed: settings.seed, shuffled: shuffled, epochs: shuffled ? nil : 1)
        }
        let run = TrainingRun(stage: stage, configuration: training, compute: choice, tokenizer: tokenizer) { tokenizer.encode($0) }
        return try await run.train(
            model, source: loader(examples, shuffled: true), validation: heldOut.isEmpty ? nil : loader(heldOut, shuffled: false))
    }
}
