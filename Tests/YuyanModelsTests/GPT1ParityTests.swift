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

    static let cases: [Case] = goldenCases("gpt1.json")

    @Engine private func model(_ golden: Case) throws -> GPT1 {
        let model = try GPT1(golden.configuration.configuration, seed: 0)
        try fill(model.parameters, with: gptWeight)
        return model
    }

    @Test(arguments: cases.indices) @Engine func logitsAgreeWithTransformers(index: Int) throws {
        let golden = Self.cases[index]
        let model = try model(golden)
        try expectLogits(model.logits(model(tensor(golden.tokens), ForwardContext())), golden.logits)
    }

    @Test(arguments: cases.indices, [false, true]) @Engine func gradientsAgreeWithTransformers(index: Int, recompute: Bool) throws {
        let golden = Self.cases[index]
        let model = try model(golden)
        for parameter in model.parameters { try parameter.value.setRequiresGradient(true) }
        try nextTokenLoss(model, tensor(golden.tokens), recompute: recompute).backward()
        try expectGradients(of: model.parameters, norms: golden.gradients.mapValues(\.norm), samples: golden.gradients.mapValues(\.samples))
    }

    @Test(arguments: cases.indices) @Engine func greedyTokensAgreeWithTransformers(index: Int) throws {
        let golden = Self.cases[index]
        #expect(try greedyTokens(model(golden), after: Array(golden.tokens[0].prefix(5)), count: golden.greedy.count) == golden.greedy)
    }

    @Test(arguments: cases.indices) @Engine func aSavedModelIsTheSameModel(index: Int) throws {
        let model = try model(Self.cases[index])
        let width = model.configuration.width
        try expectSavedIsTheSame(model, \.configuration, tokens: GenerationTokens(eos: [2])) { stored in
            #expect(stored.entry("transformer.h.0.attn.c_attn.weight")?.shape == [width, 3 * width])
        }
    }

    /// The published size: 116.5 million numbers with its vocabulary of 40,478 (what transformers counts), the output matrix once.
    @Test func thePresetIsThePublishedSize() throws {
        let preset = try #require(ModelPreset("gpt1"))
        #expect(preset.shape == (width: 768, heads: 12, contextLength: 512, learningRate: 2.5e-4, batchTokens: 32_768))
        // GPT-2 of this size has a last norm besides.
        #expect(GPTConfiguration(preset: GPT1.preset, vocabularySize: 40_478).parameterCount - 2 * 768 == 116_534_784)
    }
}
