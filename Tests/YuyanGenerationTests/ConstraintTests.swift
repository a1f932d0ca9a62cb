import Foundation
import Testing
import YuyanModels
import YuyanTensor
import YuyanText

@testable import YuyanGeneration

private let prose = """
    雨燕是飞得很快的鸟，夏天住在城里的塔楼上。The swift sleeps in the air, 24 hours a day: {"name": "雨燕", "age": 10, "tags": ["a", "b"]}.
    abc 0.5 [1, 2] null true false {"x": -1} a.b.c "quoted" \\ 燕子 燕 é
    """

/// A tokenizer with a random model that knows its tokens.
@Engine private struct Pair {
    let model: any LanguageModel
    let tokenizer: Tokenizer

    init(_ kind: TokenizerTrainer.Kind, context: Int = 160) throws {
        try self.init(TokenizerTrainer.train(kind: kind, vocabularySize: 420, texts: [prose]), context: context)
    }

    init(_ tokenizer: Tokenizer, context: Int = 160) throws {
        self.tokenizer = tokenizer
        let configuration = GPTConfiguration(vocabularySize: tokenizer.vocabularySize + 3, contextLength: context, width: 16, layers: 1, heads: 2)
        model = try GPT(configuration, seed: 6)
    }

    func texts(_ change: (inout GenerationConfiguration) -> Void) async throws -> [Completion] {
        try await complete(model, tokenizer: tokenizer, prompt: [7, 8], configuration: GenerationConfiguration(change))
    }
}

@Suite @Engine struct ConstraintTests {
    nonisolated static let patterns = [
        "[a-z]{2,5}", "\\d+(\\.\\d+)?", "燕(子|儿)*", "yes|no|maybe", "(a|b)*c", "[一-龥]{3}", "[^a]*", "🦅{2}", "\\w+@\\w+\\.com", "a?b?c?d", "x{12}",
        "[\\s\\S]{4}",
    ]

    @Test(arguments: [TokenizerTrainer.Kind.bpe, .character, .unigram])
    func whatEndsMatches(kind: TokenizerTrainer.Kind) async throws {
        let pair = try Pair(kind)
        var random = RandomStream(seed: 4)
        for pattern in ConstraintTests.patterns + (0..<8).map({ _ in randomPattern(1, &random) }) where !pattern.contains("{0}") {
            for temperature in [0, 2.0] {
                let found = try await pair.texts {
                    ($0.regex, $0.temperature, $0.samples, $0.seed, $0.maxTokens) = (pattern, temperature, 3, 1, 24)
                }
                for one in found {
                    #expect(try matches(one.text, pattern), "\(one.text.debugDescription) by \(pattern)")
                    #expect(one.finishReason == .stop)
                }
            }
        }
    }

    @Test(arguments: [TokenizerTrainer.Kind.bpe, .character, .unigram])
    func whatEndsIsValidHoweverFewTokensThereAre(kind: TokenizerTrainer.Kind) async throws {
        let pair = try Pair(kind)
        var random = RandomStream(seed: 9)
        var cut = 0
        for _ in 0..<12 {
            let schema = randomSchema(random.below(3), &random)
            let most = 1 + random.below(80)
            let found = try await pair.texts {
                ($0.jsonSchema, $0.temperature, $0.samples, $0.seed, $0.maxTokens) = (schema, 1.5, 2, 3, most)
            }
            let shortest = try ByteAutomaton(JSONSchema.grammar(schema)).distances[0]
            for one in found {
                if one.finishReason == .length {
                    // Not even byte by byte would it have been done.
                    #expect(shortest > most)
                    cut += 1
                } else {
                    #expect((try? isValid(document: one.text, schema: schema)) == true, "\(one.text) by \(schema)")
                }
            }
        }
        #expect(cut < 12)
    }

    /// WordPiece puts spaces between words, and knows the characters of its training only: some ways end for want of a token and must not be gone.
    @Test func waysWithoutTokensAreNotTaken() async throws {
        let pair = try Pair(.wordpiece)
        for pattern in ["[a-z]{2,9}", "(the|swift|[^a])*", "[一-龥]{3,4}", "\\w+( \\w+){2}", "(燕|Ω|the ω)+"] {
            for temperature in [0, 2.0] {
                let found = try await pair.texts { ($0.regex, $0.temperature, $0.samples, $0.seed, $0.maxTokens) = (pattern, temperature, 3, 2, 30) }
                for one in found {
                    #expect(try matches(one.text, pattern) && one.finishReason == .stop, "\(one.text.debugDescription) by \(pattern)")
                }
            }
        }
        let error = await #expect(throws: GenerationError.self) { _ = try await pair.texts { $0.regex = "Ω+" } }
        #expect(error?.description == "regex allows no text that the tokenizer's tokens can write")
    }

    /// The mask against its definition: a token may come if the text with it can still become one that is allowed.
    @Test(arguments: [TokenizerTrainer.Kind.bpe, .character, .unigram, .wordpiece])
    func masksAreThoseOfTheDefinition(kind: TokenizerTrainer.Kind) throws {
        let tokenizer = try Pair(kind).tokenizer
        let stops: Set<Int32> = [try #require(tokenizer.special.eos), 50]
        let automaton = try ByteAutomaton(RegularExpression.grammar("( ?(the|a|燕子|swift|[0-9a-f]{1,4})){1,5}"))
        let constraint = TokenConstraint(automaton, tokenizer: tokenizer, vocabulary: tokenizer.vocabularySize, stopTokens: stops, bannedTokens: [60])
        var random = RandomStream(seed: 3)
        for _ in 0..<20 {
            var (ids, position) = ([Int32](), constraint.start)
            for _ in 0..<6 {
                let mask = constraint.mask(at: position, remaining: .max)
                let before = bytes(of: ids, tokenizer)
                var allowed: [Int32] = []
                for id in 0..<Int32(tokenizer.vocabularySize) where id != 60 && !stops.contains(id) {
                    let bytes = bytes(of: ids + [id], tokenizer)
                    if bytes.count > before.count, automaton.next(ByteAutomaton.start, bytes) >= 0 { allowed.append(id) }
                }
                if kind == .wordpiece {
                    // Not all of these can be completed with WordPiece's tokens.
                    #expect(allowed.count { mask.contains($0) } > 0 || allowed.isEmpty)
                } else {
                    #expect(allowed == (0..<Int32(tokenizer.vocabularySize)).filter { mask.contains($0) && !stops.contains($0) })
                }
                #expect(stops.allSatisfy { mask.contains($0) == automaton.accepts(tokenizer.decode(ids)) })
                guard let next = allowed.filter(mask.contains).randomElement(&random) else { break }
                ids.append(next)
                position = constraint.position(after: next, at: position)
            }
        }
    }

    private func bytes(of ids: [Int32], _ tokenizer: Tokenizer) -> [UInt8] {
        let tokens = TokenBytes(tokenizer)
        var (place, bytes) = (tokens.start, [UInt8]())
        for id in ids {
            let token = tokens.bytes(of: id, at: place)
            bytes += token.bytes
            place = token.next
        }
        return bytes
    }

    /// To allow some is to ban the others, in all of the sampler's ways.
    @Test func theProbabilityOfWhatIsNotAllowedGoesToTheOthers() throws {
        let tokenizer = try Pair(.bpe).tokenizer
        let count = tokenizer.vocabularySize
        let automaton = try ByteAutomaton(RegularExpression.grammar("[a-m燕]+"))
        let constraint = TokenConstraint(automaton, tokenizer: tokenizer, vocabulary: count, stopTokens: [], bannedTokens: [])
        let mask = constraint.mask(at: constraint.start, remaining: .max)
        let others = (0..<Int32(count)).filter { !mask.contains($0) }
        #expect(others.count < count && others.count > 100)
        var random = RandomStream(seed: 8)
        let settings: [GenerationConfiguration] = [
            .init { $0.temperature = 1 }, .init { $0.temperature = 0 }, .init { $0.topK = 5 }, .init { $0.topP = 0.7 }, .init { $0.minP = 0.2 },
            .init { $0.repetitionPenalty = 1.4 },
        ]
        for configuration in settings {
            var banning = configuration
            banning.bannedTokens = others
            var masked = Sampler(configuration, vocabulary: count, random: RandomStream(seed: 0))
            var banned = Sampler(banning, vocabulary: count, random: RandomStream(seed: 0))
            for _ in 0..<50 {
                let logits = (0..<count).map { _ in Float(random.uniform() * 8) }
                let uniform = random.uniform()
                let id = logits.withUnsafeBufferPointer { masked.choose($0, allowed: mask, uniform: uniform) }
                #expect(logits.withUnsafeBufferPointer { banned.choose($0, uniform: uniform) } == id)
                #expect(mask.contains(id))
                masked.observe(id)
                banned.observe(id)
            }
        }
        // Whatever the model holds possible.
        var greedy = Sampler(.greedy(maxTokens: 1), vocabulary: count, random: RandomStream(seed: 0))
        let impossible = (0..<Int32(count)).map { mask.contains($0) ? -Float.infinity : 0 }
        #expect(mask.contains(impossible.withUnsafeBufferPointer { greedy.choose($0, allowed: mask) }))
    }

    @Test func theContextsEndIsReckonedWith() async throws {
        let pair = try Pair(.bpe, context: 24)
        let schema = #"{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}"#
        let found = try await pair.texts { ($0.jsonSchema, $0.samples, $0.seed, $0.temperature) = (schema, 8, 1, 3) }
        for one in found {
            #expect(try isValid(document: one.text, schema: schema))
            #expect(one.finishReason == .stop && one.tokens.count <= 23)
        }
        let slid = try await pair.texts { ($0.regex, $0.overflow, $0.temperature, $0.maxTokens) = ("[ab]{200}", .slide, 1, 300) }[0]
        #expect(slid.text.count == 200 && slid.text.allSatisfy("ab".contains) && slid.finishReason == .stop)
    }

    @Test func manyPromptsTogetherAreHeldToIt() async throws {
        let pair = try Pair(.unigram)
        let configuration = GenerationConfiguration { ($0.regex, $0.samples, $0.seed, $0.temperature, $0.maxTokens) = ("(雨燕|燕子){1,3}!", 2, 5, 2, 30) }
        let found = try await complete(
            pair.model, tokenizer: pair.tokenizer, prompts: [[7], [8], [9, 10], [11]], configuration: configuration, batch: 2)
        for one in found.joined() { #expect(try matches(one.text, "(雨燕|燕子){1,3}!") && one.finishReason == .stop) }
        let error = await #expect(throws: GenerationError.self) {
            _ = try await complete(pair.model, tokenizer: nil, prompt: [7], configuration: configuration)
        }
        #expect(error?.description == "regex needs a tokenizer")
    }

    nonisolated private static let real = ProcessInfo.processInfo.environment["YUYAN_TEST_DATA"].map {
        URL(filePath: $0).appending(path: "tokenizers")
    }

    @Test(
        .enabled(if: real != nil, "YUYAN_TEST_DATA names no folder of real data"),
        arguments: ["llama2", "gpt-neox", "chinese-llama-sp", "bert-base-chinese"])
    func realTokenizersAreHeldToIt(name: String) async throws {
        let pair = try Pair(Tokenizer(contentsOf: #require(ConstraintTests.real).appending(path: name)))
        for pattern in ["[a-z]{2,5}", "[一-龥]{3,8}", "\\d{4}年\\d{1,2}月", "(yes|no), \\w+\\."] {
            if name.hasPrefix("bert"), pattern.contains(",") { continue }
            for temperature in [0, 1.0] {
                let found = try await pair.texts { ($0.regex, $0.temperature, $0.samples, $0.seed, $0.maxTokens) = (pattern, temperature, 2, 2, 30) }
                for one in found {
                    #expect(try matches(one.text, pattern) && one.finishReason == .stop, "\(one.text.debugDescription) by \(pattern)")
                }
            }
        }
    }
}

extension [Int32] {
    fileprivate func randomElement(_ random: inout RandomStream) -> Int32? { isEmpty ? nil : random.element(of: self) }
}
