public import YuyanTensor

/// GPT-1 (Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training"): a decoder-only Transformer with norms after each half
/// of a block and none at the end, learned positions, and the embedding used again as output matrix.
public final class GPT1: LanguageModel {
    public let configuration: GPTConfiguration
    public let parameters: [Parameter]
    public let dtype: DType
    public let device: Device
    public let adapter: Adapter?
    public let quantized: [QuantizedParameter]

    private let trunk: GPTTrunk

    public init(_ configuration: GPTConfiguration, _ source: ParameterSource) throws {
        let c = configuration
        trunk = try GPTTrunk(c, source, tokens: "tokens_embed.weight", positions: "positions_embed.weight", norm: .after)
        // Old checkpoints carry the causal masks as tensors, and tied ones the output matrix a second time.
        try source.finish { $0.hasSuffix(".attn.bias") || $0 == "lm_head.weight" }
        (self.configuration, parameters) = (c, source.parameters)
        (dtype, device, adapter, quantized) = (source.dtype, source.device, source.adapter, source.quantized)
    }

    public var vocabularySize: Int { configuration.vocabularySize }
    public var contextLength: Int { configuration.contextLength }
    public var cacheShape: CacheShape { CacheShape(layers: configuration.layers, groups: configuration.heads, width: configuration.headWidth) }
    public var outputWeight: Tensor { get throws { try trunk.tokenEmbedding.wide(dtype) } }
    public func logits(_ hidden: Tensor) throws -> Tensor { try trunk.tokenEmbedding.linear(hidden) }

    public func trainingOperations(sequenceLength: Int) -> Double { configuration.trainingOperations(sequenceLength: sequenceLength) }

    public func callAsFunction(_ tokens: Tensor, _ context: ForwardContext) throws -> Tensor { try trunk(tokens, context) }
}

/// What Hugging Face's `config.json` says of an openai-gpt: GPT-2's keys with other defaults, and the activation as `afn`.
struct GPT1File: Decodable {
    var configuration: GPTConfiguration

    private enum CodingKeys: String, CodingKey {
        case vocabularySize = "vocab_size"
        case contextLength = "n_positions"
        case activation = "afn"
    }

    /// What its activations are called. Its `gelu` is the one with tanh.
    private static let activations: [String: Activation] = ["gelu": .geluNew, "relu": .relu, "silu": .silu, "swish": .silu]

    init(from decoder: any Decoder) throws {
        configuration = try GPTConfiguration(from: decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        if !values.contains(.vocabularySize) { configuration.vocabularySize = 40478 }
        if !values.contains(.contextLength) { configuration.contextLength = 512 }
        let name = try values.decodeIfPresent(String.self, forKey: .activation) ?? "gelu"
        guard let activation = Self.activations[name] else {
            throw WeightsError("afn: \"\(name)\" is not known; gelu, relu, silu and swish are")
        }
        configuration.activation = activation
    }

    static func name(of activation: Activation) -> String { activations.keys.sorted().first { activations[$0] == activation } ?? activation.rawValue }
}

extension GPT1 {
    /// The size that was published: 64 rows of 512 tokens a step.
    static let preset = GPTConfiguration.Preset(
        name: "gpt1", layers: 12, heads: 12, width: 768, contextLength: 512, learningRate: 2.5e-4, batchTokens: 32_768)

    /// A new model with random weights.
    public convenience init(_ configuration: GPTConfiguration, seed: UInt64, dtype: DType = .float32, device: Device = .cpu) throws {
        try self.init(configuration, ParameterSource(seed: seed, dtype: dtype, device: device))
    }

    public var lookedUp: Set<String> { ["positions_embed.weight"] }
    public var checkpointPrefix: String { "transformer." }

    public var configurationJSON: [String: any Sendable] {
        let c = configuration
        return [
            "architectures": ["OpenAIGPTLMHeadModel"], "model_type": "openai-gpt",
            "vocab_size": c.vocabularySize, "n_positions": c.contextLength, "n_embd": c.width, "n_layer": c.layers, "n_head": c.heads,
            "afn": GPT1File.name(of: c.activation), "resid_pdrop": c.residualDropout, "embd_pdrop": c.embeddingDropout, "attn_pdrop": 0.0,
            "layer_norm_epsilon": c.layerNormEpsilon, "initializer_range": c.initializerRange, "tie_word_embeddings": true,
        ]
    }
}
