public import YuyanTensor

/// GPT-2 and GPT-3 (Radford et al. 2019; Brown et al. 2020): a decoder-only Transformer with norms before each half of a block, learned positions,
/// and the embedding used again as output matrix.
public final class GPT: LanguageModel {
    public let configuration: GPTConfiguration
    public let parameters: [Parameter]
    public let dtype: DType
    public let device: Device
    public let adapter: Adapter?

    private let tokenEmbedding: Tensor  // [vocabulary, width]
    private let positionEmbedding: Tensor  // [context, width]
    private let blocks: [Block]
    private let norm: LayerNorm

    public init(_ configuration: GPTConfiguration, _ source: ParameterSource) throws {
        let c = configuration
        tokenEmbedding = try source("wte.weight", shape: [c.vocabularySize, c.width], initial: .normal(c.initializerRange))
        positionEmbedding = try source("wpe.weight", shape: [c.contextLength, c.width], initial: .normal(c.initializerRange))
        blocks = try (0..<c.layers).map { try Block(c, source, layer: $0) }
        norm = try LayerNorm(source, "ln_f", width: c.width, epsilon: c.layerNormEpsilon)
        // Old checkpoints carry the causal masks as tensors, and tied ones the output matrix a second time.
        try source.finish { $0.hasSuffix(".attn.bias") || $0.hasSuffix(".attn.masked_bias") || $0 == "lm_head.weight" }
        (self.configuration, parameters) = (c, source.parameters)
        (dtype, device, adapter) = (source.dtype, source.device, source.adapter)
    }

    public var vocabularySize: Int { configuration.vocabularySize }
    public var contextLength: Int { configuration.contextLength }
    public var cacheShape: CacheShape { CacheShape(layers: configuration.layers, groups: configuration.heads, width: configuration.headWidth) }
    public var outputWeight: Tensor { tokenEmbedding }

    public func trainingOperations(sequenceLength: Int) -> Double { configuration.trainingOperations(sequenceLength: sequenceLength) }

    public func callAsFunction(_ tokens: Tensor, _ context: ForwardContext) throws -> Tensor {
        let past = context.cache?.length ?? 0
        let time = tokens.size(1)
        precondition(past + time <= contextLength, "\(past + time) tokens do not fit a context of \(contextLength)")
        let seeds = context.dropoutSeed.map(DropoutSeeds.init)
        let positions = try context.positions.map { try positionEmbedding.embedding($0) } ?? positionEmbedding.narrow(0, start: past, length: time)

        var x = try tokenEmbedding.embedding(tokens) + positions
        x = try x.dropout(configuration.embeddingDropout, seeds, 0, 0)
        for block in blocks {
            x = try context.recompute ? recomputing(x) { try block($0, context, seeds) } : block(x, context, seeds)
        }
        return try norm(x)
    }
}

/// x + attention(norm(x)), then x + mlp(norm(x)).
private struct Block {
    let layer: Int
    let heads: Int
    let headWidth: Int
    let dropout: Double
    let activation: Activation
    let attentionNorm, mlpNorm: LayerNorm
    let queryKeyValue, attentionOutput, mlpInput, mlpOutput: Linear

    init(_ c: GPTConfiguration, _ source: ParameterSource, layer: Int) throws {
        (self.layer, heads, headWidth, dropout, activation) = (layer, c.heads, c.headWidth, c.residualDropout, c.activation)
        func linear(_ name: String, _ input: Int, _ output: Int, _ deviation: Double) throws -> Linear {
            try source.linear("h.\(layer).\(name)", input, output, deviation: deviation, transposed: true)
        }
        // The two matrices that write into the residual stream start smaller: 2·layers of them add up (Radford et al. 2019, section 2.3).
        let residual = c.initializerRange / (2 * Double(c.layers)).squareRoot()
        attentionNorm = try LayerNorm(source, "h.\(layer).ln_1", width: c.width, epsilon: c.layerNormEpsilon)
        queryKeyValue = try linear("attn.c_attn", c.width, 3 * c.width, c.initializerRange)
        attentionOutput = try linear("attn.c_proj", c.width, c.width, residual)
        mlpNorm = try LayerNorm(source, "h.\(layer).ln_2", width: c.width, epsilon: c.layerNormEpsilon)
        mlpInput = try linear("mlp.c_fc", c.width, c.innerWidth, c.initializerRange)
        mlpOutput = try linear("mlp.c_proj", c.innerWidth, c.width, residual)
    }

    func callAsFunction(_ x: Tensor, _ context: ForwardContext, _ seeds: DropoutSeeds?) throws -> Tensor {
        let x = try x + attention(attentionNorm(x), context).dropout(dropout, seeds, layer, 1)
        return try x + mlpOutput(activation(mlpInput(mlpNorm(x)))).dropout(dropout, seeds, layer, 2)
    }

    private func attention(_ x: Tensor, _ context: ForwardContext) throws -> Tensor {
        let (batch, time) = (x.size(0), x.size(1))
        let projected = try queryKeyValue(x).reshape(batch, time, 3, heads, headWidth).unbind(2)
        let queries = projected[0]
        var (keys, values) = (projected[1], projected[2])  // [batch, time, head, width]
        if let cache = context.cache { (keys, values) = try cache.extend(layer: layer, keys: keys, values: values) }
        let mixed = try Tensor.attention(queries, keys, values, documents: context.documents, scale: 1 / Double(headWidth).squareRoot())
        return try attentionOutput(mixed.reshape(batch, time, heads * headWidth))
    }
}
