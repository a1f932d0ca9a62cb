/// How a run learns: the keys of every recipe task that trains.
public struct TrainingConfiguration: Codable, Sendable, Hashable {
    // MARK: Length: one of the three; none means one epoch

    public var steps: Int?
    /// Positions of the batches, padding among them.
    public var tokens: Int?
    public var epochs: Int?

    // MARK: Batch

    public var sequenceLength = 256
    /// Rows of one forward and backward pass.
    public var microBatch = 8
    /// Tokens of a step, which takes as many micro-batches as come nearest. Neither this nor `batchRows`: one micro-batch.
    public var batchTokens: Int?
    /// Rows of a step.
    public var batchRows: Int?
    /// The size of the first batch, in the unit of the batch; see ``BatchRamp``.
    public var rampStart: Int?
    /// Tokens over which the batch grows from there to its full size.
    public var rampTokens: Int?

    // MARK: Learning rate

    /// The peak.
    public var learningRate = 3e-4
    public var schedule = LearningRateSchedule.Kind.cosine
    /// The last rate as a share of the peak.
    public var minimumRatio = 0.1
    /// Neither this nor `warmupTokens`: 2 % of the length.
    public var warmupSteps: Int?
    public var warmupTokens: Int?
    /// The share of the length that `wsd` decays over.
    public var decayRatio = 0.2
    /// The model width in the `noam` formula; nil: ModelScope's form without it.
    public var noamWidth: Int?

    // MARK: Optimiser and model

    public var optimizer = Optimizer.adamw
    /// On matrices only.
    public var weightDecay = 0.1
    public var beta1 = 0.9
    public var beta2 = 0.95
    public var epsilon = 1e-8
    /// The largest norm of all gradients together; 0: no limit.
    public var clip = 1.0
    /// The probability that a model is made with. 0 trains without dropout whatever the model's own setting.
    public var dropout = 0.0
    /// Computes blocks again on the way back instead of keeping what is inside them.
    public var recompute = false

    // MARK: On the way

    /// Steps between evaluations on the held-out data; 0: only at the end.
    public var evaluateEvery = 200
    /// Steps between checkpoints; 0: only at the end.
    public var checkpointEvery = 200
    /// The last so many stay.
    public var keepCheckpoints = 2
    /// Saves, and keeps, a checkpoint at each new lowest held-out loss.
    public var keepBest = false
    /// Stops after so many evaluations without a new lowest held-out loss, which also keeps the best.
    public var patience: Int?
    public var seed: UInt64 = 0
    /// What the model continues at each evaluation.
    public var samplePrompts: [String] = []

    /// What is kept for each weight between steps.
    public enum Optimizer: String, Codable, Sendable, CaseIterable {
        /// Both moments in float32: 8 bytes.
        case adamw
        /// The moments of matrices in 8 bits: 2 bytes (Dettmers et al. 2022).
        case adamw8Bit = "adamw-8bit"
    }

    public init() {}

    var keepsBest: Bool { keepBest || patience != nil }
}

/// A value of a ``TrainingConfiguration`` that cannot be.
public struct TrainingConfigurationError: Error, CustomStringConvertible, Sendable, Hashable {
    /// In snake case.
    public let key: String
    /// What is wrong with it and what would be right.
    public let problem: String

    public var description: String { "\(key): \(problem)" }
}

extension TrainingConfiguration {
    /// Looks at all values before anything starts.
    public func validate() throws(TrainingConfigurationError) {
        func require(_ condition: Bool, _ key: String, _ problem: @autoclosure () -> String) throws(TrainingConfigurationError) {
            if !condition { throw TrainingConfigurationError(key: key, problem: problem()) }
        }
        func positive(_ value: Int?, _ key: String) throws(TrainingConfigurationError) {
            if let value { try require(value > 0, key, "must be above 0, found \(value)") }
        }
        func one(of pairs: [(key: String, value: Int?)]) throws(TrainingConfigurationError) {
            let given = pairs.filter { $0.value != nil }.map(\.key)
            if given.count > 1 { try require(false, given[1], "\(given.joined(separator: " and ")) cannot both be given; leave one out") }
        }
        let lengths = [("steps", steps), ("tokens", tokens), ("epochs", epochs)]
        let batches = [("batch_tokens", batchTokens), ("batch_rows", batchRows)]
        let warmups = [("warmup_steps", warmupSteps), ("warmup_tokens", warmupTokens)]
        for group in [lengths, batches, warmups] { try one(of: group) }
        for (key, value) in lengths + batches + [("ramp_start", rampStart), ("ramp_tokens", rampTokens), ("noam_width", noamWidth)] {
            try positive(value, key)
        }
        for (key, value) in [
            ("sequence_length", sequenceLength), ("micro_batch", microBatch), ("keep_checkpoints", keepCheckpoints), ("patience", patience ?? 1),
        ] { try positive(value, key) }
        for (key, value) in warmups + [("evaluate_every", evaluateEvery), ("checkpoint_every", checkpointEvery)] {
            if let value { try require(value >= 0, key, "must not be negative, found \(value)") }
        }
        try require(
            (rampStart == nil) == (rampTokens == nil), rampStart == nil ? "ramp_start" : "ramp_tokens", "a ramp needs both ramp_start and ramp_tokens"
        )
        if let rampStart {
            try require(batchTokens != nil || batchRows != nil, "ramp_start", "a ramp needs batch_tokens or batch_rows to grow to")
            try require(
                rampStart <= batchTokens ?? batchRows ?? 0, "ramp_start",
                "\(rampStart) is more than the full batch of \(batchTokens ?? batchRows ?? 0)")
        }
        try require(learningRate > 0 && learningRate.isFinite, "learning_rate", "must be above 0, found \(learningRate)")
        try require((0...1).contains(minimumRatio), "minimum_ratio", "must lie between 0 and 1, found \(minimumRatio)")
        try require(decayRatio > 0 && decayRatio <= 1, "decay_ratio", "must be above 0 and at most 1, found \(decayRatio)")
        try require(weightDecay >= 0, "weight_decay", "must not be negative, found \(weightDecay)")
        for (key, value) in [("beta1", beta1), ("beta2", beta2)] {
            try require(value >= 0 && value < 1, key, "must be at least 0 and below 1, found \(value)")
        }
        try require(epsilon > 0, "epsilon", "must be above 0, found \(epsilon)")
        try require(clip >= 0, "clip", "must not be negative, found \(clip); 0 turns clipping off")
        try require((0..<1).contains(dropout), "dropout", "must be at least 0 and below 1, found \(dropout)")
    }
}
