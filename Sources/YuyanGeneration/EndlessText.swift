public import YuyanModels
public import YuyanTensor

/// A text that a model reads and writes for ever, over many calls of `generate`: nothing of it is read twice, and memory stays bounded. The model sees its first
/// tokens and the most recent ones (`KVCache.init(endlessFor:)`).
///
/// ```swift
/// let text = try EndlessText(for: model)
/// for try await event in try generate(model, tokenizer: tokenizer, prompt: first, configuration: configuration, text: text) { … }
/// for try await event in try generate(model, tokenizer: tokenizer, prompt: second, configuration: configuration, text: text) { … }
/// ```
/// A token that ended an answer (`FinishReason.stop`) is no part of it. One generation at a time.
@Engine public final class EndlessText {
    let cache: KVCache
    /// Tokens of the text that the model has not read yet.
    var unread: [Int32] = []

    /// An empty text.
    /// - Parameters:
    ///   - sinks: how many of its first tokens stay: a system message, say; at most half of the context.
    ///   - precision: how keys and values are kept; what generates from the text asks for the same (`GenerationConfiguration.cache`).
    /// - Throws: `GenerationError` for a model that cannot do so.
    public init(for model: any LanguageModel, sinks: Int = 4, precision: KVCache.Precision = .model) throws {
        try requireRelativePositions(model)
        guard !(model is any EncoderDecoder) else {
            throw GenerationError("An encoder-decoder writes each answer from a source of its own: there is no text that goes on.")
        }
        cache = KVCache(endlessFor: model, batch: 1, sinks: sinks, precision: precision)
    }
}

/// Tokens in a cache take other places when older ones are forgotten.
func requireRelativePositions(_ model: any LanguageModel) throws {
    guard model.positionsAreRelative else {
        throw GenerationError(
            key: "overflow",
            "endless needs a model with relative positions, as the LLaMA family has; this model's positions are learned, so let the window slide")
    }
}
