import Foundation
import YuyanTensor

/// Reads the model of a GGUF file: architectures gpt2, llama, qwen2, qwen3 and t5. Blocks become `dtype`; nil: float32, or what the embedding is stored in.
///
/// - Parameter newTokens: rows that its embedding gets besides.
func loadGGUF(
    _ url: URL, dtype: DType?, device: Device, dropout: Double?, newTokens: Int, _ adapt: (ParameterSource, _ prefix: String) throws -> Void
) throws -> any LanguageModel {
    let file = try GGUFFile(url)
    let architecture = try file.text("general.architecture")
    let dtype = dtype ?? file.entry("token_embd.weight")?.type.dtype ?? .float32
    switch architecture {
    case "gpt2":
        var configuration = try GPTConfiguration(file)
        if let dropout { (configuration.residualDropout, configuration.embeddingDropout) = (dropout, dropout) }
        configuration.vocabularySize += newTokens
        let source = file.source(try GGUFDescription(configuration), dtype: dtype, device: device)
        try adapt(source, "transformer.")
        return try GPT(configuration, source)
    case "llama", "qwen2", "qwen3":
        var configuration = try LLaMAConfiguration(file, architecture)
        configuration.dropout = dropout ?? 0
        configuration.vocabularySize += newTokens
        let source = file.source(try GGUFDescription(configuration), dtype: dtype, device: device)
        try adapt(source, "")
        return try LLaMA(configuration, source)
    case "t5":
        var configuration = try T5Configuration(file)
        if let dropout { configuration.dropout = dropout }
        configuration.vocabularySize += newTokens
        let source = file.source(try GGUFDescription(configuration), dtype: dtype, device: device)
        try adapt(source, "")
        return try T5(configuration, source)
    default: throw WeightsError("\(url.path): the architecture \(architecture.quoted) is not supported; gpt2, llama, qwen2, qwen3 and t5 are")
    }
}

extension GGUFFile {
    /// The tensors under our names.
    fileprivate func source(_ description: GGUFDescription, dtype: DType, device: Device) -> ParameterSource {
        ParameterSource(of: url, dtype: dtype, device: device) { name in
            guard let place = description.names.stored(name), entry(place) != nil else { return nil }
            let value = try tensor(place)
            if let heads = description.turnedHeads(of: name) {
                guard value.rank > 0, value.size(0) % (2 * heads) == 0 else {
                    throw WeightsError("\(url.path): tensor \(place) has shape \(value.shape), which are not \(heads) heads")
                }
                return try value.turningHalves(heads)
            }
            // GPT asks for its matrices as GPT-2's files have them.
            return try description.architecture == "gpt2" && value.rank == 2 && place.hasPrefix("blk.") ? value.transpose(0, 1) : value
        }
    }
}

extension GPTConfiguration {
    fileprivate init(_ file: GGUFFile) throws {
        let (width, inner) = (try file.integer("gpt2.embedding_length"), try file.integer("gpt2.feed_forward_length"))
        self.init(
            vocabularySize: file.entry("token_embd.weight")?.shape.first ?? 0, contextLength: try file.integer("gpt2.context_length"), width: width,
            layers: try file.integer("gpt2.block_count"), heads: try file.integer("gpt2.attention.head_count"),
            feedForwardWidth: inner == 4 * width ? nil : inner, layerNormEpsilon: try file.number("gpt2.attention.layer_norm_epsilon"))
        guard vocabularySize > 0, contextLength > 0, width > 0, layers > 0, layers < 1 << 16, heads > 0, inner > 0, width % heads == 0 else {
            throw WeightsError("\(file.url.path): a gpt2 of width \(width), \(heads) heads, \(layers) layers, vocabulary \(vocabularySize) cannot be")
        }
    }
}

extension T5Configuration {
    fileprivate init(_ file: GGUFFile) throws {
        func integer(_ key: String) throws -> Int {
            let value = try file.integer("t5.\(key)")
            guard 0..<1 << 31 ~= value else { throw WeightsError("\(file.url.path): t5.\(key) is \(value), which cannot be") }
            return value
        }
        func has(_ key: String) -> Bool { file.metadata["t5.\(key)"] != nil }
        let layers = try integer("block_count")
        self.init(
            vocabularySize: file.entry("token_embd.weight")?.shape.first ?? 0, width: try integer("embedding_length"),
            headWidth: try integer("attention.key_length"), feedForwardWidth: try integer("feed_forward_length"), encoderLayers: layers,
            decoderLayers: has("decoder_block_count") ? try integer("decoder_block_count") : layers, heads: try integer("attention.head_count"))
        buckets = try integer("attention.relative_buckets_count")
        normEpsilon = try file.number("t5.attention.layer_norm_rms_epsilon")
        contextLength = try integer("context_length")
        if has("decoder_start_token_id") { decoderStart = try integer("decoder_start_token_id") }
        feedForward = file.entry("enc.blk.0.ffn_gate.weight") == nil ? .relu : .gatedGELU
        tiesEmbedding = file.entry("output.weight") == nil
        // A file without a head is of version 1.0, or of a gated model that shares the matrix as it is.
        scalesOutput = tiesEmbedding && feedForward == .relu
        do { try validate() } catch let error as WeightsError { throw WeightsError("\(file.url.path): \(error)") }
    }
}

extension GenerationTokens {
    /// What the tokenizer of the file says; nil where it names no end.
    init?(_ file: GGUFFile) {
        let rows = file.entry("token_embd.weight")?.shape.first ?? 0
        func token(_ role: String) -> Int? {
            guard case .integer(let id)? = file.metadata["tokenizer.ggml.\(role)_token_id"], 0..<rows ~= id else { return nil }
            return id
        }
        guard let eos = token("eos") else { return nil }
        self.init(bos: token("bos"), eos: [eos] + [token("eot")].compactMap { $0 == eos ? nil : $0 }, pad: token("padding"))
    }
}

extension LLaMAConfiguration {
    fileprivate init(_ file: GGUFFile, _ architecture: String) throws {
        func integer(_ key: String) throws -> Int { try file.integer("\(architecture).\(key)") }
        func optional(_ key: String) -> GGUFFile.Value? { file.metadata["\(architecture).\(key)"] }
        self.init(
            member: Member(rawValue: architecture) ?? .llama, vocabularySize: file.entry("token_embd.weight")?.shape.first ?? 0,
            width: try integer("embedding_length"), feedForwardWidth: try integer("feed_forward_length"), layers: try integer("block_count"),
            heads: try integer("attention.head_count"), contextLength: try integer("context_length"),
            tiesEmbedding: file.entry("output.weight") == nil)
        if case .integer(let value)? = optional("attention.head_count_kv") { groups = value }
        guard vocabularySize > 0, width > 0, feedForwardWidth > 0, layers > 0, layers < 1 << 16, heads > 0, groups > 0, contextLength > 0,
            heads % groups == 0
        else {
            throw WeightsError("\(file.url.path): a \(architecture) of width \(width), \(heads) heads, \(groups) groups, \(layers) layers cannot be")
        }
        if case .integer(let value)? = optional("attention.key_length"), value * heads != width { ownHeadWidth = value }
        guard ownHeadWidth != nil || width % heads == 0, headWidth > 0, headWidth % 2 == 0 else {
            throw WeightsError("\(file.url.path): \(heads) heads of width \(width) cannot be")
        }
        normEpsilon = try file.number("\(architecture).attention.layer_norm_rms_epsilon")
        attentionBias = file.entry("blk.0.attn_q.bias") != nil
        feedForwardBias = file.entry("blk.0.ffn_up.bias") != nil
        if case .number(let base)? = optional("rope.freq_base") { rotary.base = base }
        try setRotary(
            file, scaling: optional("rope.scaling.type"), factor: optional("rope.scaling.factor"), optional("rope.scaling.original_context_length"))
    }

    private mutating func setRotary(
        _ file: GGUFFile, scaling: GGUFFile.Value?, factor: GGUFFile.Value?, _ original: GGUFFile.Value?
    ) throws {
        if case .number(let factor)? = factor { rotary.factor = factor }
        if case .integer(let original)? = original { rotary.originalContext = original }
        switch scaling {
        case .text("linear")?: rotary.kind = .linear
        case .text("yarn")?: rotary.kind = .yarn
        case nil, .text("none")?: break
        default: throw WeightsError("\(file.url.path): this rule of rope.scaling.type is not supported; none, linear and yarn are")
        }
        guard file.entry("rope_freqs.weight") != nil else { return }
        // The rule of Llama 3.1 with its published borders; the factor is that of the slowest angle.
        let divisors = try file.tensor("rope_freqs.weight").array(Double.self)
        guard divisors.contains(where: { $0 != 1 }) else { return }
        (rotary.kind, rotary.factor, rotary.lowFrequencyFactor, rotary.highFrequencyFactor) = (.llama3, divisors.max(), 1, 4)
        rotary.originalContext = rotary.originalContext ?? 8192
        let expected = rotary.divisors(width: headWidth, contextLength: contextLength)
        guard divisors.count == expected.count, zip(divisors, expected).allSatisfy({ abs($0 - $1) <= 1e-4 * $1 }) else {
            throw WeightsError("\(file.url.path): the divisors in rope_freqs.weight are not those of Llama 3.1's rule")
        }
    }
}
