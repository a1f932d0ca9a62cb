import Foundation
public import YuyanModels
import YuyanTensor
public import YuyanText

/// How well a model predicts a text.
public struct Perplexity: Sendable, Hashable, Codable {
    /// Tokens that were predicted.
    public var tokens = 0
    /// Unicode scalars of the text; 0 where only tokens were given.
    public var characters = 0
    /// Σ −ln p(token | what came before), in nats.
    public var totalLoss = 0.0

    /// The mean loss of a token, in nats.
    public var loss: Double { totalLoss / Double(max(tokens, 1)) }
    /// e^loss.
    public var perplexity: Double { exp(loss) }
    /// What the text costs a character, in bits: comparable between tokenizers.
    public var bitsPerCharacter: Double { totalLoss / log(2) / Double(max(characters, 1)) }
}

/// The loss of each stream of tokens, summed up. The first token of a stream is not predicted, every other one exactly once.
///
/// A stream longer than the context is read in windows that overlap: the next window begins `stride` tokens later and predicts the tokens that
/// the windows before did not, so that all but the first context see at least context − stride tokens before them.
///
/// - Parameters:
///   - vocabularySize: rows of the model's output matrix from here on are padding; nil: none are.
///   - stride: from 1 (exact, slow) to the context length (no overlap); nil: half the context.
///   - batch: windows that go through the model together.
///   - progress: is told how many of all windows are done.
/// - Throws: `EvaluationError` for tokens that the model does not have, `TensorError.outOfMemory`, and `CancellationError` between two batches.
@Engine public func perplexity(
    of streams: [[Int32]], model: any LanguageModel, vocabularySize: Int? = nil, stride: Int? = nil, batch: Int = 8,
    progress: (Int, Int) -> Void = { _, _ in }
) async throws -> Perplexity {
    let words = vocabularySize ?? model.vocabularySize
    guard words <= model.vocabularySize else {
        throw EvaluationError(
            "The tokenizer has \(words) tokens and the model's embedding only \(model.vocabularySize) rows; use the tokenizer that the model was trained with."
        )
    }
    if let stranger = streams.joined().first(where: { !(0..<words ~= Int($0)) }) {
        throw EvaluationError("The text holds the token \(stranger), and the model knows 0 to \(words - 1) only.")
    }
    let context = model.contextLength
    let stride = min(max(1, stride ?? context / 2), context)
    // Windows of like length go together, and little is spent on padding. Longest first: what does not fit memory shows at once.
    let windows = streams.indices.flatMap { Window.windows(of: streams[$0].count, stream: $0, context: context, stride: stride) }
        .sorted { ($1.inputs.count, $0.stream, $0.inputs.lowerBound) < ($0.inputs.count, $1.stream, $1.inputs.lowerBound) }
    let weight = try model.outputWeight.narrow(0, start: 0, length: words)
    var result = Perplexity()
    for start in Swift.stride(from: 0, to: windows.count, by: batch) {
        try Task.checkCancellation()
        let group = windows[start..<min(start + batch, windows.count)]
        result.totalLoss += try withInference { try loss(of: group, streams, model, weight) }
        result.tokens += group.reduce(0) { $0 + $1.inputs.count - $1.known }
        progress(start + group.count, windows.count)
        await Task.yield()
    }
    return result
}

/// The perplexity of texts, each on its own. Every text begins with the tokenizer's beginning (or end) of text where it has one, so that its
/// first token is predicted too.
@Engine public func perplexity(
    of texts: [String], model: any LanguageModel, tokenizer: Tokenizer, stride: Int? = nil, batch: Int = 8, progress: (Int, Int) -> Void = { _, _ in }
) async throws -> Perplexity {
    let beginning = (tokenizer.special.bos ?? tokenizer.special.eos).map { [$0] } ?? []
    var result = try await perplexity(
        of: tokenizer.encode(texts: texts).map { beginning + $0 }, model: model, vocabularySize: tokenizer.vocabularySize, stride: stride,
        batch: batch,
        progress: progress)
    result.characters = texts.reduce(0) { $0 + $1.unicodeScalars.count }
    return result
}

/// Why something cannot be measured, in one sentence.
public struct EvaluationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The sentence.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// One pass over a part of a stream: token i of `inputs` predicts token i + 1, the first `known` of them only for what follows.
private struct Window {
    var stream: Int
    var inputs: Range<Int>
    var known: Int

    static func windows(of count: Int, stream: Int, context: Int, stride: Int) -> [Window] {
        var windows: [Window] = []
        var predicted = 0
        var start = 0
        while predicted < count - 1 {
            let end = min(start + context, count - 1)
            windows.append(Window(stream: stream, inputs: start..<end, known: predicted - start))
            predicted = end
            start += stride
        }
        return windows
    }
}

/// Windows shorter than the first are padded on the right, where causal attention does not look.
private func loss(of windows: ArraySlice<Window>, _ streams: [[Int32]], _ model: any LanguageModel, _ weight: Tensor) throws -> Double {
    let ignored = -100
    let time = windows.map(\.inputs.count).max() ?? 0
    var inputs = [Int64](repeating: 0, count: windows.count * time)
    var targets = [Int64](repeating: Int64(ignored), count: windows.count * time)
    for (row, window) in windows.enumerated() {
        for (column, position) in window.inputs.enumerated() {
            inputs[row * time + column] = Int64(streams[window.stream][position])
            if column >= window.known { targets[row * time + column] = Int64(streams[window.stream][position + 1]) }
        }
    }
    let hidden = try model(Tensor(inputs, shape: [windows.count, time], device: model.device), ForwardContext())
    let flat = try hidden.reshape(windows.count * time, hidden.size(2))
    return try Tensor.linearCrossEntropy(flat, weight, targets: Tensor(targets, device: model.device), ignored: ignored, divisor: 1).item()
}
