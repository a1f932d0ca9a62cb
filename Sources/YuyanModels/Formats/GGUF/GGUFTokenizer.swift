/// A tokenizer as a GGUF file describes it to llama.cpp.
public struct GGUFTokenizer: Sendable, Hashable {
    /// What a token is.
    public enum Kind: Int32, Sendable, Hashable {
        case normal = 1
        case unknown = 2
        /// Steers the model, and is never text.
        case control = 3
        case userDefined = 4
        case unused = 5
        /// Stands for one byte.
        case byte = 6
    }

    /// How text becomes tokens.
    public enum Model: Sendable, Hashable {
        /// Byte-level pairs: merges in order of rank, each two tokens with a space between; `splitting` is llama.cpp's name for the way texts are
        /// split before (`gpt-2`, `llama-bpe`, `qwen2`, …).
        case bytePairs(merges: [String], splitting: String)
        /// SentencePiece's byte-pair models: the score of each token.
        case sentencePiece(scores: [Float])
        /// SentencePiece's unigram models: the same, and the rules of normalisation as the model file has them.
        case unigram(scores: [Float], normalization: [UInt8], removesExtraSpaces: Bool)
        /// BERT's pieces of words.
        case wordPieces
    }

    public var model: Model
    /// Tokens as the vocabulary writes them, by their ids.
    public var tokens: [String]
    public var kinds: [Kind]
    public var bos: Int?
    public var eos: Int?
    public var pad: Int?
    public var unknown: Int?
    /// Whether every text gets a bos, an eos, a space before it.
    public var addsBOS: Bool
    public var addsEOS: Bool
    public var addsSpace: Bool
    /// In Jinja.
    public var chatTemplate: String?

    public init(
        model: Model, tokens: [String], kinds: [Kind]? = nil, bos: Int? = nil, eos: Int? = nil, pad: Int? = nil, unknown: Int? = nil,
        addsBOS: Bool = false, addsEOS: Bool = false, addsSpace: Bool = false, chatTemplate: String? = nil
    ) {
        (self.model, self.tokens, self.kinds) = (model, tokens, kinds ?? Array(repeating: .normal, count: tokens.count))
        (self.bos, self.eos, self.pad, self.unknown) = (bos, eos, pad, unknown)
        (self.addsBOS, self.addsEOS, self.addsSpace, self.chatTemplate) = (addsBOS, addsEOS, addsSpace, chatTemplate)
        precondition(self.kinds.count == tokens.count, "\(self.kinds.count) kinds of \(tokens.count) tokens")
    }

    /// Its facts, filled up to the rows of the embedding: llama.cpp takes the number of tokens for the vocabulary.
    func metadata(vocabularySize: Int) -> [(key: String, value: GGUFWriter.Value)] {
        let missing = max(0, vocabularySize - tokens.count)
        let all = tokens.prefix(vocabularySize) + (0..<missing).map { "[PAD\(tokens.count + $0)]" }
        let allKinds = kinds.prefix(vocabularySize) + Array(repeating: .unused, count: missing)
        var facts: [(key: String, value: GGUFWriter.Value)] = []
        func add(_ key: String, _ value: GGUFWriter.Value?) { if let value { facts.append(("tokenizer.\(key)", value)) } }
        func scored(_ scores: [Float]) -> GGUFWriter.Value { .numbers(scores.prefix(vocabularySize) + Array(repeating: -1000, count: missing)) }
        switch model {
        case .bytePairs(_, let splitting):
            add("ggml.model", .text("gpt2"))
            add("ggml.pre", .text(splitting))
        case .sentencePiece: add("ggml.model", .text("llama"))
        case .unigram: add("ggml.model", .text("t5"))
        case .wordPieces: add("ggml.model", .text("bert"))
        }
        add("ggml.tokens", .texts(Array(all)))
        add("ggml.token_type", .integers(allKinds.map(\.rawValue)))
        switch model {
        case .bytePairs(let merges, _): add("ggml.merges", .texts(merges))
        case .sentencePiece(let scores): add("ggml.scores", scored(scores))
        case .unigram(let scores, let normalization, let removesExtraSpaces):
            add("ggml.scores", scored(scores))
            add("ggml.remove_extra_whitespaces", .bool(removesExtraSpaces))
            if !normalization.isEmpty { add("ggml.precompiled_charsmap", .bytes(normalization)) }
        case .wordPieces: break
        }
        add("ggml.bos_token_id", bos.map { .integer($0) })
        add("ggml.eos_token_id", eos.map { .integer($0) })
        add("ggml.padding_token_id", pad.map { .integer($0) })
        add("ggml.unknown_token_id", unknown.map { .integer($0) })
        add("ggml.add_bos_token", .bool(addsBOS))
        add("ggml.add_eos_token", .bool(addsEOS))
        add("ggml.add_space_prefix", .bool(addsSpace))
        add("chat_template", chatTemplate.map { .text($0) })
        return facts
    }
}
