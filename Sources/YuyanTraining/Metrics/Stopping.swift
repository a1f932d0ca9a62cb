/// Training cannot go on: the loss or the gradient is no number any more.
public struct DivergenceError: Error, CustomStringConvertible, Hashable {
    public let step: Int
    /// "loss" or "gradient norm".
    public let name: String
    public let value: Double
    /// The folder to go on from, nil when none was written yet.
    public let lastGoodCheckpoint: String?

    public var description: String {
        let way =
            lastGoodCheckpoint.map { "the last good checkpoint is \($0); resume from it with a lower learning rate" }
            ?? "no checkpoint was written yet; start again with a lower learning rate or a longer warm-up"
        return "The \(name) became \(value.isNaN ? "NaN" : "infinite") at step \(step): \(way)."
    }
}

/// Stops at the first loss or gradient norm that is not finite, before it reaches the weights.
public struct DivergenceGuard: Sendable, Hashable {
    /// Named in the error.
    public var lastGoodCheckpoint: String?

    public init(lastGoodCheckpoint: String? = nil) {
        self.lastGoodCheckpoint = lastGoodCheckpoint
    }

    /// Call between the backward pass and the update.
    public func check(loss: Double, gradientNorm: Double, step: Int) throws(DivergenceError) {
        for (name, value) in [("loss", loss), ("gradient norm", gradientNorm)] where !value.isFinite {
            throw DivergenceError(step: step, name: name, value: value, lastGoodCheckpoint: lastGoodCheckpoint)
        }
    }
}

/// Ends training when the held-out loss has not improved for `patience` evaluations in a row.
public struct EarlyStopping: Codable, Sendable, Hashable {
    public enum Verdict: Sendable, Hashable {
        /// The best so far.
        case improved
        /// So many evaluations without a better one.
        case waiting(Int)
        case stop
    }

    public internal(set) var patience: Int
    /// How much lower, in nats, counts as better.
    public let minimumImprovement: Double
    /// The lowest held-out loss so far.
    public private(set) var bestLoss: Double?
    /// The step it was measured at.
    public private(set) var bestStep: Int?
    private var waited = 0

    public init(patience: Int, minimumImprovement: Double = 0) {
        precondition(patience > 0, "a patience of \(patience) evaluations")
        self.patience = patience
        self.minimumImprovement = minimumImprovement
    }

    /// Takes the held-out loss of an evaluation. NaN is never an improvement.
    public mutating func observe(_ loss: Double, step: Int) -> Verdict {
        if loss < (bestLoss ?? .infinity) - (bestLoss == nil ? 0 : minimumImprovement) {
            bestLoss = loss
            bestStep = step
            waited = 0
            return .improved
        }
        waited += 1
        return waited >= patience ? .stop : .waiting(waited)
    }
}
