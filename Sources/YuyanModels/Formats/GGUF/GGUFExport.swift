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
    let description = try GGUFDescription(model)
    var writer = GGUFWriter()
    writer.metadata = [
        ("general.architecture", .text(description.architecture)), ("general.type", .text("model")), ("general.name", .text(name)),
        ("general.file_type", .integer(Int(type.fileType))), ("general.quantization_version", .integer(2)),
    ]
    writer.metadata += description.facts.map { ("\(description.architecture).\($0.key)", $0.value) }
    writer.metadata += tokenizer?.metadata(vocabularySize: model.vocabularySize) ?? [("tokenizer.ggml.model", .text("no_vocab"))]
    for (name, value) in description.extra { writer.add(name, value, as: .f32) }
    for parameter in model.parameters {
        guard let stored = description.names.stored(parameter.name) else {
            throw WeightsError("llama.cpp's \(description.architecture) has no tensor for \(parameter.name)")
        }
        let value = try description.heads(of: parameter.name).map { try parameter.value.turningNeighbours($0) } ?? parameter.value
        let isMatrix = value.rank > 1 && !["position_embd.weight"].contains(stored) && !stored.hasSuffix("attn_rel_b.weight")
        let isVocabulary = stored == "token_embd.weight" || stored == "output.weight"
        writer.add(stored, value, as: !isMatrix ? .f32 : isVocabulary && type == .q4 ? .q8 : type)
    }
    let file = try writer.pendingFile(url)
    try file.commit()
    try synchronizeFolder(url.deletingLastPathComponent())
}

/// A model in llama.cpp's terms.
struct GGUFDescription {
    var architecture: String
    var names: GGUFNames
    /// Without the architecture before their keys.
    var facts: [(key: String, value: GGUFWriter.Value)] = []
    /// Tensors that are no parameters.
    var extra: [(name: String, value: Tensor)] = []
    /// Heads of queries and of keys where rotary positions turn neighbours in the file, and halves here.
    var turnedHeads: (queries: Int, keys: Int)?

    init(_ model: any LanguageModel) throws {
        switch model {
        case let gpt as GPT: try self.init(gpt.configuration)
        case let llama as LLaMA: try self.init(llama.configuration)
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
        let context = min(c.contextLength, c.window ?? c.contextLength)
        facts = [
            ("vocab_size", .integer(c.vocabularySize)), ("context_length", .integer(context)), ("embedding_length", .integer(c.width)),
            ("feed_forward_length", .integer(c.feedForwardWidth)), ("block_count", .integer(c.layers)), ("attention.head_count", .integer(c.heads)),
            ("attention.head_count_kv", .integer(c.groups)), ("attention.key_length", .integer(c.headWidth)),
            ("attention.value_length", .integer(c.headWidth)), ("attention.layer_norm_rms_epsilon", .number(c.normEpsilon)),
            ("rope.dimension_count", .integer(c.headWidth)), ("rope.freq_base", .number(c.rotary.base)),
        ]
        if architecture == "llama" { turnedHeads = (c.heads, c.groups) }
        let factor = c.rotary.factor ?? 1
        switch c.rotary.kind {
        case .plain, .dynamic: break
        case .linear: facts += [("rope.scaling.type", .text("linear")), ("rope.scaling.factor", .number(factor))]
        case .yarn:
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

    /// The heads of a parameter whose rows change places; nil for all others.
    func heads(of name: String) -> Int? {
        guard let turnedHeads else { return nil }
        return name.contains(".q_proj.") ? turnedHeads.queries : name.contains(".k_proj.") ? turnedHeads.keys : nil
    }
}

extension RotaryConfiguration {
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
