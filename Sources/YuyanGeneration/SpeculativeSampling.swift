import YuyanModels
import YuyanTensor

/// Samples whose next tokens are guessed by something cheap and checked by the model, all guesses in one pass (Leviathan, Kalman and Matias 2023, "Fast Inference from
/// Transformers via Speculative Decoding"): what comes out is distributed as without. Samples go one after another, since their guesses come true to different
/// lengths.
@Engine final class SpeculativeSampling: Decoding {
    private struct Sample {
        var state: SampleState
        let stepper: TokenStepper
        let drafting: any Drafting
    }

    private let draftTokens: Int
    private var samples: [Sample] = []
    private var next = 0

    /// - Parameters:
    ///   - draft: a small model with the same tokens; nil: prompt look-up.
    ///   - number: the prompt's number for the random streams.
    ///   - prefixes: where the prompt's beginning may be found; keeps what the model reads.
    init(
        _ model: any LanguageModel, _ rules: SampleRules, prompt: [Int32], number: Int = 0, draft: (any LanguageModel)?, prefixes: PrefixCache? = nil
    ) throws {
        let configuration = rules.configuration
        draftTokens = configuration.draftTokens
        if let draft {
            guard draft.vocabularySize >= rules.vocabulary else {
                throw GenerationError(
                    "The draft model knows \(draft.vocabularySize) tokens and the model \(rules.vocabulary); both must have the same tokenizer.")
            }
            guard (draft is any EncoderDecoder) == (model is any EncoderDecoder) else {
                throw GenerationError("The draft model must be of the model's kind: both encoder-decoders, or neither.")
            }
        }
        let prompt = try fitted(prompt, to: model.contextLength, vocabulary: rules.vocabulary, configuration.overflow)
        let seed = configuration.seed ?? .random(in: 0...UInt64.max)
        for sample in 0..<configuration.samples {
            let stepper = try TokenStepper(
                model, vocabulary: rules.vocabulary, prompts: [prompt], room: prompt.count + min(configuration.maxTokens, 64),
                precision: configuration.cache, prefixes: prefixes)
            let state = SampleState(
                sample: sample, rules, promptTokens: prompt.count, row: stepper.rows[0], context: model.contextLength,
                random: RandomStream(seed: seed, prompt: number, sample: sample))
            let drafting: any Drafting =
                if let draft {
                    try ModelDrafting(draft, prompt: prompt, rules: rules, random: RandomStream(seed: ~seed, prompt: number, sample: sample))
                } else {
                    LookupDrafting(source: model is any EncoderDecoder ? prompt : [])
                }
            samples.append(Sample(state: state, stepper: stepper, drafting: drafting))
        }
    }

    func step(isCancelled: Bool) throws -> [GenerationEvent]? {
        guard next < samples.count else { return nil }
        var events: [GenerationEvent] = []
        guard !isCancelled else {
            for index in samples[next...].indices { samples[index].state.finish(.cancelled, &events) }
            next = samples.count
            return events
        }
        if let reason = try advance(&samples[next], &events) {
            samples[next].state.finish(reason, &events)
            try samples[next].stepper.finish()
            next += 1
        }
        return events
    }

    /// One pass of the model: the guesses that come true and one token more. Gives a reason when the sample ended with one of them.
    private func advance(_ sample: inout Sample, _ events: inout [GenerationEvent]) throws -> FinishReason? {
        // One token comes in any case, and what is behind the last one is of no use.
        let most = min(draftTokens, sample.stepper.room, sample.state.remaining - 1)
        let drafts = most > 0 ? try sample.drafting.drafts(most, behind: sample.stepper.rows[0], sample.state) : []
        for draft in drafts { sample.stepper.append([draft.id]) }
        let logits = try sample.stepper.logits(last: drafts.count + 1)
        for place in 0...drafts.count {
            let draft = place < drafts.count ? drafts[place] : nil
            let reason = logits.withRow(place) { own, logSum in
                let id = sample.state.choose(own, draft: draft)
                return sample.state.take(id, logits: own, logSum: logSum, &events)
            }
            if let reason { return reason }
            if let draft, draft.id == sample.state.newest { continue }
            sample.stepper.drop(drafts.count - place)
            sample.stepper.append([sample.state.newest])
            sample.drafting.goOn(keeping: place, newest: sample.state.newest)
            break
        }
        return nil
    }
}
