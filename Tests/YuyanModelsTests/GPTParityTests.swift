import Testing
import YuyanTensor

@testable import YuyanModels

/// What transformers computes with random GPT-2 configurations.
@Suite struct GPTParityTests {
    struct Case: Decodable {
        var configuration: GPTConfiguration
        var tokens: [[Int64]]
        /// Of every fifth position, backwards from the last.
        var logits: [[[Double]]]
        var greedy: [Int64]
    }

    static let cases: [Case] = goldenCases("gpt2.json")

    @Engine private func model(_ configuration: GPTConfiguration) throws -> GPT {
        let gpt = try GPT(configuration, seed: 0)
        try fill(gpt.parameters, with: gptWeight)
        return gpt
    }

    @Test(arguments: 0..<5) @Engine func logitsAgreeWithTransformers(index: Int) throws {
        let golden = Self.cases[index]
        let gpt = try model(golden.configuration)
        try expectLogits(gpt.logits(gpt(tensor(golden.tokens), ForwardContext())), golden.logits)
    }

    @Test(arguments: 0..<5) @Engine func greedyTokensAgreeWithTransformers(index: Int) throws {
        let golden = Self.cases[index]
        let gpt = try model(golden.configuration)
        #expect(try greedyTokens(gpt, after: Array(golden.tokens[0].prefix(5)), count: golden.greedy.count) == golden.greedy)
    }

    /// Matrices are laid out as Hugging Face has them on the way.
    @Test @Engine func aSavedModelIsTheSameModel() throws {
        try expectSavedIsTheSame(model(Self.cases[1].configuration), \.configuration, tokens: GenerationTokens(eos: [3, 4], pad: 3)) { stored in
            #expect(stored.entry("transformer.h.0.attn.c_attn.weight")?.shape == [30, 90])
        }
    }

    @Test @Engine func documentsOfARowDoNotSeeEachOther() throws {
        let golden = Self.cases[0]
        try expectDocumentsApart(model(golden.configuration), golden.tokens[0].prefix(6), golden.tokens[1].prefix(9))
    }
}
