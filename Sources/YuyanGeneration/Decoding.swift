import YuyanModels
import YuyanTensor
import YuyanText

/// Generation under way.
@Engine protocol Decoding: AnyObject, Sendable {
    /// One token for everything unfinished, and what came of it, which may be nothing yet; nil when all is finished.
    func step(isCancelled: Bool) throws -> [GenerationEvent]?
}

/// The ids that have a meaning: the tokenizer's, which may be fewer than the rows of the model's matrix.
@Engine func knownTokens(of model: any LanguageModel, _ tokenizer: Tokenizer?, _ configuration: GenerationConfiguration) throws -> Int {
    let vocabulary = tokenizer?.vocabularySize ?? model.vocabularySize
    guard vocabulary <= model.vocabularySize else {
        throw GenerationError(
            "The tokenizer has \(vocabulary) tokens and the model's embedding only \(model.vocabularySize) rows; use the tokenizer that the model was trained with."
        )
    }
    if tokenizer == nil && !configuration.stop.isEmpty { throw GenerationError(key: "stop", "needs a tokenizer") }
    guard Set(configuration.bannedTokens.filter { 0..<vocabulary ~= Int($0) }).count < vocabulary else {
        throw GenerationError(key: "banned_tokens", "must leave at least one of the \(vocabulary) tokens")
    }
    return vocabulary
}

/// A prompt that the model can read: all of it, or its end where the window slides.
func fitted(_ prompt: [Int32], to context: Int, vocabulary: Int, _ overflow: GenerationConfiguration.Overflow) throws -> [Int32] {
    guard !prompt.isEmpty else { throw GenerationError("The prompt holds no token; give it some text, or a token to begin with.") }
    if let stranger = prompt.first(where: { !(0..<vocabulary ~= Int($0)) }) {
        throw GenerationError("The prompt holds the token \(stranger), and the model knows 0 to \(vocabulary - 1) only.")
    }
    if prompt.count <= context || overflow == .endless { return prompt }
    guard overflow == .slide else {
        throw GenerationError(
            "The prompt has \(prompt.count) tokens and the model's context holds \(context); shorten it, or let the window slide.")
    }
    return Array(prompt.suffix(max(1, context / 2)))
}
