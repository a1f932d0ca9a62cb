import YuyanModels
import YuyanTensor

/// Sequences of one length that go through a model together: whole at first, then by their newest tokens, with what is past in a cache. An encoder-decoder reads
/// the prompts once, and its rows begin with its start token.
@Engine final class TokenStepper {
    private let model: any LanguageModel
    /// Logits of ids from here on are padding of the model's matrix.
    private let vocabulary: Int
    private var cache: KVCache
    private var source: (any EncodedSource)?
    /// Which prompt each row has come from.
    private var origins: [Int]
    /// The tokens of each row, those that the model has not read yet at the end.
    private(set) var rows: [[Int32]]

    /// - Parameter room: the tokens that a row will probably have; it may become longer.
    init(_ model: any LanguageModel, vocabulary: Int, prompts: [[Int32]], room: Int) throws {
        let length = prompts.first?.count ?? 0
        precondition(prompts.allSatisfy { $0.count == length }, "prompts of different lengths cannot go together")
        (self.model, self.vocabulary, rows, origins) = (model, vocabulary, prompts, Array(prompts.indices))
        cache = KVCache(for: model, batch: prompts.count, capacity: room)
        if let model = model as? any EncoderDecoder {
            source = try withInference { try model.encode(tensor(prompts.map { $0[...] }), lengths: nil, ForwardContext()) }
            rows = prompts.map { _ in [model.decoderStart] }
        }
    }

    /// Whether the model has read as much as its context holds.
    var isFull: Bool { cache.length == model.contextLength }

    /// What follows each row: float32 logits [rows, vocabulary] on the host.
    func logits() throws -> Tensor {
        try withInference {
            if cache.length == 0 { return try logits(of: rows.map { $0[...] }) }
            if !isFull { return try logits(of: rows.map { $0.suffix(1) }) }
            // The window slides: its most recent half becomes the beginning of a new one, so that half a context is read again for every half that
            // is written.
            cache = KVCache(for: model, batch: rows.count, capacity: model.contextLength)
            return try logits(of: rows.map { $0.suffix(max(1, model.contextLength / 2)) })
        }
    }

    private func logits(of tokens: [ArraySlice<Int32>]) throws -> Tensor {
        let hidden = try model(tensor(tokens), ForwardContext(cache: cache, source: source))
        let last = try model.logits(hidden.select(1, tokens[0].count - 1)).to(.float32, device: .cpu)
        return try last.size(1) > vocabulary ? last.narrow(1, start: 0, length: vocabulary).contiguous() : last
    }

    private func tensor(_ rows: [ArraySlice<Int32>]) throws -> Tensor {
        try Tensor(rows.flatMap { $0.map(Int64.init) }, shape: [rows.count, rows[0].count], device: model.device)
    }

    /// Goes on with these rows only, in this order; one may be named several times.
    func select(_ selection: [Int]) throws {
        guard !selection.elementsEqual(rows.indices) else { return }
        try withInference {
            try cache.select(selection)
            // Beams change places among themselves, and all of them have one source.
            if selection.map({ origins[$0] }) != origins { source = try source?.selecting(selection) }
        }
        origins = selection.map { origins[$0] }
        rows = selection.map { rows[$0] }
    }

    /// Puts a token behind each row.
    func append(_ tokens: [Int32]) {
        precondition(tokens.count == rows.count, "\(tokens.count) tokens for \(rows.count) rows")
        for (row, token) in tokens.enumerated() { rows[row].append(token) }
    }
}
