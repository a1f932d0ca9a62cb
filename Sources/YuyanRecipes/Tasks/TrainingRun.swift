import Foundation
import YuyanData
import YuyanGeneration
import YuyanModels
import YuyanTensor
import YuyanText
public import YuyanTraining

extension TrainingConfiguration: ConfigurationSection {
    public static let help = [
        "steps": "updates of the weights; of steps, tokens and epochs one may be given, without any it is one epoch",
        "tokens": "tokens to train on",
        "epochs": "passes over the data",
        "sequence_length": "tokens that the model sees at once",
        "micro_batch": "rows of one forward and backward pass",
        "batch_tokens": "tokens of one update, in as many micro-batches as it takes",
        "batch_rows": "rows of one update",
        "ramp_start": "size of the first batch, when batches grow",
        "ramp_tokens": "tokens over which the batch grows to its full size",
        "learning_rate": "the peak of the schedule",
        "schedule": "how the learning rate goes",
        "minimum_ratio": "the last learning rate as a share of the peak",
        "warmup_steps": "steps until the peak; by default 2 % of the length",
        "warmup_tokens": "the same in tokens",
        "decay_ratio": "share of the length that wsd decays over",
        "noam_width": "the model's width in the noam formula",
        "optimizer": "adamw keeps 8 bytes for each trained weight beside its master copy, adamw-8bit 2",
        "weight_decay": "AdamW's decay, on matrices only",
        "beta1": "AdamW's first decay rate",
        "beta2": "AdamW's second decay rate",
        "epsilon": "AdamW's ε",
        "clip": "largest norm of the gradient; 0: no limit",
        "dropout": "probability of dropping an activation",
        "recompute": "compute activations again instead of keeping them: less memory, a third more time",
        "evaluate_every": "steps between evaluations on held-out data; 0: only at the end",
        "checkpoint_every": "steps between checkpoints; 0: only at the end",
        "keep_checkpoints": "how many of the last checkpoints stay",
        "keep_best": "keep the checkpoint with the lowest held-out loss too",
        "patience": "stop after so many evaluations without a lower held-out loss",
        "seed": "decides the first weights, the order of the data and the dropout",
        "sample_prompts": "texts that the model continues at each evaluation",
    ]

    /// Checks the values; what is wrong is told with its key.
    func check() throws {
        do { try validate() } catch { throw InvalidValue(error.key, error.problem) }
    }
}

/// What the tasks that train have in common: progress, samples, interruption, the result.
struct TrainingRun {
    var stage: StageContext
    var configuration: TrainingConfiguration
    var compute: ComputeSettings.Choice
    var tokenizer: Tokenizer
    /// The folder of the model that an adapter is trained for.
    var base: URL?
    /// Turns a sample prompt into what the model reads.
    var encodePrompt: @Sendable (String) throws -> [Int32]

    @Engine func train(_ model: any LanguageModel, source: any BatchSource, validation: (any BatchSource)?) async throws -> TrainingResult {
        var environment = TrainingEnvironment(folder: stage.output, tokenizer: tokenizer)
        environment.operationsPerToken = model.trainingOperations(sequenceLength: configuration.sequenceLength)
        environment.base = base
        environment.ceiling = try Ceilings.matrixProduct(compute.dtype, device: compute.device)
        environment.isInterrupted = { Interrupt.requested }
        environment.samples = { model, _ in try await samples(from: model) }
        var meter: ProgressMeter?
        let console = stage.console
        environment.report = { report in
            meter?.update(report.step, note: Self.note(report))
            for warning in report.warnings { console.warn(warning) }
            if let heldOut = report.heldOut {
                let measure = heldOut.accuracy.map { "accuracy \((100 * $0).shown(2)) %" } ?? "perplexity \(heldOut.perplexity.shown(2))"
                console.line("step \(report.step): loss \(report.loss.shown(3)), held-out \(heldOut.loss.shown(3)) (\(measure))")
            }
        }
        let trainer = try Trainer(model, configuration, source: source, validation: validation, environment: environment)
        if stage.isResuming, let step = try trainer.resume() { console.line("going on from step \(step)") }
        meter = ProgressMeter(stage.name, total: trainer.plan.totalSteps, unit: "steps", from: trainer.step, on: console)
        let outcome = try await trainer.run()
        meter?.finish()
        guard outcome.reason != .interrupted else {
            throw Interrupted(saved: "saved \(outcome.checkpoint.relativePath); go on with: \(stage.resumeCommand)")
        }
        return TrainingResult(
            output: stage.output.relativePath, checkpoint: outcome.checkpoint.lastPathComponent, parameters: model.parameterCount,
            steps: outcome.steps,
            tokensTrained: outcome.tokens, seconds: outcome.seconds, loss: outcome.loss, heldOutLoss: outcome.heldOut?.loss,
            perplexity: outcome.heldOut.flatMap { $0.accuracy == nil ? $0.perplexity : nil }, accuracy: outcome.heldOut?.accuracy,
            stoppedEarly: outcome.reason == .stoppedEarly)
    }

    private static func note(_ report: TrainingProgressReport) -> String {
        var parts = ["loss \(report.loss.shown(3))"]
        if let speed = report.tokensPerSecond { parts.append("\(Int(speed).formatted()) tokens/s") }
        if let share = report.ceilingShare { parts.append("\(Int(share * 100)) % of the ceiling") }
        return parts.joined(separator: ", ")
    }

    @Engine private func samples(from model: any LanguageModel) async throws -> [TrainingSample] {
        guard !configuration.samplePrompts.isEmpty else { return [] }
        var generation = GenerationConfiguration()
        (generation.maxTokens, generation.temperature, generation.topP, generation.seed) = (64, 0.8, 0.9, configuration.seed)
        if let template = tokenizer.chatTemplate { generation.end(at: template, with: tokenizer) }
        generation.overflow = .slide
        let prompts = try configuration.samplePrompts.map(encodePrompt)
        let completions = try await complete(model, tokenizer: tokenizer, prompts: prompts, configuration: generation)
        return zip(configuration.samplePrompts, completions).map { TrainingSample(prompt: $0, text: $1[0].text) }
    }
}

/// What a training task answers.
public struct TrainingResult: Codable, Sendable {
    var output: String
    var checkpoint: String
    var parameters: Int
    var steps: Int
    var tokensTrained: Int
    var seconds: Double
    var loss: Double?
    var heldOutLoss: Double?
    var perplexity: Double?
    /// Of the held-out examples, where a task head was trained.
    var accuracy: Double?
    var stoppedEarly: Bool
}

extension Double {
    /// With so many digits after the point.
    func shown(_ digits: Int) -> String { String(format: "%.\(digits)f", self) }
}
