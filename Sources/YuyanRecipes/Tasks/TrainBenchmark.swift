import Foundation
public import YuyanModels
import YuyanTensor
public import YuyanTraining

/// Measure training speed on random tokens.
public struct TrainBenchmark: ModelTask {
    /// What is measured.
    public struct Subject: ConfigurationSection {
        public static let help = [
            "model": "a preset or the folder of a model",
            "vocab_size": "entries of a preset's vocabulary",
            "batch": "rows of a step",
            "sequence": "tokens of a row",
            "steps": "steps; the median of all but the first two counts",
            "recompute": "compute activations again instead of keeping them",
            "optimizer": "adamw keeps 8 bytes for each trained weight beside its master copy, adamw-8bit 2",
            "lora": "train a low-rank adapter in place of the model's weights",
            "quantize": "keep the matrices under the adapter in 4 bits",
        ]

        public var model = "gpt2"
        public var vocabSize = 21128
        public var batch = 4
        public var sequence = 512
        public var steps = 8
        public var recompute = false
        public var optimizer = TrainingConfiguration.Optimizer.adamw
        public var lora: LoRAConfiguration?
        public var quantize: Quantization?

        public init() {}
    }

    public static let task = "train"
    public static let summary = "Measure training: tokens per second and share of the matrix ceiling"
    public static let writesFiles = false

    public var subject = Subject()
    public var settings = NoSettings()
    public var compute = ComputeSettings()

    public init() {}

    public func validate() throws {
        try compute.validate()
        try subject.lora?.check()
        if subject.quantize != nil, subject.lora == nil { throw InvalidValue("quantize", "is for training an adapter: lora is needed with it") }
        try requirePositive(["vocab_size": subject.vocabSize, "batch": subject.batch, "sequence": subject.sequence, "steps": subject.steps])
    }

    /// The measurement: `share_of_ceiling` is of a matrix product of 1024³ in the same precision.
    public struct Measurement: Encodable, Sendable {
        var model: String
        var parameters: Int
        var dtype: String
        var device: String
        var tokensPerSecond: Double
        var bestTokensPerSecond: Double
        var shareOfCeiling: Double
        var ceilingGflops: Double
        var peakRssMb: Double
        /// What `MemoryEstimate` says before.
        var expectedMb: Double
        var losses: [Double]
    }

    public func run(in stage: StageContext) async throws -> Measurement { try await measure() }

    @Engine private func measure() throws -> Measurement {
        let model = try ModelFolder.model(
            subject.model, vocabularySize: subject.vocabSize, contextLength: subject.sequence, lora: subject.lora, quantization: subject.quantize,
            compute)
        let optimizer = try AdamW(
            model.trainable, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1, eightBit: subject.optimizer == .adamw8Bit)
        let generator = try Generator(seed: 1)
        let rows = try generator.integers(0..<model.vocabularySize, [subject.batch, subject.sequence + 1]).to(device: model.device)
        let inputs = try rows.narrow(1, start: 0, length: subject.sequence).contiguous()
        let labels = try rows.narrow(1, start: 1, length: subject.sequence).contiguous().reshape(-1)
        let context = ForwardContext(recompute: subject.recompute)
        let ceiling = try Ceilings.matrixProduct(model.dtype, device: model.device)
        let clock = ContinuousClock()
        var seconds: [Double] = []
        var losses: [Double] = []
        for _ in 0..<subject.steps {
            let start = clock.now
            let hidden = try model(inputs, context)
            let loss = try Tensor.linearCrossEntropy(
                hidden.reshape(labels.count, hidden.size(-1)), model.outputWeight, targets: labels, divisor: Double(labels.count))
            try loss.backward()
            try optimizer.update(learningRate: 6e-4, gradientNorm: optimizer.gradientNorm())
            losses.append(try loss.item())
            try model.device.synchronize()
            seconds.append((clock.now - start) / .seconds(1))
        }
        let measured = (seconds.count > 2 ? Array(seconds.dropFirst(2)) : seconds).sorted()
        let tokens = Double(labels.count)
        let operations = model.trainingOperations(sequenceLength: subject.sequence)
        let speed = tokens / measured[measured.count / 2]
        return Measurement(
            model: subject.model, parameters: model.parameterCount, dtype: model.dtype.name, device: "\(model.device)", tokensPerSecond: speed,
            bestTokensPerSecond: tokens / measured[0], shareOfCeiling: speed * operations / ceiling, ceilingGflops: ceiling / 1e9,
            peakRssMb: peakResidentMegabytes(), expectedMb: Double(expected(of: model).total) / 1e6, losses: losses)
    }

    @Engine private func expected(of model: any LanguageModel) -> MemoryEstimate {
        var configuration = TrainingConfiguration()
        (configuration.microBatch, configuration.sequenceLength) = (subject.batch, subject.sequence)
        (configuration.recompute, configuration.optimizer) = (subject.recompute, subject.optimizer)
        let method = MemoryEstimate.Method(dtype: model.dtype, lora: subject.lora, quantization: subject.quantize)
        return MemoryEstimate(parameters: model.shapes, method, configuration)
    }
}

/// The most memory that this process has had in RAM, in millions of bytes.
func peakResidentMegabytes() -> Double {
    var usage = rusage()
    #if os(macOS)
        getrusage(RUSAGE_SELF, &usage)
        return Double(usage.ru_maxrss) / 1e6
    #else
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_maxrss) * 1024 / 1e6
    #endif
}
