/// A batch that grows from `start` to `end` in equal stairs over the first tokens of training: GPT-3 grew "linearly from a
/// small value (32k tokens) to the full value over the first 4–12 billion tokens" (Brown et al. 2020, appendix B).
///
/// While it grows, steps are of unequal weight: count the learning-rate schedule in tokens.
public struct BatchRamp: Codable, Sendable, Hashable {
    public enum Unit: String, Codable, Sendable, CaseIterable { case sequences, tokens }

    /// What `start`, `end` and `increment` count.
    public var unit: Unit
    /// The size of the first batch.
    public var start: Int
    /// The size of every batch once the ramp is done.
    public var end: Int
    /// The height of a stair; the last one may be lower.
    public var increment: Int
    /// The tokens over which the batch grows.
    public var rampTokens: Int

    public init(unit: Unit = .tokens, start: Int, end: Int, increment: Int, rampTokens: Int) {
        self.unit = unit
        self.start = start
        self.end = end
        self.increment = increment
        self.rampTokens = rampTokens
    }

    /// The same size from the first step to the last.
    public init(constant size: Int, unit: Unit = .tokens) {
        self.init(unit: unit, start: size, end: size, increment: 1, rampTokens: 0)
    }

    /// The size asked for, in `unit`, after `tokens` of training.
    public func size(afterTokens tokens: Int) -> Int {
        guard tokens < rampTokens, end > start else { return end }
        let stairs = (end - start + increment - 1) / increment
        let climbed = Int(Double(tokens) / Double(rampTokens) * Double(stairs))
        return min(end, start + climbed * increment)
    }

    /// How many micro-batches make the step that begins after `tokens`: as many as come nearest to the size asked for, at least one.
    ///
    /// - Parameters:
    ///   - rows: sequences of a micro-batch, over all ranks.
    ///   - columns: tokens of a sequence.
    public func accumulation(afterTokens tokens: Int, rows: Int, columns: Int) -> Int {
        let microBatch = unit == .sequences ? rows : rows * columns
        precondition(microBatch > 0, "a micro-batch of \(rows) x \(columns) tokens")
        return max(1, (size(afterTokens: tokens) + microBatch / 2) / microBatch)
    }

    /// The tokens of a length of training, counting each step with the batch it has.
    public func tokens(in extent: Extent, rows: Int, columns: Int) -> Int {
        guard case .steps(let steps) = extent else { return extent.count }
        var tokens = 0
        var step = 0
        while step < steps, tokens < rampTokens {
            tokens += accumulation(afterTokens: tokens, rows: rows, columns: columns) * rows * columns
            step += 1
        }
        return tokens + (steps - step) * accumulation(afterTokens: tokens, rows: rows, columns: columns) * rows * columns
    }

    /// Throws a ``ScheduleError`` that names the key which is wrong.
    public func validate() throws(ScheduleError) {
        if start < 1 { throw ScheduleError(description: "The batch ramp's start is \(start) \(unit); it must be at least 1.") }
        if end < start { throw ScheduleError(description: "The batch ramp's end of \(end) \(unit) is below its start of \(start).") }
        if increment < 1 { throw ScheduleError(description: "The batch ramp's increment is \(increment) \(unit); it must be at least 1.") }
        if rampTokens < 0 { throw ScheduleError(description: "The batch ramp's ramp_tokens is \(rampTokens); it must not be negative.") }
    }
}
