import Foundation
public import YuyanData
public import YuyanModels
public import YuyanTensor
public import YuyanText

extension TaskHead {
    /// Examples in tokens, as the head reads them.
    ///
    /// - Throws: `TrainingError` that names the example whose label the head does not have.
    public func encode(_ examples: [LabelledExample], with tokenizer: Tokenizer) throws -> [LabelledExampleLoader.Example] {
        let places = Dictionary(uniqueKeysWithValues: labels.enumerated().map { ($1, $0) })
        return try examples.map { example in
            guard let label = task == .choice ? Int(example.label) : places[example.label] else {
                throw TrainingError("\(example.id): the label \"\(example.label)\" is none of \(labels.joined(separator: ", "))")
            }
            return .init(sequences: sequences(of: example.texts.map { tokenizer.encode($0) }), label: label)
        }
    }
}

/// What a task head makes of one example.
public struct Decision: Sendable, Hashable {
    /// Which of the loader's examples it is about.
    public var number: Int
    /// The right class or answer.
    public var label: Int
    /// Of each class or answer.
    public var probabilities: [Double]
    /// The most probable one, the first of equals.
    public var choice: Int { probabilities.indices.max { (probabilities[$0], $1) < (probabilities[$1], $0) } ?? 0 }
    public var isRight: Bool { choice == label }
}

/// One pass over `source` without dropout, each example decided.
@Engine public func decisions(of model: TaskModel, on source: any BatchSource) throws -> [Decision] {
    var source = source
    var decisions: [Decision] = []
    while let batch = try source.next() {
        try batch.check(for: model)
        let probabilities = try withoutGradient {
            try model.scores(model.hidden(of: batch), reads: batch.examples.map(\.reads)).softmax(along: -1).array(Double.self)
        }
        let classes = probabilities.count / max(1, batch.examples.count)
        for (row, example) in batch.examples.enumerated() {
            let all = probabilities[row * classes..<(row + 1) * classes]
            let own = model.head.task == .choice ? all.prefix(example.reads.count) : all
            decisions.append(Decision(number: example.number, label: example.label, probabilities: Array(own)))
        }
    }
    return decisions
}

extension HeldOutLoss {
    /// −log p of the right class, on average, and the share of right decisions.
    public init(_ decisions: [Decision]) throws {
        guard !decisions.isEmpty else { throw TrainingError("the held-out data has no example; hold out more") }
        let count = Double(decisions.count)
        // A float32 probability can be 0.
        let loss = decisions.reduce(0) { $0 - log(max($1.probabilities[$1.label], 1e-30)) } / count
        self.init(loss: loss, tokens: decisions.count, accuracy: Double(decisions.count { $0.isRight }) / count)
    }
}
