public import Foundation

/// Ids of the tokens with a role of their own, nil where the tokenizer has none.
public struct SpecialTokens: Sendable, Hashable {
    /// Begins a text.
    public var bos: Int32?
    /// Ends a text.
    public var eos: Int32?
    /// Fills up a batch.
    public var pad: Int32?
    /// Stands for what the vocabulary cannot write.
    public var unk: Int32?
    /// Begins a text for BERT.
    public var cls: Int32?
    /// Ends or separates texts for BERT.
    public var sep: Int32?
    /// Stands for a token to be guessed.
    public var mask: Int32?

    /// No tokens.
    public init() {}
}

/// Text to token ids and back: any tokenizer of a Hugging Face folder. A value over shared, immutable tables; use it from any thread.
public struct Tokenizer: Sendable {
    let pipeline: Pipeline
    private(set) var files: TokenizerFiles

    /// Loads `tokenizer.json`, `vocab.txt`, `tokenizer.model` or `spiece.model` with `tokenizer_config.json` beside it.
    /// Throws `TokenizerError` that names the file and the component that is missing, malformed or not supported.
    public init(contentsOf folder: URL) throws {
        try self.init(files: TokenizerFiles(folder: folder))
    }

    /// Whether there is a file that `init(contentsOf:)` would read.
    public static func exists(in folder: URL) -> Bool {
        TokenizerFiles.names.contains { FileManager.default.fileExists(atPath: folder.appending(path: $0).path) }
    }

    init(files: TokenizerFiles) throws {
        self.files = files
        pipeline = try Pipeline(files: files)
    }

    /// The largest id plus one: the rows that an embedding needs at least.
    public var vocabularySize: Int { pipeline.vocabulary.count }

    /// The tokens with a role, from `tokenizer_config.json`, `special_tokens_map.json` or the model file.
    public var special: SpecialTokens { pipeline.special }

    /// The beginning of a text, where the tokenizer's configuration asks for it before each; else nil.
    public var leadingBOS: Int32? { pipeline.frame.prefix.first == special.bos ? special.bos : nil }

    /// A hexadecimal hash of everything that decides which ids a text gets; equal tokenizers have equal fingerprints.
    public var fingerprint: String { pipeline.fingerprint }

    /// The chat template of `tokenizer_config.json`; nil when there is none, or `ChatTemplate` does not know its kind (see `unknownChatTemplate`).
    /// Set it before `save(to:)` to keep one with the tokenizer.
    public var chatTemplate: ChatTemplate? {
        get { files.configuration["chat_template"]?.text.flatMap { ChatTemplate(jinja: $0) } }
        set { files.configuration.set("chat_template", newValue.map { .string($0.jinja) } ?? .null) }
    }

    /// The beginning of a chat template of a kind that is not known here; nil where there is none, or it is known.
    public var unknownChatTemplate: String? {
        guard chatTemplate == nil, let jinja = files.configuration["chat_template"]?.text else { return nil }
        return String(jinja.prefix(60)).replacing("\n", with: "\\n")
    }

    /// The id of a token written as the vocabulary writes it, nil when it is not in the vocabulary.
    public func id(of token: String) -> Int32? {
        pipeline.vocabulary.id(of: token)
    }

    /// The token as the vocabulary writes it, nil for an id without one.
    public func token(of id: Int32) -> String? {
        pipeline.vocabulary.token(of: id)
    }

    /// Writes the Hugging Face files into `folder`, which is created: the model file and `tokenizer_config.json` with the chat template.
    public func save(to folder: URL) throws {
        var others: [(name: String, bytes: [UInt8])] = []
        if case .sentencePiece(let model) = pipeline.model, let json = unigramJSON(model, configuration: files.configuration) {
            others.append(("tokenizer.json", json))
        }
        try files.write(to: folder, alongside: others)
    }
}

/// What was wrong with a tokenizer's files or a training request, in one sentence.
public struct TokenizerError: Error, CustomStringConvertible, Sendable {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
