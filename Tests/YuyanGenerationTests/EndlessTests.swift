import Foundation
import Testing
import YuyanModels
import YuyanTensor

@testable import YuyanGeneration

/// All that was ever read, in pieces; each pass picks the tokens that are left and gives all keys their places anew.
private final class SlowCache: AttentionCache {
    private let sinks: Int, limit: Int
    private var left: [Int] = []
    private var new = 0
    private var tokens: [[(keys: Tensor, values: Tensor)]]  // [layer][token]

    init(layers: Int, sinks: Int, limit: Int) {
        (self.sinks, self.limit) = (sinks, limit)
        tokens = Array(repeating: [], count: layers)
    }

    var length: Int { left.count }

    /// Between two passes.
    func finishPass() {
        left += tokens[0].count - new..<tokens[0].count
        if left.count == limit { left.removeSubrange(sinks..<sinks + max(1, (limit - sinks) / 4)) }
    }

    func extend(layer: Int, keys: Tensor, values: Tensor, placing place: KeyPlacement?) throws -> (keys: Tensor, values: Tensor) {
        new = keys.size(1)
        let seen = left + (tokens[layer].count..<tokens[layer].count + new)
        for token in 0..<new {
            tokens[layer].append((try keys.narrow(1, start: token, length: 1).clone(), try values.narrow(1, start: token, length: 1).clone()))
        }
        let all = try Tensor.concatenate(seen.map { tokens[layer][$0].keys }, along: 1)
        return (try place?(all, 0) ?? all, try .concatenate(seen.map { tokens[layer][$0].values }, along: 1))
    }
}

@Suite @Engine struct EndlessTests {
    private func llama(_ member: LLaMAConfiguration.Member = .llama, context: Int = 24, dtype: DType = .float32) throws -> LLaMA {
        var configuration = LLaMAConfiguration(
            member: member, vocabularySize: 61, width: 32, feedForwardWidth: 40, layers: 2, heads: 4, groups: 2, contextLength: context)
        configuration.initializerRange = 0.2
        return try LLaMA(configuration, seed: 4, dtype: dtype)
    }

    private func ids(_ tokens: some Sequence<Int>) throws -> Tensor {
        let tokens = tokens.map(Int64.init)
        return try Tensor(tokens, shape: [1, tokens.count])
    }

    private func difference(_ a: Tensor, _ b: Tensor) throws -> Double { try (a.to(.float64) - b.to(.float64)).abs().max().item() }

    /// Longer than the cache by many times, token by token and in pieces.
    @Test(arguments: zip([4, 0, 4, 7], [[1], [1], [1, 3, 2], [5]])) func forgettingIsWhatItIsSpelledOut(sinks: Int, pieces: [Int]) throws {
        for (member, dtype) in [(LLaMAConfiguration.Member.llama, DType.float32), (.qwen3, .float32), (.llama, .bfloat16)] {
            let model = try llama(member, dtype: dtype)
            let (fast, slow) = (KVCache(endlessFor: model, batch: 1, sinks: sinks), SlowCache(layers: 2, sinks: sinks, limit: 24))
            try withInference {
                var (start, turn) = (0, 0)
                while start < 100 {
                    try fast.makeRoom()
                    let count = min(pieces[turn % pieces.count], fast.room)
                    #expect(fast.length == slow.length)
                    let tokens = try ids((start..<start + count).map { $0 * 7 % 61 })
                    let (a, b) = (try model(tokens, ForwardContext(cache: fast)), try model(tokens, ForwardContext(cache: slow)))
                    #expect(try difference(a, b) < (dtype == .float32 ? 1e-4 : 0.1), "\(member) \(dtype), token \(start)")
                    slow.finishPass()
                    (start, turn) = (start + count, turn + 1)
                }
            }
        }
    }

    @Test func distancesMoveUpInT5() throws {
        let json = """
            {"vocab_size": 61, "d_model": 32, "d_kv": 8, "d_ff": 40, "num_layers": 1, "num_decoder_layers": 2, "num_heads": 4, "n_positions": 24}
            """
        let model = try T5(
            JSONDecoder().decode(T5Configuration.self, from: Data(json.utf8)), ParameterSource(seed: 3, dtype: .float32, device: .cpu))
        let (fast, slow) = (KVCache(endlessFor: model, batch: 1), SlowCache(layers: 2, sinks: 4, limit: 24))
        try withInference {
            let source = try model.encode(ids([5, 6, 7, 1]), lengths: nil, ForwardContext())
            for token in 0..<80 {
                try fast.makeRoom()
                let tokens = try ids([token * 7 % 61])
                let a = try model(tokens, ForwardContext(cache: fast, source: source))
                let b = try model(tokens, ForwardContext(cache: slow, source: source))
                #expect(try difference(a, b) < 1e-4, "token \(token)")
                slow.finishPass()
            }
        }
    }

    @Test func memoryStaysTheSame() throws {
        let model = try llama()
        let cache = KVCache(endlessFor: model, batch: 1)
        var bytes: Set<Int> = []
        try withInference {
            for token in 0..<200 {
                try cache.makeRoom()
                _ = try model(ids([token % 61]), ForwardContext(cache: cache))
                if token >= 24 { bytes.insert(cache.byteCount) }
                #expect(cache.length <= 24)
            }
        }
        // Two layers of keys, values and keys without places: 2 groups of 8 for each of 24 tokens.
        #expect(bytes == [2 * 3 * 2 * 8 * 24 * 4])
    }

    @Test func whileNothingIsForgottenItIsThePlainCache() async throws {
        let model = try llama(context: 48)
        let prompt: [Int32] = [3, 9, 27, 20, 60, 58]
        for change in [{ $0.temperature = 0 }, { $0.seed = 5 }, { ($0.beams, $0.samples) = (3, 2) }] as [(inout GenerationConfiguration) -> Void] {
            var plain = GenerationConfiguration(change)
            plain.maxTokens = 100
            var endless = plain
            endless.overflow = .endless
            let (a, b) = (
                try await complete(model, tokenizer: nil, prompt: prompt, configuration: plain),
                try await complete(model, tokenizer: nil, prompt: prompt, configuration: endless)
            )
            // As many as the context holds besides the prompt, and the one behind it.
            #expect(a.allSatisfy { $0.tokens.count == 43 && $0.finishReason == .length } && b.allSatisfy { $0.tokens.count == 100 })
            if plain.beams == 1 { for (a, b) in zip(a, b) { #expect(a.tokens == Array(b.tokens.prefix(43))) } }
        }
    }

    @Test func aPromptLongerThanTheContextIsRead() async throws {
        let model = try llama()
        let prompt = (0..<100).map { Int32($0 * 5 % 61) }
        var configuration = GenerationConfiguration.greedy(maxTokens: 12)
        configuration.overflow = .endless
        let found = try await complete(model, tokenizer: nil, prompt: prompt, configuration: configuration)[0].tokens.map(\.id)
        let cache = SlowCache(layers: 2, sinks: 4, limit: 24)
        var tokens = prompt
        try withInference {
            var read = 0
            while tokens.count < 112 {
                let piece = tokens[read..<min(tokens.count, read + 24 - cache.length)]
                let hidden = try model(ids(piece.map(Int.init)), ForwardContext(cache: cache))
                cache.finishPass()
                read += piece.count
                if read == tokens.count {
                    tokens.append(Int32(try model.logits(hidden.select(1, piece.count - 1)).argmax(along: -1).array(Int64.self)[0]))
                }
            }
        }
        #expect(found == Array(tokens.dropFirst(100)))
    }

    /// A text in several calls is the text in one; an answer that was given up and one that was cut are part of it.
    @Test func aTextGoesOn() async throws {
        let model = try llama()
        let text = try EndlessText(for: model)
        var all: [Int32] = []
        for (turn, count) in [5, 30, 1, 17].enumerated() {
            let prompt = (0..<9).map { Int32(($0 * 5 + turn) % 61) }
            all += prompt
            var made = 0
            let configuration = GenerationConfiguration.greedy(maxTokens: turn == 1 ? 100 : count)
            for try await event in try generate(model, tokenizer: nil, prompt: prompt, configuration: configuration, text: text) {
                guard case .token(_, let token) = event else { continue }
                all.append(token.id)
                made += 1
                if made == count && turn == 1 { break }
            }
            #expect(made == count)
        }
        let slow = SlowCache(layers: 2, sinks: 4, limit: 24)
        try withInference {
            // In the same pieces: a prompt is read at once as far as there is room.
            var (read, place) = (0, 0)
            var pending: Int32?
            for count in [5, 30, 1, 17] {
                var unread = 9 + (pending == nil ? 0 : 1)
                place += 9
                for _ in 0..<count {
                    var hidden: Tensor?
                    while unread > 0 {
                        let piece = min(unread, 24 - slow.length)
                        let output = try model(ids(all[read..<read + piece].map(Int.init)), ForwardContext(cache: slow))
                        slow.finishPass()
                        hidden = try output.select(1, piece - 1)
                        (read, unread) = (read + piece, unread - piece)
                    }
                    let next = Int32(try model.logits(#require(hidden)).argmax(along: -1).array(Int64.self)[0])
                    #expect(next == all[place])
                    (place, unread) = (place + 1, 1)
                }
                pending = all[place - 1]
            }
        }
    }

    @Test func learnedPositionsAreRefused() throws {
        let model = try GPT(GPTConfiguration(vocabularySize: 61, contextLength: 24, width: 32, layers: 1, heads: 4), seed: 1)
        var configuration = GenerationConfiguration.greedy(maxTokens: 4)
        configuration.overflow = .endless
        let error = #expect(throws: GenerationError.self) { try generate(model, tokenizer: nil, prompt: [1], configuration: configuration) }
        #expect(error?.key == "overflow")
        #expect(throws: GenerationError.self) { try EndlessText(for: model) }
        configuration = .greedy(maxTokens: 4)
        configuration.samples = 2
        let text = try EndlessText(for: llama())
        #expect(throws: GenerationError.self) { try generate(llama(), tokenizer: nil, prompt: [1], configuration: configuration, text: text) }
    }
}
