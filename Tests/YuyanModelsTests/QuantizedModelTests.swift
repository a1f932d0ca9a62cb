import Foundation
import Testing
import YuyanTensor

@testable import YuyanModels

private let stories: URL? = ProcessInfo.processInfo.environment["YUYAN_TEST_DATA"].map {
    URL(fileURLWithPath: $0).appending(path: "weights/stories260K")
}

/// Models whose matrices have 8 or 4 bits.
@Suite struct QuantizedModelTests {
    private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
    private static func base(_ name: String) -> URL { fixtures.appending(path: "lora/\(name)/base") }
    private static let tokens: [Int64] = (0..<16).map { ($0 * $0 * 7 + $0) % 37 }

    @Engine private func logits(_ model: any LanguageModel, _ tokens: [Int64] = Self.tokens) throws -> Tensor {
        try withInference { try model.logits(model(Tensor(tokens, shape: [1, tokens.count]), ForwardContext())) }
    }

    private func temporary() -> URL { FileManager.default.temporaryDirectory.appending(path: "yuyan-integers-\(UUID().uuidString)") }

    /// The model is the one whose matrices are what the integers stand for, up to the rounding of activations.
    @Test(arguments: ["gpt2", "llama"], [IntegerQuantization.int8, .int8(group: 32), .int4]) @Engine
    func computesAsTheModelItStandsFor(name: String, scheme: IntegerQuantization) throws {
        let quantized = try loadModel(from: Self.base(name), integers: scheme)
        let dense = try loadModel(from: Self.base(name))
        #expect(quantized.parameterCount == dense.parameterCount)
        for matrix in quantized.quantized {
            let weight = try #require(dense.parameters.first { $0.name == matrix.name })
            #expect(weight.value.shape == matrix.matrix.shape)
            let rounded = try matrix.matrix.dequantized(.float32)
            let largest = try weight.value.abs().max().item()
            #expect(try (rounded - weight.value).abs().max().item() < largest * (scheme.bits == 8 ? 0.006 : 0.2), "\(matrix.name)")
            try weight.value.copy(from: rounded)
        }
        // What is not rounded: norms, biases, learned positions.
        #expect(quantized.parameters.allSatisfy { $0.value.rank == 1 || $0.name == "wpe.weight" })
        let (a, b) = (try logits(quantized), try logits(dense))
        #expect(try (a - b).abs().max().item() < 0.02 * b.abs().max().item())
        #expect(try (quantized.outputWeight - dense.outputWeight).abs().max().item() == 0)
    }

    @Test(arguments: ["gpt2", "llama"], [IntegerQuantization.int8, .int4(group: 64)]) @Engine
    func savedAndLoadedTheSameToTheBit(name: String, scheme: IntegerQuantization) throws {
        let folder = temporary()
        defer { try? FileManager.default.removeItem(at: folder) }
        let model = try loadModel(from: Self.base(name), dtype: .bfloat16, integers: scheme)
        try saveModel(model, to: folder, tokens: nil)
        for asked in [nil, scheme] {
            let again = try loadModel(from: folder, integers: asked)
            #expect(again.dtype == .bfloat16 && again.quantized.map(\.name) == model.quantized.map(\.name))
            for (one, other) in zip(again.quantized, model.quantized) {
                #expect(one.matrix.scheme == scheme)
                #expect(try one.matrix.codes.array(UInt8.self) == other.matrix.codes.array(UInt8.self), "\(one.name)")
            }
            #expect(try logits(again).to(.float32).array(Float.self) == logits(model).to(.float32).array(Float.self))
        }
        let rest = try #require(scheme.bits == 8 ? IntegerQuantization.int4 : .int8)
        let error = #expect(throws: WeightsError.self) { try loadModel(from: folder, integers: rest) }
        #expect(error?.description.hasSuffix("already; quantise the model that it was made from") == true)
        #expect(throws: WeightsError.self) { try loadModel(from: folder, lora: LoRAConfiguration()) }
    }

    @Test @Engine func anAdapterWorksOverIntegers() throws {
        let folder = temporary()
        defer { try? FileManager.default.removeItem(at: folder) }
        let trained = try loadModel(from: Self.base("llama"), lora: LoRAConfiguration(rank: 3), seed: 5)
        let adapter = try #require(trained.adapter)
        for parameter in adapter.parameters {
            try parameter.value.copy(from: Tensor(formula(parameter.name, parameter.value.count).map { 0.3 * $0 }, shape: parameter.value.shape))
        }
        try AdapterFolder.save(trained, adapter, base: Self.base("llama"), to: folder)
        let (a, b) = (try logits(loadModel(from: folder, integers: .int8(group: 32))), try logits(trained))
        #expect(try (a - b).abs().max().item() < 0.03 * b.abs().max().item())
        #expect(try (logits(loadModel(from: Self.base("llama"))) - b).abs().max().item() > 0.03 * b.abs().max().item())
    }

    @Test @Engine func whatCannotBeIsSaid() throws {
        #expect(throws: WeightsError.self) { try loadModel(from: Self.base("gpt2"), lora: LoRAConfiguration(), integers: .int8) }
        #expect(throws: WeightsError.self) { try loadModel(from: Self.base("gpt2"), dtype: .float64, integers: .int8) }
        let folder = temporary()
        defer { try? FileManager.default.removeItem(at: folder) }
        let model = try loadModel(from: Self.base("gpt2"), integers: .int8)
        try saveModel(model, to: folder, tokens: nil)
        let file = folder.appending(path: "config.json")
        let text = try String(contentsOf: file, encoding: .utf8)
        for (old, new) in [("\"yuyan\"", "\"gptq\""), ("\"bits\" : 8", "\"bits\" : 3"), ("\"group_size\" : -1", "\"group_size\" : 33")] {
            try text.replacingOccurrences(of: old, with: new).write(to: file, atomically: true, encoding: .utf8)
            let error = #expect(throws: WeightsError.self) { try loadModel(from: folder) }
            #expect(error?.description.contains("quantization_config") == true, "\(new)")
        }
        // Another scheme than the one of the tensors.
        try text.replacingOccurrences(of: "\"bits\" : 8", with: "\"bits\" : 4").write(to: file, atomically: true, encoding: .utf8)
        #expect(throws: WeightsError.self) { try loadModel(from: folder) }
    }

    /// A real trained model: the log-probability of a story that it writes.
    @Test(.enabled(if: stories != nil, "YUYAN_TEST_DATA names no folder of real data")) @Engine func aStoryIsAboutAsProbable() throws {
        let folder = try #require(stories)
        let tokens = try JSONDecoder().decode([Int64].self, from: Data(contentsOf: folder.appending(path: "greedy_ids.json")))
        func loss(_ model: any LanguageModel) throws -> Double {
            let all = try logits(model, tokens).to(.float32).select(0, 0)
            return try all.narrow(0, start: 0, length: tokens.count - 1).crossEntropy(Tensor(Array(tokens.dropFirst()))).item()
        }
        let exact = try loss(loadModel(from: folder.appending(path: "hf")))
        for (scheme, bound) in [(IntegerQuantization.int8, 0.01), (.int8(group: 32), 0.01), (.int4, 0.1)] {
            let rounded = try loss(loadModel(from: folder.appending(path: "hf"), integers: scheme))
            #expect(abs(rounded - exact) < bound, "\(scheme.rawValue)")
        }
    }
}
