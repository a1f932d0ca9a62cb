import Foundation
import Testing
import YuyanTensor

@testable import YuyanModels

/// What transformers computes with random configurations of openai-gpt (`Fixtures/gpt1.py`).
@Suite struct GPT1ParityTests {
    struct Gradient: Decodable {
        var norm: Double
        /// Every seventh number, up to twelve.
        var samples: [Double]
    }

    struct Case: Decodable {
        var configuration: GPT1File
        var tokens: [[Int64]]
        /// Of every fifth position, backwards from the last.
        var logits: [[[Double]]]
        var gradients: [String: Gradient]
        var greedy: [Int64]
    }

    static let cases: [Case] = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/gpt1.json")
        do { return try JSONDecoder().decode([Case].self, from: Data(contentsOf: file)) } catch { fatalError("\(file.path): \(error)") }
    }()

    @Engine private func model(_ golden: Case) throws -> GPT1 {
        let model = try GPT1(golden.configuration.configuration, seed: 0)
        for parameter in model.parameters {
            try parameter.value.copy(from: Tensor(gptWeight(parameter.name, parameter.value.count), shape: parameter.value.shape))
        }
        return model
    }

    @Engine private func tokens(_ golden: Case) throws -> Tensor {
        try Tensor(golden.tokens.flatMap { $0 }, shape: [golden.tokens.count, golden.tokens[0].count])
    }

    @Test(arguments: cases.indices) @Engine func logitsAgreeWithTransformers(index: Int) throws {
        let golden = Self.cases[index]
        let model = try model(golden)
        let tokens = try tokens(golden)
        let values = try model.logits(model(tokens, ForwardContext())).array(Double.self)
        let (time, words) = (tokens.size(1), model.vocabularySize)
        for (row, positions) in golden.logits.enumerated() {
            for (number, expected) in positions.enumerated() {
                let start = (row * time + time - 1 - 5 * number) * words
                let worst = zip(values[start..<start + words], expected).map { abs($0 - $1) }.max() ?? .infinity
                #expect(worst < 1e-4, "row \(row), position \(time - 1 - 5 * number)")
            }
        }
    }

    @Test(arguments: cases.indices, [false, true]) @Engine func gradientsAgreeWithTransformers(index: Int, recompute: Bool) throws {
        let golden = Self.cases[index]
        let model = try model(golden)
        for parameter in model.parameters { try parameter.value.setRequiresGradient(true) }
        let tokens = try tokens(golden)
        let hidden = try model(tokens, ForwardContext(recompute: recompute))
        let (rows, time) = (tokens.size(0), tokens.size(1))
        let loss = try Tensor.linearCrossEntropy(
            hidden.narrow(1, start: 0, length: time - 1).reshape(rows * (time - 1), hidden.size(-1)), model.outputWeight,
            targets: tokens.narrow(1, start: 1, length: time - 1).reshape(rows * (time - 1)), divisor: Double(rows * (time - 1)))
        try loss.backward()
        for parameter in model.parameters {
            let gradient = try #require(try parameter.value.gradient, "\(parameter.name)").array(Double.self)
            let expected = try #require(golden.gradients[parameter.name])
            #expect(abs(gradient.reduce(0) { $0 + $1 * $1 }.squareRoot() - expected.norm) < 1e-3 * expected.norm + 1e-7, "\(parameter.name)")
            let samples = stride(from: 0, to: gradient.count, by: 7).prefix(12).map { gradient[$0] }
            #expect(samples.count == expected.samples.count)
            let worst = zip(samples, expected.samples).map { abs($0 - $1) }.max() ?? .infinity
            #expect(worst < 1e-3 * expected.norm, "\(parameter.name)")
        }
    }

    @Test(arguments: cases.indices) @Engine func greedyTokensAgreeWithTransformers(index: Int) throws {
        let golden = Self.cases[index]
        let model = try model(golden)
        var tokens = Array(golden.tokens[0].prefix(5))
        for _ in golden.greedy {
            let hidden = try model(Tensor(tokens, shape: [1, tokens.count]), ForwardContext())
            tokens.append(try model.logits(hidden.select(1, tokens.count - 1)).argmax(along: -1).array(Int64.self)[0])
        }
        #expect(Array(tokens.dropFirst(5)) == golden.greedy)
    }

    @Test(arguments: cases.indices) @Engine func aSavedModelIsTheSameModel(index: Int) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "yuyan-gpt1-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let model = try model(Self.cases[index])
        try saveModel(model, to: folder, tokens: GenerationTokens(eos: [2]))
        let loaded = try #require(try loadModel(from: folder) as? GPT1)
        #expect(loaded.configuration == model.configuration)
        for (a, b) in zip(model.parameters, loaded.parameters) {
            #expect(a.name == b.name)
            #expect(try a.value.array(Float.self) == b.value.array(Float.self))
        }
        let stored = try SafeTensorsFile(folder.appending(path: "model.safetensors"))
        let width = model.configuration.width
        #expect(stored.entry("transformer.h.0.attn.c_attn.weight")?.shape == [width, 3 * width])
    }

    /// The published size: 116.5 million numbers with its vocabulary of 40,478 (what transformers counts), the output matrix once.
    @Test func thePresetIsThePublishedSize() throws {
        let preset = try #require(ModelPreset("gpt1"))
        #expect(preset.shape == (width: 768, heads: 12, contextLength: 512, learningRate: 2.5e-4, batchTokens: 32_768))
        // GPT-2 of this size has a last norm besides.
        #expect(GPTConfiguration(preset: GPT1.preset, vocabularySize: 40_478).parameterCount - 2 * 768 == 116_534_784)
    }
}
