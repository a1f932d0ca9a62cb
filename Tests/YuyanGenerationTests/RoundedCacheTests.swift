import Foundation
import Testing
import YuyanModels
import YuyanTensor

@testable import YuyanGeneration

/// A plain cache of numbers that were rounded by the definition: what one in 8 bits must amount to.
private final class SlowCache: AttentionCache {
    private var layers: [(keys: Tensor, values: Tensor)?]

    init(for model: any LanguageModel) { layers = Array(repeating: nil, count: model.cacheShape.layers) }

    var length: Int { layers.last??.keys.size(1) ?? 0 }

    private func rounded(_ x: Tensor) throws -> Tensor {
        let wide = try x.to(.float64)
        let scales = try (wide.abs().max(along: 3, keep: true) / 127).to(.float32).to(.float64)
        return try (Tensor.call("aten::round", [.tensor(wide / scales)])[0] * scales).to(x.dtype)
    }

    func extend(layer: Int, keys: Tensor, values: Tensor, placing place: KeyPlacement?) throws -> (keys: Tensor, values: Tensor) {
        let past = layers[layer]
        var all = (keys: try rounded(place?(keys, past?.keys.size(1) ?? 0) ?? keys), values: try rounded(values))
        if let past { all = try (.concatenate([past.keys, all.keys], along: 1), .concatenate([past.values, all.values], along: 1)) }
        layers[layer] = all
        return all
    }
}

@Suite @Engine struct RoundedCacheTests {
    private func llama(
        _ member: LLaMAConfiguration.Member = .llama, width: Int = 32, groups: Int = 2, context: Int = 64, window: Int? = nil,
        dtype: DType = .float32
    ) throws -> LLaMA {
        var configuration = LLaMAConfiguration(
            member: member, vocabularySize: 61, width: width, feedForwardWidth: 40, layers: 2, heads: 4, groups: groups, contextLength: context)
        // As sharp whatever the width: a model whose scores are huge makes much of a rounded key.
        (configuration.initializerRange, configuration.window) = (0.2 * (32 / Double(width)).squareRoot(), window)
        return try LLaMA(configuration, seed: 4, dtype: dtype)
    }

    private func gpt() throws -> GPT { try GPT(GPTConfiguration(vocabularySize: 61, contextLength: 64, width: 32, layers: 2, heads: 4), seed: 3) }

    private func t5() throws -> T5 {
        let json = """
            {"vocab_size": 61, "d_model": 32, "d_kv": 8, "d_ff": 40, "num_layers": 1, "num_decoder_layers": 2, "num_heads": 4, "n_positions": 64}
            """
        return try T5(JSONDecoder().decode(T5Configuration.self, from: Data(json.utf8)), ParameterSource(seed: 3, dtype: .float32, device: .cpu))
    }

    private func ids(_ rows: [[Int]]) throws -> Tensor { try Tensor(rows.flatMap { $0.map(Int64.init) }, shape: [rows.count, rows[0].count]) }

    /// As a fraction of the largest.
    private func difference(_ a: Tensor, _ b: Tensor) throws -> Double {
        try (a.to(.float64) - b.to(.float64)).abs().max().item() / b.to(.float64).abs().max().item()
    }

    private func read(_ model: any LanguageModel, _ cache: any AttentionCache, _ tokens: [[Int]], _ source: (any EncodedSource)? = nil) throws
        -> Tensor
    {
        try withInference { try model.logits(model(ids(tokens), ForwardContext(cache: cache, source: source))) }
    }

    private let texts = [(0..<60).map { $0 * 7 % 61 }, (0..<60).map { ($0 * 11 + 5) % 61 }]

    /// In pieces that are read as they lie and in others that are widened, with room that has to grow.
    @Test(arguments: [[60], Array(repeating: 1, count: 60), [7, 1, 2, 13, 1, 8, 10, 9, 9]])
    func isAPlainCacheOfRoundedNumbers(pieces: [Int]) throws {
        let models: [any LanguageModel] = try [
            gpt(), llama(), llama(.qwen3), llama(.mistral, window: 5), llama(width: 256), llama(width: 256, groups: 1), t5(),
        ]
        for model in models {
            let source = try (model as? any EncoderDecoder)?.encode(ids([[5, 6, 7, 1], [9, 8, 4, 1]]), lengths: nil, ForwardContext())
            let (fast, slow, exact) = (
                KVCache(for: model, batch: 2, capacity: 3, precision: .int8), SlowCache(for: model), KVCache(for: model, batch: 2)
            )
            var start = 0
            var (near, off) = (0.0, 0.0)
            for piece in pieces {
                #expect(fast.length == start)
                let tokens = texts.map { Array($0[start..<start + piece]) }
                let found = try read(model, fast, tokens, source)
                near = try max(near, difference(found, read(model, slow, tokens, source)))
                off = try max(off, difference(found, read(model, exact, tokens, source)))
                start += piece
            }
            // A number half way between two codes may fall to either side, which is worth a thousandth.
            #expect(near < 2e-3, "\(type(of: model)): \(near)")
            // Some hundredths of a largest logit at the worst; and it is rounded.
            #expect(off < 0.04 && off > 1e-4, "\(type(of: model)): \(off)")
        }
    }

    @Test func worksInBFloat16() throws {
        for width in [32, 256] {
            let model = try llama(width: width, dtype: .bfloat16)
            let (fast, slow) = (KVCache(for: model, batch: 2, precision: .int8), SlowCache(for: model))
            for range in [0..<20, 20..<21, 21..<24, 24..<40] {
                let tokens = texts.map { Array($0[range]) }
                #expect(try difference(read(model, fast, tokens), read(model, slow, tokens)) < 0.06)
            }
        }
    }

    @Test func takesHalfTheMemory() throws {
        let model = try llama(width: 256, groups: 1, dtype: .bfloat16)
        func bytes(_ precision: KVCache.Precision) throws -> Int {
            let cache = KVCache(for: model, batch: 2, capacity: 60, precision: precision)
            _ = try read(model, cache, texts)
            return cache.byteCount
        }
        // Two layers of keys and values of 64 for each of 2 · 60 tokens.
        #expect(try bytes(.model) == 2 * 2 * 64 * 2 * 60 * 2)
        #expect(try bytes(.int8) == 2 * 2 * (64 + 4) * 2 * 60)
    }

    /// Scales go where their rows go.
    @Test func rowsAndTruncation() throws {
        for model in [try gpt(), try llama()] as [any LanguageModel] {
            let tokens = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
            let cache = KVCache(for: model, batch: 3, precision: .int8)
            _ = try read(model, cache, tokens)
            try cache.select([2, 0, 0, 1])
            #expect(cache.batch == 4 && cache.length == 3)
            let next = try read(model, cache, [[10], [11], [12], [13]])
            for (row, (origin, token)) in zip([2, 0, 0, 1], 10...13).enumerated() {
                let alone = KVCache(for: model, batch: 1, precision: .int8)
                _ = try read(model, alone, [tokens[origin]])
                #expect(try difference(next.narrow(0, start: row, length: 1), read(model, alone, [[token]])) < 1e-4)
            }
            let (guessed, plain) = (KVCache(for: model, batch: 1, precision: .int8), KVCache(for: model, batch: 1, precision: .int8))
            _ = try read(model, guessed, [[1, 2, 3, 60, 59, 58]])
            guessed.truncate(to: 3)
            _ = try read(model, plain, [[1, 2, 3]])
            #expect(try difference(read(model, guessed, [[4, 5]]), read(model, plain, [[4, 5]])) < 1e-4)
        }
    }

    /// One token after another, guessed ahead, in a batch, and after a beginning that was kept: the same.
    @Test func greedyTokensAreTheSameByAllWays() async throws {
        let tiny = try Tiny()
        for model in [tiny.model, try llama(), try llama(width: 256)] as [any LanguageModel] {
            let prompt: [Int32] = [5, 9, 13, 17, 21, 5, 9, 13]
            var configuration = GenerationConfiguration.greedy(maxTokens: 30)
            configuration.cache = .int8
            let plain = try await complete(model, tokenizer: nil, prompt: prompt, configuration: configuration)[0].tokens.map(\.id)
            for guesses in [2, 4, 9] {
                (configuration.promptLookup, configuration.draftTokens) = (true, guesses)
                #expect(try await complete(model, tokenizer: nil, prompt: prompt, configuration: configuration)[0].tokens.map(\.id) == plain)
            }
            configuration.promptLookup = false
            #expect(
                try await complete(model, tokenizer: nil, prompt: prompt, configuration: configuration, draft: model)[0].tokens.map(\.id) == plain)
            let prefixes = try PrefixCache(for: model, precision: .int8)
            for count in [5, 8] {
                var found: [Int32] = []
                let beginning = Array(prompt.prefix(count))
                for try await event in try generate(model, tokenizer: nil, prompt: beginning, configuration: configuration, prefixes: prefixes) {
                    if case .token(_, let token) = event { found.append(token.id) }
                }
                if count == 8 { #expect(found == plain) }
            }
            #expect(prefixes.reusedTokens >= 5)
        }
    }

    /// Beams change places and their scales with them: the answers of the plain cache, where they are well apart.
    @Test func beamsAreThePlainOnes() async throws {
        var configuration = GenerationConfiguration()
        (configuration.maxTokens, configuration.beams, configuration.samples) = (12, 4, 2)
        for model in [try gpt(), try llama(), try llama(width: 256)] as [any LanguageModel] {
            configuration.cache = .model
            let plain = try await complete(model, tokenizer: nil, prompt: [3, 9, 27, 20], configuration: configuration)
            configuration.cache = .int8
            let found = try await complete(model, tokenizer: nil, prompt: [3, 9, 27, 20], configuration: configuration)
            #expect(found.map { $0.tokens.map(\.id) } == plain.map { $0.tokens.map(\.id) }, "\(type(of: model))")
        }
    }

    /// Keys take other places many times; what rounding costs does not add up.
    @Test func endless() throws {
        let model = try llama(context: 24)
        let (fast, plain) = (KVCache(endlessFor: model, batch: 1, precision: .int8), KVCache(endlessFor: model, batch: 1))
        var bytes: Set<Int> = []
        for token in 0..<300 {
            try withInference {
                try fast.makeRoom()
                try plain.makeRoom()
            }
            #expect(fast.length == plain.length)
            #expect(try difference(read(model, fast, [[token * 7 % 61]]), read(model, plain, [[token * 7 % 61]])) < 0.05, "token \(token)")
            if token >= 24 { bytes.insert(fast.byteCount) }
        }
        // Two layers of keys, values and keys without places: 2 groups of 8 and a scale for each of 24 tokens.
        #expect(bytes == [2 * 3 * 2 * (8 + 4) * 24])
    }

    @Test func aTextThatGoesOn() async throws {
        let model = try llama(context: 24)
        var configuration = GenerationConfiguration.greedy(maxTokens: 40)
        configuration.cache = .int8
        let text = try EndlessText(for: model, precision: .int8)
        var count = 0
        for try await event in try generate(model, tokenizer: nil, prompt: [3, 9, 27], configuration: configuration, text: text) {
            if case .token = event { count += 1 }
        }
        #expect(count == 40)
        configuration.cache = .model
        let error = #expect(throws: GenerationError.self) {
            try generate(model, tokenizer: nil, prompt: [1], configuration: configuration, text: text)
        }
        #expect(error?.description == "cache must be int8, as what was read before is kept, found model")
        configuration.overflow = .slide
        configuration.cache = .int8
        #expect(try await complete(model, tokenizer: nil, prompt: [3, 9, 27], configuration: configuration)[0].tokens.count == 40)
        let prefixes = try PrefixCache(for: model)
        #expect(throws: GenerationError.self) { try generate(model, tokenizer: nil, prompt: [1], configuration: configuration, prefixes: prefixes) }
    }

    @Test func keptBeginningsAreSavedAndLoaded() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "prefixes-\(UUID().uuidString).safetensors")
        defer { try? FileManager.default.removeItem(at: file) }
        let tiny = try Tiny()
        let model = try llama()
        let prefixes = try PrefixCache(for: model, precision: .int8)
        var configuration = GenerationConfiguration.greedy(maxTokens: 3)
        configuration.cache = .int8
        let prompt: [Int32] = [5, 9, 13, 17, 21]
        for try await _ in try generate(model, tokenizer: nil, prompt: prompt, configuration: configuration, prefixes: prefixes) {}
        // 7 tokens of 2 layers, keys and values of 2 groups.
        #expect(prefixes.byteCount == 7 * 2 * 2 * 2 * (8 + 4))
        try prefixes.save(to: file, tokenizer: tiny.tokenizer)
        let loaded = try PrefixCache(for: model, precision: .int8)
        try loaded.load(from: file, tokenizer: tiny.tokenizer)
        #expect(loaded.byteCount == prefixes.byteCount && loaded.commonPrefix(with: prompt) == 5)
        let error = #expect(throws: GenerationError.self) { try PrefixCache(for: model).load(from: file, tokenizer: tiny.tokenizer) }
        #expect(error?.description == "cache must be int8, as keys and values are kept in \(file.path), or the file deleted; found model")
    }
}

private let stories: URL? = ProcessInfo.processInfo.environment["YUYAN_TEST_DATA"].map {
    URL(fileURLWithPath: $0).appending(path: "weights/stories260K")
}

/// A model that has learned something, over its whole context.
@Suite(.enabled(if: stories != nil, "YUYAN_TEST_DATA names no folder of real data")) struct RoundedCacheStoriesTests {
    @Test @Engine func greedyTokensStayTheSame() async throws {
        let folder = try #require(stories)
        let expected = try JSONDecoder().decode([Int32].self, from: Data(contentsOf: folder.appending(path: "greedy_ids.json")))
        let model = try loadModel(from: folder.appending(path: "stories260K.bin"))
        var configuration = GenerationConfiguration.greedy(maxTokens: expected.count - 1)
        configuration.cache = .int8
        let free = try await complete(model, tokenizer: nil, prompt: [expected[0]], configuration: configuration)[0].tokens.map(\.id)
        let together = zip(free, expected.dropFirst()).prefix { $0 == $1 }.count
        // Where the plain cache's text is given, what would come next.
        let cache = KVCache(for: model, batch: 1, precision: .int8)
        var same = 0
        for (token, next) in zip(expected, expected.dropFirst()) {
            let logits = try withInference {
                try model.logits(model(Tensor([Int64(token)], shape: [1, 1]), ForwardContext(cache: cache)).select(1, 0))
            }
            if try logits.argmax(along: -1).array(Int64.self)[0] == Int64(next) { same += 1 }
        }
        print("together", together, "same", same, "of", expected.count - 1)
        #expect(Double(same) >= 0.98 * Double(expected.count - 1))
    }
}
