import Foundation
import Testing
import YuyanTensor

@testable import YuyanModels

/// What transformers computes with random T5 configurations, versions 1.0 and 1.1, sources padded (`Fixtures/t5.py`).
@Suite struct T5ParityTests {
    struct Case: Decodable {
        var configuration: T5Configuration
        var source: [[Int64]]
        var lengths: [Int]
        var target: [[Int64]]
        var loss: Double
        /// Of every fifth position, backwards from the last.
        var logits: [[[Double]]]
        var gradientNorms: [String: Double]
        var gradients: [String: [Double]]
    }

    static let cases: [Case] = goldenCases("t5.json")

    private func weight(_ name: String, _ count: Int) -> [Double] {
        let numbers = formula(name, count)
        if name.contains("layer_norm") { return numbers.map { 1 + 0.2 * $0 } }
        return name.contains("relative") ? numbers : numbers.map { 0.3 * $0 }
    }

    @Engine private func model(_ configuration: T5Configuration) throws -> T5 {
        let model = try T5(configuration, ParameterSource(seed: 0, dtype: .float32, device: .cpu))
        try fill(model.parameters, with: weight)
        return model
    }

    /// What the decoder is given: the target, moved on by one behind the start.
    private func shifted(_ target: [[Int64]]) -> [[Int64]] { target.map { [0] + $0.dropLast() } }

    @Test(arguments: cases.indices) @Engine func logitsAgreeWithTransformers(index: Int) throws {
        let golden = Self.cases[index]
        let model = try model(golden.configuration)
        let source = try model.encode(tensor(golden.source), lengths: golden.lengths, ForwardContext())
        try expectLogits(model.logits(model(tensor(shifted(golden.target)), ForwardContext(source: source))), golden.logits)
    }

    @Test(arguments: cases.indices, [false, true]) @Engine func gradientsAgreeWithTransformers(index: Int, recompute: Bool) throws {
        let golden = Self.cases[index]
        let model = try model(golden.configuration)
        for parameter in model.parameters { try parameter.value.setRequiresGradient(true) }
        let source = try model.encode(tensor(golden.source), lengths: golden.lengths, ForwardContext(recompute: recompute))
        let hidden = try model(tensor(shifted(golden.target)), ForwardContext(source: source, recompute: recompute))
        let count = golden.target.count * golden.target[0].count
        let loss = try Tensor.linearCrossEntropy(
            hidden.reshape(count, hidden.size(-1)), model.outputWeight, targets: tensor(golden.target).reshape(count), divisor: Double(count))
        #expect(try abs(loss.item() - golden.loss) < 1e-4)
        try loss.backward()
        try expectGradients(of: model.parameters, norms: golden.gradientNorms, samples: golden.gradients)
    }

    @Test(arguments: cases.indices) @Engine func aSavedModelIsTheSameModel(index: Int) throws {
        try expectSavedIsTheSame(model(Self.cases[index].configuration), \.configuration, tokens: GenerationTokens(eos: [1], pad: 0))
    }

    /// transformers from 5 on writes that every T5 is tied, whether it scales, and the output matrix where it is another than the embedding.
    @Test @Engine func aModelThatIsSaidToBeTiedKeepsItsHead() throws {
        let scratch = try ScratchFolder()
        let model = try model(Self.cases[1].configuration)
        try saveModel(model, to: scratch.url, tokens: nil)
        let file = scratch.url.appending(path: "config.json")
        for type in ["t5", "mt5"] {
            var json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
            (json["tie_word_embeddings"], json["model_type"]) = (true, type)
            // mT5's says nothing of it.
            if type == "mt5" { json["scale_decoder_outputs"] = nil }
            try JSONSerialization.data(withJSONObject: json).write(to: file)
            let loaded = try #require(try loadModel(from: scratch.url) as? T5)
            #expect(!loaded.configuration.tiesEmbedding && !loaded.configuration.scalesOutput)
            #expect(try loaded.outputWeight.array(Float.self) == model.outputWeight.array(Float.self))
        }
    }

    /// The rule in words: each small distance alone, larger ones by logarithm, keys behind the query apart from those before it.
    @Test func distancesFallIntoBuckets() {
        let c = Self.cases[0].configuration
        #expect((0..<16).map { c.bucket(-$0, bidirectional: false) } == Array(0..<16))
        #expect(c.bucket(5, bidirectional: false) == 0 && c.bucket(-127, bidirectional: false) == 31 && c.bucket(-9999, bidirectional: false) == 31)
        #expect((0..<8).map { c.bucket(-$0, bidirectional: true) } == Array(0..<8))
        #expect((1..<8).map { c.bucket($0, bidirectional: true) } == Array(17..<24))
        #expect(c.bucket(-9999, bidirectional: true) == 15 && c.bucket(9999, bidirectional: true) == 31)
        for bidirectional in [false, true] {
            let buckets = (0..<300).map { c.bucket(-$0, bidirectional: bidirectional) }
            #expect(buckets == buckets.sorted())
        }
    }
}
