import YuyanModels
import YuyanTensor

/// Samples that go through the model together.
@Engine final class Sampling: Decoding {
    private let vocabulary: Int
    private let stepper: TokenStepper
    private var states: [SampleState] = []

    /// Every prompt is continued `samples` times; sample s of prompt p is number p·samples + s. `numbers` are the prompts' numbers for the random streams,
    /// `text` is what the only prompt goes on from, `prefixes` where its beginning may be found.
    init(
        _ model: any LanguageModel, _ rules: SampleRules, prompts: [[Int32]], numbers: [Int]? = nil, text: EndlessText? = nil,
        prefixes: PrefixCache? = nil
    ) throws {
        let configuration = rules.configuration
        vocabulary = rules.vocabulary
        let prompts = try prompts.map { try fitted($0, to: model.contextLength, vocabulary: rules.vocabulary, configuration.overflow) }
        let promptTokens = prompts.first?.count ?? 0
        stepper = try TokenStepper(
            model, vocabulary: vocabulary, prompts: prompts, room: promptTokens + min(configuration.maxTokens, 64), overflow: configuration.overflow,
            precision: configuration.cache, text: text, prefixes: prefixes)
        let seed = configuration.seed ?? .random(in: 0...UInt64.max)
        for (number, row) in stepper.rows.enumerated() {
            for sample in 0..<configuration.samples {
                states.append(
                    SampleState(
                        sample: number * configuration.samples + sample, rules, promptTokens: promptTokens, row: row, context: model.contextLength,
                        random: RandomStream(seed: seed, prompt: numbers?[number] ?? number, sample: sample)))
            }
        }
    }

    func step(isCancelled: Bool) throws -> [GenerationEvent]? {
        guard !states.isEmpty else { return nil }
        var events: [GenerationEvent] = []
        guard !isCancelled else {
            for index in states.indices { states[index].finish(.cancelled, &events) }
            states = []
            try stepper.finish()
            return events
        }
        let logits = try stepper.logits()
        // One row of logits for each sample, but one for each prompt while its samples have not parted.
        let shared = states.count / logits.count
        var unfinished: [Int] = []
        for index in states.indices {
            logits.withRow(index / shared) { own, logSum in
                let id = states[index].choose(own)
                if let reason = states[index].take(id, logits: own, logSum: logSum, &events) {
                    if reason == .length { stepper.leave(id) }
                    states[index].finish(reason, &events)
                } else {
                    unfinished.append(index)
                }
            }
        }
        if unfinished.isEmpty { try stepper.finish() }
        if unfinished.count < states.count { states = unfinished.map { states[$0] } }
        if !states.isEmpty {
            try stepper.select(unfinished.map { $0 / shared })
            stepper.append(states.map(\.newest))
        }
        return events
    }
}
