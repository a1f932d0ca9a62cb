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
/// - Throws: `GenerationError` for a configuration, a prompt or a tokenizer that cannot be used; while iterating, `TensorError.outOfMemory`.
@Engine public func generate(
    _ model: any LanguageModel, tokenizer: Tokenizer?, prompt: [Int32], configuration: GenerationConfiguration
) throws -> Generation {
    Generation(
        decoding: configuration.beams > 1
            ? try BeamSearch(model, tokenizer: tokenizer, prompt: prompt, configuration: configuration)
            : try Sampling(model, tokenizer: tokenizer, prompts: [prompt], configuration: configuration))
}

/// Continues a prompt and collects what `generate` streams: one completion a sample.
@Engine public func complete(
    _ model: any LanguageModel, tokenizer: Tokenizer?, prompt: [Int32], configuration: GenerationConfiguration
) async throws -> [Completion] {
    try await complete(model, tokenizer: tokenizer, prompts: [prompt], configuration: configuration)[0]
}

/// Continues many prompts, those of one length together, at most `batch` at a time: `samples` completions for each, in the prompts' order.
///
/// - Parameter progress: is told how many prompts are finished.
/// - Throws: like `generate`.
@Engine public func complete(
    _ model: any LanguageModel, tokenizer: Tokenizer?, prompts: [[Int32]], configuration: GenerationConfiguration, batch: Int = 32,
    progress: (Int) -> Void = { _ in }
) async throws -> [[Completion]] {
    var configuration = configuration
    if configuration.beams > 1 {
        var completions: [[Completion]] = []
        for prompt in prompts {
            var found = Array(repeating: Completion(), count: max(0, configuration.samples))
            for try await event in try generate(model, tokenizer: tokenizer, prompt: prompt, configuration: configuration) {
                found[event.sample].add(event)
            }
            completions.append(found)
            progress(completions.count)
        }
        return completions
    }
    configuration.seed = configuration.seed ?? .random(in: 0...UInt64.max)
    var completions = Array(repeating: Array(repeating: Completion(), count: max(0, configuration.samples)), count: prompts.count)
    var finished = 0
    for (_, all) in Dictionary(grouping: prompts.indices, by: { prompts[$0].count }).sorted(by: { $0.key < $1.key }) {
        for start in stride(from: 0, to: all.count, by: batch) {
            let group = Array(all[start..<min(start + batch, all.count)])
            let decoding = try Sampling(
                model, tokenizer: tokenizer, prompts: group.map { prompts[$0] }, numbers: group, configuration: configuration)
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
