import Foundation
public import YuyanGeneration
import YuyanModels
public import YuyanTensor

/// Measure generation speed: reading the prompt, and each token after it.
public struct GenerateBenchmark: ModelTask {
    /// What is measured.
    public struct Subject: ConfigurationSection {
        public static let help = [
            "model": "the folder of a model, or a preset with random weights",
            "vocab_size": "entries of a preset's vocabulary",
            "prompt_tokens": "tokens of the prompt",
            "tokens": "tokens to generate",
            "batch": "sequences at once",
            "quantize": "round matrices: int8, int4, or with the inputs that share a scale (int8:32, int4:64)",
            "cache": "keep keys and values as the model computes them, or in 8 bits; with --no-cache everything is computed again for each token",
        ]

        public var model = "gpt2"
        public var vocabSize = 21128
        public var promptTokens = 128
        public var tokens = 64
        public var batch = 1
        public var quantize: IntegerQuantization?
        public var cache: KVCache.Precision? = .model

        public init() {}
    }

    public static let task = "generate"
    public static let summary = "Measure generation: prompt and decode tokens per second"
    public static let writesFiles = false

    public var subject = Subject()
    public var settings = NoSettings()
    public var compute = ComputeSettings()

    public init() {}

    public func validate() throws {
        try compute.validate()
        try requirePositive([
            "vocab_size": subject.vocabSize, "prompt_tokens": subject.promptTokens, "tokens": subject.tokens, "batch": subject.batch,
        ])
    }

    /// The measurement. `seconds_per_token` holds the time of every token after the first.
    public struct Measurement: Encodable, Sendable {
        var model: String
        var parameters: Int
        var dtype: String
        var device: String
        var batch: Int
        var prefillTokensPerSecond: Double
        var decodeTokensPerSecond: Double
        /// What a decoding step reads, weights, keys and values, and what that is of the speed of memory.
        var readGbPerSecond: Double
        var shareOfBandwidth: Double
        var peakRssMb: Double
        var secondsPerToken: [Double]
    }

    public func run(in stage: StageContext) async throws -> Measurement { try await measure() }

    @Engine private func measure() throws -> Measurement {
        let s = subject
        let model = try ModelFolder.model(
            s.model, vocabularySize: s.vocabSize, contextLength: s.promptTokens + s.tokens, integers: s.quantize, compute)
        let generator = try Generator(seed: 1)
        let prompt = try generator.integers(0..<model.vocabularySize, [s.batch, s.promptTokens]).to(device: model.device)
        var (prefill, cached, seconds) = (0.0, 0, [Double]())
        let clock = ContinuousClock()
        for round in 0..<2 {  // the first warms up
            let cache = s.cache.map { KVCache(for: model, batch: s.batch, capacity: s.promptTokens + s.tokens, precision: $0) }
            seconds = []
            var all = prompt
            var start = clock.now
            var next = try step(model, prompt, cache)
            prefill = (clock.now - start) / .seconds(1)
            for _ in 1..<max(2, round == 0 ? min(4, s.tokens) : s.tokens) {
                start = clock.now
                if cache == nil { all = try Tensor.concatenate([all, next], along: 1) }
                next = try step(model, cache == nil ? all : next, cache)
                seconds.append((clock.now - start) / .seconds(1))
            }
            // Its places are full at the end; half of the tokens that were written were there on average.
            cached = (cache?.byteCount ?? 0) * (s.promptTokens + s.tokens / 2) / (s.promptTokens + s.tokens)
        }
        let perToken = seconds.sorted()[seconds.count / 2]
        let (speed, peak) = (Double(model.bytesPerStep + cached) / perToken, peakResidentMegabytes())
        return Measurement(
            model: s.model, parameters: model.parameterCount, dtype: model.dtype.name, device: "\(model.device)", batch: s.batch,
            prefillTokensPerSecond: Double(s.batch * s.promptTokens) / prefill, decodeTokensPerSecond: Double(s.batch) / perToken,
            readGbPerSecond: speed / 1e9, shareOfBandwidth: try speed / Ceilings.readBandwidth(device: model.device), peakRssMb: peak,
            secondsPerToken: seconds)
    }

    /// The most probable next token of each row, [batch, 1].
    @Engine private func step(_ model: any LanguageModel, _ tokens: Tensor, _ cache: KVCache?) throws -> Tensor {
        try model.infer(rows: tokens.count) {
            let hidden = try model(tokens, ForwardContext(cache: cache))
            let next = try model.logits(hidden.narrow(1, start: hidden.size(1) - 1, length: 1)).argmax(along: -1)
            try model.device.synchronize()
            return next
        }
    }
}
