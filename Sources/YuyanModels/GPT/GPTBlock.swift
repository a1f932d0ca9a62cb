import YuyanTensor

/// What GPT-1, 2 and 3 share: the embeddings, the first of which is used again as output matrix, and the blocks.
struct GPTTrunk {
    let tokenEmbedding: Linear.Matrix  // [vocabulary, width]
    private let positionEmbedding: Tensor  // [context, width]
    private let blocks: [GPTBlock]
    private let dropout: Double
    private let dtype: DType

    /// Asks the source for tokens, positions and blocks, in the order that random weights depend on; `tokens` and `positions` are the parameters' names.
    init(_ c: GPTConfiguration, _ source: ParameterSource, tokens: String, positions: String, norm: GPTBlock.NormPlace) throws {
        tokenEmbedding = try source.table(tokens, c.vocabularySize, c.width, .normal(c.initializerRange))
        positionEmbedding = try source(positions, shape: [c.contextLength, c.width], initial: .normal(c.initializerRange))
        blocks = try (0..<c.layers).map { try GPTBlock(c, source, layer: $0, norm: norm) }
        (dropout, dtype) = (c.embeddingDropout, source.dtype)
    }

    func callAsFunction(_ tokens: Tensor, _ context: ForwardContext) throws -> Tensor {
        let past = context.cache?.length ?? 0
        let (time, contextLength) = (tokens.size(1), positionEmbedding.size(0))
        precondition(past + time <= contextLength, "\(past + time) tokens do not fit a context of \(contextLength)")
        let seeds = context.dropoutSeed.map(DropoutSeeds.init)
        let positions = try context.positions.map { try positionEmbedding.embedding($0) } ?? positionEmbedding.narrow(0, start: past, length: time)

        var x = try tokenEmbedding.rows(tokens, dtype) + positions
        x = try x.dropout(dropout, seeds, 0, 0)
        for block in blocks {
            x = try context.recompute ? recomputing(x) { try block($0, context, seeds) } : block(x, context, seeds)
        }
        return x
    }
}

/// Attention and a feed-forward layer, each added to what comes in, and a norm for each.
struct GPTBlock {
    enum NormPlace {
        /// x + f(norm(x)) (GPT-2 and 3).
        case before
        /// norm(x + f(x)) (GPT-1).
        case after
    }

    let layer: Int
    let heads: Int
    let headWidth: Int
    let dropout: Double
    let activation: Activation
    let normPlace: NormPlace
    let attentionNorm, mlpNorm: LayerNorm
    let queryKeyValue, attentionOutput, mlpInput, mlpOutput: Linear

    init(_ c: GPTConfiguration, _ source: ParameterSource, layer: Int, norm: NormPlace) throws {
        (self.layer, heads, headWidth, dropout, activation, normPlace) = (layer, c.heads, c.headWidth, c.residualDropout, c.activation, norm)
        func linear(_ name: String, _ input: Int, _ output: Int, _ deviation: Double) throws -> Linear {
            try source.linear("h.\(layer).\(name)", input, output, deviation: deviation, transposed: true)
        }
        // Where nothing normalises the residual stream, the two matrices that write into it start smaller: 2·layers of them add up (Radford et al.
        // 2019, section 2.3).
        let residual = norm == .before ? c.initializerRange / (2 * Double(c.layers)).squareRoot() : c.initializerRange
        attentionNorm = try LayerNorm(source, "h.\(layer).ln_1", width: c.width, epsilon: c.layerNormEpsilon)
        queryKeyValue = try linear("attn.c_attn", c.width, 3 * c.width, c.initializerRange)
        attentionOutput = try linear("attn.c_proj", c.width, c.width, residual)
        mlpNorm = try LayerNorm(source, "h.\(layer).ln_2", width: c.width, epsilon: c.layerNormEpsilon)
        mlpInput = try linear("mlp.c_fc", c.width, c.innerWidth, c.initializerRange)
        mlpOutput = try linear("mlp.c_proj", c.innerWidth, c.width, residual)
    }

    func callAsFunction(_ x: Tensor, _ context: ForwardContext, _ seeds: DropoutSeeds?) throws -> Tensor {
        switch normPlace {
        case .before:
            let (x, y) = try mlpNorm(x, adding: attention(attentionNorm(x), context).dropout(dropout, seeds, layer, 1))
            return try x + feedForward(y).dropout(dropout, seeds, layer, 2)
        case .after:
            let x = try attentionNorm(x, adding: attention(x, context).dropout(dropout, seeds, layer, 1)).normed
            return try mlpNorm(x, adding: feedForward(x).dropout(dropout, seeds, layer, 2)).normed
        }
    }

    private func feedForward(_ x: Tensor) throws -> Tensor { try mlpOutput(activation(mlpInput(x))) }

    private func attention(_ x: Tensor, _ context: ForwardContext) throws -> Tensor {
        let (batch, time) = (x.size(0), x.size(1))
        let projected = try queryKeyValue(x).reshape(batch, time, 3, heads, headWidth).unbind(2)
        let (queries, keys, values) = (projected[0], projected[1], projected[2])  // [batch, time, head, width]
        let mixed = try context.attention(queries, keys: keys, values: values, layer: layer, scale: 1 / Double(headWidth).squareRoot())
        return try attentionOutput(mixed.reshape(batch, time, heads * headWidth))
    }
}
