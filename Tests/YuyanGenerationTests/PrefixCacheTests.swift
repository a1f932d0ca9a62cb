import Foundation
import Testing
import YuyanModels
import YuyanTensor
import YuyanText

@testable import YuyanGeneration

@Suite @Engine struct PrefixCacheTests {
    private func llama(seed: UInt64 = 4) throws -> LLaMA {
        var configuration = LLaMAConfiguration(
            vocabularySize: 61, width: 32, feedForwardWidth: 40, layers: 2, heads: 4, groups: 2, contextLength: 64)
        configuration.initializerRange = 0.2
        return try LLaMA(configuration, seed: seed)
    }

    private func greedy(
        _ model: any LanguageModel, _ prompt: [Int32], _ count: Int, _ prefixes: PrefixCache?, samples: Int = 1,
        overflow: GenerationConfiguration.Overflow = .error, draft: (any LanguageModel)? = nil,
        adjust: (inout GenerationConfiguration) -> Void = { _ in }
    ) async throws -> [Int32] {
        var configuration = GenerationConfiguration.greedy(maxTokens: count)
        (configuration.samples, configuration.overflow) = (samples, overflow)
        adjust(&configuration)
        var ids: [Int32] = []
        for try await event in try generate(
            model, tokenizer: nil, prompt: prompt, configuration: configuration, draft: draft, prefixes: prefixes)
        {
            if case .token(_, let token) = event { ids.append(token.id) }
        }
        return ids
    }

    private func text(_ count: Int, _ seed: Int) -> [Int32] { (0..<count).map { Int32(($0 * 7 + $0 * $0 * seed) % 61) } }

    @Test func theSameTokensWithLessWork() async throws {
        for model in [try llama(), try Tiny().model] as [any LanguageModel] {
            let prefixes = try PrefixCache(for: model)
            let system = text(20, 1)
            let first = system + text(5, 2)
            let answer = try await greedy(model, first, 6, prefixes)
            #expect(try await answer == greedy(model, first, 6, nil))
            #expect(prefixes.reusedTokens == 0)
            // The next turn of the same conversation: all but the answer's last token was read.
            let second = first + answer + text(4, 3)
            #expect(prefixes.commonPrefix(with: second) == first.count + 5)
            #expect(try await greedy(model, second, 6, prefixes) == greedy(model, second, 6, nil))
            #expect(prefixes.reusedTokens == first.count + 5)
            // Another conversation with the same system prompt, and samples that part after it.
            let other = system + text(7, 5).map { ($0 + 1) % 61 }
            let shared = prefixes.commonPrefix(with: other)
            #expect(shared >= 20 && shared < other.count)
            #expect(try await greedy(model, other, 4, prefixes, samples: 2) == greedy(model, other, 4, nil, samples: 2))
            #expect(prefixes.reusedTokens == first.count + 5 + shared)
            // The very same prompt: all but its last token.
            _ = try await greedy(model, other, 1, prefixes)
            #expect(prefixes.reusedTokens == first.count + 5 + shared + other.count - 1)
        }
    }

    @Test func beamsAndGuessesToo() async throws {
        let (model, draft) = (try llama(), try llama(seed: 5))
        let prompt = text(20, 1)
        let prefixes = try PrefixCache(for: model)
        let beams = try await greedy(model, prompt, 6, prefixes) { $0.beams = 3 }
        #expect(prefixes.reusedTokens == 0 && prefixes.commonPrefix(with: prompt) == 20)
        #expect(try await beams == greedy(model, prompt, 6, nil) { $0.beams = 3 })
        #expect(try await beams == greedy(model, prompt, 6, prefixes) { $0.beams = 3 })
        #expect(prefixes.reusedTokens == 19)
        // What guesses have written is found again too, by whoever asks.
        let plain = try await greedy(model, prompt, 12, nil)
        #expect(try await plain == greedy(model, prompt, 12, prefixes, draft: draft))
        #expect(prefixes.reusedTokens == 38 && prefixes.commonPrefix(with: prompt + plain) >= 31)
        #expect(try await plain == greedy(model, prompt, 12, prefixes) { $0.promptLookup = true })
        #expect(prefixes.reusedTokens == 57)
    }

    /// What slid away is not the beginning of anything.
    @Test func aWindowThatSlidesKeepsOnlyThePrompt() async throws {
        let model = try llama()
        let prefixes = try PrefixCache(for: model)
        let prompt = text(30, 1)
        let long = try await greedy(model, prompt, 80, prefixes, overflow: .slide)
        #expect(try await long == greedy(model, prompt, 80, nil, overflow: .slide))
        #expect(prefixes.commonPrefix(with: prompt + long) == 30)
    }

    @Test func theLeastRecentlyUsedGoes() async throws {
        let model = try llama()
        // A token takes 2 layers of keys and values, 2 groups of 8 floats each.
        let prefixes = try PrefixCache(for: model, byteBudget: 50 * 2 * 2 * 2 * 8 * 4)
        let texts = (1...3).map { number in [Int32(number)] + text(19, number) }
        for number in [0, 1, 0, 2] { _ = try await greedy(model, texts[number], 1, prefixes) }
        #expect(texts.map(prefixes.commonPrefix(with:)) == [20, 0, 20])
        #expect(prefixes.byteCount == 40 * 256)
        // What begins with a kept text takes its place.
        _ = try await greedy(model, texts[0] + [5], 1, prefixes)
        #expect(prefixes.byteCount == 41 * 256)
        _ = try await greedy(model, text(60, 9), 1, prefixes)
        #expect(prefixes.byteCount == 41 * 256, "one that is too large alone is not kept")
    }

    @Test func isSavedAndLoaded() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "prefixes-\(UUID().uuidString).safetensors")
        defer { try? FileManager.default.removeItem(at: file) }
        let tokenizer = try Tokenizer(contentsOf: Golden.folder.appending(path: "tiny-gpt2"))
        let model = try llama()
        let prefixes = try PrefixCache(for: model)
        let texts = (1...2).map { number in [Int32(number)] + text(19, number) }
        for text in texts { _ = try await greedy(model, text, 3, prefixes) }
        try prefixes.save(to: file, tokenizer: tokenizer)

        let loaded = try PrefixCache(for: llama())
        try loaded.load(from: file, tokenizer: tokenizer)
        #expect(loaded.byteCount == prefixes.byteCount)
        for text in texts {
            let longer = text + [9, 8]
            #expect(loaded.commonPrefix(with: longer) == prefixes.commonPrefix(with: longer))
            let before = loaded.reusedTokens
            #expect(try await greedy(loaded.model, longer, 5, loaded) == greedy(model, longer, 5, nil))
            #expect(loaded.reusedTokens - before >= 20)
        }
        let another = try PrefixCache(for: llama(seed: 5))
        let error = #expect(throws: GenerationError.self) { try another.load(from: file, tokenizer: tokenizer) }
        #expect(error?.description.contains("another model") == true)
        try Data("{}".utf8).write(to: file)
        #expect(throws: WeightsError.self) { try loaded.load(from: file, tokenizer: tokenizer) }
    }

    @Test func oneWeightMakesAnotherFingerprint() throws {
        let (a, b) = (try llama(), try llama())
        #expect(try a.fingerprint() == b.fingerprint())
        #expect(try a.fingerprint() != llama(seed: 5).fingerprint())
        try withoutGradient { try b.parameters[3].value.narrow(0, start: 0, length: 1).fillInPlace(0) }
        #expect(try a.fingerprint() != b.fingerprint())
    }
}
