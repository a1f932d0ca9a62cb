import Foundation
public import YuyanTensor

/// T5 (Raffel et al. 2020): an encoder that sees the whole source and a decoder that writes the target. Positions come in as a bias on attention by distance,
/// norms have no mean, and scores are not divided by √width. Version 1.1 (Shazeer 2020: gated feed-forward layers, an output matrix of its own) is what
/// PromptCLUE is.
public final class T5: EncoderDecoder {
    public let configuration: T5Configuration
    public let parameters: [Parameter]
    public let adapter: Adapter?
    public let dtype: DType
    public let device: Device
    public let quantized: [QuantizedParameter]
    public let outputWeight: Tensor

    private let embedding: Tensor  // [vocabulary, width]
    private let encoder: [EncoderBlock]
    private let decoder: [DecoderBlock]
    private let encoderBias, decoderBias: DistanceBias
    private let encoderNorm, decoderNorm: RMSNorm

    public init(_ configuration: T5Configuration, _ source: ParameterSource) throws {
        let c = configuration
        embedding = try source("shared.weight", shape: [c.vocabularySize, c.width], initial: .normal(c.initializerFactor))
        encoderBias = try DistanceBias(c, source, "encoder", bidirectional: true)
        encoder = try (0..<c.encoderLayers).map { try EncoderBlock(c, source, layer: $0) }
        encoderNorm = try RMSNorm(source, "encoder.final_layer_norm", width: c.width, epsilon: c.normEpsilon)
        decoderBias = try DistanceBias(c, source, "decoder", bidirectional: false)
        decoder = try (0..<c.decoderLayers).map { try DecoderBlock(c, source, layer: $0) }
        decoderNorm = try RMSNorm(source, "decoder.final_layer_norm", width: c.width, epsilon: c.normEpsilon)
        // A new output matrix is small enough that all tokens begin about equal; transformers draws it √width times as large.
        let spread = c.initializerFactor / Double(c.width).squareRoot()
        outputWeight =
            try c.tiesEmbedding ? embedding : source("lm_head.weight", shape: [c.vocabularySize, c.width], initial: .normal(spread))
        // The embedding stands in some files three times, and tied models have the output matrix too.
        try source.finish { $0.hasSuffix(".embed_tokens.weight") || c.tiesEmbedding && $0 == "lm_head.weight" }
        (self.configuration, parameters) = (c, source.parameters)
        (dtype, device, adapter, quantized) = (source.dtype, source.device, source.adapter, source.quantized)
    }

    public var vocabularySize: Int { configuration.vocabularySize }
    public var contextLength: Int { configuration.contextLength }
    public var cacheShape: CacheShape { CacheShape(layers: configuration.decoderLayers, groups: configuration.heads, width: configuration.headWidth) }
    public var positionsAreRelative: Bool { true }
    public var checkpointPrefix: String { "" }
    public var decoderStart: Int32 { Int32(configuration.decoderStart) }

    /// As in `GPTConfiguration`; a token counts half for the encoder and half for the decoder.
    public func trainingOperations(sequenceLength: Int) -> Double {
        let c = configuration
        let attention = 4 * c.width * c.heads * c.headWidth
        let feedForward = (c.feedForward == .relu ? 2 : 3) * c.width * c.feedForwardWidth
        let matrices =
            (c.encoderLayers * (attention + feedForward) + c.decoderLayers * (2 * attention + feedForward)) / 2 + c.vocabularySize * c.width
        return 6 * Double(matrices)
    }

    public func encode(_ source: Tensor, lengths: [Int]?, _ context: ForwardContext) throws -> any EncodedSource {
        let time = source.size(1)
        let seeds = context.dropoutSeed.map(DropoutSeeds.init)
        let bias = try encoderBias(queries: time, keys: time, past: 0)
        let hidden = try lengths.map { try Self.padding($0, time: time, device: device) }
        var x = try embedding.embedding(source).dropout(configuration.dropout, seeds, 0, 0)
        for block in encoder {
            let step = { (inputs: [Tensor]) in try block(inputs[0], inputs[1], hidden, seeds) }
            x = try context.recompute ? recomputing([x, bias], step) : step([x, bias])
        }
        x = try encoderNorm(x).dropout(configuration.dropout, seeds, 0, 6)
        return T5Source(layers: try decoder.map { try $0.crossKeysAndValues(x) }, padding: hidden, batch: source.size(0))
    }

    public func callAsFunction(_ tokens: Tensor, _ context: ForwardContext) throws -> Tensor {
        guard let source = context.source as? T5Source else { preconditionFailure("T5 writes from a source: encode one first") }
        let (past, time) = (context.cache?.length ?? 0, tokens.size(1))
        let seeds = context.dropoutSeed.map(DropoutSeeds.init)
        let bias = try decoderBias(queries: time, keys: past + time, past: past)
        var x = try embedding.embedding(tokens).dropout(configuration.dropout, seeds, 1000, 0)
        for (layer, block) in decoder.enumerated() {
            let (keys, values) = source.layers[layer]
            let step = { (x: [Tensor]) in try block(x[0], x[1], context.cache, (x[2], x[3]), source.padding, seeds) }
            x = try context.recompute ? recomputing([x, bias, keys, values], step) : step([x, bias, keys, values])
        }
        x = try decoderNorm(x).dropout(configuration.dropout, seeds, 1000, 6)
        // A tied matrix is an embedding, whose rows are longer than those of an output matrix.
        return configuration.scalesOutput ? try x * (1 / Double(configuration.width).squareRoot()) : x
    }

    /// Which keys are padding: bool [batch, 1, 1, time].
    private static func padding(_ lengths: [Int], time: Int, device: Device) throws -> Tensor {
        try Tensor(lengths.flatMap { length in (0..<time).map { $0 >= length } }, shape: [lengths.count, 1, 1, time], device: device)
    }
}

/// Keys and values of cross-attention in each layer of the decoder.
private final class T5Source: EncodedSource {
    let layers: [(keys: Tensor, values: Tensor)]
    let padding: Tensor?
    let batch: Int

    init(layers: [(keys: Tensor, values: Tensor)], padding: Tensor?, batch: Int) {
        (self.layers, self.padding, self.batch) = (layers, padding, batch)
    }

    func selecting(_ rows: [Int]) throws -> any EncodedSource {
        guard let device = layers.first?.keys.device else { return self }
        let indices = try Tensor(rows.map(Int64.init), device: device)
        return T5Source(
            layers: try layers.map { (try $0.keys.indexSelect(0, indices), try $0.values.indexSelect(0, indices)) },
            padding: try padding?.indexSelect(0, indices), batch: rows.count)
    }
}

/// What attention adds to a score for the distance between key and query, by head; the layers of one half share it.
private struct DistanceBias {
    let configuration: T5Configuration
    let table: Tensor  // [buckets, heads]
    let isBidirectional: Bool

    init(_ c: T5Configuration, _ source: ParameterSource, _ half: String, bidirectional: Bool) throws {
        (configuration, isBidirectional) = (c, bidirectional)
        table = try source(
            "\(half).block.0.layer.0.SelfAttention.relative_attention_bias.weight", shape: [c.buckets, c.heads],
            initial: .normal(c.initializerFactor / Double(c.width).squareRoot()))
    }

    /// float [1, heads, queries, keys]; −∞ where a query may not look.
    func callAsFunction(queries: Int, keys: Int, past: Int) throws -> Tensor {
        var places: [Int64] = []
        places.reserveCapacity(queries * keys)
        for query in past..<past + queries {
            for key in 0..<keys { places.append(Int64(configuration.bucket(key - query, bidirectional: isBidirectional))) }
        }
        let bias = try table.embedding(Tensor(places, shape: [queries, keys], device: table.device)).permute(2, 0, 1).unsqueeze(0)
        guard !isBidirectional, queries > 1 else { return bias }
        let future = (past..<past + queries).flatMap { query in (0..<keys).map { $0 > query } }
        return try bias.maskedFill(Tensor(future, shape: [1, 1, queries, keys], device: table.device), -.infinity)
    }
}

/// Attention with a bias, unscaled; softmax in float32.
private struct T5Attention {
    let heads, headWidth: Int
    let query, key, value, output: Linear

    init(_ c: T5Configuration, _ source: ParameterSource, _ name: String) throws {
        (heads, headWidth) = (c.heads, c.headWidth)
        let (inner, factor) = (c.heads * c.headWidth, c.initializerFactor)
        func linear(_ part: String, _ input: Int, _ output: Int, _ deviation: Double) throws -> Linear {
            try source.linear("\(name).\(part)", input, output, bias: false, deviation: deviation)
        }
        query = try linear("q", c.width, inner, factor / Double(c.width * c.headWidth).squareRoot())
        key = try linear("k", c.width, inner, factor / Double(c.width).squareRoot())
        value = try linear("v", c.width, inner, factor / Double(c.width).squareRoot())
        output = try linear("o", inner, c.width, factor / Double(inner).squareRoot())
    }

    func keysAndValues(_ x: Tensor) throws -> (keys: Tensor, values: Tensor) {
        let (batch, time) = (x.size(0), x.size(1))
        return try (key(x).reshape(batch, time, heads, headWidth), value(x).reshape(batch, time, heads, headWidth))
    }

    func callAsFunction(_ x: Tensor, _ keys: Tensor, _ values: Tensor, bias: Tensor?, hidden: Tensor?) throws -> Tensor {
        let (batch, time) = (x.size(0), x.size(1))
        let queries = try query(x).reshape(batch, time, heads, headWidth).permute(0, 2, 1, 3)
        var scores = try queries.matmul(keys.permute(0, 2, 3, 1))
        if let bias { scores = try scores + bias }
        if let hidden { scores = try scores.maskedFill(hidden, -.infinity) }
        let mixed = try scores.to(.float32).softmax(along: -1).to(x.dtype).matmul(values.permute(0, 2, 1, 3))
        return try output(mixed.permute(0, 2, 1, 3).reshape(batch, time, heads * headWidth))
    }
}

private struct T5FeedForward {
    let dropout: Double
    /// Two where the layer is gated.
    let inputs: [Linear]
    let output: Linear

    init(_ c: T5Configuration, _ source: ParameterSource, _ name: String) throws {
        dropout = c.dropout
        let names = c.feedForward == .relu ? ["wi"] : ["wi_0", "wi_1"]
        let deviation = c.initializerFactor / Double(c.width).squareRoot()
        inputs = try names.map { try source.linear("\(name).\($0)", c.width, c.feedForwardWidth, bias: false, deviation: deviation) }
        output = try source.linear(
            "\(name).wo", c.feedForwardWidth, c.width, bias: false, deviation: c.initializerFactor / Double(c.feedForwardWidth).squareRoot())
    }

    func callAsFunction(_ x: Tensor, _ seeds: DropoutSeeds?, _ layer: Int) throws -> Tensor {
        let inner = try inputs.count == 1 ? inputs[0](x).relu() : inputs[0](x).geluTanh() * inputs[1](x)
        return try output(inner.dropout(dropout, seeds, layer, 5))
    }
}

private struct EncoderBlock {
    let layer: Int
    let dropout: Double
    let attentionNorm, feedForwardNorm: RMSNorm
    let attention: T5Attention
    let feedForward: T5FeedForward

    init(_ c: T5Configuration, _ source: ParameterSource, layer: Int) throws {
        (self.layer, dropout) = (layer, c.dropout)
        let name = "encoder.block.\(layer)"
        attention = try T5Attention(c, source, "\(name).layer.0.SelfAttention")
        attentionNorm = try RMSNorm(source, "\(name).layer.0.layer_norm", width: c.width, epsilon: c.normEpsilon)
        feedForward = try T5FeedForward(c, source, "\(name).layer.1.DenseReluDense")
        feedForwardNorm = try RMSNorm(source, "\(name).layer.1.layer_norm", width: c.width, epsilon: c.normEpsilon)
    }

    func callAsFunction(_ x: Tensor, _ bias: Tensor, _ hidden: Tensor?, _ seeds: DropoutSeeds?) throws -> Tensor {
        let y = try attentionNorm(x)
        let (keys, values) = try attention.keysAndValues(y)
        let x = try x + attention(y, keys, values, bias: bias, hidden: hidden).dropout(dropout, seeds, layer, 1)
        return try x + feedForward(feedForwardNorm(x), seeds, layer).dropout(dropout, seeds, layer, 2)
    }
}

private struct DecoderBlock {
    let layer: Int
    let dropout: Double
    let attentionNorm, crossNorm, feedForwardNorm: RMSNorm
    let attention, crossAttention: T5Attention
    let feedForward: T5FeedForward

    init(_ c: T5Configuration, _ source: ParameterSource, layer: Int) throws {
        (self.layer, dropout) = (layer, c.dropout)
        let name = "decoder.block.\(layer)"
        attention = try T5Attention(c, source, "\(name).layer.0.SelfAttention")
        attentionNorm = try RMSNorm(source, "\(name).layer.0.layer_norm", width: c.width, epsilon: c.normEpsilon)
        crossAttention = try T5Attention(c, source, "\(name).layer.1.EncDecAttention")
        crossNorm = try RMSNorm(source, "\(name).layer.1.layer_norm", width: c.width, epsilon: c.normEpsilon)
        feedForward = try T5FeedForward(c, source, "\(name).layer.2.DenseReluDense")
        feedForwardNorm = try RMSNorm(source, "\(name).layer.2.layer_norm", width: c.width, epsilon: c.normEpsilon)
    }

    func crossKeysAndValues(_ source: Tensor) throws -> (keys: Tensor, values: Tensor) { try crossAttention.keysAndValues(source) }

    func callAsFunction(
        _ x: Tensor, _ bias: Tensor, _ cache: (any AttentionCache)?, _ source: (keys: Tensor, values: Tensor), _ padding: Tensor?,
        _ seeds: DropoutSeeds?
    ) throws -> Tensor {
        let place = 1000 + layer
        let y = try attentionNorm(x)
        var (keys, values) = try attention.keysAndValues(y)
        if let cache { (keys, values) = try cache.extend(layer: layer, keys: keys, values: values) }
        var x = try x + attention(y, keys, values, bias: bias, hidden: nil).dropout(dropout, seeds, place, 1)
        x = try x + crossAttention(crossNorm(x), source.keys, source.values, bias: nil, hidden: padding).dropout(dropout, seeds, place, 2)
        return try x + feedForward(feedForwardNorm(x), seeds, place).dropout(dropout, seeds, place, 3)
    }
}

extension T5 {
    public var configurationJSON: [String: any Sendable] {
        guard let data = try? JSONEncoder().encode(configuration), var json = try? JSONSerialization.jsonObject(with: data) as? [String: any Sendable]
        else { preconditionFailure("a configuration cannot be written as JSON") }
        json["architectures"] = [configuration.modelType == "mt5" ? "MT5ForConditionalGeneration" : "T5ForConditionalGeneration"]
        json["is_encoder_decoder"] = true
        json["use_cache"] = true
        return json
    }
}
