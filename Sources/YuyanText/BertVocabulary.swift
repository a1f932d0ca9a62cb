/// BERT's `vocab.txt`, a token on each line, with the options of `tokenizer_config.json`; without one BERT's defaults.
struct BertVocabulary {
    let vocabulary = Vocabulary()
    let model: Pipeline.Model
    let normalizer: BertNormalizer
    private(set) var added: [AddedTokens.Token] = []
    let special: SpecialTokens

    init(_ files: TokenizerFiles) throws {
        var lines = files.model.split(separator: 0x0A, omittingEmptySubsequences: false)
        if lines.last?.isEmpty ?? false { lines.removeLast() }
        for (id, line) in lines.enumerated() {
            let token = line.last == 0x0D ? line.dropLast() : line
            if !token.isEmpty { vocabulary.add(token, id: Int32(id)) }
        }
        let configuration = files.configuration
        normalizer = BertNormalizer(
            isolatesIdeographs: configuration["tokenize_chinese_chars"]?.flag ?? true, stripsAccents: configuration["strip_accents"]?.flag,
            lowercases: configuration["do_lower_case"]?.flag ?? true)
        let roles = ["unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"]
        let special = SpecialTokens(configuration, vocabulary, defaults: roles)
        guard let unknown = special.unk else {
            let name = configuration.tokenName("unk_token") ?? "[UNK]"
            throw TokenizerError("\(files.modelName) lacks the unknown token \(name), which WordPiece needs on a line of its own.")
        }
        for id in [special.unk, special.sep, special.pad, special.cls, special.mask] {
            guard let id, !added.contains(where: { $0.id == id }) else { continue }
            added.append(AddedTokens.Token(id: id, content: Array(vocabulary[id]), isSpecial: true))
        }
        for token in try files.addedTokens() where !added.contains(where: { $0.id == token.id }) {
            if vocabulary[token.id] != token.content[...] { vocabulary.add(token.content, id: token.id) }
            added.append(token)
        }
        // Once more: a token such as <|endoftext|> may have come with the added ones.
        self.special = SpecialTokens(configuration, vocabulary, defaults: roles)
        model = .wordPiece(WordPiece(vocabulary: vocabulary, unknown: unknown, prefix: "##", longestWord: 100), longestWord: 100)
    }
}
