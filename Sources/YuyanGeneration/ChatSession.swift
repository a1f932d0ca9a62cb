public import YuyanText

/// A conversation with a model: its history, and what of it the model is shown.
///
/// ```swift
/// var chat = try ChatSession(tokenizer: tokenizer, contextLength: model.contextLength, system: "你是一只燕子。")
/// let prompt = try chat.ask("你好", configuration)
/// var answer = ""
/// for try await event in try generate(model, tokenizer: tokenizer, prompt: prompt.tokens, configuration: prompt.configuration) {
///     if case .text(_, let text) = event { answer += text }
/// }
/// chat.answer(answer)
/// ```
public struct ChatSession: Sendable {
    /// What the model reads next.
    public struct Prompt: Sendable {
        /// The conversation in the template's form, the assistant's opening at the end.
        public var tokens: [Int32]
        /// The configuration that was asked for, with the template's ends of a turn as stops, and one sample.
        public var configuration: GenerationConfiguration
        /// The oldest messages, which the model does not see because the context is full.
        public var omittedMessages: Int
        /// The last passages, which the model does not see because they do not fit beside the question.
        public var omittedPassages = 0
    }

    /// Every message but the system's, oldest first.
    public private(set) var messages: [Message]
    /// What stands before the conversation, always shown to the model.
    public var system: String?
    private let tokenizer: Tokenizer
    private let template: ChatTemplate
    private let contextLength: Int
    /// What stands behind every prompt.
    private let ending: [Int32]
    /// Whether the model has read a question of this conversation as a part of a text that goes on.
    private var goesOn = false

    /// A conversation. `template` nil: the tokenizer's own. `endsPrompts`: whether a prompt ends with the end of a text, as what an encoder-decoder reads does.
    /// Throws `GenerationError` where there is no template, `TokenizerError` where the tokenizer lacks one of its markers.
    public init(
        tokenizer: Tokenizer, template: ChatTemplate? = nil, contextLength: Int, endsPrompts: Bool = false, system: String? = nil,
        messages: [Message] = []
    ) throws {
        guard let template = template ?? tokenizer.chatTemplate else {
            let names = ChatTemplate.known.map(\.name).joined(separator: ", ")
            if let unknown = tokenizer.unknownChatTemplate {
                throw GenerationError(
                    "The tokenizer's chat template is of a kind that is not known here (\(unknown)…); choose one of \(names) as template.")
            }
            throw GenerationError(
                "The tokenizer has no chat template, so the model was probably not trained for conversations; use `yuyan generate`, or choose one of \(names) as template."
            )
        }
        (self.tokenizer, self.template, self.contextLength) = (tokenizer, template, contextLength)
        ending = endsPrompts ? [tokenizer.special.eos].compactMap { $0 } : []
        (self.system, self.messages) = (system, messages)
        _ = try template.encode([Message(role: "user", content: "")], with: tokenizer, addingGenerationPrompt: true)
    }

    /// Adds a message of the user and prepares the answer. Where the conversation has outgrown the context, its oldest turns are left out
    /// whole; the system message stays. A quarter of the context, or `maxTokens` if that is less, is kept for the answer.
    ///
    /// - Parameter knowledge: passages to answer from, the best first. Where they do not all fit beside the question, the last ones are left out; the first is
    ///   cut where it alone is too long.
    /// - Throws: `GenerationError`, and changes nothing, when the message alone is too long.
    public mutating func ask(_ text: String, knowledge: [String] = [], _ configuration: GenerationConfiguration) throws -> Prompt {
        let all = messages + [Message(role: "user", content: text)]
        let room = contextLength - min(configuration.maxTokens, contextLength / 4)
        func tokens(from beginning: Int, _ knowledge: [String]) throws -> [Int32] {
            let shown = (system.map { [Message(role: "system", content: $0)] } ?? []) + all[beginning...]
            return try template.encode(shown, knowledge: knowledge, with: tokenizer, addingGenerationPrompt: true).ids + ending
        }
        func prompt(_ tokens: [Int32], from beginning: Int, passages: Int) -> Prompt {
            Prompt(
                tokens: tokens, configuration: stopping(configuration), omittedMessages: beginning, omittedPassages: knowledge.count - passages)
        }
        // A turn begins where the user speaks; the question itself always stays.
        let questions = all.indices.filter { all[$0].role == "user" }
        for beginning in questions.first == 0 ? questions : [0] + questions {
            let tokens = try tokens(from: beginning, knowledge)
            if tokens.count <= room {
                messages = all
                return prompt(tokens, from: beginning, passages: knowledge.count)
            }
        }
        let question = all.count - 1
        for count in stride(from: knowledge.count - 1, through: 1, by: -1) {
            let tokens = try tokens(from: question, Array(knowledge[..<count]))
            if tokens.count <= room {
                messages = all
                return prompt(tokens, from: question, passages: count)
            }
        }
        let alone = try tokens(from: question, [])
        guard alone.count <= room else {
            let whose = system == nil ? "The message has" : "The message and the system message have"
            throw GenerationError("\(whose) \(alone.count) tokens, and \(room) of the model's context of \(contextLength) are free for them.")
        }
        messages = all
        guard let first = knowledge.first else { return prompt(alone, from: question, passages: 0) }
        // As much of the first passage as has room.
        let scalars = first.unicodeScalars
        var (fits, least, most) = (alone, 0, scalars.count)
        while least < most {
            let middle = (least + most + 1) / 2
            let tokens = try tokens(from: question, [String(String.UnicodeScalarView(scalars.prefix(middle)))])
            if tokens.count <= room { (fits, least) = (tokens, middle) } else { most = middle - 1 }
        }
        return prompt(fits, from: question, passages: least > 0 ? 1 : 0)
    }

    /// What the model wrote, as a person reads it.
    public func read(_ text: String) -> String { template.read(text) }

    /// Adds a message of the user and prepares the answer of a model that has read all before it (`EndlessText`): the prompt holds only what is new, which is the
    /// end of the last answer, the message, and the assistant's opening.
    ///
    /// - Throws: `GenerationError` for a template that does not write a turn in one way wherever it stands.
    public mutating func followUp(_ text: String, _ configuration: GenerationConfiguration) throws -> Prompt {
        let question = Message(role: "user", content: text)
        let head = system.map { [Message(role: "system", content: $0)] } ?? []
        func tokens(_ messages: [Message]) throws -> [Int32] {
            try template.encode(head + messages, with: tokenizer, addingGenerationPrompt: true).ids
        }
        var new = try tokens([question])
        if goesOn {
            // What is written around a turn does not depend on what was said in it, so it is found between turns that say nothing.
            let nothing = Message(role: "user", content: "")
            let (before, after) = try (tokens([nothing]), tokens([nothing, Message(role: "assistant", content: ""), question]))
            guard template.turns == nil, template.lastUser == nil, after.starts(with: before) else {
                throw GenerationError(
                    "The chat template \(template.name) writes earlier turns in another way than the last one, so a conversation cannot go on without being read again."
                )
            }
            new = Array(after[before.count...])
        }
        (goesOn, messages) = (true, messages + [question])
        return Prompt(tokens: new, configuration: stopping(configuration), omittedMessages: 0)
    }

    /// The tokens of the system message as it stands before a conversation.
    public func systemTokens() throws -> Int {
        guard let system else { return 0 }
        return try template.encode([Message(role: "system", content: system)], with: tokenizer, addingGenerationPrompt: false).ids.count
    }

    /// Adds what the assistant said. With nothing said, the question is taken back.
    public mutating func answer(_ text: String) {
        if text.isEmpty {
            if messages.last?.role == "user" { messages.removeLast() }
        } else {
            messages.append(Message(role: "assistant", content: text))
        }
    }

    /// Forgets the conversation; the system message stays.
    public mutating func reset() { (messages, goesOn) = ([], false) }

    private func stopping(_ configuration: GenerationConfiguration) -> GenerationConfiguration {
        var configuration = configuration
        configuration.samples = 1
        configuration.end(at: template, with: tokenizer)
        return configuration
    }
}
