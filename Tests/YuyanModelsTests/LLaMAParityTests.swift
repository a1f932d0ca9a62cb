import Testing
import YuyanTensor

@testable import YuyanModels

/// What transformers computes with random configurations of the four members (`Fixtures/llama.py`).
@Suite struct LLaMAParityTests {
    struct Case: Decodable {
        var configuration: LLaMAConfiguration
        var tokens: [[Int64]]
        /// Of every fifth position, backwards from the last.
        var logits: [[[Double]]]
        var gradientNorms: [String: Double]
        /// Every seventh number of each gradient, up to twelve.
        var gradients: [String: [Double]]
        var greedy: [Int64]
    }

    static let cases: [Case] = goldenCases("llama.json")

    private func weight(_ name: String, _ count: Int) -> [Double] {
        if name.hasSuffix("norm.weight") { return formula(name, count).map { 1 + 0.2 * $0 } }
        return formula(name, count).map { (name.hasSuffix(".bias") ? 0.2 : 0.3) * $0 }
    }

    @Engine private func model(_ configuration: LLaMAConfiguration) throws -> LLaMA {
        let model = try LLaMA(configuration, seed: 0)
        try fill(model.parameters, with: weight)
        return model
    }

    @Test(arguments: cases.indices) @Engine func logitsAgreeWithTransformers(index: Int) throws {
        let golden = Self.cases[index]
        let model = try model(golden.configuration)
        try expectLogits(model.logits(model(tensor(golden.tokens), ForwardContext())), golden.logits)
    }

    @Test(arguments: cases.indices, [false, true]) @Engine func gradientsAgreeWithTransformers(index: Int, recompute: Bool) throws {
        let golden = Self.cases[index]
        let model = try model(golden.configuration)
        for parameter in model.parameters { try parameter.value.setRequiresGradient(true) }
        try nextTokenLoss(model, tensor(golden.tokens), recompute: recompute).backward()
        try expectGradients(of: model.parameters, norms: golden.gradientNorms, samples: golden.gradients)
    }

    @Test(arguments: cases.indices) @Engine func greedyTokensAgreeWithTransformers(index: Int) throws {
        let golden = Self.cases[index]
        let model = try model(golden.configuration)
        #expect(try greedyTokens(model, after: Array(golden.tokens[0].prefix(5)), count: golden.greedy.count) == golden.greedy)
    }

    @Test(arguments: cases.indices) @Engine func aSavedModelIsTheSameModel(index: Int) throws {
        try expectSavedIsTheSame(model(Self.cases[index].configuration), \.configuration, tokens: GenerationTokens(eos: [2]))
    }

    @Test(arguments: [0, 7, 10, 12]) @Engine func documentsOfARowDoNotSeeEachOther(index: Int) throws {
        let golden = Self.cases[index]
        try expectDocumentsApart(model(golden.configuration), golden.tokens[0].prefix(9), golden.tokens[1].prefix(14))
    }
}
