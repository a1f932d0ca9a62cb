import Foundation

/// How far training has come when a step begins.
public struct TrainingProgress: Codable, Sendable, Hashable {
    /// Steps finished.
    public var steps: Int
    /// Tokens trained on.
    public var tokens: Int
    /// Tokens of the step about to be made.
    public var batchTokens: Int

    public init(steps: Int, tokens: Int, batchTokens: Int) {
        self.steps = steps
        self.tokens = tokens
        self.batchTokens = batchTokens
    }
}

/// A length of training: `{steps: 2000}` or `{tokens: 300000000}` in a recipe.
public enum Extent: Sendable, Hashable {
    case steps(Int)
    case tokens(Int)

    /// The number, whichever unit it counts.
    public var count: Int {
        switch self {
        case .steps(let count), .tokens(let count): count
        }
    }

    var unit: String {
        switch self {
        case .steps: "steps"
        case .tokens: "tokens"
        }
    }
}

extension Extent: Codable {
    private enum CodingKeys: String, CodingKey { case steps, tokens }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        switch (try container.decodeIfPresent(Int.self, forKey: .steps), try container.decodeIfPresent(Int.self, forKey: .tokens)) {
        case (let steps?, nil): self = .steps(steps)
        case (nil, let tokens?): self = .tokens(tokens)
        default:
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "A length of training has exactly one of the keys steps and tokens."))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .steps(let count): try container.encode(count, forKey: .steps)
        case .tokens(let count): try container.encode(count, forKey: .tokens)
        }
    }
}

/// A schedule or batch ramp whose numbers make no sense together.
public struct ScheduleError: Error, CustomStringConvertible, Hashable {
    public let description: String
}

/// The learning rate of each step.
///
/// With t finished, w the warm-up, T the total, and `minimum = minimumRatio · peak`:
/// every kind but Noam warms up as `peak · (t+1)/w`; in tokens the 1 is the step's own tokens, so that a constant batch
/// gives the same rates whether steps or tokens are counted. Beyond T the rate stays where the schedule ended.
public struct LearningRateSchedule: Codable, Sendable, Hashable {
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// `minimum + ½(1 + cos πr)(peak − minimum)`, r = (t−w)/(T−w) (Loshchilov & Hutter 2017, arXiv:1608.03983).
        case cosine
        /// `peak − r(peak − minimum)`.
        case linear
        /// `peak` after the warm-up.
        case constant
        /// `peak · width^-0.5 · min(s^-0.5, s·w^-1.5)`, s = t+1 (Vaswani et al. 2017, section 5.3), where peak is a
        /// factor, 1 in the paper. Without a width it is ModelScope's `peak · min(s^-0.5, s·w^-1.5)`.
        case noam
        /// Warm-up, stable, decay: `peak` until the last `decayRatio` of the whole, then `minimum + (1 − √r)(peak − minimum)`,
        /// r the part of the decay that is done; the form "1-sqrt" of Hägele et al. 2024 (arXiv:2405.18392), who find it
        /// better than the linear decay at every length.
        case wsd
    }

    public var kind: Kind
    /// The highest rate; for `noam` the factor.
    public var peak: Double
    /// The last rate as a share of the peak, for the kinds that decay.
    public var minimumRatio: Double
    /// In the unit of `total`; ``BatchRamp/tokens(in:rows:columns:)`` converts.
    public var warmup: Extent
    /// Where the decay ends.
    public var total: Extent
    /// The share of `total` that `wsd` decays over.
    public var decayRatio: Double
    /// d of the model, for `noam`.
    public var width: Int?

    public init(
        kind: Kind = .cosine, peak: Double = 3e-4, minimumRatio: Double = 0.1, warmup: Extent = .steps(0), total: Extent,
        decayRatio: Double = 0.2, width: Int? = nil
    ) {
        self.kind = kind
        self.peak = peak
        self.minimumRatio = minimumRatio
        self.warmup = warmup
        self.total = total
        self.decayRatio = decayRatio
        self.width = width
    }

    /// The rate of the step that begins at `progress`.
    public func rate(at progress: TrainingProgress) -> Double {
        precondition(warmup.unit == total.unit, "the warm-up is counted in \(warmup.unit), the total in \(total.unit)")
        let (done, step) =
            switch total {
            case .steps: (Double(progress.steps), 1.0)
            case .tokens: (Double(progress.tokens), Double(progress.batchTokens))
            }
        let (warmup, total) = (Double(self.warmup.count), Double(self.total.count))

        if kind == .noam {
            let s = done + step
            return peak * (width.map { pow(Double($0), -0.5) } ?? 1) * min(pow(s, -0.5), s * pow(warmup, -1.5))
        }
        if done < warmup { return peak * min(1, (done + step) / warmup) }

        let minimum = minimumRatio * peak
        func part(from start: Double) -> Double { total > start ? min(1, max(0, (done - start) / (total - start))) : 1 }
        return switch kind {
        case .cosine: minimum + 0.5 * (1 + cos(.pi * part(from: warmup))) * (peak - minimum)
        case .linear: peak - part(from: warmup) * (peak - minimum)
        case .wsd: minimum + (1 - part(from: max(warmup, total * (1 - decayRatio))).squareRoot()) * (peak - minimum)
        case .constant, .noam: peak
        }
    }

    /// Throws a ``ScheduleError`` that names the key which is wrong.
    public func validate() throws(ScheduleError) {
        func require(_ condition: Bool, _ message: @autoclosure () -> String) throws(ScheduleError) {
            if !condition { throw ScheduleError(description: message()) }
        }
        try require(peak.isFinite && peak > 0, "The learning rate's peak is \(peak); it must be above 0.")
        try require((0...1).contains(minimumRatio), "The learning rate's minimum_ratio is \(minimumRatio); it must lie between 0 and 1.")
        try require(
            warmup.unit == total.unit, "The warm-up is counted in \(warmup.unit) and the length of training in \(total.unit); they must agree.")
        try require(warmup.count >= 0, "The warm-up of \(warmup.count) \(warmup.unit) is negative.")
        if kind == .noam {
            try require(total.unit == "steps" && warmup.count > 0, "The noam schedule needs a warm-up of at least 1 step, counted in steps.")
            try require(width ?? 1 > 0, "The noam schedule's width is \(width ?? 0); it must be above 0.")
        } else if kind != .constant {
            try require(
                total.count > warmup.count,
                "The warm-up of \(warmup.count) \(warmup.unit) leaves nothing of the \(total.count) \(total.unit) of training to decay over.")
        }
        if kind == .wsd {
            try require(decayRatio > 0 && decayRatio <= 1, "The wsd schedule's decay_ratio is \(decayRatio); it must be above 0 and at most 1.")
        }
    }
}
