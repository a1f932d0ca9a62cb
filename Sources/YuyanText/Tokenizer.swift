public import Foundation

/// Ids of the tokens with a role of their own, nil where the tokenizer has none.
public struct SpecialTokens: Sendable, Hashable {
    public var bos: Int32?
    public var eos: Int32?
    public var pad: Int32?
    public var unk: Int32?
    public var cls: Int32?
    public var sep: Int32?
    public var mask: Int32?

    public init() {}
}

/// Text to token ids and back: any tokenizer of a Hugging Face folder. A value over shared, immutable tables; use it from any thread.
public struct Tokenizer: Sendable {
    let pipeline: Pipeline

    /// Loads `tokenizer.json`, `vocab.txt`, `tokenizer.model` or `spiece.model` with `tokenizer_config.json` beside it.
    /// Throws `TokenizerError` that names the file and the component that is missing, malformed or not supported.
    public init(contentsOf folder: URL) throws {
        pipeline = try Pipeline(files: TokenizerFiles(folder: folder))
    }

    init(files: TokenizerFiles) throws {
        pipeline = try Pipeline(files: files)
    }

    /// The largest id plus one: the rows that an embedding needs at least.
    public var vocabularySize: Int { pipeline.vocabulary.count }

    /// The tokens with a role, from `tokenizer_config.json`, `special_tokens_map.json` or the model file.
    public var special: SpecialTokens { pipeline.special }

    /// A hexadecimal hash of everything that decides which ids a text gets; equal tokenizers have equal fingerprints.
    public var fingerprint: String { pipeline.fingerprint }

    /// The template that `tokenizer_config.json` carries, nil when there is none or it is not of the form that `ChatTemplate` writes.
    public var chatTemplate: ChatTemplate? { pipeline.files.chatTemplate }

    /// The id of a token written as the vocabulary writes it, nil when it is not in the vocabulary.
    public func id(of token: String) -> Int32? {
        pipeline.vocabulary.id(of: token)
    }

    /// The token as the vocabulary writes it, nil for an id without one.
    public func token(of id: Int32) -> String? {
        pipeline.vocabulary.token(of: id)
    }
}

/// What was wrong with a tokenizer's files or a training request, in one sentence.
public struct TokenizerError: Error, CustomStringConvertible, Sendable {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
