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
    }

    /// Every message but the system's, oldest first.
    public private(set) var messages: [Message]
    /// What stands before the conversation, always shown to the model.
    public var system: String?
    private let tokenizer: Tokenizer
    private let template: ChatTemplate
    private let contextLength: Int

    /// A conversation. `template` nil: the tokenizer's own.
    /// Throws `GenerationError` where there is no template, `TokenizerError` where the tokenizer lacks one of its markers.
    public init(
        tokenizer: Tokenizer, template: ChatTemplate? = nil, contextLength: Int, system: String? = nil, messages: [Message] = []
    ) throws {
        guard let template = template ?? tokenizer.chatTemplate else {
            throw GenerationError(
                "The tokenizer has no chat template, so the model was probably not trained for conversations; use `yuyan generate`.")
        }
        (self.tokenizer, self.template, self.contextLength) = (tokenizer, template, contextLength)
        (self.system, self.messages) = (system, messages)
        _ = try template.encode([Message(role: "user", content: "")], with: tokenizer, addingGenerationPrompt: true)
    }

    /// Adds a message of the user and prepares the answer. Where the conversation has outgrown the context, its oldest turns are left out
    /// whole; the system message stays. A quarter of the context, or `maxTokens` if that is less, is kept for the answer.
    ///
    /// Throws `GenerationError`, and changes nothing, when the message alone is too long.
    public mutating func ask(_ text: String, _ configuration: GenerationConfiguration) throws -> Prompt {
        let all = messages + [Message(role: "user", content: text)]
        let room = contextLength - min(configuration.maxTokens, contextLength / 4)
        // A turn begins where the user speaks.
        let beginnings = all.indices.filter { all[$0].role == "user" }
        for beginning in beginnings.first == 0 ? beginnings : [0] + beginnings {
            let shown = (system.map { [Message(role: "system", content: $0)] } ?? []) + all[beginning...]
            let tokens = try template.encode(shown, with: tokenizer, addingGenerationPrompt: true).ids
            guard tokens.count > room else {
                messages = all
                return Prompt(tokens: tokens, configuration: stopping(configuration), omittedMessages: beginning)
            }
            if beginning == beginnings.last {
                let whose = system == nil ? "The message has" : "The message and the system message have"
                throw GenerationError("\(whose) \(tokens.count) tokens, and \(room) of the model's context of \(contextLength) are free for them.")
            }
        }
        preconditionFailure("the last beginning either fits or throws")
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
    public mutating func reset() { messages = [] }

    private func stopping(_ configuration: GenerationConfiguration) -> GenerationConfiguration {
        var configuration = configuration
        configuration.samples = 1
        for stop in template.stop {
            if let id = tokenizer.id(of: stop) { configuration.stopTokens.append(id) } else { configuration.stop.append(stop) }
        }
        return configuration
    }
}
