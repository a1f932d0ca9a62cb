public import YuyanTensor

/// A published or customary size of some family, from which a new model is made.
public enum ModelPreset: Sendable {
    case gpt(GPTConfiguration.Preset)
    case gpt1(GPTConfiguration.Preset)
    case llama(LLaMAConfiguration.Preset)
    case t5(T5Configuration.Preset)

    /// What is said in place of a preset.
    public struct Changes: Sendable {
        public var layers: Int?
        public var heads: Int?
        public var width: Int?
        /// The context is at least so long.
        public var contextLength: Int?
        public var dropout = 0.0

        public init() {}
    }

    /// The preset of this name; nil where there is none.
    public init?(_ name: String) {
        if let preset = GPTConfiguration.preset(name) {
            self = .gpt(preset)
        } else if name == GPT1.preset.name {
            self = .gpt1(GPT1.preset)
        } else if let preset = LLaMAConfiguration.preset(name) {
            self = .llama(preset)
        } else if let preset = T5Configuration.preset(name) {
            self = .t5(preset)
        } else {
            return nil
        }
    }

    public static var names: [String] {
        [GPT1.preset.name] + GPTConfiguration.presets.map(\.name) + LLaMAConfiguration.presets.map(\.name) + T5Configuration.presets.map(\.name)
    }

    public var name: String {
        switch self {
        case .gpt(let preset), .gpt1(let preset): preset.name
        case .llama(let preset): preset.name
        case .t5(let preset): preset.name
        }
    }

    /// Width, heads, context, and the learning rate and batch (in tokens) that it was published with.
    public var shape: (width: Int, heads: Int, contextLength: Int, learningRate: Double, batchTokens: Int) {
        switch self {
        case .gpt(let preset), .gpt1(let preset): (preset.width, preset.heads, preset.contextLength, preset.learningRate, preset.batchTokens)
        case .llama(let preset): (preset.width, preset.heads, preset.contextLength, preset.learningRate, preset.batchTokens)
        case .t5(let preset): (preset.width, preset.heads, 512, preset.learningRate, preset.batchTokens)
        }
    }

    /// A new model of this size, with `lora` one that an adapter is trained for, with `integers` one that is rounded for inference.
    public func model(
        vocabularySize: Int, _ changes: Changes = Changes(), lora: LoRAConfiguration? = nil, quantization: Quantization? = nil,
        integers: IntegerQuantization? = nil, seed: UInt64, dtype: DType, device: Device
    ) throws -> any LanguageModel {
        let source = try ParameterSource(seed: seed, dtype: dtype, device: device)
        if let integers { try source.quantize(integers) }
        if let lora { try source.adapt(lora, quantization: quantization, seed: seed) }
        switch self {
        case .gpt(let preset), .gpt1(let preset):
            var configuration = GPTConfiguration(preset: preset, vocabularySize: vocabularySize)
            configuration.layers = changes.layers ?? preset.layers
            configuration.heads = changes.heads ?? preset.heads
            configuration.width = changes.width ?? preset.width
            configuration.contextLength = changes.contextLength ?? preset.contextLength
            (configuration.residualDropout, configuration.embeddingDropout) = (changes.dropout, changes.dropout)
            if case .gpt1 = self { return try GPT1(configuration, source) }
            return try GPT(configuration, source)
        case .llama(let preset):
            var configuration = LLaMAConfiguration(preset: preset, vocabularySize: vocabularySize)
            configuration.layers = changes.layers ?? preset.layers
            configuration.heads = changes.heads ?? preset.heads
            if !configuration.heads.isMultiple(of: preset.groups) { configuration.groups = configuration.heads }
            configuration.width = changes.width ?? preset.width
            configuration.feedForwardWidth = preset.feedForwardWidth * configuration.width / preset.width
            configuration.contextLength = changes.contextLength ?? preset.contextLength
            configuration.dropout = changes.dropout
            return try LLaMA(configuration, source)
        case .t5(let preset):
            var configuration = T5Configuration(preset: preset, vocabularySize: vocabularySize)
            (configuration.encoderLayers, configuration.decoderLayers) = (changes.layers ?? preset.layers, changes.layers ?? preset.layers)
            configuration.heads = changes.heads ?? preset.heads
            configuration.width = changes.width ?? preset.width
            configuration.feedForwardWidth = preset.feedForwardWidth * configuration.width / preset.width
            configuration.dropout = changes.dropout
            return try T5(configuration, source)
        }
    }
}
