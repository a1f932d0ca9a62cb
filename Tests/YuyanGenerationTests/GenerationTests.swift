import Testing
import YuyanModels
import YuyanTensor
import YuyanText

@testable import YuyanGeneration

@Suite @Engine struct GenerationTests {
    private func complete(_ tiny: Tiny, prompt: [Int32]? = nil, _ change: (inout GenerationConfiguration) -> Void) async throws -> [Completion] {
        try await YuyanGeneration.complete(
            tiny.model, tokenizer: tiny.tokenizer, prompt: prompt ?? tiny.golden.prompt, configuration: GenerationConfiguration(change))
    }

    @Test func greedyAgreesWithTransformers() async throws {
        let tiny = try Tiny()
        let found = try await complete(tiny) { ($0.maxTokens, $0.temperature, $0.topLogprobs) = (36, 0, 3) }[0]
        let golden = tiny.golden.greedy
        #expect(found.tokens.map(\.id) == golden.ids)
        #expect(found.text == tiny.tokenizer.decode(golden.ids))
        for (token, expected) in zip(found.tokens, golden.logprobs) {
            #expect(abs(token.logprob - expected.chosen) < 1e-4)
            #expect(token.alternatives.map(\.id) == expected.top)
            #expect(zip(token.alternatives, expected.topLogprobs).allSatisfy { abs($0.logprob - $1) < 1e-4 })
        }
        #expect(found.finishReason == .length)
        #expect(found.usage == Usage(promptTokens: tiny.golden.prompt.count, completionTokens: 36))
    }

    @Test func repetitionPenaltyAgreesWithTransformers() async throws {
        let tiny = try Tiny()
        let golden = tiny.golden.greedyPenalty
        let found = try await complete(tiny) { ($0.maxTokens, $0.temperature, $0.repetitionPenalty) = (36, 0, golden.penalty) }[0]
        #expect(found.tokens.map(\.id) == golden.ids)
    }

    @Test func sampledAgreesWithTransformersAtTheSameUniformNumbers() throws {
        let tiny = try Tiny()
        for golden in tiny.golden.sampled {
            var sampler = Sampler(golden.configuration, vocabulary: tiny.golden.vocabulary, random: RandomStream(seed: 0))
            var tokens = tiny.golden.prompt
            for id in tokens { sampler.observe(id) }
            for uniform in golden.uniforms {
                let id = try tiny.logits(after: tokens).withUnsafeBufferPointer { sampler.choose($0, uniform: uniform) }
                sampler.observe(id)
                tokens.append(id)
            }
            #expect(Array(tokens.dropFirst(tiny.golden.prompt.count)) == golden.ids, "\(golden.setting)")
        }
    }

    @Test func stopTextsEndWhereTransformersEnds() async throws {
        let tiny = try Tiny()
        let golden = tiny.golden.stop
        let found = try await complete(tiny) {
            ($0.maxTokens, $0.temperature, $0.bannedTokens, $0.stop) = (32, 0, tiny.golden.banned, ["never", golden.stop])
        }[0]
        #expect(found.tokens.map(\.id) == golden.ids)
        #expect(found.finishReason == .stop)
        #expect(found.text + golden.stop == tiny.tokenizer.decode(golden.ids).prefix(found.text.count + golden.stop.count))
        #expect(golden.unstopped.hasPrefix(found.text + golden.stop))
    }

    @Test func stopTokensEndTheAnswerAndAreNotPartOfIt() async throws {
        let tiny = try Tiny()
        let stop = tiny.golden.greedy.ids[5]
        let found = try await complete(tiny) { ($0.maxTokens, $0.temperature, $0.stopTokens) = (36, 0, [stop]) }[0]
        let end = try #require(tiny.golden.greedy.ids.firstIndex(of: stop))
        #expect(found.tokens.map(\.id) == Array(tiny.golden.greedy.ids[...end]))
        #expect(found.finishReason == .stop)
        #expect(found.text == tiny.tokenizer.decode(Array(tiny.golden.greedy.ids[..<end])))
    }

    @Test func bannedAndPaddedTokensNeverCome() async throws {
        let tiny = try Tiny()
        let banned = Set(tiny.golden.banned)
        let found = try await complete(tiny) {
            ($0.maxTokens, $0.temperature, $0.bannedTokens, $0.samples, $0.seed) = (30, 20, tiny.golden.banned, 4, 1)
        }
        for id in found.flatMap(\.tokens).map(\.id) { #expect(!banned.contains(id) && id < tiny.golden.vocabulary) }
    }

    @Test func samplesDoNotDependOnHowManyThereAre() async throws {
        let tiny = try Tiny()
        func ids(_ samples: Int, seed: UInt64) async throws -> [[Int32]] {
            try await complete(tiny) { ($0.maxTokens, $0.temperature, $0.samples, $0.seed) = (20, 1.5, samples, seed) }.map { $0.tokens.map(\.id) }
        }
        let five = try await ids(5, seed: 8)
        #expect(Set(five).count == 5)
        #expect(try await ids(1, seed: 8) == Array(five.prefix(1)))
        #expect(try await ids(3, seed: 8) == Array(five.prefix(3)))
        #expect(try await ids(1, seed: 9) != Array(five.prefix(1)))
    }

    @Test func manyPromptsGiveWhatEachGivesAlone() async throws {
        let tiny = try Tiny()
        let prompts = [[5, 6, 7], [200, 201], [8, 9, 10], [300, 17, 4], [33]].map { $0.map(Int32.init) }
        let configuration = GenerationConfiguration { ($0.maxTokens, $0.temperature, $0.stopTokens) = (12, 0, [9, 95]) }
        let together = try await YuyanGeneration.complete(
            tiny.model, tokenizer: tiny.tokenizer, prompts: prompts, configuration: configuration, batch: 2)
        for (prompt, found) in zip(prompts, together) {
            let alone = try await YuyanGeneration.complete(tiny.model, tokenizer: tiny.tokenizer, prompt: prompt, configuration: configuration)
            #expect(found.map { $0.tokens.map(\.id) } == alone.map { $0.tokens.map(\.id) })
            #expect(found.map(\.text) == alone.map(\.text))
        }
    }

    @Test func theWindowSlidesAsThePlainWaySlides() async throws {
        let tiny = try Tiny()
        let context = tiny.model.contextLength
        var window = tiny.golden.prompt
        var expected: [Int32] = []
        for _ in 0..<100 {
            if window.count > context { window = Array(window.suffix(context / 2)) }
            var logits = try tiny.logits(after: window)
            logits[0] = -.infinity  // the end of text
            let id = logits.withUnsafeBufferPointer { Int32(indexOfLargest($0)) }
            expected.append(id)
            window.append(id)
        }
        let found = try await complete(tiny) { ($0.maxTokens, $0.temperature, $0.overflow, $0.samples, $0.bannedTokens) = (100, 0, .slide, 2, [0]) }
        #expect(found.map { $0.tokens.map(\.id) } == [expected, expected])
    }

    @Test func theEndOfTheContextIsAnExplicitChoice() async throws {
        let tiny = try Tiny()
        let context = tiny.model.contextLength
        let long = (0..<Int32(context + 1)).map { $0 + 20 }
        let error = await #expect(throws: GenerationError.self) { _ = try await complete(tiny, prompt: long) { $0.maxTokens = 1 } }
        #expect(error?.description == "The prompt has 49 tokens and the model's context holds 48; shorten it, or let the window slide.")
        let full = try await complete(tiny, prompt: Array(long.dropLast())) { ($0.maxTokens, $0.temperature) = (9, 0) }[0]
        #expect(full.tokens.count == 1 && full.finishReason == .length)
        let reached = try await complete(tiny) { ($0.maxTokens, $0.temperature, $0.bannedTokens) = (1000, 0, [0]) }[0]
        #expect(reached.tokens.count == context - tiny.golden.prompt.count + 1 && reached.finishReason == .length)
        let slid = try await complete(tiny, prompt: long) { ($0.maxTokens, $0.temperature, $0.overflow, $0.bannedTokens) = (60, 0, .slide, [0]) }[0]
        #expect(slid.tokens.count == 60)
    }

    @Test func textComesInDeltasAndCancellationStopsAtTheNextToken() async throws {
        let tiny = try Tiny()
        let configuration = GenerationConfiguration { ($0.maxTokens, $0.temperature, $0.samples) = (36, 0, 2) }
        let generation = try generate(tiny.model, tokenizer: tiny.tokenizer, prompt: tiny.golden.prompt, configuration: configuration)
        let task = Task { @Engine in
            var events: [GenerationEvent] = []
            for try await event in generation {
                events.append(event)
                if events.count(where: { if case .token = $0 { true } else { false } }) == 6 { withUnsafeCurrentTask { $0?.cancel() } }
            }
            return events
        }
        let events = try await task.value
        let ends = events.compactMap { event -> String? in
            if case .finished(let sample, let reason, let usage) = event { "\(sample) \(reason) \(usage.completionTokens)" } else { nil }
        }
        #expect(ends == ["0 cancelled 3", "1 cancelled 3"])
        for sample in 0..<2 {
            let text = events.filter { $0.sample == sample }.reduce(into: "") { if case .text(_, let more) = $1 { $0 += more } }
            #expect(text == tiny.tokenizer.decode(Array(tiny.golden.greedy.ids.prefix(3))))
        }
    }

    @Test func whatCannotBeGeneratedIsRefusedInOneSentence() async throws {
        let tiny = try Tiny()
        let changes: [(String, (inout GenerationConfiguration) -> Void)] = [
            ("max_tokens", { $0.maxTokens = 0 }), ("temperature", { $0.temperature = -1 }), ("temperature", { $0.temperature = .nan }),
            ("top_k", { $0.topK = -1 }), ("top_p", { $0.topP = 0 }), ("top_p", { $0.topP = 1.1 }), ("min_p", { $0.minP = 2 }),
            ("repetition_penalty", { $0.repetitionPenalty = 0 }), ("samples", { $0.samples = 0 }), ("top_logprobs", { $0.topLogprobs = -1 }),
            ("stop", { $0.stop = ["a", ""] }), ("banned_tokens", { $0.bannedTokens = Array(0..<400) }),
        ]
        for (key, change) in changes {
            let error = await #expect(throws: GenerationError.self) { _ = try await complete(tiny, change) }
            #expect(error?.key == key)
        }
        await #expect(throws: GenerationError("The prompt holds no token; give it some text, or a token to begin with.")) {
            _ = try await complete(tiny, prompt: []) { _ in }
        }
        await #expect(throws: GenerationError("The prompt holds the token 345, and the model knows 0 to 339 only.")) {
            _ = try await complete(tiny, prompt: [1, 345]) { _ in }
        }
        let small = try GPT(GPTConfiguration(vocabularySize: 100, contextLength: 8, width: 8, layers: 1, heads: 1), seed: 1)
        let error = await #expect(throws: GenerationError.self) {
            _ = try await YuyanGeneration.complete(small, tokenizer: tiny.tokenizer, prompt: [1], configuration: .greedy(maxTokens: 1))
        }
        #expect(error?.description.contains("has 340 tokens and the model's embedding only 100 rows") == true)
    }
}
