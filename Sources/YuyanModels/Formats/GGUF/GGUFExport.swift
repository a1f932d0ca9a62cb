public import Foundation
import YuyanTensor

/// Writes the model as one GGUF file, which llama.cpp runs: GPT-2, the LLaMA family and T5.
///
/// Matrices are stored as `type`, norms, biases and positions as float32; in 4 bits, embedding and output matrix keep 8. llama.cpp computes GELU with
/// tanh whatever the model does.
///
/// - Parameters:
///   - tokenizer: nil: the file knows token ids only.
///   - name: what llama.cpp calls the model.
/// - Throws: `WeightsError` for a model that llama.cpp has no architecture for.
public func saveGGUF(_ model: any LanguageModel, to url: URL, type: GGUFType, tokenizer: GGUFTokenizer?, name: String) throws {
    try requireWideMatrices(of: model)
    let description = try GGUFDescription(model)
    var writer = GGUFWriter()
    writer.metadata = [
        ("general.architecture", .text(description.architecture)), ("general.type", .text("model")), ("general.name", .text(name)),
        ("general.file_type", .integer(Int(type.fileType))), ("general.quantization_version", .integer(2)),
    ]
    writer.metadata += description.facts.map { ("\(description.architecture).\($0.key)", $0.value) }
    writer.metadata += tokenizer?.metadata(vocabularySize: model.vocabularySize) ?? [("tokenizer.ggml.model", .text("no_vocab"))]
    for (name, value) in description.extra { writer.add(name, value, as: .f32) }
    let vocabularyType = type == .q4 ? .q8 : type
    for parameter in model.parameters {
        guard let stored = description.names.stored(parameter.name) else {
            throw WeightsError("llama.cpp's \(description.architecture) has no tensor for \(parameter.name)")
        }
        guard !description.heads.contains(where: { $0.name == stored }) else { continue }
        let value = try description.turnedHeads(of: parameter.name).map { try parameter.value.turningNeighbours($0) } ?? parameter.value
        let isMatrix = value.rank > 1 && stored != "position_embd.weight" && !stored.hasSuffix("attn_rel_b.weight")
        let isVocabulary = stored == "token_embd.weight" || stored == "output.weight"
        writer.add(stored, value, as: !isMatrix ? .f32 : isVocabulary ? vocabularyType : type)
    }
    for (name, value) in description.heads { writer.add(name, value, as: vocabularyType) }
    let file = try writer.pendingFile(url)
    try file.commit()
    try synchronizeFolder(url.deletingLastPathComponent())
}

/// Throws `WeightsError` for a model some of whose matrices are rounded, for inference or under an adapter: there is nothing left to write them from.
func requireWideMatrices(of model: any LanguageModel) throws {
    guard model.quantized.isEmpty, model.adapter?.quantized.isEmpty ?? true else {
        throw WeightsError("the model's matrices are rounded to few bits already; convert the model that it was made from")
    }
}

/// A model in llama.cpp's terms.
struct GGUFDescription {
    var architecture: String
    var names: GGUFNames
    /// Without the architecture before their keys.
    var facts: [(key: String, value: GGUFWriter.Value)] = []
    /// A head of its own that the file gets.
    var heads: [(name: String, value: Tensor)] = []
    /// Tensors in float32 that are no parameters.
    var extra: [(name: String, value: Tensor)] = []
    /// Heads of queries and of keys where rotary positions turn neighbours in the file, and halves here.
    var turned: (queries: Int, keys: Int)?

    init(_ model: any LanguageModel) throws {
        switch model {
        case let gpt as GPT: try self.init(gpt.configuration)
        case let llama as LLaMA: try self.init(llama.configuration)
        case let t5 as T5:
            try self.init(t5.configuration)
            let c = t5.configuration
            guard c.decoderLayers <= c.encoderLayers else {
                throw WeightsError(
                    "llama.cpp loads no t5 whose decoder is deeper than its encoder; this model has \(c.decoderLayers) and \(c.encoderLayers) layers")
            }
            // Version 1.0 divides by √width before its head, which llama.cpp does not: the file gets a head that is divided.
            if c.scalesOutput { heads.append(("output.weight", try t5.outputWeight * (1 / Double(c.width).squareRoot()))) }
        default: throw WeightsError("llama.cpp's format is written for GPT-2, the LLaMA family and T5; this model is none of them")
        }
    }

    init(_ c: GPTConfiguration) throws {
        guard c.activation != .relu, c.activation != .silu else {
            throw WeightsError("llama.cpp's gpt2 computes GELU, this model \(c.activation.rawValue)")
        }
        (architecture, names) = ("gpt2", .gpt)
        facts = [
            ("vocab_size", .integer(c.vocabularySize)), ("context_length", .integer(c.contextLength)), ("embedding_length", .integer(c.width)),
            ("feed_forward_length", .integer(c.innerWidth)), ("block_count", .integer(c.layers)), ("attention.head_count", .integer(c.heads)),
            ("attention.layer_norm_epsilon", .number(c.layerNormEpsilon)),
        ]
    }

    init(_ c: LLaMAConfiguration) throws {
        guard c.activation == .silu else { throw WeightsError("llama.cpp's llama computes SiLU, this model \(c.activation.rawValue)") }
        // Mistral's shape is llama's; llama.cpp knows no window there, and within the window there is no difference.
        architecture = c.member == .mistral ? "llama" : c.member.rawValue
        names = .llama
        let context = min(c.rotary.extended(c.contextLength), c.window ?? .max)
        facts = [
            ("vocab_size", .integer(c.vocabularySize)), ("context_length", .integer(context)), ("embedding_length", .integer(c.width)),
            ("feed_forward_length", .integer(c.feedForwardWidth)), ("block_count", .integer(c.layers)), ("attention.head_count", .integer(c.heads)),
            ("attention.head_count_kv", .integer(c.groups)), ("attention.key_length", .integer(c.headWidth)),
            ("attention.value_length", .integer(c.headWidth)), ("attention.layer_norm_rms_epsilon", .number(c.normEpsilon)),
            ("rope.dimension_count", .integer(c.headWidth)), ("rope.freq_base", .number(c.rotary.base)),
        ]
        if architecture == "llama" { turned = (c.heads, c.groups) }
        let factor = c.rotary.factor ?? 1
        switch c.rotary.kind {
        case .plain, .dynamic: break
        case .linear: facts += [("rope.scaling.type", .text("linear")), ("rope.scaling.factor", .number(factor))]
        case .yarn:
            guard c.rotary == c.rotary.plainYarn else {
                throw WeightsError("llama.cpp's yarn has borders and sharpness of its own; this model states others in its rope_scaling")
            }
            facts += [
                ("rope.scaling.type", .text("yarn")), ("rope.scaling.factor", .number(factor)),
                ("rope.scaling.original_context_length", .integer(c.rotary.originalContext ?? c.contextLength)),
            ]
        case .llama3:
            // What each angle is divided by.
            facts.append(("rope.scaling.original_context_length", .integer(c.rotary.originalContext ?? c.contextLength)))
            extra = [("rope_freqs.weight", try Tensor(c.rotary.divisors(width: c.headWidth, contextLength: c.contextLength).map { Float($0) }))]
        }
    }

    init(_ c: T5Configuration) throws {
        guard c.maximumDistance == 128 else { throw WeightsError("llama.cpp's t5 tells distances below 128 apart, this model \(c.maximumDistance)") }
        (architecture, names) = ("t5", .t5)
        facts = [
            ("vocab_size", .integer(c.vocabularySize)), ("context_length", .integer(c.contextLength)), ("embedding_length", .integer(c.width)),
            ("feed_forward_length", .integer(c.feedForwardWidth)), ("block_count", .integer(c.encoderLayers)),
            ("decoder_block_count", .integer(c.decoderLayers)), ("attention.head_count", .integer(c.heads)),
            ("attention.key_length", .integer(c.headWidth)), ("attention.value_length", .integer(c.headWidth)),
            ("attention.layer_norm_epsilon", .number(c.normEpsilon)), ("attention.layer_norm_rms_epsilon", .number(c.normEpsilon)),
            ("attention.relative_buckets_count", .integer(c.buckets)), ("decoder_start_token_id", .integer(c.decoderStart)),
        ]
    }

    /// The heads of a parameter whose rows change places; nil for all others.
    func turnedHeads(of name: String) -> Int? {
        guard let (queries, keys) = turned else { return nil }
        return name.contains(".q_proj.") ? queries : name.contains(".k_proj.") ? keys : nil
    }
}

extension RotaryConfiguration {
    /// The same with everything that yarn leaves open left out.
    fileprivate var plainYarn: RotaryConfiguration {
        var plain = RotaryConfiguration()
        (plain.kind, plain.base, plain.factor, plain.originalContext) = (kind, base, factor, originalContext)
        return plain
    }

    /// What the rule divides each angle by.
    func divisors(width: Int, contextLength: Int) -> [Double] {
        var plain = self
        plain.kind = .plain
        return zip(
            plain.frequencies(width: width, contextLength: contextLength).angles, frequencies(width: width, contextLength: contextLength).angles
        )
        .map(/)
    }
}

extension Tensor {
    /// Rows of rotary heads: from first and second halves to neighbours.
    func turningNeighbours(_ heads: Int) throws -> Tensor {
        try reshape([heads, 2, size(0) / heads / 2] + shape.dropFirst()).transpose(1, 2).reshape(shape)
    }

    /// The other way round: rows 0, 2, 4, … of each head to its first half, 1, 3, 5, … to its second.
    func turningHalves(_ heads: Int) throws -> Tensor {
        try reshape([heads, size(0) / heads / 2, 2] + shape.dropFirst()).transpose(1, 2).reshape(shape)
    }
}
