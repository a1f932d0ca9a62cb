public import Foundation

/// Learns tokenizers from text files. The same files and sizes give the same tokenizer on every machine.
public enum TokenizerTrainer {
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// Byte-level byte-pair encoding.
        case bpe
        /// BERT's WordPiece, case kept.
        case wordpiece
        /// One token per character, rare characters as bytes.
        case character
        /// SentencePiece's unigram language model.
        case unigram
    }

    /// The special tokens of every tokenizer trained here: end of document (also padding), the roles, end of turn.
    public static let specialTokens = ["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]

    /// Trains on the lines of UTF-8 files. The vocabulary, special tokens included, has `vocabularySize` entries or fewer if the text gives no more.
    public static func train(kind: Kind, vocabularySize: Int, files: [URL]) throws -> Tokenizer {
        fatalError()
    }
}
