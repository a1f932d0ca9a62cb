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
    /// The tokens of each row.
    private(set) var rows: [[Int32]]
    /// How many tokens at the end of each row the model has not read yet.
    private var unread: Int

    /// - Parameter room: the tokens that a row will probably have; it may become longer.
    init(_ model: any LanguageModel, vocabulary: Int, prompts: [[Int32]], room: Int) throws {
        let length = prompts.first?.count ?? 0
        precondition(prompts.allSatisfy { $0.count == length }, "prompts of different lengths cannot go together")
        (self.model, self.vocabulary, rows, origins, unread) = (model, vocabulary, prompts, Array(prompts.indices), length)
        cache = KVCache(for: model, batch: prompts.count, capacity: room)
        if let model = model as? any EncoderDecoder {
            source = try withInference { try model.encode(tensor(prompts.map { $0[...] }), lengths: nil, ForwardContext()) }
            (rows, unread) = (prompts.map { _ in [model.decoderStart] }, 1)
        }
    }

    /// Whether the model has read as much as its context holds.
    var isFull: Bool { cache.length == model.contextLength }

    /// The tokens that can be put behind the unread ones and read with them, before the window has to slide or after it has.
    var room: Int {
        let free = model.contextLength - cache.length - unread
        return free >= 0 ? free : model.contextLength - window
    }

    /// What of a full context goes on: its most recent half becomes the beginning of a new one, so that half a context is read again for every half that is written.
    private var window: Int { max(1, model.contextLength / 2) }

    /// What follows each of the last tokens of each row, which the model reads now: float32 logits [rows · count, vocabulary] on the host.
    func logits(last count: Int = 1) throws -> Tensor {
        precondition(count <= unread, "\(count) of \(unread) unread tokens")
        return try withInference {
            if cache.length + unread > model.contextLength {
                cache = KVCache(for: model, batch: rows.count, capacity: model.contextLength)
                unread = min(rows[0].count, window + count - 1)
            }
            let hidden = try model(tensor(rows.map { $0.suffix(unread) }), ForwardContext(cache: cache, source: source))
            let last = try hidden.narrow(1, start: unread - count, length: count).reshape(rows.count * count, hidden.size(2))
            unread = 0
            let logits = try model.logits(last).to(.float32, device: .cpu)
            return try logits.size(1) > vocabulary ? logits.narrow(1, start: 0, length: vocabulary).contiguous() : logits
        }
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
        unread += 1
    }

    /// Takes the last tokens of each row back, read or not.
    func drop(_ count: Int) {
        let read = max(0, count - unread)
        cache.truncate(to: cache.length - read)
        unread -= count - read
        for row in rows.indices { rows[row].removeLast(count) }
    }
}
