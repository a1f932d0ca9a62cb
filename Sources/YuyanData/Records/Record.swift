public import YuyanText

/// A text to learn from as it stands.
public struct Document: Sendable, Codable, Hashable {
    /// Where it stands: `file` or `file:line`.
    public var id: String
    /// The text itself.
    public var text: String
    /// The path of the file it was read from, or the name of what made it.
    public var source: String

    /// A document.
    public init(id: String, text: String, source: String) {
        self.id = id
        self.text = text
        self.source = source
    }
}

/// A talk between a user and an assistant, perhaps opened by a system message.
public struct Conversation: Sendable, Codable, Hashable {
    /// Where it stands: `file:line`, with a running number where one record holds several.
    public var id: String
    /// The turns in order; roles are `system`, `user` and `assistant`.
    public var messages: [Message]
    /// The path of the file it was read from, or the name of what made it.
    public var source: String

    /// A conversation.
    public init(id: String, messages: [Message], source: String) {
        self.id = id
        self.messages = messages
        self.source = source
    }

    /// One question and its answer.
    public init(id: String, question: String, answer: String, source: String) {
        self.init(id: id, messages: [Message(role: "user", content: question), Message(role: "assistant", content: answer)], source: source)
    }
}

/// One thing read from a file.
public enum Record: Sendable, Hashable {
    /// Running text.
    case document(Document)
    /// Turns, to be rendered by a chat template.
    case conversation(Conversation)
}

extension Record {
    /// Whether there is nothing in it to learn: blank text, or no question with an answer to it.
    var isEmpty: Bool {
        switch self {
        case .document(let document): isBlank(document.text)
        case .conversation(let conversation):
            !conversation.messages.contains { $0.role == "assistant" && !isBlank($0.content) }
                || !conversation.messages.contains { $0.role == "user" && !isBlank($0.content) }
        }
    }
}

/// Whether a text holds white space only (the ideographic space included).
func isBlank(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy { $0.properties.isWhitespace }
}
