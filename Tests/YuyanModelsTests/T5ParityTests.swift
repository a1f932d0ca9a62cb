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

    static let cases: [Case] = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/t5.json")
        do { return try JSONDecoder().decode([Case].self, from: Data(contentsOf: file)) } catch { fatalError("\(file.path): \(error)") }
    }()

    private func weight(_ name: String, _ shape: [Int]) -> [Double] {
        let numbers = formula(name, shape.reduce(1, *))
        if name.contains("layer_norm") { return numbers.map { 1 + 0.2 * $0 } }
        return name.contains("relative") ? numbers : numbers.map { 0.3 * $0 }
    }

    @Engine private func model(_ configuration: T5Configuration) throws -> T5 {
        let model = try T5(configuration, ParameterSource(seed: 0, dtype: .float32, device: .cpu))
        for parameter in model.parameters {
            try parameter.value.copy(from: Tensor(weight(parameter.name, parameter.value.shape), shape: parameter.value.shape))
        }
        return model
    }

    private func tensor(_ rows: [[Int64]]) throws -> Tensor { try Tensor(rows.flatMap { $0 }, shape: [rows.count, rows[0].count]) }

    /// What the decoder is given: the target, moved on by one behind the start.
    private func shifted(_ target: [[Int64]]) -> [[Int64]] { target.map { [0] + $0.dropLast() } }

    @Test(arguments: cases.indices) @Engine func logitsAgreeWithTransformers(index: Int) throws {
        let golden = Self.cases[index]
        let model = try model(golden.configuration)
        let source = try model.encode(tensor(golden.source), lengths: golden.lengths, ForwardContext())
        let values = try model.logits(model(tensor(shifted(golden.target)), ForwardContext(source: source))).array(Double.self)
        let (time, words) = (golden.target[0].count, golden.configuration.vocabularySize)
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
        let source = try model.encode(tensor(golden.source), lengths: golden.lengths, ForwardContext(recompute: recompute))
        let hidden = try model(tensor(shifted(golden.target)), ForwardContext(source: source, recompute: recompute))
        let count = golden.target.count * golden.target[0].count
        let loss = try Tensor.linearCrossEntropy(
            hidden.reshape(count, hidden.size(-1)), model.outputWeight, targets: tensor(golden.target).reshape(count), divisor: Double(count))
        #expect(try abs(loss.item() - golden.loss) < 1e-4)
        try loss.backward()
        for parameter in model.parameters {
            let gradient = try #require(try parameter.value.gradient, "\(parameter.name)").array(Double.self)
            let norm = try #require(golden.gradientNorms[parameter.name], "\(parameter.name)")
            #expect(abs(gradient.reduce(0) { $0 + $1 * $1 }.squareRoot() - norm) < 1e-3 * norm + 1e-7, "\(parameter.name)")
            let samples = stride(from: 0, to: gradient.count, by: 7).prefix(12).map { gradient[$0] }
            let worst = zip(samples, golden.gradients[parameter.name] ?? []).map { abs($0 - $1) }.max() ?? .infinity
            #expect(worst < 1e-3 * norm, "\(parameter.name)")
        }
    }

    @Test(arguments: cases.indices) @Engine func aSavedModelIsTheSameModel(index: Int) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "yuyan-t5-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let model = try model(Self.cases[index].configuration)
        try saveModel(model, to: folder, tokens: GenerationTokens(eos: [1], pad: 0))
        let loaded = try #require(try loadModel(from: folder) as? T5)
        #expect(loaded.configuration == model.configuration)
        for (a, b) in zip(model.parameters, loaded.parameters) {
            #expect(try a.name == b.name && a.value.array(Float.self) == b.value.array(Float.self))
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
