/// Tells when a number jumps above its own recent past: used on the loss and on the gradient norm.
///
/// Keeps a running mean and variance (exact over the first `window` values, exponentially weighted after). A spike enters them only
/// as far as the threshold, so that one does not hide the next, while a lasting rise is learnt.
public struct SpikeDetector: Codable, Sendable, Hashable {
    /// A value far above its running mean.
    public struct Spike: Sendable, Hashable, CustomStringConvertible {
        public let name: String
        public let step: Int
        public let value: Double
        public let mean: Double
        public let deviation: Double

        /// One sentence for the user.
        public var description: String {
            func digits(_ number: Double) -> String { "\((number * 1e4).rounded() / 1e4)" }
            return "Step \(step): the \(name) jumped to \(digits(value)), \(((value - mean) / deviation * 10).rounded() / 10) deviations above "
                + "its running mean of \(digits(mean))."
        }
    }

    /// What is watched, as the warning calls it: "loss", "gradient norm".
    public let name: String
    /// Deviations above the mean that make a spike.
    public let threshold: Double
    /// Values that the mean remembers.
    public let window: Int
    /// Values seen before anything counts as a spike.
    public let settling: Int

    private var count = 0
    private var mean = 0.0
    private var variance = 0.0
    private var isSpiking = false

    public init(name: String, threshold: Double = 6, window: Int = 100, settling: Int = 20) {
        precondition(threshold > 0 && window > 1 && settling > 1)
        self.name = name
        self.threshold = threshold
        self.window = window
        self.settling = settling
    }

    /// Takes the value of a step; answers a spike where one begins. Values that are not finite are ``DivergenceGuard``'s.
    public mutating func observe(_ value: Double, step: Int) -> Spike? {
        guard value.isFinite else { return nil }
        // A curve flatter than 1 % of its level would make a spike of any ripple.
        let deviation = max(variance.squareRoot(), 0.01 * abs(mean))
        let limit = mean + threshold * deviation
        let isHigh = count >= settling && value > limit
        defer { isSpiking = isHigh }
        let spike = isHigh && !isSpiking ? Spike(name: name, step: step, value: value, mean: mean, deviation: deviation) : nil

        count += 1
        let weight = max(1 / Double(count), 1 / Double(window))
        let difference = (isHigh ? limit : value) - mean
        mean += weight * difference
        variance = (1 - weight) * (variance + weight * difference * difference)
        return spike
    }
}
