import YuyanModels
import YuyanTensor
import YuyanText

/// Samples that go through the model together.
@Engine final class Sampling: Decoding {
    private struct Row {
        var sample: Int
        var newest: Int32 = 0
        var generated = 0
        var sampler: Sampler
        var detokenizer: StreamingDetokenizer?
        var filter: StopFilter
    }

    private let configuration: GenerationConfiguration
    private let vocabulary: Int
    private let stopTokens: Set<Int32>
    private let promptTokens: Int
    private let stepper: TokenStepper
    private var rows: [Row]

    /// Every prompt is continued `configuration.samples` times; sample s of prompt p is number p·samples + s. `numbers` are the prompts' numbers
    /// for the random streams.
    init(
        _ model: any LanguageModel, tokenizer: Tokenizer?, prompts: [[Int32]], numbers: [Int]? = nil, configuration: GenerationConfiguration
    ) throws {
        try configuration.validate()
        let vocabulary = try knownTokens(of: model, tokenizer, configuration)
        let prompts = try prompts.map { try fitted($0, to: model.contextLength, vocabulary: vocabulary, configuration.overflow) }
        self.vocabulary = vocabulary
        (self.configuration, promptTokens) = (configuration, prompts.first?.count ?? 0)
        stopTokens = Set(configuration.stopTokens + [tokenizer?.special.eos].compactMap { $0 })
        stepper = try TokenStepper(model, vocabulary: vocabulary, prompts: prompts, room: promptTokens + min(configuration.maxTokens, 64))
        let seed = configuration.seed ?? .random(in: 0...UInt64.max)
        rows = []
        for (number, begin) in stepper.rows.enumerated() {
            for sample in 0..<configuration.samples {
                let random = RandomStream(seed: seed, prompt: numbers?[number] ?? number, sample: sample)
                var row = Row(
                    sample: number * configuration.samples + sample, sampler: Sampler(configuration, vocabulary: vocabulary, random: random),
                    detokenizer: tokenizer.map(StreamingDetokenizer.init), filter: StopFilter(configuration.stop))
                for id in begin { row.sampler.observe(id) }
                rows.append(row)
            }
        }
    }

    func step(isCancelled: Bool) throws -> [GenerationEvent]? {
        guard !rows.isEmpty else { return nil }
        var events: [GenerationEvent] = []
        guard !isCancelled else {
            for row in rows.indices { finish(&rows[row], .cancelled, &events) }
            rows = []
            return events
        }
        let logits = try stepper.logits()
        let logSums = try logits.logSumExp(along: -1).array(Float.self)
        // One row of logits for each sample, but one for each prompt while its samples have not parted.
        let shared = rows.count / logSums.count
        var unfinished: [Int] = []
        try logits.withBytes { bytes in
            let all = bytes.bindMemory(to: Float.self)
            for index in rows.indices {
                let place = index / shared
                let own = UnsafeBufferPointer(rebasing: all[place * vocabulary..<(place + 1) * vocabulary])
                guard logSums[place].isFinite else {
                    throw GenerationError("The model answers with numbers that are not finite; its weights or its dtype are at fault.")
                }
                if let reason = advance(&rows[index], logits: own, logSum: logSums[place], &events) {
                    finish(&rows[index], reason, &events)
                } else {
                    unfinished.append(index)
                }
            }
        }
        if unfinished.count < rows.count { rows = unfinished.map { rows[$0] } }
        if !rows.isEmpty {
            try stepper.select(unfinished.map { $0 / shared })
            stepper.append(rows.map(\.newest))
        }
        return events
    }

    /// Chooses a row's next token; gives a reason when that was its last.
    private func advance(_ row: inout Row, logits: UnsafeBufferPointer<Float>, logSum: Float, _ events: inout [GenerationEvent]) -> FinishReason? {
        let id = row.sampler.choose(logits)
        row.sampler.observe(id)
        row.newest = id
        row.generated += 1
        let alternatives = mostProbable(configuration.topLogprobs, of: logits, logSum: logSum)
        events.append(.token(sample: row.sample, GeneratedToken(id: id, logprob: logits[Int(id)] - logSum, alternatives: alternatives)))
        if stopTokens.contains(id) { return .stop }
        if let text = row.detokenizer?.append(id) { show(row.filter.append(text), of: row, &events) }
        if row.filter.isStopped { return .stop }
        if row.generated >= configuration.maxTokens { return .length }
        return stepper.isFull && configuration.overflow == .error ? .length : nil
    }

    /// Hands out what was held back, and the reason.
    private func finish(_ row: inout Row, _ reason: FinishReason, _ events: inout [GenerationEvent]) {
        if let rest = row.detokenizer?.finish() {
            show(row.filter.append(rest) + row.filter.finish(), of: row, &events)
        }
        // A stop text can be completed by the very end.
        let reason = row.filter.isStopped ? .stop : reason
        events.append(.finished(sample: row.sample, reason: reason, usage: Usage(promptTokens: promptTokens, completionTokens: row.generated)))
    }

    private func show(_ text: String, of row: Row, _ events: inout [GenerationEvent]) {
        if !text.isEmpty { events.append(.text(sample: row.sample, text)) }
    }
}

/// The k most probable tokens, equals in the order of their ids.
private func mostProbable(_ k: Int, of logits: UnsafeBufferPointer<Float>, logSum: Float) -> [GeneratedToken.Alternative] {
    let k = min(k, logits.count)
    guard k > 0 else { return [] }
    let least = kthLargest(k, of: logits)
    let found = logits.enumerated().filter { $0.element >= least }.sorted { ($1.element, $0.offset) < ($0.element, $1.offset) }
    return found.prefix(k).map { GeneratedToken.Alternative(id: Int32($0.offset), logprob: $0.element - logSum) }
}
