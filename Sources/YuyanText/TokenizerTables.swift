/// What a tokenizer consists of, for programs that keep it in a file of their own.
public struct TokenizerTables: Sendable {
    /// What a token is.
    public enum Kind: Sendable, Hashable {
        case normal, unknown
        /// Steers the model, and is never text.
        case control
        /// A piece of SentencePiece that always stays whole.
        case userDefined
        /// Stands beside the model: texts are divided at it before anything else.
        case added
        case unused
        /// Stands for one byte.
        case byte
    }

    /// How byte-level pairs split a text into words.
    public enum Words: Sendable, Hashable {
        case gpt2
        /// GPT-2's rule with every digit a word of its own: what is trained here.
        case gpt2Digits
        /// Numbers of up to three digits are a word.
        case llama3
        /// The same with every digit a word of its own.
        case qwen2
    }

    /// How text becomes tokens.
    public enum Model: Sendable, Hashable {
        /// Byte-level pairs in order of rank, a space between the two tokens.
        case bytePairs(merges: [String], Words)
        /// SentencePiece's byte-pair models: of two neighbours those are merged whose whole has the highest score.
        case sentencePiece(scores: [Float])
        /// SentencePiece's unigram models: log-probabilities, and the rules of normalisation as the model file has them.
        case unigram(scores: [Float], normalization: [UInt8], removesExtraSpaces: Bool)
        case wordPieces
    }

    public var model: Model
    /// As the vocabulary writes them, by their ids; an id without a token has an empty one that is `unused`.
    public var tokens: [String]
    public var kinds: [Kind]
    /// Whether every text gets a BOS, an EOS, a space before it.
    public var addsBOS: Bool
    public var addsEOS: Bool
    public var addsSpace: Bool
}

extension Tokenizer {
    /// Throws `TokenizerError` for a tokenizer that only this code and tokenizer.json describe.
    public func tables() throws -> TokenizerTables {
        let vocabulary = pipeline.vocabulary
        let ids = 0..<Int32(vocabulary.count)
        let tokens = ids.map { vocabulary.token(of: $0) ?? "" }
        let added = Dictionary(pipeline.added.tokens.map { ($0.id, $0.isSpecial) }) { first, _ in first }
        var kinds = ids.map { id in
            added[id].map { $0 ? TokenizerTables.Kind.control : .added } ?? (vocabulary.contains(id) ? .normal : .unused)
        }
        let special = pipeline.special
        let addsBOS = special.bos.map(pipeline.frame.prefix.contains) ?? false
        let addsEOS = special.eos.map(pipeline.frame.suffix.contains) ?? false
        func tables(_ model: TokenizerTables.Model, addsSpace: Bool = false) -> TokenizerTables {
            TokenizerTables(model: model, tokens: tokens, kinds: kinds, addsBOS: addsBOS, addsEOS: addsEOS, addsSpace: addsSpace)
        }
        switch files.kind {
        case .vocabulary: return tables(.wordPieces)
        case .sentencePiece:
            let file = SentencePieceTables(files.model)
            for (id, kind) in file.kinds.enumerated() where added[Int32(id)] == nil { kinds[id] = kind }
            let scores = file.scores + Array(repeating: 0, count: max(0, tokens.count - file.scores.count))
            let model: TokenizerTables.Model =
                file.isUnigram
                ? .unigram(scores: scores, normalization: file.normalization, removesExtraSpaces: file.removesExtraSpaces)
                : .sentencePiece(scores: scores)
            return tables(model, addsSpace: file.addsSpace)
        case .json:
            let json = try TokenizerJSON(files.model, name: files.modelName).json
            guard case .bpe(let pairs) = pipeline.model else { return tables(.wordPieces) }
            let merges = (json["model"]?["merges"]?.elements ?? []).map { merge in
                merge.text ?? (merge.elements ?? []).compactMap(\.text).joined(separator: " ")
            }
            if pairs.isByteLevel { return tables(.bytePairs(merges: merges, try words())) }
            return try marked(json, merges, &kinds, tables)
        }
    }

    /// The rule by which byte-level pairs split texts.
    private func words() throws -> TokenizerTables.Words {
        let steps: [PreTokenizer] = if case .sequence(let steps)? = pipeline.preTokenizer { steps } else { [pipeline.preTokenizer].compactMap { $0 } }
        for step in steps {
            switch step {
            case .byteLevel(_, usesExpression: true): return .gpt2
            case .words(let matcher):
                switch (matcher.style, matcher.digits) {
                case (.gpt2, nil): return .gpt2
                case (.gpt2, 1): return .gpt2Digits
                case (.cl100k, 3): return .llama3
                case (.cl100k, 1): return .qwen2
                default: break
                }
            default: break
            }
        }
        throw TokenizerError("\(files.modelName) splits texts by a rule that has no name outside; those of GPT-2, Llama 3 and Qwen 2 have.")
    }

    /// Pairs of characters with ▁ for spaces and bytes for what is rare: Llama 2's tokenizer in JSON. Earlier merges get higher scores.
    private func marked(
        _ json: JSON, _ merges: [String], _ kinds: inout [TokenizerTables.Kind],
        _ tables: (TokenizerTables.Model, Bool) -> TokenizerTables
    ) throws -> TokenizerTables {
        let text = String(decoding: (json["normalizer"] ?? .null).serialized() + (json["pre_tokenizer"] ?? .null).serialized(), as: UTF8.self)
        guard json["model"]?["byte_fallback"]?.flag == true, text.contains("▁") else {
            throw TokenizerError("\(files.modelName) has pairs of characters that mark no spaces; other programs have no tokenizer like it.")
        }
        var scores = [Float](repeating: 0, count: pipeline.vocabulary.count)
        for (rank, merge) in merges.enumerated() {
            guard let id = pipeline.vocabulary.id(of: merge.replacing(" ", with: "")), scores[Int(id)] == 0 else { continue }
            scores[Int(id)] = -Float(rank + 1)
        }
        for id in 0..<Int32(kinds.count) where kinds[Int(id)] == .normal && byte(named: Array(pipeline.vocabulary[id])) != nil {
            kinds[Int(id)] = .byte
        }
        if let unknown = pipeline.special.unk { kinds[Int(unknown)] = .unknown }
        var result = tables(.sentencePiece(scores: scores), text.contains("\"Prepend\"") || text.contains("\"first\"") || text.contains("\"always\""))
        result.kinds = kinds
        return result
    }
}

/// What a SentencePiece model file says (sentencepiece_model.proto).
private struct SentencePieceTables {
    var scores: [Float] = []
    var kinds: [TokenizerTables.Kind] = []
    var isUnigram = true
    var normalization: [UInt8] = []
    var addsSpace = true
    var removesExtraSpaces = true

    init(_ file: [UInt8]) {
        let names: [UInt64: TokenizerTables.Kind] = [1: .normal, 2: .unknown, 3: .control, 4: .userDefined, 5: .unused, 6: .byte]
        for (number, value) in ProtobufFields(file[...]) {
            guard let message = value.bytes else { continue }
            switch number {
            case 1:
                var (score, kind): (Float, UInt64) = (0, 1)
                for (number, value) in ProtobufFields(message) {
                    if number == 2 { score = Float(bitPattern: UInt32(truncatingIfNeeded: value.integer ?? 0)) }
                    if number == 3 { kind = value.integer ?? 1 }
                }
                scores.append(score)
                kinds.append(names[kind] ?? .normal)
            case 2: for (number, value) in ProtobufFields(message) where number == 3 { isUnigram = value.integer == 1 }
            case 3:
                for (number, value) in ProtobufFields(message) {
                    switch number {
                    case 2: normalization = Array(value.bytes ?? [])
                    case 3: addsSpace = value.integer != 0
                    case 4: removesExtraSpaces = value.integer != 0
                    default: break
                    }
                }
            default: break
            }
        }
    }
}
