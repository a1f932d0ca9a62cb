public import Foundation

/// Learns tokenizers from text files. The same files and sizes give the same tokenizer on every machine.
public enum TokenizerTrainer {
    /// The kinds of tokenizers that can be trained.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// Byte-level byte-pair encoding; `tokenizer.json`.
        case bpe
        /// BERT's WordPiece, case and accents kept; `tokenizer.json`.
        case wordpiece
        /// A token for each of the most frequent characters, the others as bytes; `tokenizer.json`.
        case character
        /// SentencePiece's unigram language model (Kudo 2018, arXiv:1804.10959); `tokenizer.model`.
        case unigram
    }

    /// The special tokens of every tokenizer trained here: end of document (also padding), the roles, end of turn.
    public static let specialTokens = ["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]

    /// Trains on UTF-8 files; invalid bytes count as U+FFFD. The vocabulary, special tokens included, has `vocabularySize` entries, or fewer
    /// where the text gives no more. Throws `TokenizerError` for files that cannot be read or hold no text and for sizes that are too small.
    public static func train(kind: Kind, vocabularySize: Int, files: [URL]) throws -> Tokenizer {
        try train(kind: kind, vocabularySize: vocabularySize, texts: read(files))
    }

    /// The same on texts in memory, each one or more lines.
    public static func train(kind: Kind, vocabularySize: Int, texts: [String]) throws -> Tokenizer {
        guard texts.contains(where: { !$0.allSatisfy(\.isWhitespace) }) else {
            throw TokenizerError("There is no text to train a tokenizer on: all files are empty.")
        }
        guard vocabularySize < MergeTable.idLimit else {
            throw TokenizerError("A vocabulary of \(vocabularySize) tokens is too large: at most \(MergeTable.idLimit - 1) are possible.")
        }
        switch kind {
        case .bpe: return try trainBPE(vocabularySize, texts)
        case .wordpiece: return try trainWordPiece(vocabularySize, texts)
        case .character: return try trainCharacter(vocabularySize, texts)
        case .unigram: return try trainUnigram(vocabularySize, texts)
        }
    }

    private static func read(_ files: [URL]) throws -> [String] {
        guard !files.isEmpty else { throw TokenizerError("There is no file to train a tokenizer on.") }
        return try files.map { file in
            do { return String(decoding: try Data(contentsOf: file), as: UTF8.self) } catch {
                throw TokenizerError("The training file \(file.path) cannot be read.")
            }
        }
    }

    static func require(_ vocabularySize: Int, atLeast least: Int, for what: String) throws {
        guard vocabularySize >= least else {
            throw TokenizerError("A vocabulary of \(vocabularySize) tokens is too small: \(what) alone need \(least).")
        }
    }

    /// A tokenizer made of the text of `tokenizer.json`.
    static func tokenizer(
        specials: [String], vocabulary: [[UInt8]], model: [(String, JSON)], normalizer: JSON = .null, preTokenizer: JSON = .null, decoder: JSON,
        roles: [String: String]
    ) throws -> Tokenizer {
        let added = specials.enumerated().map { id, token in
            JSON.members(
                ("id", .number(Double(id))), ("content", .string(token)), ("single_word", .bool(false)), ("lstrip", .bool(false)),
                ("rstrip", .bool(false)), ("normalized", .bool(false)), ("special", .bool(true)))
        }
        let tokens = (specials.map { Array($0.utf8) } + vocabulary).enumerated().map { (key: $1, value: JSON.number(Double($0))) }
        let json = JSON.members(
            ("version", .string("1.0")), ("truncation", .null), ("padding", .null), ("added_tokens", .array(added)), ("normalizer", normalizer),
            ("pre_tokenizer", preTokenizer), ("post_processor", .null), ("decoder", decoder),
            ("model", .object(model.map { (Array($0.0.utf8), $0.0 == "vocab" ? .object(tokens) : $0.1) })))
        return try Tokenizer(
            files: TokenizerFiles(
                kind: .json, model: json.serialized() + [0x0A], configuration: configuration(roles: roles), origin: "the trained tokenizer"))
    }

    /// `tokenizer_config.json` of what is trained here.
    static func configuration(roles: [String: String]) -> JSON {
        var configuration = JSON.members(
            ("tokenizer_class", .string("PreTrainedTokenizerFast")), ("eos_token", .string("<|endoftext|>")), ("pad_token", .string("<|endoftext|>")),
            ("clean_up_tokenization_spaces", .bool(false)), ("chat_template", .string(ChatTemplate.yuyan.jinja)))
        for (role, token) in roles.sorted(by: { $0.key < $1.key }) { configuration.set(role, .string(token)) }
        return configuration
    }
}

extension JSON {
    static func members(_ members: (String, JSON)...) -> JSON {
        .object(members.map { (Array($0.0.utf8), $0.1) })
    }
}
