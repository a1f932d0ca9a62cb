import Foundation
import Testing
import YuyanTensor

@testable import YuyanModels

/// The numbers of `Fixtures/gpt2.py`: in [-0.5, 0.5), from the name of a weight and the index of an element.
func formula(_ name: String, _ count: Int) -> [Double] {
    let seed = name.utf8.reduce(0x811C_9DC5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    return (0..<count).map { index in
        var x = seed &+ UInt32(truncatingIfNeeded: index) &* 2_654_435_761
        x ^= x >> 15
        x = x &* 2_246_822_519
        x ^= x >> 13
        return Double(x) / 4_294_967_296 - 0.5
    }
}

/// The weights of `Fixtures/gpt2.py`.
func gptWeight(_ name: String, _ count: Int) -> [Double] {
    if name.hasSuffix(".bias") { return formula(name, count).map { 0.2 * $0 } }
    if name.contains(".ln_") || name.hasPrefix("ln_f") { return formula(name, count).map { 1 + 0.2 * $0 } }
    return formula(name, count).map { 0.3 * $0 }
}

/// What transformers computes with random GPT-2 configurations.
@Suite struct GPTParityTests {
    struct Case: Decodable {
        var configuration: GPTConfiguration
        var tokens: [[Int64]]
        /// Of every fifth position, backwards from the last.
        var logits: [[[Double]]]
        var greedy: [Int64]
    }

    static let cases: [Case] = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/gpt2.json")
        do { return try JSONDecoder().decode([Case].self, from: Data(contentsOf: file)) } catch { fatalError("\(file.path): \(error)") }
    }()

    @Engine private func model(_ configuration: GPTConfiguration) throws -> GPT {
        let gpt = try GPT(configuration, seed: 0)
        for parameter in gpt.parameters {
            try parameter.value.copy(from: Tensor(gptWeight(parameter.name, parameter.value.count), shape: parameter.value.shape))
        }
        return gpt
    }

    @Test(arguments: 0..<5) @Engine func logitsAgreeWithTransformers(index: Int) throws {
        let golden = Self.cases[index]
        let gpt = try model(golden.configuration)
        let tokens = try Tensor(golden.tokens.flatMap { $0 }, shape: [golden.tokens.count, golden.tokens[0].count])
        let logits = try gpt.logits(gpt(tokens, ForwardContext()))
        let (time, words) = (tokens.size(1), golden.configuration.vocabularySize)
        let values = try logits.array(Double.self)
        for (row, positions) in golden.logits.enumerated() {
            for (number, expected) in positions.enumerated() {
                let start = (row * time + time - 1 - 5 * number) * words
                let worst = zip(values[start..<start + words], expected).map { abs($0 - $1) }.max() ?? .infinity
                #expect(worst < 1e-4, "row \(row), position \(time - 1 - 5 * number)")
            }
        }
    }

    @Test(arguments: 0..<5) @Engine func greedyTokensAgreeWithTransformers(index: Int) throws {
        let golden = Self.cases[index]
        let gpt = try model(golden.configuration)
        var tokens = Array(golden.tokens[0].prefix(5))
        for _ in golden.greedy {
            let hidden = try gpt(Tensor(tokens, shape: [1, tokens.count]), ForwardContext())
            tokens.append(try gpt.logits(hidden.select(1, tokens.count - 1)).argmax(along: -1).array(Int64.self)[0])
        }
        #expect(Array(tokens.dropFirst(5)) == golden.greedy)
    }

    /// A model that is written and read again is the same model, matrices laid out as Hugging Face has them on the way.
    @Test @Engine func aSavedModelIsTheSameModel() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "yuyan-gpt-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let golden = Self.cases[1]
        let gpt = try model(golden.configuration)
        try saveModel(gpt, to: folder, tokens: GenerationTokens(eos: [3, 4], pad: 3))
        let loaded = try loadModel(from: folder)
        #expect(try #require(loaded as? GPT).configuration == gpt.configuration)
        for (a, b) in zip(gpt.parameters, loaded.parameters) {
            #expect(a.name == b.name)
            #expect(try a.value.array(Float.self) == b.value.array(Float.self))
        }
        let stored = try SafeTensorsFile(folder.appending(path: "model.safetensors"))
        #expect(stored.entry("transformer.h.0.attn.c_attn.weight")?.shape == [30, 90])
    }

    /// A packed row gives each document what it gets alone.
    @Test @Engine func documentsOfARowDoNotSeeEachOther() throws {
        let golden = Self.cases[0]
        let gpt = try model(golden.configuration)
        let (first, second) = (Array(golden.tokens[0].prefix(6)), Array(golden.tokens[1].prefix(9)))
        func logits(_ tokens: [Int64], _ context: ForwardContext) throws -> [Double] {
            try gpt.logits(gpt(Tensor(tokens, shape: [1, tokens.count]), context)).array(Double.self)
        }
        let packed = try logits(
            first + second,
            ForwardContext(
                positions: Tensor((0..<6).map(Int64.init) + (0..<9).map(Int64.init), shape: [1, 15]),
                documents: Tensor([Int32](repeating: 0, count: 6) + [Int32](repeating: 1, count: 9), shape: [1, 15])))
        let alone = try logits(first, ForwardContext()) + logits(second, ForwardContext())
        #expect(zip(packed, alone).allSatisfy { abs($0 - $1) < 1e-5 })
    }
}
