/// What happens while text is generated.
public enum GenerationEvent: Sendable, Hashable {
    /// A token was chosen for a sample. The token that ends the sample is reported too.
    case token(sample: Int, GeneratedToken)
    /// More text of a sample: complete Unicode scalars, without stop texts.
    case text(sample: Int, String)
    /// A sample is finished.
    case finished(sample: Int, reason: FinishReason, usage: Usage)
}

/// A chosen token.
public struct GeneratedToken: Sendable, Hashable {
    /// A token with the natural logarithm of its probability under the model alone: before penalties, temperature and filters.
    public struct Alternative: Sendable, Hashable, Codable {
        /// The token's id.
        public var id: Int32
        /// ln p(token | what came before).
        public var logprob: Float
    }

    /// The token's id.
    public var id: Int32
    /// ln p(token | what came before) under the model alone: before penalties, temperature and filters.
    public var logprob: Float
    /// The most probable tokens at this place, most probable first, as many as `topLogprobs` asked for.
    public var alternatives: [Alternative] = []
}

/// Why a sample ended.
public enum FinishReason: String, Sendable, Codable {
    /// A stop token or a stop text came, or the text is complete by `regex` or `jsonSchema`.
    case stop
    /// `maxTokens`, or the end of the context.
    case length
    /// The task that asked for it was cancelled.
    case cancelled
}

/// What a sample took.
public struct Usage: Sendable, Hashable, Codable {
    /// Tokens of the prompt.
    public var promptTokens: Int
    /// Tokens generated, the one that ended the sample included.
    public var completionTokens: Int
}

/// A finished sample.
public struct Completion: Sendable, Hashable {
    /// The text; empty without a tokenizer.
    public var text = ""
    /// What was generated, the token that ended it included.
    public var tokens: [GeneratedToken] = []
    /// Why it ended.
    public var finishReason = FinishReason.cancelled
    /// What it took.
    public var usage = Usage(promptTokens: 0, completionTokens: 0)

    mutating func add(_ event: GenerationEvent) {
        switch event {
        case .token(_, let token): tokens.append(token)
        case .text(_, let more): text += more
        case .finished(_, let reason, let usage): (finishReason, self.usage) = (reason, usage)
        }
    }
}

extension GenerationEvent {
    /// The sample that it happened to.
    public var sample: Int {
        switch self {
        case .token(let sample, _), .text(let sample, _), .finished(let sample, _, _): sample
        }
    }
}
