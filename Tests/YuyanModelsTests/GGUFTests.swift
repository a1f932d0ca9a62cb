import Foundation
import Testing
import YuyanTensor

@testable import YuyanModels

@Suite struct GGUFTests {
    // MARK: Blocks

    struct Blocks: Decodable {
        var values: [Float]
        var blocks: [String: String]
        var decoded: [String: [Float]]
        var singles: [Float]
        var halves: [UInt16]
    }

    static let blocks: Blocks = {
        let file = fixtures.appending(path: "gguf_blocks.json")
        do { return try JSONDecoder().decode(Blocks.self, from: Data(contentsOf: file)) } catch { fatalError("\(file.path): \(error)") }
    }()

    @Test(arguments: [GGUFType.q8, .q4]) func blocksAreThoseOfGGML(type: GGUFType) throws {
        let golden = Self.blocks
        let hexadecimal = try #require(golden.blocks[type.rawValue])
        var bytes = [UInt8](repeating: 0, count: type.byteCount(golden.values.count))
        #expect(bytes.count == hexadecimal.count / 2)
        bytes.withUnsafeMutableBytes { target in golden.values.withUnsafeBufferPointer { GGUFBlocks.encode($0, as: type, into: target) } }
        #expect(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == hexadecimal)
        var values = [Float](repeating: 0, count: golden.values.count)
        values.withUnsafeMutableBufferPointer { target in bytes.withUnsafeBytes { GGUFBlocks.decode($0, of: type, into: target) } }
        #expect(values == golden.decoded[type.rawValue])
    }

    @Test @Engine func halvesAreRoundedToTheNearest() throws {
        for (single, half) in zip(Self.blocks.singles, Self.blocks.halves) { #expect(GGUFBlocks.half(single) == half, "\(single)") }
        // All there are, against libtorch.
        let finite = (UInt16.min...UInt16.max).filter { $0 & 0x7C00 != 0x7C00 }
        let values = finite.map(GGUFBlocks.float(half:))
        let again = values.map(GGUFBlocks.half) == finite
        #expect(again)
        let torch = try Tensor(values).to(.float16).to(.float32).array(Float.self)
        let same = torch == values
        #expect(same)
    }

    // MARK: Models

    static let llamas: [(name: String, configuration: LLaMAConfiguration)] = {
        func shape(_ member: LLaMAConfiguration.Member, ties: Bool = false, _ change: (inout LLaMAConfiguration) -> Void = { _ in })
            -> LLaMAConfiguration
        {
            var c = LLaMAConfiguration(
                member: member, vocabularySize: 96, width: 64, feedForwardWidth: 96, layers: 2, heads: 4, groups: 2, contextLength: 40,
                tiesEmbedding: ties)
            c.initializerRange = 0.2
            change(&c)
            return c
        }
        return [
            ("llama", shape(.llama)), ("tied", shape(.llama, ties: true) { $0.rotary.base = 500_000 }),
            ("biases", shape(.llama) { ($0.attentionBias, $0.feedForwardBias) = (true, true) }),
            ("qwen2", shape(.qwen2)), ("qwen3", shape(.qwen3) { $0.ownHeadWidth = 32 }), ("mistral", shape(.mistral)),
            ("linear", shape(.llama) { ($0.rotary.kind, $0.rotary.factor) = (.linear, 4) }),
            (
                "llama3",
                shape(.llama) {
                    ($0.rotary.kind, $0.rotary.factor, $0.rotary.originalContext) = (.llama3, 8, 16)
                    ($0.rotary.lowFrequencyFactor, $0.rotary.highFrequencyFactor) = (1, 4)
                }
            ),
        ]
    }()
    static let names = llamas.map(\.name) + ["gpt2", "gpt2-narrow"]

    @Engine private func model(_ name: String) throws -> any LanguageModel {
        let model: any LanguageModel
        if let found = Self.llamas.first(where: { $0.name == name }) {
            model = try LLaMA(found.configuration, seed: 3)
        } else {
            let inner = name == "gpt2" ? nil : 96
            model = try GPT(
                GPTConfiguration(
                    vocabularySize: 96, contextLength: 40, width: 64, layers: 2, heads: 4, feedForwardWidth: inner, initializerRange: 0.2), seed: 3)
        }
        // Norms and biases that do something.
        let generator = try Generator(seed: 5)
        for parameter in model.parameters where parameter.value.rank == 1 {
            try parameter.value.addInPlace(generator.normal(parameter.value.shape), scale: 0.2)
        }
        return model
    }

    private static let tokens: [Int64] = [1, 17, 80, 3, 3, 42, 65, 9, 30]

    @Engine private func logits(_ model: any LanguageModel, _ tokens: [Int64] = tokens) throws -> [Double] {
        try model.logits(model(Tensor(tokens, shape: [1, tokens.count]), ForwardContext())).array(Double.self)
    }

    private func distance(_ a: [Double], _ b: [Double]) -> Double {
        a.count == b.count ? zip(a, b).map { abs($0 - $1) }.max() ?? .infinity : .infinity
    }

    @Test(arguments: names) @Engine func aModelIsReadAsItWasWritten(name: String) throws {
        let scratch = try ScratchFolder()
        let url = scratch.url.appending(path: "a.gguf")
        let model = try model(name)
        let expected = try logits(model)
        let spread = (expected.max() ?? 0) - (expected.min() ?? 0)
        for (type, tolerance) in [(GGUFType.f32, 1e-5), (.f16, 0.01), (.bf16, 0.05), (.q8, 0.1), (.q4, 0.6)] {
            try saveGGUF(model, to: url, type: type, tokenizer: nil, name: name)
            let read = try loadModel(from: url, dtype: .float32)
            #expect(Set(read.parameters.map(\.name)) == Set(model.parameters.map(\.name)))
            let found = distance(try logits(read), expected)
            #expect(found < tolerance * spread, "\(type): \(found) of \(spread)")
            if let dtype = type.dtype { #expect(try storedDType(of: url) == dtype) }
        }
    }

    /// Matrices in blocks, the rest in float32.
    @Test @Engine func eachTensorHasItsType() throws {
        let scratch = try ScratchFolder()
        let url = scratch.url.appending(path: "a.gguf")
        try saveGGUF(model("gpt2"), to: url, type: .q4, tokenizer: nil, name: "nano")
        let file = try GGUFFile(url)
        func type(_ name: String) -> GGUFType? { file.entry(name)?.type }
        #expect(type("blk.1.attn_qkv.weight") == .q4 && type("token_embd.weight") == .q8)
        #expect(type("position_embd.weight") == .f32 && type("blk.0.attn_norm.weight") == .f32 && type("blk.0.ffn_up.bias") == .f32)
        #expect(file.entry("blk.0.ffn_up.weight")?.shape == [256, 64])
        #expect(try file.text("general.architecture") == "gpt2" && file.text("general.name") == "nano")
        #expect(try file.integer("gpt2.context_length") == 40 && file.integer("general.file_type") == 2)
        #expect(file.metadata["tokenizer.ggml.model"] == .text("no_vocab"))
    }

    @Test @Engine func theTokenizerIsWritten() throws {
        let scratch = try ScratchFolder()
        let url = scratch.url.appending(path: "a.gguf")
        var tokenizer = GGUFTokenizer(
            model: .bytePairs(merges: ["a b", "Ġ a"], splitting: "gpt-2"), tokens: ["a", "b", "ab", "<|endoftext|>"],
            kinds: [.normal, .normal, .normal, .control], bos: 3, eos: 3, chatTemplate: "{{ messages }}")
        try saveGGUF(model("llama"), to: url, type: .f16, tokenizer: tokenizer, name: "a")
        let file = try GGUFFile(url)
        #expect(file.metadata["tokenizer.ggml.merges"] == .texts(["a b", "Ġ a"]))
        guard case .texts(let tokens)? = file.metadata["tokenizer.ggml.tokens"],
            case .numbers(let kinds)? = file.metadata["tokenizer.ggml.token_type"]
        else {
            Issue.record("there are no tokens")
            return
        }
        #expect(tokens.count == 96 && tokens.prefix(5) == ["a", "b", "ab", "<|endoftext|>", "[PAD4]"])
        #expect(kinds.prefix(5) == [1, 1, 1, 3, 5])
        #expect(try GenerationTokens(contentsOf: url) == GenerationTokens(bos: 3, eos: [3]))
        #expect(file.metadata["tokenizer.ggml.eos_token_id"] == .integer(3) && file.metadata["tokenizer.chat_template"] == .text("{{ messages }}"))
        tokenizer.model = .sentencePiece(scores: [0, -1, -2, 0])
        try saveGGUF(model("llama"), to: url, type: .f16, tokenizer: tokenizer, name: "a")
        guard case .numbers(let scores)? = try GGUFFile(url).metadata["tokenizer.ggml.scores"] else {
            Issue.record("there are no scores")
            return
        }
        #expect(scores.count == 96 && scores.prefix(3) == [0, -1, -2])
    }

    // MARK: T5

    /// Version 1.0, version 1.1, and a gated one that shares the matrix unscaled, as transformers makes them from 5 on.
    static let t5s = ["1.0", "1.1", "shared"]

    @Engine private func t5(_ name: String, decoderLayers: Int = 2) throws -> T5 {
        let json = """
            {"model_type": "t5", "vocab_size": 96, "d_model": 64, "d_kv": 16, "d_ff": 96, "num_layers": 3, "num_decoder_layers": \(decoderLayers),
            "num_heads": 4, "feed_forward_proj": "\(name == "1.0" ? "relu" : "gated-gelu")", "tie_word_embeddings": \(name != "1.1"),
            "scale_decoder_outputs": \(name == "1.0"), "decoder_start_token_id": 7, "dropout_rate": 0}
            """
        let model = try T5(
            JSONDecoder().decode(T5Configuration.self, from: Data(json.utf8)), ParameterSource(seed: 2, dtype: .float32, device: .cpu))
        // Norms and distances that do something.
        let generator = try Generator(seed: 5)
        for parameter in model.parameters {
            let isDistance = parameter.name.hasSuffix("relative_attention_bias.weight")
            guard parameter.value.rank == 1 || isDistance else { continue }
            try parameter.value.addInPlace(generator.normal(parameter.value.shape), scale: isDistance ? 1 : 0.2)
        }
        return model
    }

    /// Long enough for all the kinds of distances.
    private static let source: [Int64] = (0..<150).map { (place: Int64) -> Int64 in 2 + place * (13 + 5 * place) % 94 }

    /// Logits of the tokens that a T5 is forced to write.
    @Engine private func logits(_ model: T5, writing tokens: [Int64]) throws -> [Double] {
        let source = try model.encode(Tensor(Self.source, shape: [1, Self.source.count]), lengths: nil, ForwardContext())
        return try model.logits(model(Tensor(tokens, shape: [1, tokens.count]), ForwardContext(source: source))).array(Double.self)
    }

    @Test(arguments: t5s) @Engine func aT5IsReadAsItWasWritten(name: String) throws {
        let scratch = try ScratchFolder()
        let url = scratch.url.appending(path: "a.gguf")
        let model = try t5(name)
        let expected = try logits(model, writing: Self.tokens)
        let spread = (expected.max() ?? 0) - (expected.min() ?? 0)
        for (type, tolerance) in [(GGUFType.f32, 1e-5), (.f16, 0.01), (.bf16, 0.05), (.q8, 0.1), (.q4, 0.6)] {
            try saveGGUF(model, to: url, type: type, tokenizer: nil, name: name)
            let read = try #require(try loadModel(from: url, dtype: .float32) as? T5)
            // Version 1.0 comes back with the head that the file has.
            #expect(read.decoderStart == 7 && read.configuration.tiesEmbedding == (name == "shared"))
            let found = distance(try logits(read, writing: Self.tokens), expected)
            #expect(found < tolerance * spread, "\(type): \(found) of \(spread)")
        }
    }

    /// As other programs write version 1.0: nothing says that the output is divided.
    @Test @Engine func aT5WithoutAHeadIsScaled() throws {
        let scratch = try ScratchFolder()
        let url = scratch.url.appending(path: "a.gguf")
        let model = try t5("1.0")
        let description = try GGUFDescription(model.configuration)
        var writer = GGUFWriter()
        writer.metadata = [("general.architecture", .text("t5"))] + description.facts.map { ("t5.\($0.key)", $0.value) }
        for parameter in model.parameters { writer.add(try #require(description.names.stored(parameter.name)), parameter.value, as: .f32) }
        try writer.pendingFile(url).commit()
        let read = try #require(try loadModel(from: url) as? T5)
        #expect(read.configuration.tiesEmbedding && read.configuration.scalesOutput)
        #expect(distance(try logits(read, writing: Self.tokens), try logits(model, writing: Self.tokens)) < 1e-4)
    }

    // MARK: llama.cpp

    /// A Python with llama-cpp-python.
    static let python = ProcessInfo.processInfo.environment["YUYAN_LLAMA_CPP_PYTHON"]

    struct Generated: Decodable {
        var tokens: [Int64]
        var logits: [Double]
    }

    static func ask<Answer: Decodable>(_ arguments: String...) throws -> Answer {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(python))
        process.arguments = [fixtures.appending(path: "gguf_files.py").path] + arguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let json = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return try JSONDecoder().decode(Answer.self, from: json)
    }

    @Test(.enabled(if: python != nil, "set YUYAN_LLAMA_CPP_PYTHON to a Python with llama-cpp-python"), arguments: names)
    @Engine func llamaCppChoosesTheSameTokens(name: String) throws {
        let scratch = try ScratchFolder()
        let url = scratch.url.appending(path: "a.gguf")
        let model = try model(name)
        try saveGGUF(model, to: url, type: .f32, tokenizer: nil, name: name)
        let theirs: Generated = try Self.ask("greedy", url.path, "16", "\(Self.tokens)")
        var tokens = Self.tokens
        var last: [Double] = []
        for _ in theirs.tokens {
            last = try logits(model, tokens).suffix(model.vocabularySize)
            tokens.append(Int64(last.indices.max { last[$0] < last[$1] } ?? 0))
        }
        #expect(Array(tokens.dropFirst(Self.tokens.count)) == theirs.tokens)
        // llama.cpp takes GELU from a table of float16.
        #expect(distance(last, theirs.logits) < (name.hasPrefix("gpt2") ? 2e-2 : 1e-3), "\(distance(last, theirs.logits))")
    }

    private static let stories = ProcessInfo.processInfo.environment["YUYAN_TEST_DATA"].map {
        URL(fileURLWithPath: $0).appending(path: "weights/stories260K")
    }

    /// A real model: with its own numbers the story of `StoriesTests`, here and in llama.cpp.
    @Test(.enabled(if: stories != nil, "YUYAN_TEST_DATA names no folder of real data")) @Engine func aRealModelTellsItsStory() throws {
        let folder = try #require(Self.stories)
        let expected = try JSONDecoder().decode([Int64].self, from: Data(contentsOf: folder.appending(path: "greedy_ids.json")))
        let scratch = try ScratchFolder()
        let url = scratch.url.appending(path: "stories.gguf")
        try saveGGUF(loadModel(from: folder.appending(path: "hf")), to: url, type: .f32, tokenizer: nil, name: "stories")
        let model = try loadModel(from: url)
        let values = try logits(model, Array(expected.dropLast()))
        let words = model.vocabularySize
        let chosen = (0..<expected.count - 1).map { row in
            Int64((0..<words).max { values[row * words + $0] < values[row * words + $1] } ?? 0)
        }
        #expect(chosen == Array(expected.dropFirst()))
        guard Self.python != nil else { return }
        let theirs: Generated = try Self.ask("greedy", url.path, "\(expected.count - 1)", "\(expected.prefix(1))")
        #expect(theirs.tokens == Array(expected.dropFirst()))
    }

    @Test(.enabled(if: python != nil, "set YUYAN_LLAMA_CPP_PYTHON to a Python with llama-cpp-python"), arguments: t5s)
    @Engine func llamaCppWritesFromTheSameSource(name: String) throws {
        let scratch = try ScratchFolder()
        let url = scratch.url.appending(path: "a.gguf")
        let model = try t5(name)
        try saveGGUF(model, to: url, type: .f32, tokenizer: nil, name: "t5")
        let theirs: Generated = try Self.ask("source", url.path, "24", "\(Self.source)")
        var tokens = [Int64(model.decoderStart)]
        var last: [Double] = []
        for _ in theirs.tokens {
            last = try logits(model, writing: tokens).suffix(model.vocabularySize)
            tokens.append(Int64(last.indices.max { last[$0] < last[$1] } ?? 0))
        }
        #expect(Array(tokens.dropFirst()) == theirs.tokens && Set(tokens).count > 1)
        // The other logits are those of the scaled output, too; llama.cpp takes GELU from a table of float16.
        let spread = (last.max() ?? 0) - (last.min() ?? 0)
        #expect(distance(last, theirs.logits) < (name == "1.0" ? 1e-4 : 1e-2) * spread, "\(distance(last, theirs.logits)) of \(spread)")
    }

    // MARK: What must be refused

    @Test @Engine func damagedFilesAreRefusedOrRead() throws {
        let scratch = try ScratchFolder()
        let url = scratch.url.appending(path: "a.gguf")
        let tokenizer = GGUFTokenizer(model: .bytePairs(merges: ["a b"], splitting: "gpt-2"), tokens: ["a", "b", "ab"])
        try saveGGUF(model("qwen2"), to: url, type: .q8, tokenizer: tokenizer, name: "a")
        let sound = try Data(contentsOf: url)
        let head =
            sound.count - 32
            * (try GGUFFile(url).names.reduce(0) {
                $0 + ((try GGUFFile(url).entry($1).map { ($0.type.byteCount($0.shape.reduce(1, *)) + 31) / 32 }) ?? 0)
            })
        var random = SplitMix(state: 3)
        var (opened, refused) = (0, 0)
        func attempt(_ data: Data) throws {
            let url = try scratch.file("b.gguf", data)
            do {
                let file = try GGUFFile(url)
                for name in file.names where (file.entry(name)?.shape.reduce(1, *) ?? 0) < 1 << 20 { _ = try file.tensor(name) }
                // What opens may still be another model than its tensors are of.
                if opened.isMultiple(of: 5) { _ = try? loadModel(from: url) }
                opened += 1
            } catch {
                #expect(error is WeightsError)
                refused += 1
            }
        }
        for count in stride(from: 0, to: head, by: 173) { try attempt(sound.prefix(count)) }
        #expect(opened == 0)
        for _ in 0..<150 {
            var data = sound
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                let place = Int.random(in: 0..<head, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: data[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
                case 1: data[place] = .random(in: 0...255, using: &random)
                default:
                    data.replaceSubrange(
                        place..<min(place + 8, data.count), with: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F].prefix(min(8, data.count - place)))
                }
            }
            try attempt(data)
        }
        #expect(opened > 0 && refused > 0)
    }

    @Test @Engine func whatIsNotSupportedIsSaid() throws {
        let scratch = try ScratchFolder()
        let relu = try GPT(GPTConfiguration(vocabularySize: 8, contextLength: 8, width: 8, layers: 1, heads: 1, activation: .relu), seed: 0)
        #expect(
            sentence { try saveGGUF(relu, to: scratch.url.appending(path: "a.gguf"), type: .f32, tokenizer: nil, name: "a") }
                == "llama.cpp's gpt2 computes GELU, this model relu")
        let deep = try t5("1.1", decoderLayers: 4)
        #expect(
            sentence { try saveGGUF(deep, to: scratch.url.appending(path: "a.gguf"), type: .f32, tokenizer: nil, name: "a") }
                == "llama.cpp loads no t5 whose decoder is deeper than its encoder; this model has 4 and 3 layers")
        let url = try scratch.file("b.gguf", Data("GGML".utf8))
        #expect(sentence { _ = try loadModel(from: url) } == "\(url.path): not a GGUF file: it does not begin with GGUF")
    }

    @Test @Engine func typesThatAreNotReadAreNamed() throws {
        let scratch = try ScratchFolder()
        let url = scratch.url.appending(path: "a.gguf")
        try saveGGUF(model("qwen2"), to: url, type: .q4, tokenizer: nil, name: "a")
        let sound = try Data(contentsOf: url)
        let name = try #require(sound.range(of: Data("blk.0.ffn_up.weight".utf8)))
        for (code, type) in [(UInt8(12), "Q4_K"), (14, "Q6_K"), (99, "type 99")] {
            // Behind the name: the number of dimensions, two dimensions, the type.
            var data = sound
            data[name.upperBound + 20] = code
            let url = try scratch.file("b.gguf", data)
            #expect(
                sentence { _ = try loadModel(from: url) }
                    == "\(url.path): tensor \"blk.0.ffn_up.weight\" is stored as \(type), which is not supported; F32, F16, BF16, Q8_0, Q4_0 are: "
                    + "take the model's file in F16, BF16 or Q8_0")
        }
    }
}
