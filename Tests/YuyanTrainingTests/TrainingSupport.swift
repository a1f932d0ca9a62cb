import Foundation
import YuyanModels
import YuyanTensor

@testable import YuyanData
@testable import YuyanTraining

/// A folder that goes away with the test.
final class TemporaryFolder: Sendable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "yuyan-training-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }
}

/// Batches made by a function of their number.
struct MadeBatches: BatchSource {
    var state: LoaderState
    let count: Int?
    let make: @Sendable (Int) -> Batch

    init(count: Int? = nil, rowsPerEpoch: Int = 64, _ make: @escaping @Sendable (Int) -> Batch) {
        state = LoaderState(seed: 0, position: 0, rowsPerEpoch: rowsPerEpoch, dataIdentity: 7)
        (self.count, self.make) = (count, make)
    }

    mutating func next() throws -> Batch? {
        if let count, state.position >= count { return nil }
        defer { state.position += 1 }
        return make(state.position)
    }
}

extension Batch {
    /// Rows of consecutive tokens; `ignoring` says which labels are not learnt from.
    init(_ rows: [[Int32]], ignoring: (_ row: Int, _ column: Int) -> Bool = { _, _ in false }) {
        self.init(rows: rows.count, columns: rows[0].count - 1, padding: 0, separatesDocuments: false)
        inputs = rows.flatMap { $0.dropLast() }
        labels = rows.enumerated().flatMap { row, tokens in
            tokens.dropFirst().enumerated().map { ignoring(row, $0) ? Batch.ignored : $1 }
        }
        labelCount = labels.count { $0 != Batch.ignored }
    }
}

/// The text of `Fixtures/gpt2_training.py`.
func formulaText(step: Int, rows: Range<Int>, columns: Int, words: Int = 61) -> [[Int32]] {
    rows.map { row in (0...columns).map { Int32((step * 5 + row * 11 + $0 * $0 * 7 + $0) % words) } }
}

let tinyGPT = GPTConfiguration(vocabularySize: 61, contextLength: 24, width: 32, layers: 2, heads: 4)

/// A model whose weights are those of `Tests/YuyanModelsTests/Fixtures/gpt2.py`.
@Engine func formulaModel(_ configuration: GPTConfiguration = tinyGPT, dtype: DType = .float32) throws -> GPT {
    Runtime.threadCount = 1  // threads only wait for each other over so little work
    let gpt = try GPT(configuration, seed: 0, dtype: dtype)
    for parameter in gpt.parameters {
        let name = parameter.name
        let seed = name.utf8.reduce(0x811C_9DC5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
        let values = (0..<parameter.value.count).map { index in
            var x = seed &+ UInt32(truncatingIfNeeded: index) &* 2_654_435_761
            x ^= x >> 15
            x = x &* 2_246_822_519
            x ^= x >> 13
            let u = Double(x) / 4_294_967_296 - 0.5
            return name.hasSuffix(".bias") ? 0.2 * u : name.contains(".ln_") || name.hasPrefix("ln_f") ? 1 + 0.2 * u : 0.3 * u
        }
        try parameter.value.copy(from: Tensor(values, shape: parameter.value.shape))
    }
    return gpt
}

/// A run of 20 steps on formula text, with everything that a resumed run must put back: dropout, accumulation, a schedule, evaluations.
func tinyRun(steps: Int = 20) -> TrainingConfiguration {
    var c = TrainingConfiguration()
    c.steps = steps
    c.sequenceLength = 16
    c.microBatch = 2
    c.batchRows = 4
    c.learningRate = 3e-3
    c.warmupSteps = 3
    c.dropout = 0.1
    c.evaluateEvery = 5
    c.checkpointEvery = 4
    c.seed = 11
    return c
}

@Engine func tinyTrainer(
    _ configuration: TrainingConfiguration = tinyRun(), in folder: URL, dtype: DType = .float32, seed: UInt64 = 5,
    change: (inout TrainingEnvironment) -> Void = { _ in }
) throws -> Trainer {
    Runtime.threadCount = 1
    var gpt = tinyGPT
    (gpt.residualDropout, gpt.embeddingDropout) = (configuration.dropout, configuration.dropout)
    let source = MadeBatches { Batch(formulaText(step: $0 % 9, rows: $0 % 3..<$0 % 3 + 2, columns: 16)) }
    let validation = MadeBatches(count: 3) { Batch(formulaText(step: $0 + 30, rows: 0..<2, columns: 16)) }
    var environment = TrainingEnvironment(folder: folder)
    change(&environment)
    return try Trainer(
        GPT(gpt, seed: seed, dtype: dtype), configuration, source: source, validation: validation, environment: environment)
}

/// The sentence of the error that `body` throws.
func sentence(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no error"
    } catch {
        return "\(error)"
    }
}

/// Losses and held-out losses by step.
func losses(of folder: URL) throws -> [String] {
    try MetricsLog.records(in: folder.appending(path: "metrics.jsonl")).map {
        "\($0.step): \($0[.loss] ?? .nan) \($0[.gradientNorm] ?? .nan) \($0[.learningRate] ?? .nan) \($0[.validationLoss] ?? 0)"
    }
}
