import YuyanText

/// One document as ids, with what the packer needs to know of its text.
struct EncodedDocument: Sendable {
    var ids: [Int32]
    var hash: UInt64
    var characters: Int
    var bytes: Int
}

/// Writes records as the ids that pre-training reads: a text, a pair as two of them with a line break between, a conversation by the chat template, each
/// with the end-of-document token.
struct DocumentEncoder: Sendable {
    private let tokenizer: Tokenizer
    private let template: ChatTemplate
    private let end: Int32

    init(_ tokenizer: Tokenizer) throws {
        self.tokenizer = tokenizer
        template = tokenizer.chatTemplate ?? .standard(isEncoderDecoder: false)
        guard let end = tokenizer.special.eos ?? tokenizer.special.sep else {
            throw DataError("the tokenizer has no token to end a document with; name one as \"eos_token\" in its tokenizer_config.json")
        }
        self.end = end
    }

    /// Of everything that decides which ids a record gets.
    var fingerprint: String { "\(tokenizer.fingerprint) \(template.jinja) \(end)" }

    func encode(_ record: Record) throws -> EncodedDocument {
        var text = record.text
        var ids: [Int32] = []
        switch record {
        case .document, .pair: text.withUTF8 { tokenizer.encode(utf8: $0, into: &ids) }
        case .conversation(let conversation): ids = try template.encode(conversation.messages, with: tokenizer, addingGenerationPrompt: false).ids
        case .comparison: throw DataError("\(record.source): \(record.id) compares answers, and pre-training needs texts or conversations")
        }
        ids.append(end)
        return EncodedDocument(ids: ids, hash: stableHash(text), characters: scalarCount(text), bytes: text.utf8.count)
    }
}
