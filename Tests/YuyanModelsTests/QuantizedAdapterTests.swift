import Foundation
import Testing
import YuyanTensor

@testable import YuyanModels

/// Adapters over matrices of 4 bits (QLoRA).
@Suite struct QuantizedAdapterTests {
    private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
    private static func base(_ name: String) -> URL { fixtures.appending(path: "lora/\(name)/base") }

    private struct Golden: Decodable {
        var shape: [Int]
        var values: [Double]
    }

    /// `Fixtures/nf4.py`.
    @Test @Engine func roundsAsBitsandbytesDoes() throws {
        let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: Self.fixtures.appending(path: "nf4.json")))
        let count = golden.shape.reduce(1, *)
        let matrix = try Tensor(formula("nf4", count).map { Float(0.2 * $0) }, shape: golden.shape)
        let values = try NF4Matrix(matrix).dequantized(.float32).array(Double.self)
        let taken = stride(from: 0, to: count, by: 7).map { values[$0] }
        #expect(taken.count == golden.values.count && zip(taken, golden.values).allSatisfy { abs($0 - $1) < 1e-7 })
    }

    private static let tokens: [Int64] = (0..<16).map { ($0 * $0 * 7 + $0) % 37 }

    @Engine private func logits(_ model: any LanguageModel, recompute: Bool = false) throws -> Tensor {
        try model.logits(model(Tensor(Self.tokens, shape: [1, 16]), ForwardContext(recompute: recompute)))
    }

    /// B starts as zeros, which would hide A.
    @Engine private func fill(_ adapter: Adapter) throws {
        for parameter in adapter.parameters {
            try parameter.value.copy(from: Tensor(formula(parameter.name, parameter.value.count).map { 0.3 * $0 }, shape: parameter.value.shape))
        }
    }

    private func isLinear(_ parameter: Parameter) -> Bool {
        parameter.value.rank == 2 && parameter.name.contains(/\d/) && !parameter.name.contains("embed")
    }

    @Test(arguments: ["gpt2", "llama"], [false, true]) @Engine func computesAsTheModelItStandsFor(name: String, recompute: Bool) throws {
        let configuration = LoRAConfiguration(rank: 3)
        let quantized = try loadModel(from: Self.base(name), lora: configuration, quantization: .nf4, seed: 5)
        let dense = try loadModel(from: Self.base(name), lora: configuration, seed: 5)
        var changed = 0
        for parameter in dense.parameters where isLinear(parameter) {
            try parameter.value.copy(from: NF4Matrix(parameter.value).dequantized(.float32))
            changed += parameter.value.count
        }
        for model in [quantized, dense] {
            try fill(#require(model.adapter))
            for parameter in model.trainable { try parameter.value.setRequiresGradient(true) }
        }
        let kept = quantized.adapter?.quantized.reduce(0) { $0 + $1.shape.reduce(1, *) }
        #expect(kept == changed && quantized.parameterCount == dense.parameterCount)
        let (a, b) = (try logits(quantized, recompute: recompute), try logits(dense))
        #expect(try (a - b).abs().max().item() < 1e-5)
        try a.square().sum().backward()
        try b.square().sum().backward()
        for (x, y) in zip(quantized.trainable, dense.trainable) {
            let (gradient, expected) = (try #require(try x.value.gradient), try #require(try y.value.gradient))
            #expect(try (gradient - expected).abs().max().item() < 1e-4 * max(1, expected.abs().max().item()), "\(x.name)")
        }
        for parameter in quantized.parameters { #expect(try parameter.value.gradient == nil) }
    }

    /// What was trained on rounded matrices works on rounded ones wherever it is loaded, wide by then, and can be merged into them.
    @Test(arguments: ["gpt2", "llama"]) @Engine func anAdapterRemembersWhatItWasTrainedOn(name: String) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "yuyan-qlora-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let model = try loadModel(from: Self.base(name), lora: LoRAConfiguration(rank: 3), quantization: .nf4, seed: 5)
        let adapter = try #require(model.adapter)
        try fill(adapter)
        let expected = try logits(model)
        try AdapterFolder.save(model, adapter, base: Self.base(name), to: folder)
        for quantization in [nil, Quantization.nf4] {
            let loaded = try loadModel(from: folder, quantization: quantization)
            #expect(try (logits(loaded) - expected).abs().max().item() < 1e-5)
            #expect(loaded.adapter?.quantized.isEmpty == (quantization == nil))
        }
        let whole = try loadModel(from: folder)
        try #require(whole.adapter).merge()
        try saveModel(whole, to: folder.appending(path: "whole"), tokens: nil)
        #expect(try (logits(loadModel(from: folder.appending(path: "whole"))) - expected).abs().max().item() < 1e-4)

        #expect(throws: WeightsError.self) { try adapter.merge() }
        #expect(throws: WeightsError.self) { try saveModel(model, to: folder.appending(path: "half"), tokens: nil) }
        #expect(throws: WeightsError.self) { try loadModel(from: Self.base(name), quantization: .nf4) }
    }

    @Test @Engine func numbersThatAreNoneAreNotQuantised() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "yuyan-qlora-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let model = try loadModel(from: Self.base("gpt2"))
        let broken = try #require(model.parameters.first(where: isLinear))
        try broken.value.copy(from: broken.value * Double.nan)
        try saveModel(model, to: folder, tokens: nil)
        let error = #expect(throws: WeightsError.self) { try loadModel(from: folder, lora: LoRAConfiguration(), quantization: .nf4) }
        #expect(error?.description == "\(broken.name) holds numbers that are not finite; it cannot be quantised")
    }
}
