public import YuyanText

/// How text is generated. Logits pass through penalties, temperature, top-k, top-p and min-p, in this order.
public struct GenerationConfiguration: Codable, Sendable, Hashable {
    /// What happens when prompt and answer together outgrow the model's context.
    public enum Overflow: String, Codable, Sendable, CaseIterable {
        /// A prompt longer than the context is refused; an answer that reaches its end is finished there (`FinishReason.length`).
        case error
        /// The most recent half of a context goes on, read again at the positions of a new beginning; what is older is forgotten.
        case slide
        /// The first four tokens and a window of the most recent ones stay, and nothing is read again (`KVCache.init(endlessFor:)`). For models with
        /// relative positions: the LLaMA family, T5.
        case endless
    }

    /// The most tokens that are generated.
    public var maxTokens = 256
    /// Divides the logits; 0 takes the most probable token each time (greedy).
    public var temperature = 0.8
    /// Only the k most probable tokens are drawn from; 0: all.
    public var topK = 0
    /// Only the fewest tokens whose probabilities sum up to p (Holtzman et al. 2020, "nucleus"); 1: all.
    public var topP = 1.0
    /// Only tokens at least this many times as probable as the most probable one (Nguyen et al. 2024); 0: all.
    public var minP = 0.0
    /// Divides positive and multiplies negative logits of tokens that the prompt or the answer holds (Keskar et al. 2019); 1: none.
    public var repetitionPenalty = 1.0
    /// Makes the answer repeatable; nil: a different one each time.
    public var seed: UInt64?
    /// Answers generated at once. Answer i is the same however many there are, up to rounding.
    public var samples = 1
    /// Answers that are followed at once, of which the most probable as wholes are given (beam search); 1: none but the one that is drawn. With more,
    /// temperature, top-k, top-p, min-p and the seed play no part, and `samples` are the best so many.
    public var beams = 1
    /// A finished beam's score is its log-probability divided by length^this: above 0 favours long answers (Wu et al. 2016 in its simple form).
    public var lengthPenalty = 1.0
    /// Whether the search ends as soon as there are as many finished answers as beams; else when no better one can come.
    public var earlyStopping = false
    /// Groups that the beams are divided into, each of which avoids what those before it say (Vijayakumar et al. 2018).
    public var beamGroups = 1
    /// What a token loses for each beam of an earlier group that has it at this place.
    public var diversityPenalty = 0.0
    /// Texts that end an answer; they are not part of it.
    public var stop: [String] = []
    /// Tokens that end an answer, besides the tokenizer's end of text.
    public var stopTokens: [Int32] = []
    /// Tokens that are never generated.
    public var bannedTokens: [Int32] = []
    /// The most probable tokens reported beside each generated one.
    public var topLogprobs = 0
    /// A regular expression that the whole text matches; nil: any text. Literals, `.`, classes, `\d \w \s`, groups, alternatives and repetitions; `^` and `$` are
    /// implied. An answer that ends with `FinishReason.stop` matches, unless a stop text cut it short.
    public var regex: String?
    /// A JSON schema that the text is a document of, on one line; nil: any text. Objects, arrays, strings, numbers, `enum`, `const`, `anyOf` and `$ref`.
    public var jsonSchema: String?
    /// Tokens that are guessed ahead where something guesses: a draft model, or `promptLookup`. The answer is distributed as without, and comes faster where guesses
    /// come true (Leviathan et al. 2023).
    public var draftTokens = 4
    /// Whether tokens are guessed from what stood behind the same words before, in the prompt or the answer (Saxena 2023).
    public var promptLookup = false
    /// What happens at the end of the context.
    public var overflow = Overflow.error
    /// How keys and values of past tokens are kept; in 8 bits they take about half the memory, and logits are off by a little.
    public var cache = KVCache.Precision.model

    /// The defaults.
    public init() {}

    /// The most probable token at every step.
    public static func greedy(maxTokens: Int) -> GenerationConfiguration {
        var configuration = GenerationConfiguration()
        (configuration.maxTokens, configuration.temperature) = (maxTokens, 0)
        return configuration
    }

    /// Ends answers where the template ends the assistant's turns: at tokens where the tokenizer has them, else at texts.
    public mutating func end(at template: ChatTemplate, with tokenizer: Tokenizer) {
        for mark in template.stop where !mark.isEmpty {
            if let id = tokenizer.id(of: mark) { stopTokens.append(id) } else { stop.append(mark) }
        }
    }

    /// Refuses what cannot be generated by. Throws `GenerationError` with the key.
    public func validate() throws {
        try validateValues()
        _ = try automaton()
    }

    /// All but the pattern or schema, which is read where it is used.
    func validateValues() throws {
        func require(_ condition: Bool, _ key: String, _ problem: @autoclosure () -> String) throws {
            guard condition else { throw GenerationError(key: key, problem()) }
        }
        try require(maxTokens >= 1, "max_tokens", "must be at least 1, found \(maxTokens)")
        try require(temperature >= 0 && temperature.isFinite, "temperature", "must be 0 (greedy) or above, found \(temperature)")
        try require(topK >= 0, "top_k", "must be 0 (all tokens) or above, found \(topK)")
        try require(topP > 0 && topP <= 1, "top_p", "must be above 0 and at most 1, found \(topP)")
        try require(minP >= 0 && minP <= 1, "min_p", "must be from 0 to 1, found \(minP)")
        try require(repetitionPenalty > 0 && repetitionPenalty.isFinite, "repetition_penalty", "must be above 0, found \(repetitionPenalty)")
        try require(samples >= 1, "samples", "must be at least 1, found \(samples)")
        try require(beams >= 1, "beams", "must be at least 1, found \(beams)")
        try require(beams == 1 || samples <= beams, "samples", "must be at most the \(beams) beams, found \(samples)")
        try require(lengthPenalty.isFinite, "length_penalty", "must be a number, found \(lengthPenalty)")
        try require(
            beamGroups >= 1 && beams % beamGroups == 0, "beam_groups", "must divide the \(beams) beams, found \(beamGroups)")
        try require(diversityPenalty >= 0 && diversityPenalty.isFinite, "diversity_penalty", "must be 0 or above, found \(diversityPenalty)")
        try require(beams == 1 || topLogprobs == 0, "top_logprobs", "is not given by beam search; leave one of them out")
        try require(topLogprobs >= 0, "top_logprobs", "must be 0 or above, found \(topLogprobs)")
        try require(regex == nil || jsonSchema == nil, "json_schema", "and regex cannot both be followed; leave one of them out")
        let constraint = regex == nil ? "json_schema" : "regex"
        try require(beams == 1 || regex == nil && jsonSchema == nil, constraint, "is not followed by beam search; leave one of them out")
        try require(1...64 ~= draftTokens, "draft_tokens", "must be from 1 to 64, found \(draftTokens)")
        try require(beams == 1 || !promptLookup, "prompt_lookup", "does not help beam search; leave one of them out")
        try require(!stop.contains(""), "stop", "must not hold an empty text")
    }
}

/// Why something cannot be generated, in one sentence.
public struct GenerationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The key of the configuration that is wrong, in snake case; nil where it is none.
    public var key: String?
    /// What is wrong, and what would be right.
    public var problem: String

    init(key: String? = nil, _ problem: String) {
        (self.key, self.problem) = (key, problem)
    }

    /// The whole sentence.
    public var description: String { key.map { "\($0) \(problem)" } ?? problem }
}
