/// A ``TrainingConfiguration`` put together with the data: how long the run is, how large each step and its learning rate.
public struct TrainingPlan: Sendable, Hashable {
    /// Where the run ends.
    public let length: Extent
    public let ramp: BatchRamp
    public let schedule: LearningRateSchedule
    let rows: Int
    let columns: Int

    /// - Parameter rowsPerEpoch: of the loader.
    /// - Throws: ``TrainingConfigurationError`` or ``ScheduleError``.
    public init(_ configuration: TrainingConfiguration, rowsPerEpoch: Int) throws {
        try configuration.validate()
        let c = configuration
        (rows, columns) = (c.microBatch, c.sequenceLength)

        let unit: BatchRamp.Unit = c.batchTokens == nil ? .sequences : .tokens
        let size = c.batchTokens ?? c.batchRows ?? c.microBatch
        if let start = c.rampStart, let tokens = c.rampTokens {
            let stair = min(max(size - start, 1), unit == .tokens ? rows * columns : rows)
            ramp = BatchRamp(unit: unit, start: start, end: size, increment: stair, rampTokens: tokens)
        } else {
            ramp = BatchRamp(constant: size, unit: unit)
        }
        let stepTokens = ramp.accumulation(afterTokens: ramp.rampTokens, rows: rows, columns: columns) * rows * columns
        let isRamped = ramp.rampTokens > 0

        if let steps = c.steps {
            length = .steps(steps)
        } else if let tokens = c.tokens {
            length = .tokens(tokens)
        } else {
            let tokens = (c.epochs ?? 1) * rowsPerEpoch * columns
            length = isRamped ? .tokens(tokens) : .steps((tokens + stepTokens - 1) / stepTokens)
        }

        // Steps of unequal weight make tokens the only fair measure; Noam's formula knows steps only.
        let (ramp, rows, columns, length) = (self.ramp, self.rows, self.columns, self.length)
        func tokens(_ extent: Extent) -> Extent { .tokens(ramp.tokens(in: extent, rows: rows, columns: columns)) }
        func steps(_ extent: Extent) -> Extent {
            if case .tokens(let tokens) = extent { .steps((tokens + stepTokens - 1) / stepTokens) } else { extent }
        }
        let inTokens = c.schedule != .noam && (isRamped || c.warmupTokens != nil || c.tokens != nil)
        let total = inTokens ? tokens(length) : steps(length)
        let warmup: Extent =
            switch (c.warmupSteps, c.warmupTokens) {
            case (let given?, _): inTokens ? tokens(.steps(given)) : .steps(given)
            case (_, let given?): inTokens ? .tokens(given) : steps(.tokens(given))
            default: inTokens ? .tokens(total.count / 50) : .steps(max(total.count / 50, c.schedule == .noam ? 1 : 0))
            }
        schedule = LearningRateSchedule(
            kind: c.schedule, peak: c.learningRate, minimumRatio: c.minimumRatio, warmup: warmup, total: total, decayRatio: c.decayRatio,
            width: c.noamWidth)
        try schedule.validate()
        try ramp.validate()
    }

    /// Micro-batches of the step that begins after `tokens`.
    func accumulation(afterTokens tokens: Int) -> Int { ramp.accumulation(afterTokens: tokens, rows: rows, columns: columns) }

    func isDone(steps: Int, tokens: Int) -> Bool {
        switch length {
        case .steps(let count): steps >= count
        case .tokens(let count): tokens >= count
        }
    }

    /// Tokens of the whole run.
    public var totalTokens: Int { ramp.tokens(in: length, rows: rows, columns: columns) }

    /// Steps of the whole run.
    public var totalSteps: Int {
        guard case .tokens(let total) = length else { return length.count }
        var (steps, tokens) = (0, 0)
        while tokens < min(total, ramp.rampTokens) {
            tokens += accumulation(afterTokens: tokens) * rows * columns
            steps += 1
        }
        let step = accumulation(afterTokens: tokens) * rows * columns
        return steps + max(0, total - tokens + step - 1) / step
    }
}
