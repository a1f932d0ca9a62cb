public import Foundation
public import YuyanData
public import YuyanModels
public import YuyanTensor
import YuyanText

/// The training loop, for pre-training and fine-tuning alike: what differs is where the batches come from.
///
/// The loss of a step is Σ of its tokens' losses / its label tokens, over all micro-batches together: a short answer and a long one count by
/// their tokens.
@Engine public final class Trainer {
    public let model: any LanguageModel
    public let configuration: TrainingConfiguration
    public let plan: TrainingPlan
    /// Steps finished.
    public private(set) var step = 0
    /// Tokens trained on.
    public private(set) var tokens = 0

    private let optimizer: AdamW
    private var source: any BatchSource
    private let validation: (any BatchSource)?
    private let environment: TrainingEnvironment
    private let checkpoints: TrainingCheckpoints
    private var lossSpikes = SpikeDetector(name: "loss")
    private var normSpikes = SpikeDetector(name: "gradient norm")
    private var stopping: EarlyStopping
    private var meter: ThroughputMeter
    private var lastSaved: Int?

    /// - Parameters:
    ///   - model: updated in place. It computes in float32 or bfloat16.
    ///   - source: its batches have `micro_batch` rows.
    ///   - validation: held-out data; each evaluation goes once through a copy of it.
    /// - Throws: `TrainingConfigurationError`, `ScheduleError`, or `TrainingError` where model, tokenizer and data do not fit.
    public init(
        _ model: any LanguageModel, _ configuration: TrainingConfiguration, source: any BatchSource, validation: (any BatchSource)? = nil,
        environment: TrainingEnvironment
    ) throws {
        plan = try TrainingPlan(configuration, rowsPerEpoch: source.state.rowsPerEpoch)
        guard configuration.sequenceLength <= model.contextLength else {
            throw TrainingConfigurationError(
                key: "sequence_length", problem: "\(configuration.sequenceLength) tokens do not fit the model's context of \(model.contextLength)")
        }
        guard model.quantized.isEmpty else {
            throw TrainingError("the model's matrices are rounded for inference and cannot be trained; train the model that it was made from")
        }
        if configuration.patience != nil, validation == nil {
            throw TrainingConfigurationError(key: "patience", problem: "early stopping needs held-out data")
        }
        if let tokenizer = environment.tokenizer, tokenizer.vocabularySize > model.vocabularySize {
            throw TrainingError(
                "the tokenizer has \(tokenizer.vocabularySize) tokens, the model's embedding only \(model.vocabularySize); use the model's own tokenizer"
            )
        }
        (self.model, self.configuration, self.source, self.validation, self.environment) = (model, configuration, source, validation, environment)
        let c = configuration
        optimizer = try AdamW(
            model.trainable, beta1: c.beta1, beta2: c.beta2, epsilon: c.epsilon, weightDecay: c.weightDecay, clip: c.clip,
            eightBit: c.optimizer == .adamw8Bit)
        checkpoints = TrainingCheckpoints(run: environment.folder)
        stopping = EarlyStopping(patience: c.patience ?? .max)
        meter = ThroughputMeter(operationsPerToken: environment.operationsPerToken, ceiling: environment.ceiling)
    }

    // MARK: Going on

    /// Goes on from the last checkpoint of the run folder, exactly: the losses that follow are those of a run that was never interrupted.
    ///
    /// - Returns: the step it goes on from; nil where there is no checkpoint yet and the run starts from the beginning.
    @discardableResult public func resume() throws -> Int? {
        guard let checkpoint = checkpoints.last else { return nil }
        try resume(from: checkpoint)
        return step
    }

    /// Goes on from this checkpoint.
    ///
    /// - Throws: `TrainingError` naming the key where the configuration is not the one the run was made with.
    public func resume(from checkpoint: URL) throws {
        let folder = checkpoint.appending(path: "trainer")
        let state: TrainerState
        do {
            state = try JSONDecoder().decode(TrainerState.self, from: Data(contentsOf: folder.appending(path: "state.json")))
        } catch {
            throw TrainingError("\(checkpoint.path) is no checkpoint to resume from: trainer/state.json cannot be read (\(systemReason(error)))")
        }
        try configuration.check(resuming: state.configuration)
        guard state.dtype == model.dtype.name else {
            throw TrainingError("dtype was \(state.dtype) when this run was saved and is \(model.dtype.name) now: set it back, or begin a new run")
        }
        let tensors = try SafeTensorsFile(folder.appending(path: "optimizer.safetensors"))
        try optimizer.restore(step: state.step, tensors.tensor)
        (step, tokens) = (state.step, state.tokens)
        source.state = state.loader
        (lossSpikes, normSpikes, stopping) = (state.lossSpikes, state.normSpikes, state.stopping)
        stopping.patience = configuration.patience ?? .max
        lastSaved = step
    }

    // MARK: The run

    /// Trains to the end, an early stop or an interruption; in each case the last thing done is a checkpoint.
    ///
    /// - Throws: `DivergenceError` where loss or gradients are no numbers any more; `TrainingError` where something cannot be written, with the
    ///   checkpoint that is intact; what the data source throws.
    public func run() async throws -> TrainingOutcome {
        if lastSaved == nil, let last = checkpoints.last {
            throw TrainingError("\(last.path) is from an earlier run: resume it, or choose another folder")
        }
        do {
            return try await train()
        } catch let error as MetricsFileError {
            let sentence = error.description.hasSuffix(".") ? String(error.description.dropLast()) : error.description
            throw TrainingError("\(sentence): \(checkpoints.wayOut(before: .max))")
        }
    }

    private func train() async throws -> TrainingOutcome {
        try checkpoints.prepare()
        var log = try RunLog(folder: environment.folder, resumingAfter: step)
        let clock = ContinuousClock()
        let start = clock.now
        var stepStart = start
        var reason = TrainingOutcome.Reason.finished
        var lastLoss: Double?
        var heldOut: HeldOutLoss?

        while !plan.isDone(steps: step, tokens: tokens) {
            let before = source.state
            let batches = try nextBatches()
            if batches.isEmpty { break }
            guard let update = try takeStep(batches) else {
                source.state = before
                reason = .interrupted
                break
            }
            let stepTokens = batches.reduce(0) { $0 + $1.tokenCount }
            step += 1
            tokens += stepTokens
            lastLoss = update.loss

            let now = clock.now
            let seconds = (now - stepStart) / .seconds(1)
            meter.record(tokens: stepTokens, seconds: seconds)
            var record = MetricsRecord(
                step: step, tokens: tokens,
                [
                    .loss: update.loss, .learningRate: update.learningRate, .gradientNorm: update.gradientNorm, .batchTokens: Double(stepTokens),
                    .seconds: seconds,
                ])
            record[.tokensPerSecond] = Double(stepTokens) / seconds
            record[.ceilingShare] = meter.ceilingShare
            let spikes = [lossSpikes.observe(update.loss, step: step), normSpikes.observe(update.gradientNorm, step: step)]

            let isLast = plan.isDone(steps: step, tokens: tokens)
            heldOut = nil
            if isLast || isDue(configuration.evaluateEvery) { heldOut = try evaluate() }
            var verdict: EarlyStopping.Verdict?
            if let heldOut {
                record[.validationLoss] = heldOut.loss
                record[.accuracy] = heldOut.accuracy
                verdict = stopping.observe(heldOut.loss, step: step)
            }
            try log.append(record)
            if isLast || isDue(configuration.evaluateEvery) {
                if let samples = environment.samples { try log.append(try await samples(model, step), step: step) }
                try log.draw(subtitle: subtitle)
            }
            let isBest = verdict == .improved && configuration.keepsBest
            let isSaved = isLast || isBest || verdict == .stop || isDue(configuration.checkpointEvery)
            if isSaved { try save(log) }
            try environment.report(
                TrainingProgressReport(
                    step: step, totalSteps: plan.totalSteps, tokens: tokens, loss: update.loss, learningRate: update.learningRate,
                    gradientNorm: update.gradientNorm, heldOut: heldOut, tokensPerSecond: meter.tokensPerSecond, ceilingShare: meter.ceilingShare,
                    timeLeft: meter.timeLeft(tokens: plan.totalTokens - tokens), warnings: spikes.compactMap { $0?.description },
                    checkpoint: isSaved ? checkpoints.url(step: step) : nil))
            stepStart = clock.now
            if verdict == .stop {
                reason = .stoppedEarly
                break
            }
        }
        if lastSaved != step { try save(log) }
        try log.draw(subtitle: subtitle)
        let best = stopping.bestStep.map(checkpoints.url)
        return TrainingOutcome(
            reason: reason, steps: step, tokens: tokens, seconds: (clock.now - start) / .seconds(1), loss: lastLoss,
            heldOut: heldOut, bestLoss: stopping.bestLoss, bestStep: stopping.bestStep, checkpoint: checkpoints.url(step: step),
            bestCheckpoint: best.flatMap { FileManager.default.fileExists(atPath: $0.path) ? $0 : nil })
    }

    private func isDue(_ every: Int) -> Bool { every > 0 && step % every == 0 }

    private var subtitle: String { "\(model.parameterCount) parameters · \(tokens) tokens · \(step) steps" }

    // MARK: One step

    /// The batches of the next step: all of them before any is run, because their label tokens are counted together. Fewer at the end of the data.
    private func nextBatches() throws -> [Batch] {
        var batches: [Batch] = []
        let count = plan.accumulation(afterTokens: tokens)
        while batches.count < count, let batch = try source.next() {
            try batch.check(for: model)
            batches.append(batch)
        }
        return batches
    }

    struct Update {
        var loss: Double
        var gradientNorm: Double
        var learningRate: Double
    }

    /// One update from these micro-batches; nil, with nothing changed, when the run was interrupted in the middle.
    func takeStep(_ batches: [Batch]) throws -> Update? {
        let divisors = LossDivisors(batches)
        let batchTokens = batches.reduce(0) { $0 + $1.tokenCount }
        var loss = 0.0
        for (index, batch) in batches.enumerated() {
            model.adapter?.dropoutSeed = dropoutSeed(configuration.seed, step: step, microBatch: index)
            defer { model.adapter?.dropoutSeed = nil }
            let seed = configuration.dropout > 0 ? dropoutSeed(configuration.seed, step: step, microBatch: index) : nil
            let part = try model.loss(
                of: batch, outputWeight: model.outputWeight, divisors: divisors, dropoutSeed: seed, recompute: configuration.recompute)
            try part.backward()
            loss += try part.item()
            if batches.count > 1 { try optimizer.accumulate() }
            if environment.isInterrupted() {
                optimizer.discardGradients()
                return nil
            }
        }
        let norm = try optimizer.gradientNorm()
        try DivergenceGuard(lastGoodCheckpoint: checkpoints.last?.path).check(loss: loss, gradientNorm: norm, step: step + 1)
        let rate = plan.schedule.rate(at: TrainingProgress(steps: step, tokens: tokens, batchTokens: batchTokens))
        try optimizer.update(learningRate: rate, gradientNorm: norm)
        return Update(loss: loss, gradientNorm: norm, learningRate: rate)
    }

    private func evaluate() throws -> HeldOutLoss? { try validation.map { try heldOutLoss(of: model, on: $0) } }

    // MARK: Saving

    private func save(_ log: RunLog) throws {
        try log.synchronize()
        let state = TrainerState(
            step: step, tokens: tokens, loader: source.state, lossSpikes: lossSpikes, normSpikes: normSpikes, stopping: stopping,
            dtype: model.dtype.name, configuration: try configuration.values)
        let best = configuration.keepsBest ? stopping.bestStep : nil
        _ = try checkpoints.save(step: step, best: best, keep: configuration.keepCheckpoints) { folder in
            if let adapter = model.adapter, let base = environment.base {
                try AdapterFolder.save(model, adapter, base: base, to: folder)
            } else {
                try saveModel(model, to: folder, tokens: environment.tokenizer.map(GenerationTokens.init))
            }
            try environment.tokenizer?.save(to: folder)
            let trainer = folder.appending(path: "trainer")
            try FileManager.default.createDirectory(at: trainer, withIntermediateDirectories: true)
            try writeSafeTensors(optimizer.state, to: trainer.appending(path: "optimizer.safetensors"), metadata: [:])
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try encoder.encode(state).write(to: trainer.appending(path: "state.json"))
        }
        lastSaved = step
    }
}

/// The seed of one forward pass's dropout: SplitMix64's finaliser (Steele et al. 2014) over the run's seed and where it stands.
private func dropoutSeed(_ seed: UInt64, step: Int, microBatch: Int) -> UInt64 {
    var z = seed
    for part in [UInt64(step), UInt64(microBatch)] {
        z = (z &+ part &+ 1) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        z ^= z >> 31
    }
    return z
}

extension GenerationTokens {
    /// Generation ends where the tokenizer's chat template ends an answer, or at the end of a text.
    init(_ tokenizer: Tokenizer) {
        let special = tokenizer.special
        var eos = (tokenizer.chatTemplate?.stop ?? []).compactMap(tokenizer.id(of:))
        if let end = special.eos, !eos.contains(end) { eos.append(end) }
        self.init(bos: special.bos.map(Int.init), eos: eos.map(Int.init), pad: special.pad.map(Int.init))
    }
}
