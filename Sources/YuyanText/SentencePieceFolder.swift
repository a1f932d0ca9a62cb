import CSentencePiece

/// A SentencePiece model with the tokens that `tokenizer_config.json` adds to it.
struct SentencePieceFolder {
    let model: SentencePiece
    let vocabulary = Vocabulary()
    let added: [AddedTokens.Token]
    let special: SpecialTokens
    let frame: (prefix: [Int32], suffix: [Int32])
    let decoder: Decoder

    init(_ files: TokenizerFiles) throws {
        model = try SentencePiece(files.model, name: files.modelName)
        for id in 0..<model.count { vocabulary.add(model.piece(id), id: id) }
        added = try files.addedTokens()
        for token in added where vocabulary[token.id] != token.content[...] { vocabulary.add(token.content, id: token.id) }

        let configuration = files.configuration
        var special = SpecialTokens(configuration, vocabulary)
        special.bos = special.bos ?? model.bos
        special.eos = special.eos ?? model.eos
        special.pad = special.pad ?? model.pad
        special.unk = special.unk ?? model.unknown
        self.special = special
        // Llama's tokeniser adds a BOS unless told not to, T5's an EOS; a bare model file asks for nothing.
        let name = configuration["tokenizer_class"]?.text ?? ""
        let addsBOS = configuration["add_bos_token"]?.flag ?? name.hasPrefix("Llama")
        let addsEOS = configuration["add_eos_token"]?.flag ?? name.hasPrefix("T5")
        frame = (addsBOS ? [special.bos].compactMap { $0 } : [], addsEOS ? [special.eos].compactMap { $0 } : [])

        let extra = Dictionary(added.map { ($0.id, $0) }) { first, _ in first }
        decoder = Decoder(
            count: vocabulary.count, leadingSpaces: SentencePieceFolder.leadingSpaces(model), replacesSingleBytes: true
        ) { [vocabulary, model] id in
            if let token = extra[id] { return (token.content, token.isSpecial ? [.special, .verbatim] : .verbatim) }
            let piece = Array(vocabulary[id])
            guard id < model.count else { return (piece, []) }
            switch model.kind(id) {
            case yuyan_sp_control: return (piece, [.special, .verbatim])
            case yuyan_sp_unknown: return (Array(model.decode([id]).utf8), .verbatim)
            case yuyan_sp_byte: return (byte(named: piece).map { [$0] } ?? piece, .verbatim)
            default: return (replacing(Array("▁".utf8), with: [0x20], in: piece), [])
            }
        }
    }

    /// The spaces that the library drops at the start of a text, which depends on the normaliser that the model carries: asked of the library itself.
    private static func leadingSpaces(_ model: SentencePiece) -> Int {
        let space = Array("▁".utf8)
        let ids = (0..<model.count).lazy.filter { model.kind($0) == yuyan_sp_normal }
        guard
            let start = ids.first(where: {
                model.piece($0).count > 3 && model.piece($0).starts(with: space) && !model.piece($0).dropFirst(3).starts(with: space)
            })
        else { return 0 }
        if model.decode([start]).hasPrefix(" ") { return 0 }
        guard let alone = ids.first(where: { model.piece($0) == space }) else { return 1 }
        return model.decode([alone, alone, start]).hasPrefix(" ") ? 1 : .max
    }
}
