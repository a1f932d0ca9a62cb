import YuyanModels
import YuyanTensor
import YuyanText

/// What all samples of a generation have in common.
@Engine struct SampleRules {
    let configuration: GenerationConfiguration
    let tokenizer: Tokenizer?
    /// Ids below this have a meaning.
    let vocabulary: Int
    let stopTokens: Set<Int32>
    let constraint: TokenConstraint?

    init(_ model: any LanguageModel, tokenizer: Tokenizer?, configuration: GenerationConfiguration) throws {
        try configuration.validateValues()
        vocabulary = try knownTokens(of: model, tokenizer, configuration)
        (self.configuration, self.tokenizer) = (configuration, tokenizer)
        stopTokens = Set(configuration.stopTokens + [tokenizer?.special.eos].compactMap { $0 })
        constraint = try TokenConstraint.of(configuration, tokenizer: tokenizer, vocabulary: vocabulary, stopTokens: stopTokens)
    }
}

/// One sample under way: how its next token is chosen, and what becomes of each token.
@Engine struct SampleState {
    private let sample: Int
    private let rules: SampleRules
    private let promptTokens: Int
    /// The most tokens that can be generated: `maxTokens`, or what the context has room for.
    private let limit: Int
    private var sampler: Sampler
    private var detokenizer: StreamingDetokenizer?
    private var filter: StopFilter
    /// How far the constraint has come, and what may follow.
    private var constrained: (position: TokenConstraint.Position, mask: TokenMask)?
    private(set) var generated = 0
    private(set) var newest: Int32 = 0

    /// - Parameter row: the tokens that the answer goes on from.
    init(sample: Int, _ rules: SampleRules, promptTokens: Int, row: [Int32], context: Int, random: RandomStream) {
        (self.sample, self.rules, self.promptTokens) = (sample, rules, promptTokens)
        let configuration = rules.configuration
        limit = configuration.overflow == .error ? min(configuration.maxTokens, context - row.count + 1) : configuration.maxTokens
        sampler = Sampler(configuration, vocabulary: rules.vocabulary, random: random)
        detokenizer = rules.tokenizer.map(StreamingDetokenizer.init)
        filter = StopFilter(configuration.stop)
        for id in row { sampler.observe(id) }
        if let constraint = rules.constraint { constrained = (constraint.start, constraint.mask(at: constraint.start, remaining: limit - 1)) }
    }

    /// The most tokens that can still come.
    var remaining: Int { limit - generated }

    /// The next token, drawn from what the model says; where there is a draft, it is that one if the distribution allows it.
    mutating func choose(_ logits: UnsafeBufferPointer<Float>, draft: Draft? = nil) -> Int32 {
        draft.map { sampler.choose(logits, allowed: constrained?.mask, draft: $0) } ?? sampler.choose(logits, allowed: constrained?.mask)
    }

    /// Guesses the next token and goes on with it: for copies that go ahead.
    mutating func draft(_ logits: UnsafeBufferPointer<Float>, _ random: inout RandomStream) -> Draft {
        let draft = sampler.draft(logits, allowed: constrained?.mask, uniform: random.uniform())
        observe(draft.id)
        generated += 1
        return draft
    }

    /// Whether nothing follows the newest token.
    var isOver: Bool { generated > 0 && (rules.stopTokens.contains(newest) || hasWrittenAll) || remaining == 0 }

    /// Goes on with a token; gives a reason when that was the last.
    mutating func take(_ id: Int32, logits: UnsafeBufferPointer<Float>, logSum: Float, _ events: inout [GenerationEvent]) -> FinishReason? {
        observe(id)
        generated += 1
        let alternatives = mostProbable(rules.configuration.topLogprobs, of: logits, logSum: logSum)
        events.append(.token(sample: sample, GeneratedToken(id: id, logprob: logits[Int(id)] - logSum, alternatives: alternatives)))
        if rules.stopTokens.contains(id) { return .stop }
        if let text = detokenizer?.append(id) { show(filter.append(text), &events) }
        if filter.isStopped || hasWrittenAll { return .stop }
        return generated >= limit ? .length : nil
    }

    /// Hands out what was held back, and the reason.
    mutating func finish(_ reason: FinishReason, _ events: inout [GenerationEvent]) {
        if let rest = detokenizer?.finish() { show(filter.append(rest) + filter.finish(), &events) }
        // A stop text can be completed by the very end.
        let reason = filter.isStopped ? .stop : reason
        events.append(.finished(sample: sample, reason: reason, usage: Usage(promptTokens: promptTokens, completionTokens: generated)))
    }

    private mutating func observe(_ id: Int32) {
        newest = id
        sampler.observe(id)
        guard let constraint = rules.constraint, let before = constrained?.position, !rules.stopTokens.contains(id) else { return }
        let position = constraint.position(after: id, at: before)
        constrained = (position, constraint.mask(at: position, remaining: max(0, limit - generated - 2)))
    }

    /// Whether the text is complete by the constraint, and nothing can follow, or nothing that could be completed in time.
    private var hasWrittenAll: Bool {
        guard let constraint = rules.constraint, let (position, mask) = constrained else { return false }
        return constraint.isComplete(position) && (mask.isEmpty || generated >= limit)
    }

    private func show(_ text: String, _ events: inout [GenerationEvent]) {
        if !text.isEmpty { events.append(.text(sample: sample, text)) }
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
