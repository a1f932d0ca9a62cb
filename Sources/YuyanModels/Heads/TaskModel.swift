public import Foundation
public import YuyanTensor

/// A decoder with a head that reads an answer off its last hidden state (Radford et al. 2018, section 3.2): one matrix, `score.weight`, as transformers'
/// models for sequence classification have it. As a language model it is its decoder.
public final class TaskModel: LanguageModel {
    public let decoder: any LanguageModel
    public internal(set) var head: TaskHead
    public let parameters: [Parameter]
    /// The probability of dropping a number that the head reads, in training.
    public var dropout: Double
    /// λ of the training loss: task + λ·language model (equation 5).
    public var languageWeight = 0.5

    private let score: Tensor  // [outputs, width]

    static let scoreName = "score.weight"

    init(_ decoder: any LanguageModel, _ head: TaskHead, score: Tensor, dropout: Double) {
        (self.decoder, self.head, self.score, self.dropout) = (decoder, head, score, dropout)
        let own = decoder.parameters.map { Parameter(name: decoder.checkpointPrefix + $0.name, value: $0.value, isTransposed: $0.isTransposed) }
        parameters = own + [Parameter(name: Self.scoreName, value: score)]
    }

    /// With a new head, N(0, 0.02).
    public convenience init(_ decoder: any LanguageModel, _ head: TaskHead, seed: UInt64, dropout: Double) throws {
        let shape = [head.outputs, try decoder.outputWeight.size(1)]
        let score = try (Generator(seed: seed).normal(shape) * 0.02).to(decoder.dtype, device: decoder.device)
        self.init(decoder, head, score: score, dropout: dropout)
    }

    public var vocabularySize: Int { decoder.vocabularySize }
    public var contextLength: Int { decoder.contextLength }
    public var cacheShape: CacheShape { decoder.cacheShape }
    public var adapter: Adapter? { decoder.adapter }
    public var dtype: DType { decoder.dtype }
    public var device: Device { decoder.device }
    public var quantized: [QuantizedParameter] { decoder.quantized }
    public var outputWeight: Tensor { get throws { try decoder.outputWeight } }
    public func logits(_ hidden: Tensor) throws -> Tensor { try decoder.logits(hidden) }
    /// Names of the decoder's parameters have its prefix already.
    public var checkpointPrefix: String { "" }

    public var configurationJSON: [String: any Sendable] {
        var json = decoder.configurationJSON.merging(head.configurationJSON) { $1 }
        if let names = json["architectures"] as? [String] {
            json["architectures"] = names.map { name in
                ["LMHeadModel", "ForCausalLM"].first(where: name.hasSuffix).map { name.dropLast($0.count) + "ForSequenceClassification" } ?? name
            }
        }
        return json
    }

    public func trainingOperations(sequenceLength: Int) -> Double { decoder.trainingOperations(sequenceLength: sequenceLength) }

    public func callAsFunction(_ tokens: Tensor, _ context: ForwardContext) throws -> Tensor { try decoder(tokens, context) }

    /// The scores of each example's classes, or answers, in float32 [examples, classes]; where examples have fewer answers than others, −10³⁰.
    ///
    /// - Parameters:
    ///   - hidden: [tokens, width].
    ///   - reads: for each example, at which tokens its sequences end.
    public func scores(_ hidden: Tensor, reads: [[Int]], dropoutSeed: UInt64? = nil) throws -> Tensor {
        let places = try Tensor(reads.joined().map(Int64.init), device: device)
        var read = try hidden.indexSelect(0, places)
        if head.task == .similarity { read = try read.reshape(reads.count, 2, read.size(1)).sum(along: 1) }
        read = try read.dropout(dropout, dropoutSeed.map(DropoutSeeds.init), cacheShape.layers, 0)
        let scores = try read.linear(score).to(.float32)
        guard head.task == .choice else { return scores }

        let answers = reads.map(\.count).max() ?? 0
        var first = 0
        let rows = reads.flatMap { example in
            defer { first += example.count }
            return (0..<answers).map { $0 < example.count ? Int64(first + $0) : Int64(places.count) }
        }
        let padded = try Tensor.concatenate([scores.reshape(places.count), .full([1], -1e30, device: device)])
        return try padded.indexSelect(0, Tensor(rows, device: device)).reshape(reads.count, answers)
    }
}

/// Reads a decoder and gives it a head. Where it has none, its vocabulary grows by the start, delimiter and extract tokens, with random embeddings;
/// where it has one for the same task and labels, that is what training goes on with.
///
/// - Parameters:
///   - limit: tokens that the sequences of one example may have together.
///   - seed: of the new numbers.
/// - Throws: `WeightsError` for a folder that cannot be used, and for an encoder-decoder or an adapter.
public func loadTaskModel(
    from folder: URL, task: TaskHead.Task, labels: [String], limit: Int, dtype: DType? = nil, device: Device = .cpu, dropout: Double = 0,
    seed: UInt64
) throws -> TaskModel {
    guard !AdapterFolder.exists(in: folder) else {
        throw WeightsError("\(folder.path): this is an adapter; merge it first (yuyan convert --merge), then give the model a head")
    }
    let old = try taskHead(of: folder)
    let model = try loadDecoder(from: folder, dtype: dtype, device: device, dropout: dropout, newTokens: old == nil ? 3 : 0, seed: seed)
    if let model = model as? TaskModel, model.head.task == task, model.head.labels == labels {
        model.head.limit = limit
        return model
    }
    guard !(model is any EncoderDecoder) else {
        throw WeightsError("\(folder.path): a head reads a decoder's last token, and this model has an encoder")
    }
    let decoder = (model as? TaskModel)?.decoder ?? model
    let first = Int32(decoder.vocabularySize - 3)
    var head = old ?? TaskHead(task: task, labels: labels, start: first, delimiter: first + 1, extract: first + 2, limit: limit)
    (head.task, head.labels, head.limit) = (task, labels, limit)
    return try TaskModel(decoder, head, seed: seed, dropout: dropout)
}
