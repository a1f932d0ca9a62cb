import Foundation
public import YuyanTensor

/// The LLaMA family (Touvron et al. 2023): a decoder-only Transformer with root mean square norms, rotary positions, grouped heads of keys and values,
/// and a gated feed-forward layer.
public final class LLaMA: LanguageModel {
    public let configuration: LLaMAConfiguration
    public let parameters: [Parameter]
    public let dtype: DType
    public let device: Device
    public let adapter: Adapter?
    public let quantized: [QuantizedParameter]
    public let contextLength: Int

    private let embedding, output: Linear.Matrix  // [vocabulary, width]
    private let blocks: [Block]
    private let norm: RMSNorm
    private let rotary: RotaryTable

    public init(_ configuration: LLaMAConfiguration, _ source: ParameterSource) throws {
        let c = configuration
        embedding = try source.table("model.embed_tokens.weight", c.vocabularySize, c.width, .normal(c.initializerRange))
        blocks = try (0..<c.layers).map { try Block(c, source, layer: $0) }
        norm = try RMSNorm(source, "model.norm", width: c.width, epsilon: c.normEpsilon)
        output = try c.tiesEmbedding ? embedding : source.table("lm_head.weight", c.vocabularySize, c.width, .normal(c.initializerRange))
        // Old checkpoints carry the angles as tensors, and tied ones the output matrix a second time.
        try source.finish { $0.hasSuffix("rotary_emb.inv_freq") || c.tiesEmbedding && $0 == "lm_head.weight" }
        contextLength = c.rotary.extended(c.contextLength)
        rotary = try RotaryTable(c, reaching: contextLength, device: source.device)
        (self.configuration, parameters) = (c, source.parameters)
        (dtype, device, adapter, quantized) = (source.dtype, source.device, source.adapter, source.quantized)
    }

    public var vocabularySize: Int { configuration.vocabularySize }
    public var cacheShape: CacheShape { CacheShape(layers: configuration.layers, groups: configuration.groups, width: configuration.headWidth) }
    public var positionsAreRelative: Bool { true }
    public var lookedUp: Set<String> { configuration.tiesEmbedding ? [] : ["model.embed_tokens.weight"] }
    public var checkpointPrefix: String { "" }
    public var outputWeight: Tensor { get throws { try output.wide(dtype) } }
    public func logits(_ hidden: Tensor) throws -> Tensor { try output.linear(hidden) }
    public func trainingOperations(sequenceLength: Int) -> Double { configuration.trainingOperations(sequenceLength: sequenceLength) }

    public func callAsFunction(_ tokens: Tensor, _ context: ForwardContext) throws -> Tensor {
        let past = context.cache?.length ?? 0
        let time = tokens.size(1)
        precondition(past + time <= contextLength, "\(past + time) tokens do not fit a context of \(contextLength)")
        let pass = Pass(context: context, past: past, rotary: rotary, seeds: context.dropoutSeed.map(DropoutSeeds.init))
        var x = try embedding.rows(tokens, dtype).dropout(configuration.dropout, pass.seeds, 0, 0)
        for block in blocks { x = try context.recompute ? recomputing(x) { try block($0, pass) } : block(x, pass) }
        return try norm(x)
    }
}

/// What one forward pass gives to every block.
private struct Pass {
    let context: ForwardContext
    /// Tokens in the cache.
    let past: Int
    let rotary: RotaryTable
    let seeds: DropoutSeeds?

    func rotated(_ x: Tensor) throws -> Tensor { try rotary(x, positions: context.positions, start: past) }

    /// The same for keys at other places. A cache may keep it, so it holds none.
    var placing: KeyPlacement {
        let (rotary, positions) = (rotary, context.positions)
        return { keys, start in try rotary(keys, positions: positions, start: start) }
    }
}

/// x + attention(norm(x)), then x + mlp(norm(x)).
private struct Block {
    let layer: Int
    let heads, groups, headWidth: Int
    let window: Int?
    let dropout: Double
    let activation: Activation
    let attentionNorm, feedForwardNorm: RMSNorm
    let queryNorm, keyNorm: RMSNorm?
    let query, key, value, output: Linear
    let gate, up, down: Linear

    init(_ c: LLaMAConfiguration, _ source: ParameterSource, layer: Int) throws {
        (self.layer, heads, groups, headWidth, dropout, activation) = (layer, c.heads, c.groups, c.headWidth, c.dropout, c.activation)
        window = layer >= c.firstWindowLayer ? c.window : nil
        let name = "model.layers.\(layer)"
        func linear(_ part: String, _ input: Int, _ output: Int, bias: Bool) throws -> Linear {
            try source.linear("\(name).\(part)", input, output, bias: bias, deviation: c.initializerRange)
        }
        let (queries, keys) = (c.heads * c.headWidth, c.groups * c.headWidth)
        query = try linear("self_attn.q_proj", c.width, queries, bias: c.attentionBias)
        key = try linear("self_attn.k_proj", c.width, keys, bias: c.attentionBias)
        value = try linear("self_attn.v_proj", c.width, keys, bias: c.attentionBias)
        output = try linear("self_attn.o_proj", queries, c.width, bias: c.attentionBias && c.member != .qwen2)
        let normalises = c.member == .qwen3
        queryNorm = try normalises ? RMSNorm(source, "\(name).self_attn.q_norm", width: c.headWidth, epsilon: c.normEpsilon) : nil
        keyNorm = try normalises ? RMSNorm(source, "\(name).self_attn.k_norm", width: c.headWidth, epsilon: c.normEpsilon) : nil
        gate = try linear("mlp.gate_proj", c.width, c.feedForwardWidth, bias: c.feedForwardBias)
        up = try linear("mlp.up_proj", c.width, c.feedForwardWidth, bias: c.feedForwardBias)
        down = try linear("mlp.down_proj", c.feedForwardWidth, c.width, bias: c.feedForwardBias)
        attentionNorm = try RMSNorm(source, "\(name).input_layernorm", width: c.width, epsilon: c.normEpsilon)
        feedForwardNorm = try RMSNorm(source, "\(name).post_attention_layernorm", width: c.width, epsilon: c.normEpsilon)
    }

    func callAsFunction(_ x: Tensor, _ pass: Pass) throws -> Tensor {
        let (x, y) = try feedForwardNorm(x, adding: attention(attentionNorm(x), pass).dropout(dropout, pass.seeds, layer, 1))
        return try x + down(activation.gated(gate(y), up(y))).dropout(dropout, pass.seeds, layer, 2)
    }

    private func attention(_ x: Tensor, _ pass: Pass) throws -> Tensor {
        let (batch, time) = (x.size(0), x.size(1))
        var queries = try query(x).reshape(batch, time, heads, headWidth)
        var keys = try key(x).reshape(batch, time, groups, headWidth)
        let values = try value(x).reshape(batch, time, groups, headWidth)
        if let queryNorm, let keyNorm { (queries, keys) = try (queryNorm(queries), keyNorm(keys)) }
        let mixed = try pass.context.attention(
            pass.rotated(queries), keys: keys, values: values, layer: layer, placing: pass.placing, window: window,
            scale: 1 / Double(headWidth).squareRoot())
        return try output(mixed.reshape(batch, time, heads * headWidth))
    }
}

extension LLaMA {
    /// A new model with random weights.
    public convenience init(_ configuration: LLaMAConfiguration, seed: UInt64, dtype: DType = .float32, device: Device = .cpu) throws {
        try self.init(configuration, ParameterSource(seed: seed, dtype: dtype, device: device))
    }

    public var configurationJSON: [String: any Sendable] {
        guard let data = try? JSONEncoder().encode(configuration), var json = try? JSONSerialization.jsonObject(with: data) as? [String: any Sendable]
        else { preconditionFailure("a configuration cannot be written as JSON") }
        let names: [LLaMAConfiguration.Member: String] = [.llama: "Llama", .mistral: "Mistral", .qwen2: "Qwen2", .qwen3: "Qwen3"]
        json["architectures"] = ["\(names[configuration.member] ?? "")ForCausalLM"]
        json["use_cache"] = true
        json["attention_dropout"] = 0.0
        return json
    }
}
