import Foundation
import Testing
import YuyanModels
import YuyanTensor
import YuyanText

@testable import YuyanGeneration

@Suite @Engine struct SpeculationTests {
    private func small(_ vocabulary: Int, context: Int = 48, seed: UInt64) throws -> GPT {
        var configuration = GPTConfiguration(vocabularySize: vocabulary, contextLength: context, width: 8, layers: 1, heads: 2)
        configuration.initializerRange = 0.6
        return try GPT(configuration, seed: seed)
    }

    /// Everything that comes out but which step it comes out of.
    private func expectEqual(_ found: [Completion], _ plain: [Completion]) {
        #expect(found.map { $0.tokens.map(\.id) } == plain.map { $0.tokens.map(\.id) })
        #expect(found.map(\.text) == plain.map(\.text))
        #expect(found.map(\.finishReason) == plain.map(\.finishReason))
        #expect(found.map(\.usage) == plain.map(\.usage))
        for (one, other) in zip(found.flatMap(\.tokens), plain.flatMap(\.tokens)) {
            #expect(abs(one.logprob - other.logprob) < 1e-4)
            #expect(one.alternatives.map(\.id) == other.alternatives.map(\.id))
        }
    }

    nonisolated private static let settings: [GenerationConfiguration] = [
        .init { $0.maxTokens = 36 }, .init { ($0.maxTokens, $0.topLogprobs, $0.samples) = (20, 3, 2) },
        .init { ($0.maxTokens, $0.stop) = (36, ["，", "the"]) },
        .init { ($0.maxTokens, $0.repetitionPenalty) = (36, 1.4) }, .init { ($0.maxTokens, $0.bannedTokens) = (1000, [0]) },
        .init { ($0.maxTokens, $0.overflow, $0.bannedTokens) = (80, .slide, [0]) }, .init { ($0.maxTokens, $0.stopTokens) = (36, Array(20..<100)) },
        .init { ($0.regex, $0.maxTokens) = ("[^a-z]{3,9}, (the|swift).*!", 30) }, .init { $0.maxTokens = 1 },
    ]

    @Test(arguments: [1, 5]) func greedyTokensAreThePlainOnes(drafts: Int) async throws {
        let tiny = try Tiny()
        let models: [(any LanguageModel)?] = try [
            nil, tiny.model, small(344, seed: 2), small(352, context: 10, seed: 3), small(340, context: 1, seed: 3),
        ]
        for var configuration in SpeculationTests.settings {
            (configuration.temperature, configuration.draftTokens) = (0, drafts)
            let plain = try await complete(tiny.model, tokenizer: tiny.tokenizer, prompt: tiny.golden.prompt, configuration: configuration)
            for draft in models {
                configuration.promptLookup = draft == nil
                let found = try await complete(
                    tiny.model, tokenizer: tiny.tokenizer, prompt: tiny.golden.prompt, configuration: configuration, draft: draft)
                expectEqual(found, plain)
            }
        }
    }

    @Test func encoderDecodersToo() async throws {
        let model = try loadModel(from: Golden.folder.appending(path: "tiny-t5"))
        let prompts: [[Int32]] = [[5, 9, 13, 17, 1], [40, 41, 42, 43, 2, 1], [7, 1]]
        var configuration = GenerationConfiguration.greedy(maxTokens: 20)
        let plain = try await complete(model, tokenizer: nil, prompts: prompts, configuration: configuration)
        let drafted = try await complete(model, tokenizer: nil, prompts: prompts, configuration: configuration, draft: model)
        configuration.promptLookup = true
        let found = try await complete(model, tokenizer: nil, prompts: prompts, configuration: configuration)
        for (number, one) in plain.enumerated() {
            expectEqual(found[number], one)
            expectEqual(drafted[number], one)
        }
    }

    /// The cost is what makes it worth while: where all guesses come true, the model is asked once for each five tokens.
    @Test func aPassChecksAllGuesses() throws {
        let tiny = try Tiny()
        let configuration = GenerationConfiguration { ($0.maxTokens, $0.temperature, $0.draftTokens) = (30, 0, 4) }
        let rules = try SampleRules(tiny.model, tokenizer: tiny.tokenizer, configuration: configuration)
        let decoding = try SpeculativeSampling(tiny.model, rules, prompt: tiny.golden.prompt, draft: tiny.model)
        var counts: [Int] = []
        while let events = try decoding.step(isCancelled: false) { counts.append(events.count { if case .token = $0 { true } else { false } }) }
        #expect(counts == [5, 5, 5, 5, 5, 5])
        let cancelled = try SpeculativeSampling(tiny.model, rules, prompt: tiny.golden.prompt, draft: tiny.model)
        _ = try cancelled.step(isCancelled: false)
        let end = try #require(try cancelled.step(isCancelled: true)?.last)
        #expect(end == .finished(sample: 0, reason: .cancelled, usage: Usage(promptTokens: tiny.golden.prompt.count, completionTokens: 5)))
        #expect(try cancelled.step(isCancelled: false) == nil)
    }

    nonisolated private static let samplings: [GenerationConfiguration] = [
        .init { $0.temperature = 1 }, .init { ($0.temperature, $0.topP, $0.repetitionPenalty) = (1.3, 0.9, 1.8) },
    ]

    /// χ² of whole answers against the probabilities that the plain way gives them.
    @Test(arguments: [true, false], SpeculationTests.samplings.indices) func answersAreDistributedAsWithoutDrafts(lookup: Bool, setting: Int)
        async throws
    {
        let (model, draft) = (try small(5, seed: 11), try small(5, seed: 12))
        let prompt: [Int32] = [1, 2, 3, 1, 2]
        var configuration = SpeculationTests.samplings[setting]
        (configuration.maxTokens, configuration.draftTokens, configuration.seed) = (3, 2, UInt64(setting))
        (configuration.samples, configuration.promptLookup) = (450, lookup)
        let found = try await complete(model, tokenizer: nil, prompt: prompt, configuration: configuration, draft: lookup ? nil : draft)
        let counts = Dictionary(found.map { ($0.tokens.map(\.id), 1.0) }, uniquingKeysWith: +)
        var expected = [[Int32](): 1.0]
        for _ in 0..<3 {
            var longer: [[Int32]: Double] = [:]
            for (answer, probability) in expected {
                var sampler = Sampler(configuration, vocabulary: 5, random: RandomStream(seed: 0))
                for id in prompt + answer { sampler.observe(id) }
                let tokens = (prompt + answer).map(Int64.init)
                let hidden = try model(Tensor(tokens, shape: [1, tokens.count]), ForwardContext())
                let logits = try model.logits(hidden.select(1, tokens.count - 1)).array(Float.self)
                let candidates = logits.withUnsafeBufferPointer { sampler.draft($0, allowed: nil, uniform: 0) }.candidates?.normalised ?? []
                for candidate in candidates { longer[answer + [candidate.id]] = probability * candidate.weight }
            }
            expected = longer
        }
        #expect(Set(counts.keys).isSubset(of: expected.keys))
        // Cells too small for the approximation go together.
        var (squares, cells, rest) = (0.0, -1.0, (found: 0.0, expected: 0.0))
        for (answer, probability) in expected {
            let (found, expected) = (counts[answer] ?? 0, probability * 450)
            if expected < 5 {
                rest = (rest.found + found, rest.expected + expected)
            } else {
                (squares, cells) = (squares + (found - expected) * (found - expected) / expected, cells + 1)
            }
        }
        if rest.expected > 0 { (squares, cells) = (squares + (rest.found - rest.expected) * (rest.found - rest.expected) / rest.expected, cells + 1) }
        #expect(cells > 3 && squares < cells + 4 * (2 * cells).squareRoot(), "χ² \(squares) of \(cells)")
    }

    /// The rule alone, by its own sums: what comes out has the model's probabilities, whatever the guess was drawn from.
    @Test func theRuleKeepsTheDistribution() {
        var random = RandomStream(seed: 21)
        let configuration = GenerationConfiguration { $0.temperature = 1 }
        for _ in 0..<4 {
            let logits = (0..<2).map { _ in (0..<6).map { _ in Float(random.uniform() * 4) } }
            var target = Sampler(configuration, vocabulary: 6, random: RandomStream(seed: UInt64(random.below(1000))))
            var guess = Sampler(configuration, vocabulary: 6, random: RandomStream(seed: 1))
            var counts = [Double](repeating: 0, count: 6)
            for _ in 0..<20_000 {
                let draft = logits[1].withUnsafeBufferPointer { guess.draft($0, allowed: nil, uniform: random.uniform()) }
                counts[Int(logits[0].withUnsafeBufferPointer { target.choose($0, allowed: nil, draft: draft) })] += 1
            }
            let sum = logits[0].reduce(0) { $0 + exp(Double($1)) }
            for (logit, count) in zip(logits[0], counts) {
                let p = exp(Double(logit)) / sum
                #expect(abs(count / 20_000 - p) < 4.5 * (p * (1 - p) / 20_000).squareRoot())
            }
        }
    }

    @Test func lookUpFindsTheLastPlace() throws {
        let tiny = try Tiny()
        let rules = try SampleRules(tiny.model, tokenizer: nil, configuration: GenerationConfiguration())
        let state = SampleState(sample: 0, rules, promptTokens: 1, row: [1], context: 48, random: RandomStream(seed: 0))
        func drafts(_ row: [Int32], _ count: Int, source: [Int32] = []) -> [Int32] {
            LookupDrafting(source: source).drafts(count, behind: row, state).map(\.id)
        }
        #expect(drafts([1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3], 2) == [5, 1])
        #expect(drafts([1, 2, 3, 4, 9, 2, 3], 9) == [4, 9, 2, 3])
        #expect(drafts([7, 7, 7, 7], 3) == [7])
        #expect(drafts([1, 2, 3, 4], 3).isEmpty && drafts([1], 3).isEmpty)
        #expect(drafts([0, 5, 6], 2, source: [4, 5, 6, 8]) == [8, 0])
    }

    @Test func theCacheForgetsWhatWasRefused() throws {
        let model = try small(50, seed: 4)
        func ids(_ tokens: [Int]) throws -> Tensor { try Tensor(tokens.map(Int64.init), shape: [1, tokens.count]) }
        let cache = KVCache(for: model, batch: 1, capacity: 2)
        _ = try withInference { try model(ids([1, 2, 3, 9, 9, 9]), ForwardContext(cache: cache)) }
        cache.truncate(to: 3)
        #expect(cache.length == 3)
        let next = try withInference { try model(ids([4, 5]), ForwardContext(cache: cache)) }
        let whole = try withInference { try model(ids([1, 2, 3, 4, 5]), ForwardContext()) }
        #expect(try (next - whole.narrow(1, start: 3, length: 2)).abs().max().item() < 2e-5)
    }

    @Test func whatCannotHelpIsRefusedInOneSentence() async throws {
        let tiny = try Tiny()
        func error(_ draft: (any LanguageModel)?, _ change: (inout GenerationConfiguration) -> Void) async -> String? {
            await #expect(throws: GenerationError.self) {
                _ = try await complete(
                    tiny.model, tokenizer: tiny.tokenizer, prompt: [5], configuration: GenerationConfiguration(change), draft: draft)
            }?.description
        }
        #expect(await error(nil) { $0.draftTokens = 0 } == "draft_tokens must be from 1 to 64, found 0")
        #expect(await error(nil) { ($0.promptLookup, $0.beams) = (true, 2) } == "prompt_lookup does not help beam search; leave one of them out")
        #expect(await error(tiny.model) { $0.beams = 2 } == "beams and a draft model do not go together; leave one of them out")
        #expect(await error(tiny.model) { $0.promptLookup = true } == "prompt_lookup and a draft model do not go together; leave one of them out")
        let few = try small(100, seed: 1)
        #expect(await error(few) { _ in } == "The draft model knows 100 tokens and the model 340; both must have the same tokenizer.")
        let t5 = try loadModel(from: Golden.folder.appending(path: "tiny-t5"))
        let kinds = await #expect(throws: GenerationError.self) {
            _ = try await complete(t5, tokenizer: nil, prompt: [5], configuration: .greedy(maxTokens: 3), draft: tiny.model)
        }
        #expect(kinds?.description == "The draft model must be of the model's kind: both encoder-decoders, or neither.")
    }
}
