import Foundation
public import YuyanData
public import YuyanModels
import YuyanTensor

/// How well a model predicts text that it was not trained on.
public struct HeldOutLoss: Sendable, Codable, Hashable {
    /// Σ −log p(token) / tokens, in nats; of a model with a task head, Σ −log p(right class) / examples.
    public var loss: Double
    /// Label tokens, or examples, measured.
    public var tokens: Int
    /// The share of examples that a task head decides rightly; nil where the model has none.
    public var accuracy: Double?
    /// e^loss.
    public var perplexity: Double { exp(loss) }
}

/// Measures one pass over `source`, without dropout. A sum over tokens, not a mean of batches' means.
@Engine public func heldOutLoss(of model: any LanguageModel, on source: any BatchSource) throws -> HeldOutLoss {
    if let model = model as? TaskModel { return try HeldOutLoss(decisions(of: model, on: source)) }
    var source = source
    var (sum, tokens) = (0.0, 0)
    let weight = try model.outputWeight.detach()  // not recording: the loss would make gradients for it
    while let batch = try source.next() {
        try batch.check(for: model)
        try withoutGradient { sum += try model.loss(of: batch, outputWeight: weight).item() }
        tokens += batch.labelCount
    }
    guard tokens > 0 else { throw TrainingError("the held-out data has no token to predict; hold out more") }
    return HeldOutLoss(loss: sum / Double(tokens), tokens: tokens)
}

/// What the summed losses of a step's micro-batches are divided by.
struct LossDivisors {
    var tokens = 1.0
    var examples = 1.0

    init() {}

    init(_ batches: [Batch]) {
        tokens = Double(max(1, batches.reduce(0) { $0 + $1.labelCount }))
        examples = Double(max(1, batches.reduce(0) { $0 + $1.examples.count }))
    }
}

extension LanguageModel {
    /// Hidden states of a batch [rows × columns, width].
    func hidden(of batch: Batch, dropoutSeed: UInt64? = nil, recompute: Bool = false) throws -> Tensor {
        let shape = [batch.rows, batch.columns]
        var context = ForwardContext(
            positions: try batch.positions.map { try Tensor($0, shape: shape, device: device).to(.int64) },
            documents: try batch.documents.map { try Tensor($0, shape: shape, device: device) },
            dropoutSeed: dropoutSeed, recompute: recompute)
        if let source = batch.source, let reader = self as? any EncoderDecoder {
            let tokens = try Tensor(source.tokens, shape: [batch.rows, source.columns], device: device).to(.int64)
            context.source = try reader.encode(tokens, lengths: source.lengths, context)
        }
        let hidden = try self(Tensor(batch.inputs, shape: shape, device: device).to(.int64), context)
        return try hidden.reshape(batch.inputs.count, hidden.size(-1))
    }

    /// Σ −log p(label) / tokens over the labels of a batch; with a task head, Σ −log p(right class) / examples and the former, weighted, added
    /// (Radford et al. 2018, equation 5).
    func loss(
        of batch: Batch, outputWeight: Tensor, divisors: LossDivisors = LossDivisors(), dropoutSeed: UInt64? = nil, recompute: Bool = false
    ) throws -> Tensor {
        let hidden = try hidden(of: batch, dropoutSeed: dropoutSeed, recompute: recompute)
        func language(_ weight: Double) throws -> Tensor {
            try .linearCrossEntropy(
                hidden, outputWeight, targets: Tensor(batch.labels, device: device).to(.int64), ignored: Int(Batch.ignored),
                divisor: divisors.tokens / weight)
        }
        guard let model = self as? TaskModel else { return try language(1) }
        let right = try Tensor(batch.examples.map { Int64($0.label) }, device: device)
        let scores = try model.scores(hidden, reads: batch.examples.map(\.reads), dropoutSeed: dropoutSeed)
        let task = try scores.crossEntropy(right) * (Double(batch.examples.count) / divisors.examples)
        return try model.languageWeight > 0 ? task + language(model.languageWeight) : task
    }
}

extension Batch {
    /// Refuses ids that the model has no row for, and rows longer than it can see.
    func check(for model: any LanguageModel) throws {
        precondition((source != nil) == (model is any EncoderDecoder), "an encoder-decoder reads sources, and no other model does")
        // T5 knows distances, not places: its length has no end.
        guard source != nil || columns <= model.contextLength else {
            throw TrainingError(
                "the data's rows of \(columns) tokens do not fit the model's context of \(model.contextLength); lower sequence_length")
        }
        let highest = max(inputs.max() ?? 0, labels.max() ?? 0, source?.tokens.max() ?? 0)
        guard highest < model.vocabularySize, inputs.allSatisfy({ $0 >= 0 }) else {
            throw TrainingError(
                "the data holds token \(highest), the model's vocabulary ends at \(model.vocabularySize - 1); pack the data with the model's tokenizer"
            )
        }
    }
}
