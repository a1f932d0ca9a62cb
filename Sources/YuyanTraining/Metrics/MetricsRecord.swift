public import Foundation

/// The name of a number that training reports: the key in `metrics.jsonl` and the tag in TensorBoard.
public struct Metric: RawRepresentable, ExpressibleByStringLiteral, Sendable, Hashable {
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }

    /// Mean loss over the label tokens of the step, in nats.
    public static let loss: Metric = "loss"
    /// Mean loss over the label tokens held out, in nats.
    public static let validationLoss: Metric = "validation_loss"
    /// Share of the held-out examples that a task head decides rightly, 0…1.
    public static let accuracy: Metric = "accuracy"
    public static let learningRate: Metric = "learning_rate"
    /// Norm of all gradients before clipping.
    public static let gradientNorm: Metric = "gradient_norm"
    public static let tokensPerSecond: Metric = "tokens_per_second"
    /// Share of the measured matrix ceiling, 0…1.
    public static let ceilingShare: Metric = "ceiling_share"
    /// Tokens of the step.
    public static let batchTokens: Metric = "batch_tokens"
    /// Wall time of the step.
    public static let seconds: Metric = "seconds"
}

/// What one step reports, in the order it was set.
public struct MetricsRecord: Sendable, Hashable {
    public struct Entry: Sendable, Hashable {
        public let metric: Metric
        public var value: Double
    }

    /// The step just finished; the first is 1.
    public let step: Int
    /// Tokens trained on, this step included.
    public let tokens: Int
    public private(set) var entries: [Entry] = []

    public init(step: Int, tokens: Int, _ values: KeyValuePairs<Metric, Double> = [:]) {
        self.step = step
        self.tokens = tokens
        for (metric, value) in values { self[metric] = value }
    }

    public subscript(metric: Metric) -> Double? {
        get { entries.first { $0.metric == metric }?.value }
        set {
            precondition(metric.rawValue != "step" && metric.rawValue != "tokens", "\(metric.rawValue) is a property of the record")
            let index = entries.firstIndex { $0.metric == metric }
            switch (index, newValue) {
            case (let index?, let value?): entries[index].value = value
            case (let index?, nil): entries.remove(at: index)
            case (nil, let value?): entries.append(Entry(metric: metric, value: value))
            case (nil, nil): break
            }
        }
    }
}

extension MetricsRecord {
    /// One JSON object without a line break. Numbers read back to the same bits; those JSON lacks (NaN, ±∞) become null.
    public var json: String {
        var fields = ["\"step\":\(step)", "\"tokens\":\(tokens)"]
        for entry in entries {
            fields.append("\(Self.quoted(entry.metric.rawValue)):\(entry.value.isFinite ? "\(entry.value)" : "null")")
        }
        return "{" + fields.joined(separator: ",") + "}"
    }

    /// The record in a line of `metrics.jsonl`, nil when the line is not one; null becomes NaN. The order of the entries is lost.
    public init?(json line: some DataProtocol) {
        // Not JSONSerialization, which reads 0.30000000000000004 as its neighbour on Linux.
        guard let object = try? JSONDecoder().decode([String: Double?].self, from: Data(line)),
            let step = object["step"]?.flatMap(Int.init(exactly:)), let tokens = object["tokens"]?.flatMap(Int.init(exactly:))
        else { return nil }
        self.init(step: step, tokens: tokens)
        for (key, value) in object.sorted(by: { $0.key < $1.key }) where key != "step" && key != "tokens" {
            self[Metric(rawValue: key)] = value ?? .nan
        }
    }

    private static func quoted(_ text: String) -> String {
        let data = try? JSONEncoder().encode(text)
        return data.map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
    }
}
