import Foundation
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

    static let cases: [Case] = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/llama.json")
        do { return try JSONDecoder().decode([Case].self, from: Data(contentsOf: file)) } catch { fatalError("\(file.path): \(error)") }
    }()

    private func weight(_ name: String, _ count: Int) -> [Double] {
        if name.hasSuffix("norm.weight") { return formula(name, count).map { 1 + 0.2 * $0 } }
        return formula(name, count).map { (name.hasSuffix(".bias") ? 0.2 : 0.3) * $0 }
    }

    @Engine private func model(_ configuration: LLaMAConfiguration) throws -> LLaMA {
        let model = try LLaMA(configuration, seed: 0)
        for parameter in model.parameters {
            try parameter.value.copy(from: Tensor(weight(parameter.name, parameter.value.count), shape: parameter.value.shape))
        }
        return model
    }

    @Engine private func tokens(_ golden: Case) throws -> Tensor {
        try Tensor(golden.tokens.flatMap { $0 }, shape: [golden.tokens.count, golden.tokens[0].count])
    }

    @Test(arguments: cases.indices) @Engine func logitsAgreeWithTransformers(index: Int) throws {
        let golden = Self.cases[index]
        let model = try model(golden.configuration)
        let tokens = try tokens(golden)
        let values = try model.logits(model(tokens, ForwardContext())).array(Double.self)
        let (time, words) = (tokens.size(1), golden.configuration.vocabularySize)
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
        let model = try model(golden.configuration)
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
            let norm = try #require(golden.gradientNorms[parameter.name])
            #expect(abs(gradient.reduce(0) { $0 + $1 * $1 }.squareRoot() - norm) < 1e-3 * norm + 1e-7, "\(parameter.name)")
            let samples = stride(from: 0, to: gradient.count, by: 7).prefix(12).map { gradient[$0] }
            let worst = zip(samples, golden.gradients[parameter.name] ?? []).map { abs($0 - $1) }.max() ?? .infinity
            #expect(worst < 1e-3 * norm, "\(parameter.name)")
        }
    }

    @Test(arguments: cases.indices) @Engine func greedyTokensAgreeWithTransformers(index: Int) throws {
        let golden = Self.cases[index]
        let model = try model(golden.configuration)
        var tokens = Array(golden.tokens[0].prefix(5))
        for _ in golden.greedy {
            let hidden = try model(Tensor(tokens, shape: [1, tokens.count]), ForwardContext())
            tokens.append(try model.logits(hidden.select(1, tokens.count - 1)).argmax(along: -1).array(Int64.self)[0])
        }
        #expect(Array(tokens.dropFirst(5)) == golden.greedy)
    }

    @Test(arguments: cases.indices) @Engine func aSavedModelIsTheSameModel(index: Int) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "yuyan-llama-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let model = try model(Self.cases[index].configuration)
        try saveModel(model, to: folder, tokens: GenerationTokens(eos: [2]))
        let loaded = try #require(try loadModel(from: folder) as? LLaMA)
        #expect(loaded.configuration == model.configuration)
        for (a, b) in zip(model.parameters, loaded.parameters) {
            #expect(a.name == b.name)
            #expect(try a.value.array(Float.self) == b.value.array(Float.self))
        }
    }

    /// A packed row gives each document what it gets alone.
    @Test(arguments: [0, 7, 10, 12]) @Engine func documentsOfARowDoNotSeeEachOther(index: Int) throws {
        let golden = Self.cases[index]
        let model = try model(golden.configuration)
        let (first, second) = (Array(golden.tokens[0].prefix(9)), Array(golden.tokens[1].prefix(14)))
        func logits(_ tokens: [Int64], _ context: ForwardContext) throws -> [Double] {
            try model.logits(model(Tensor(tokens, shape: [1, tokens.count]), context)).array(Double.self)
        }
        let packed = try logits(
            first + second,
            ForwardContext(
                positions: Tensor((0..<9).map(Int64.init) + (0..<14).map(Int64.init), shape: [1, 23]),
                documents: Tensor([Int32](repeating: 0, count: 9) + [Int32](repeating: 1, count: 14), shape: [1, 23])))
        let alone = try logits(first, ForwardContext()) + logits(second, ForwardContext())
        #expect(zip(packed, alone).allSatisfy { abs($0 - $1) < 1e-5 })
    }
}
