import Foundation
public import YuyanData
public import YuyanModels
import YuyanTensor

/// How well a model predicts text that it was not trained on.
public struct HeldOutLoss: Sendable, Codable, Hashable {
    /// Σ −log p(token) / tokens, in nats.
    public var loss: Double
    /// Label tokens measured.
    public var tokens: Int
    /// e^loss.
    public var perplexity: Double { exp(loss) }
}

/// Measures one pass over `source`, without dropout. A sum over tokens, not a mean of batches' means.
@Engine public func heldOutLoss(of model: any LanguageModel, on source: any BatchSource) throws -> HeldOutLoss {
    var source = source
    var (sum, tokens) = (0.0, 0)
    let weight = try model.outputWeight.detach()  // not recording: the loss would make gradients for it
    while let batch = try source.next() {
        try batch.check(for: model)
        try withoutGradient { sum += try model.loss(of: batch, outputWeight: weight, divisor: 1).item() }
        tokens += batch.labelCount
    }
    guard tokens > 0 else { throw TrainingError("the held-out data has no token to predict; hold out more") }
    return HeldOutLoss(loss: sum / Double(tokens), tokens: tokens)
}

extension LanguageModel {
    /// Σ −log p(label) / divisor over the labels of a batch.
    func loss(of batch: Batch, outputWeight: Tensor, divisor: Double, dropoutSeed: UInt64? = nil, recompute: Bool = false) throws -> Tensor {
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
        return try .linearCrossEntropy(
            hidden.reshape(batch.inputs.count, hidden.size(-1)), outputWeight, targets: Tensor(batch.labels, device: device).to(.int64),
            ignored: Int(Batch.ignored), divisor: divisor)
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
