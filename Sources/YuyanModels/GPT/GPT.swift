public import YuyanTensor

/// GPT-2 and GPT-3 (Radford et al. 2019; Brown et al. 2020): a decoder-only Transformer with norms before each half of a block, learned positions,
/// and the embedding used again as output matrix.
public final class GPT: LanguageModel {
    public let configuration: GPTConfiguration
    public let parameters: [Parameter]
    public let dtype: DType
    public let device: Device
    public let adapter: Adapter?
    public let quantized: [QuantizedParameter]

    private let trunk: GPTTrunk
    private let norm: LayerNorm

    public init(_ configuration: GPTConfiguration, _ source: ParameterSource) throws {
        let c = configuration
        trunk = try GPTTrunk(c, source, tokens: "wte.weight", positions: "wpe.weight", norm: .before)
        norm = try LayerNorm(source, "ln_f", width: c.width, epsilon: c.layerNormEpsilon)
        // Old checkpoints carry the causal masks as tensors, and tied ones the output matrix a second time.
        try source.finish { $0.hasSuffix(".attn.bias") || $0.hasSuffix(".attn.masked_bias") || $0 == "lm_head.weight" }
        (self.configuration, parameters) = (c, source.parameters)
        (dtype, device, adapter, quantized) = (source.dtype, source.device, source.adapter, source.quantized)
    }

    public var vocabularySize: Int { configuration.vocabularySize }
    public var contextLength: Int { configuration.contextLength }
    public var cacheShape: CacheShape { CacheShape(layers: configuration.layers, groups: configuration.heads, width: configuration.headWidth) }
    public var outputWeight: Tensor { get throws { try trunk.tokenEmbedding.wide(dtype) } }
    public func logits(_ hidden: Tensor) throws -> Tensor { try trunk.tokenEmbedding.linear(hidden) }

    public func trainingOperations(sequenceLength: Int) -> Double { configuration.trainingOperations(sequenceLength: sequenceLength) }

    public func callAsFunction(_ tokens: Tensor, _ context: ForwardContext) throws -> Tensor { try norm(trunk(tokens, context)) }
}
