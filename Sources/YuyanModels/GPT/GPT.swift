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

    private let tokenEmbedding: Linear.Matrix  // [vocabulary, width]
    private let positionEmbedding: Tensor  // [context, width]
    private let blocks: [GPTBlock]
    private let norm: LayerNorm

    public init(_ configuration: GPTConfiguration, _ source: ParameterSource) throws {
        let c = configuration
        tokenEmbedding = try source.table("wte.weight", c.vocabularySize, c.width, .normal(c.initializerRange))
        positionEmbedding = try source("wpe.weight", shape: [c.contextLength, c.width], initial: .normal(c.initializerRange))
        blocks = try (0..<c.layers).map { try GPTBlock(c, source, layer: $0, norm: .before) }
        norm = try LayerNorm(source, "ln_f", width: c.width, epsilon: c.layerNormEpsilon)
        // Old checkpoints carry the causal masks as tensors, and tied ones the output matrix a second time.
        try source.finish { $0.hasSuffix(".attn.bias") || $0.hasSuffix(".attn.masked_bias") || $0 == "lm_head.weight" }
        (self.configuration, parameters) = (c, source.parameters)
        (dtype, device, adapter, quantized) = (source.dtype, source.device, source.adapter, source.quantized)
    }

    public var vocabularySize: Int { configuration.vocabularySize }
    public var contextLength: Int { configuration.contextLength }
    public var cacheShape: CacheShape { CacheShape(layers: configuration.layers, groups: configuration.heads, width: configuration.headWidth) }
    public var outputWeight: Tensor { get throws { try tokenEmbedding.wide(dtype) } }
    public func logits(_ hidden: Tensor) throws -> Tensor { try tokenEmbedding.linear(hidden) }

    public func trainingOperations(sequenceLength: Int) -> Double { configuration.trainingOperations(sequenceLength: sequenceLength) }

    public func callAsFunction(_ tokens: Tensor, _ context: ForwardContext) throws -> Tensor {
        let past = context.cache?.length ?? 0
        let time = tokens.size(1)
        precondition(past + time <= contextLength, "\(past + time) tokens do not fit a context of \(contextLength)")
        let seeds = context.dropoutSeed.map(DropoutSeeds.init)
        let positions = try context.positions.map { try positionEmbedding.embedding($0) } ?? positionEmbedding.narrow(0, start: past, length: time)

        var x = try tokenEmbedding.rows(tokens, dtype) + positions
        x = try x.dropout(configuration.embeddingDropout, seeds, 0, 0)
        for block in blocks {
            x = try context.recompute ? recomputing(x) { try block($0, context, seeds) } : block(x, context, seeds)
        }
        return try norm(x)
    }
}
