import Foundation
import YuyanModels
import YuyanTensor
import YuyanText

/// Generation under way: sequences of one length that go through the model together, a token a step.
@Engine final class Decoding {
    private struct Row {
        var sample: Int
        var tokens: [Int32]
        var generated = 0
        var sampler: Sampler
        var detokenizer: StreamingDetokenizer?
        var filter: StopFilter
    }

    private let model: any LanguageModel
    private let configuration: GenerationConfiguration
    /// Logits of ids from here on are padding of the model's matrix.
    private let vocabulary: Int
    private let stopTokens: Set<Int32>
    private let promptTokens: Int
    private var cache: KVCache
    private var rows: [Row]
    /// What an encoder-decoder reads, until it has.
    private var sources: [[Int32]] = []
    private var source: (any EncodedSource)?

    /// Every prompt is continued `configuration.samples` times; sample s of prompt p is number p·samples + s. `numbers` are the prompts' numbers
    /// for the random streams.
    init(
        _ model: any LanguageModel, tokenizer: Tokenizer?, prompts: [[Int32]], numbers: [Int]? = nil, configuration: GenerationConfiguration
    ) throws {
        try configuration.validate()
        vocabulary = try Self.vocabulary(of: model, tokenizer, configuration)
        let known = vocabulary
        let prompts = try prompts.map { try Self.fitted($0, to: model.contextLength, vocabulary: known, configuration.overflow) }
        let length = prompts.first?.count ?? 0
        precondition(prompts.allSatisfy { $0.count == length }, "prompts of different lengths cannot go together")

        (self.model, self.configuration, promptTokens) = (model, configuration, length)
        stopTokens = Set(configuration.stopTokens + [tokenizer?.special.eos].compactMap { $0 })
        let room = min(model.contextLength, length + min(configuration.maxTokens, 64))
        cache = KVCache(for: model, batch: prompts.count, capacity: room)
        let seed = configuration.seed ?? .random(in: 0...UInt64.max)
        rows = []
        // An encoder-decoder reads the prompt as a whole, and writes a text of its own.
        let start = (model as? any EncoderDecoder)?.decoderStart
        if start != nil { sources = prompts }
        for (number, prompt) in prompts.enumerated() {
            let prompt = start.map { [$0] } ?? prompt
            for sample in 0..<configuration.samples {
                let random = RandomStream(seed: seed, prompt: numbers?[number] ?? number, sample: sample)
                var row = Row(
                    sample: number * configuration.samples + sample, tokens: prompt,
                    sampler: Sampler(configuration, vocabulary: vocabulary, random: random), detokenizer: tokenizer.map(StreamingDetokenizer.init),
                    filter: StopFilter(configuration.stop))
                for id in prompt { row.sampler.observe(id) }
                rows.append(row)
            }
        }
    }

    /// One token for every unfinished sample, and what came of it; nothing when all are finished.
    func step(isCancelled: Bool = false) throws -> [GenerationEvent] {
        guard !rows.isEmpty else { return [] }
        var events: [GenerationEvent] = []
        guard !isCancelled else {
            for row in rows.indices { finish(&rows[row], .cancelled, &events) }
            rows = []
            return events
        }
        let logits = try withInference { try nextLogits() }
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
        if unfinished.count < rows.count || shared > 1 {
            rows = unfinished.map { rows[$0] }
            if !rows.isEmpty {
                let kept = unfinished.map { $0 / shared }
                try withInference {
                    try cache.select(kept)
                    source = try source?.selecting(kept)
                }
            }
        }
        return events
    }

    // MARK: One step

    /// float32 logits [rows, vocabulary] on the host: of the whole prompts at first, then of the newest tokens.
    private func nextLogits() throws -> Tensor {
        if let reader = model as? any EncoderDecoder, source == nil {
            let ids = try Tensor(sources.flatMap { $0.map(Int64.init) }, shape: [sources.count, sources[0].count], device: model.device)
            source = try reader.encode(ids, lengths: nil, ForwardContext())
        }
        if cache.length == 0 {
            return try logits(of: stride(from: 0, to: rows.count, by: configuration.samples).map { rows[$0].tokens[...] })
        }
        if cache.length < model.contextLength { return try logits(of: rows.map { $0.tokens.suffix(1) }) }
        // The window slides: its most recent half becomes the beginning of a new one, so that half a context is read again for every half that
        // is written.
        cache = KVCache(for: model, batch: rows.count, capacity: model.contextLength)
        return try logits(of: rows.map { $0.tokens.suffix(max(1, model.contextLength / 2)) })
    }

    private func logits(of tokens: [ArraySlice<Int32>]) throws -> Tensor {
        let time = tokens[0].count
        let ids = try Tensor(tokens.flatMap { $0.map(Int64.init) }, shape: [tokens.count, time], device: model.device)
        let hidden = try model(ids, ForwardContext(cache: cache, source: source))
        let last = try model.logits(hidden.select(1, time - 1)).to(.float32, device: .cpu)
        return try last.size(1) > vocabulary ? last.narrow(1, start: 0, length: vocabulary).contiguous() : last
    }

    /// Chooses a row's next token; gives a reason when that was its last.
    private func advance(_ row: inout Row, logits: UnsafeBufferPointer<Float>, logSum: Float, _ events: inout [GenerationEvent]) -> FinishReason? {
        let id = row.sampler.choose(logits)
        row.sampler.observe(id)
        row.tokens.append(id)
        row.generated += 1
        let alternatives = mostProbable(configuration.topLogprobs, of: logits, logSum: logSum)
        events.append(.token(sample: row.sample, GeneratedToken(id: id, logprob: logits[Int(id)] - logSum, alternatives: alternatives)))
        if stopTokens.contains(id) { return .stop }
        if let text = row.detokenizer?.append(id) { show(row.filter.append(text), of: row, &events) }
        if row.filter.isStopped { return .stop }
        if row.generated >= configuration.maxTokens { return .length }
        return cache.length == model.contextLength && configuration.overflow == .error ? .length : nil
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

    // MARK: What can be generated

    /// The ids that have a meaning: the tokenizer's, which may be fewer than the rows of the model's matrix.
    private static func vocabulary(of model: any LanguageModel, _ tokenizer: Tokenizer?, _ configuration: GenerationConfiguration) throws -> Int {
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

    private static func fitted(_ prompt: [Int32], to context: Int, vocabulary: Int, _ overflow: GenerationConfiguration.Overflow) throws -> [Int32] {
        guard !prompt.isEmpty else { throw GenerationError("The prompt holds no token; give it some text, or a token to begin with.") }
        if let stranger = prompt.first(where: { !(0..<vocabulary ~= Int($0)) }) {
            throw GenerationError("The prompt holds the token \(stranger), and the model knows 0 to \(vocabulary - 1) only.")
        }
        if prompt.count <= context { return prompt }
        guard overflow == .slide else {
            throw GenerationError(
                "The prompt has \(prompt.count) tokens and the model's context holds \(context); shorten it, or let the window slide.")
        }
        return Array(prompt.suffix(max(1, context / 2)))
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
