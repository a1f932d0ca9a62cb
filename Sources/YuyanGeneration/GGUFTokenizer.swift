public import YuyanModels
public import YuyanText

extension GGUFTokenizer {
    /// A tokenizer in llama.cpp's terms.
    ///
    /// llama.cpp splits off digits before spaces, where tokenizers trained here take them in turn: several spaces before a digit may become other tokens there.
    /// Its unigram models know no bytes: a character without a token is one unknown token there.
    ///
    /// - Throws: `TokenizerError` for one that llama.cpp has nothing like.
    public init(_ tokenizer: Tokenizer) throws {
        let tables = try tokenizer.tables()
        var tokens = tables.tokens.enumerated().map { $1.isEmpty ? "[UNUSED\($0)]" : $1 }
        let model: Model
        switch tables.model {
        case .bytePairs(let merges, let words):
            let splitting =
                switch words {
                case .gpt2: "gpt-2"
                case .gpt2Digits: "starcoder"
                case .llama3: "llama-bpe"
                case .qwen2: "qwen2"
                }
            model = .bytePairs(merges: merges, splitting: splitting)
        case .sentencePiece(let scores): model = .sentencePiece(scores: scores)
        case .unigram(let scores, let normalization, let removesExtraSpaces):
            model = .unigram(scores: scores, normalization: normalization, removesExtraSpaces: removesExtraSpaces)
        case .wordPieces:
            // There the beginning of a word is marked, not what follows.
            tokens = zip(tokens, tables.kinds).map { token, kind in
                kind != .normal ? token : token.hasPrefix("##") ? String(token.dropFirst(2)) : "▁\(token)"
            }
            model = .wordPieces
        }
        let special = tokenizer.special
        self.init(
            model: model, tokens: tokens, kinds: tables.kinds.map(Kind.init), bos: (special.bos ?? special.cls).map(Int.init),
            eos: (special.eos ?? special.sep).map(Int.init), pad: special.pad.map(Int.init), unknown: special.unk.map(Int.init),
            addsBOS: tables.addsBOS, addsEOS: tables.addsEOS, addsSpace: tables.addsSpace, chatTemplate: tokenizer.chatTemplate?.jinja)
    }
}

extension GGUFTokenizer.Kind {
    fileprivate init(_ kind: TokenizerTables.Kind) {
        self =
            switch kind {
            case .normal: .normal
            case .unknown: .unknown
            case .control: .control
            case .userDefined: .userDefined
            case .unused: .unused
            case .byte: .byte
            }
    }
}
