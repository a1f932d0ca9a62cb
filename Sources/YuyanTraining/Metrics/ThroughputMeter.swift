import Foundation

/// How fast training goes: over the last half minute, so that a slow first step or an evaluation fades.
public struct ThroughputMeter: Sendable, Hashable {
    /// Floating-point operations for one token, forward and backward.
    public let operationsPerToken: Double?
    /// What the machine can do, in FLOP/s, as `yuyan doctor` measures it.
    public let ceiling: Double?

    private static let memory = 30.0
    private var tokens = 0.0
    private var seconds = 0.0

    public init(operationsPerToken: Double? = nil, ceiling: Double? = nil) {
        self.operationsPerToken = operationsPerToken
        self.ceiling = ceiling
    }

    /// Takes the tokens and the wall time of a step.
    public mutating func record(tokens: Int, seconds: Double) {
        let fade = exp(-seconds / Self.memory)
        self.tokens = self.tokens * fade + Double(tokens)
        self.seconds = self.seconds * fade + seconds
    }

    /// nil before the first step.
    public var tokensPerSecond: Double? {
        seconds > 0 ? tokens / seconds : nil
    }

    /// The share of the ceiling that is used, 0…1; nil without a ceiling or before the first step.
    public var ceilingShare: Double? {
        guard let tokensPerSecond, let operationsPerToken, let ceiling, ceiling > 0 else { return nil }
        return tokensPerSecond * operationsPerToken / ceiling
    }

    /// The time that so many more tokens take at this rate.
    public func timeLeft(tokens: Int) -> Duration? {
        guard let rate = tokensPerSecond, rate > 0 else { return nil }
        return .seconds(Double(max(0, tokens)) / rate)
    }
}
