public import YuyanModels
public import YuyanText

extension GGUFTokenizer {
    /// A tokenizer in llama.cpp's terms.
    ///
    /// llama.cpp splits off digits before spaces, where tokenizers trained here take them in turn: several spaces before a digit may become other tokens there.
    /// Its unigram models know no bytes: characters without a token are one unknown token there, however many stand side by side. Several spaces are left as
    /// they are where a model takes them for one but puts none before a text.
    ///
    /// - Throws: `TokenizerError` for one that llama.cpp has nothing like.
    public init(_ tokenizer: Tokenizer) throws {
        let tables = try tokenizer.tables()
        var kinds = tables.kinds.map(Kind.init)
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
        case .unigram(var scores, let normalization, let removesExtraSpaces):
            // llama.cpp divides texts at user-defined tokens, with a space before each part, and takes characters that share their first bytes for them.
            // Ordinary tokens that cost nothing stay whole just as well; added ones in ASCII do divide texts, and share no bytes.
            for (id, kind) in tables.kinds.enumerated() {
                let isPlain = kind == .userDefined || kind == .added && tokens[id].unicodeScalars.first?.isASCII == false
                if isPlain { (kinds[id], scores[id]) = (.normal, 0) }
            }
            // Where it takes spaces away it puts one before every text.
            model = .unigram(scores: scores, normalization: normalization, removesExtraSpaces: removesExtraSpaces && tables.addsSpace)
        case .wordPieces:
            // There the beginning of a word is marked, not what follows.
            tokens = zip(tokens, tables.kinds).map { token, kind in
                kind != .normal ? token : token.hasPrefix("##") ? String(token.dropFirst(2)) : "▁\(token)"
            }
            model = .wordPieces
        }
        let special = tokenizer.special
        self.init(
            model: model, tokens: tokens, kinds: kinds, bos: (special.bos ?? special.cls).map(Int.init),
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
            case .userDefined, .added: .userDefined
            case .unused: .unused
            case .byte: .byte
            }
    }
}
