public import YuyanModels
import YuyanTensor
public import YuyanText

/// Continues a prompt, token by token.
///
/// Iterate over the result once: each round of the iteration runs one step on the engine's thread and nothing runs ahead, so other work on the
/// engine comes in between, and giving up the iteration gives up the generation. When the iterating task is cancelled, unfinished samples
/// end with `FinishReason.cancelled`.
///
/// - Parameters:
///   - tokenizer: turns tokens into text; nil: there are token events only.
///   - prompt: token ids, at least one.
///   - draft: a small model with the same tokenizer that guesses `draftTokens` ahead; the answer is distributed as without it, and greedy tokens are the same.
///   - text: what the model has read and written before, which the prompt goes on from; it will hold the prompt and the answer too.
///   - prefixes: texts that the model has read before; where the prompt begins like one, that beginning is not computed again. Keeps this one too.
/// - Throws: `GenerationError` for a configuration, a prompt or a tokenizer that cannot be used; while iterating, `TensorError.outOfMemory`.
@Engine public func generate(
    _ model: any LanguageModel, tokenizer: Tokenizer?, prompt: [Int32], configuration: GenerationConfiguration, draft: (any LanguageModel)? = nil,
    text: EndlessText? = nil, prefixes: PrefixCache? = nil
) throws -> Generation {
    var configuration = configuration
    if text != nil {
        for (key, count) in [("beams", configuration.beams), ("samples", configuration.samples)] where count > 1 {
            throw GenerationError(key: key, "must be 1 where a text goes on")
        }
        configuration.overflow = .endless
    }
    for kept in [text?.cache.precision, prefixes?.precision] {
        guard let kept, kept != configuration.cache else { continue }
        throw GenerationError(
            key: "cache", "must be \(kept.rawValue), as what was read before is kept, found \(configuration.cache.rawValue)")
    }
    let rules = try SampleRules(model, tokenizer: tokenizer, configuration: configuration)
    return Generation(decoding: try decoding(model, rules, prompt: prompt, draft: draft, text: text, prefixes: prefixes))
}

@Engine private func decoding(
    _ model: any LanguageModel, _ rules: SampleRules, prompt: [Int32], number: Int = 0, draft: (any LanguageModel)?,
    text: EndlessText? = nil, prefixes: PrefixCache? = nil
) throws -> any Decoding {
    if rules.configuration.beams > 1 {
        if draft != nil { throw GenerationError(key: "beams", "and a draft model do not go together; leave one of them out") }
        return try BeamSearch(model, rules, prompt: prompt, prefixes: prefixes)
    }
    if rules.configuration.promptLookup || draft != nil {
        if rules.configuration.promptLookup, draft != nil {
            throw GenerationError(key: "prompt_lookup", "and a draft model do not go together; leave one of them out")
        }
        if rules.configuration.overflow == .endless {
            throw GenerationError(key: "overflow", "endless and tokens guessed ahead do not go together; leave one of them out")
        }
        return try SpeculativeSampling(model, rules, prompt: prompt, number: number, draft: draft, prefixes: prefixes)
    }
    return try Sampling(model, rules, prompts: [prompt], numbers: [number], text: text, prefixes: prefixes)
}

/// Continues a prompt and collects what `generate` streams: one completion a sample.
@Engine public func complete(
    _ model: any LanguageModel, tokenizer: Tokenizer?, prompt: [Int32], configuration: GenerationConfiguration, draft: (any LanguageModel)? = nil
) async throws -> [Completion] {
    try await complete(model, tokenizer: tokenizer, prompts: [prompt], configuration: configuration, draft: draft)[0]
}

/// Continues many prompts, `samples` completions for each, in the prompts' order. Those of one length go together, at most `batch` at a time, where they are
/// neither searched by beams nor guessed ahead.
///
/// - Parameter progress: is told how many prompts are finished.
/// - Throws: like `generate`.
@Engine public func complete(
    _ model: any LanguageModel, tokenizer: Tokenizer?, prompts: [[Int32]], configuration: GenerationConfiguration, draft: (any LanguageModel)? = nil,
    batch: Int = 32, progress: (Int) -> Void = { _ in }
) async throws -> [[Completion]] {
    var configuration = configuration
    configuration.seed = configuration.seed ?? .random(in: 0...UInt64.max)
    let rules = try SampleRules(model, tokenizer: tokenizer, configuration: configuration)
    var completions = Array(repeating: Array(repeating: Completion(), count: configuration.samples), count: prompts.count)
    if configuration.beams > 1 || configuration.promptLookup || draft != nil {
        for (number, prompt) in prompts.enumerated() {
            for try await event in Generation(decoding: try decoding(model, rules, prompt: prompt, number: number, draft: draft)) {
                completions[number][event.sample].add(event)
            }
            progress(number + 1)
        }
        return completions
    }
    var finished = 0
    for (_, all) in Dictionary(grouping: prompts.indices, by: { prompts[$0].count }).sorted(by: { $0.key < $1.key }) {
        for start in stride(from: 0, to: all.count, by: batch) {
            let group = Array(all[start..<min(start + batch, all.count)])
            let decoding = try Sampling(model, rules, prompts: group.map { prompts[$0] }, numbers: group)
            for try await event in Generation(decoding: decoding) {
                let (prompt, sample) = event.sample.quotientAndRemainder(dividingBy: configuration.samples)
                completions[group[prompt]][sample].add(event)
            }
            finished += group.count
            progress(finished)
        }
    }
    return completions
}

/// The events of one generation, in order.
public struct Generation: AsyncSequence, Sendable {
    let decoding: any Decoding

    public func makeAsyncIterator() -> Iterator { Iterator(decoding: decoding) }

    /// Runs a step whenever the events of the one before are used up.
    public struct Iterator: AsyncIteratorProtocol {
        let decoding: any Decoding
        private var events: ArraySlice<GenerationEvent> = []

        init(decoding: any Decoding) { self.decoding = decoding }

        public mutating func next() async throws -> GenerationEvent? {
            while events.isEmpty {
                guard let new = try await decoding.step(isCancelled: Task.isCancelled) else { return nil }
                events = new[...]
            }
            return events.popFirst()
        }
    }
}
