import Foundation
import Testing
import YuyanTensor

@testable import YuyanModels

// What the tests against transformers share. Each has a script and the file that it wrote in `Fixtures/`.

/// The cases of a golden file.
func goldenCases<Case: Decodable>(_ name: String) -> [Case] {
    let file = fixtures.appending(path: name)
    do { return try JSONDecoder().decode([Case].self, from: Data(contentsOf: file)) } catch { fatalError("\(file.path): \(error)") }
}

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

/// Gives each parameter the numbers that belong to its name.
@Engine func fill(_ parameters: [Parameter], with weight: (_ name: String, _ count: Int) -> [Double]) throws {
    for parameter in parameters {
        try parameter.value.copy(from: Tensor(weight(parameter.name, parameter.value.count), shape: parameter.value.shape))
    }
}

/// Rows of equal length → [row, time].
@Engine func tensor(_ rows: [[Int64]]) throws -> Tensor { try Tensor(rows.flatMap { $0 }, shape: [rows.count, rows[0].count]) }

/// Whether logits [row, time, word] are the golden ones: of each row every fifth position, backwards from the last.
@Engine func expectLogits(_ logits: Tensor, _ golden: [[[Double]]], sourceLocation: SourceLocation = #_sourceLocation) throws {
    let (time, words) = (logits.size(1), logits.size(2))
    let values = try logits.array(Double.self)
    #expect(logits.size(0) == golden.count, sourceLocation: sourceLocation)
    for (row, positions) in golden.enumerated() {
        for (number, expected) in positions.enumerated() {
            let position = time - 1 - 5 * number
            let start = (row * time + position) * words
            let worst = zip(values[start..<start + words], expected).map { abs($0 - $1) }.max() ?? .infinity
            #expect(expected.count == words && worst < 1e-4, "row \(row), position \(position)", sourceLocation: sourceLocation)
        }
    }
}

/// The loss of guessing each token of a row from those before it.
@Engine func nextTokenLoss(_ model: any LanguageModel, _ tokens: Tensor, recompute: Bool) throws -> Tensor {
    let hidden = try model(tokens, ForwardContext(recompute: recompute))
    let (rows, time) = (tokens.size(0), tokens.size(1))
    return try Tensor.linearCrossEntropy(
        hidden.narrow(1, start: 0, length: time - 1).reshape(rows * (time - 1), hidden.size(-1)), model.outputWeight,
        targets: tokens.narrow(1, start: 1, length: time - 1).reshape(rows * (time - 1)), divisor: Double(rows * (time - 1)))
}

/// Whether every gradient is the golden one: its norm, and every seventh of its numbers, up to twelve.
@Engine func expectGradients(
    of parameters: [Parameter], norms: [String: Double], samples: [String: [Double]], sourceLocation: SourceLocation = #_sourceLocation
) throws {
    for parameter in parameters {
        let name = parameter.name
        let gradient = try #require(try parameter.value.gradient, "\(name)", sourceLocation: sourceLocation).array(Double.self)
        let norm = try #require(norms[name], "\(name)", sourceLocation: sourceLocation)
        let expected = try #require(samples[name], "\(name)", sourceLocation: sourceLocation)
        let found = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(abs(found - norm) < 1e-3 * norm + 1e-7, "\(name)", sourceLocation: sourceLocation)
        let numbers = stride(from: 0, to: gradient.count, by: 7).prefix(12).map { gradient[$0] }
        let worst = zip(numbers, expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(numbers.count == expected.count && worst < 1e-3 * norm, "\(name)", sourceLocation: sourceLocation)
    }
}

/// The likeliest tokens after some others, each by a pass over all before it.
@Engine func greedyTokens(_ model: any LanguageModel, after prompt: [Int64], count: Int) throws -> [Int64] {
    var tokens = prompt
    for _ in 0..<count {
        let hidden = try model(tensor([tokens]), ForwardContext())
        tokens.append(try model.logits(hidden.select(1, tokens.count - 1)).argmax(along: -1).array(Int64.self)[0])
    }
    return Array(tokens.dropFirst(prompt.count))
}

/// Whether a model that is written and read again is the same model. `look` sees the file of its weights.
@Engine func expectSavedIsTheSame<Model: LanguageModel>(
    _ model: Model, _ configuration: KeyPath<Model, some Equatable>, tokens: GenerationTokens, sourceLocation: SourceLocation = #_sourceLocation,
    look: (SafeTensorsFile) throws -> Void = { _ in }
) throws {
    let folder = try ScratchFolder()
    try saveModel(model, to: folder.url, tokens: tokens)
    let loaded = try #require(try loadModel(from: folder.url) as? Model, sourceLocation: sourceLocation)
    #expect(loaded[keyPath: configuration] == model[keyPath: configuration], sourceLocation: sourceLocation)
    #expect(loaded.parameters.map(\.name) == model.parameters.map(\.name), sourceLocation: sourceLocation)
    for (a, b) in zip(model.parameters, loaded.parameters) {
        #expect(try a.value.array(Float.self) == b.value.array(Float.self), "\(a.name)", sourceLocation: sourceLocation)
    }
    try look(SafeTensorsFile(folder.url.appending(path: "model.safetensors")))
}

/// Whether a packed row gives each of two documents what it gets alone.
@Engine func expectDocumentsApart(
    _ model: any LanguageModel, _ first: ArraySlice<Int64>, _ second: ArraySlice<Int64>, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    func logits(_ tokens: [Int64], _ context: ForwardContext) throws -> [Double] {
        try model.logits(model(tensor([tokens]), context)).array(Double.self)
    }
    let count = first.count + second.count
    let packed = try logits(
        Array(first + second),
        ForwardContext(
            positions: Tensor((0..<first.count).map(Int64.init) + (0..<second.count).map(Int64.init), shape: [1, count]),
            documents: Tensor([Int32](repeating: 0, count: first.count) + [Int32](repeating: 1, count: second.count), shape: [1, count])))
    let alone = try logits(Array(first), ForwardContext()) + logits(Array(second), ForwardContext())
    #expect(packed.count == alone.count && zip(packed, alone).allSatisfy { abs($0 - $1) < 1e-5 }, sourceLocation: sourceLocation)
}
