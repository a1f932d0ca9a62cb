import YuyanModels
import YuyanTensor

/// Sequences of one length that go through a model together: whole at first, then by their newest tokens, with what is past in a cache. An encoder-decoder reads
/// the prompts once, and its rows begin with its start token.
@Engine final class TokenStepper {
    private let model: any LanguageModel
    /// Logits of ids from here on are padding of the model's matrix.
    private let vocabulary: Int
    private var cache: KVCache
    private let text: EndlessText?
    private let prefixes: PrefixCache?
    private let isEndless: Bool
    private var source: (any EncodedSource)?
    /// Which prompt each row has come from.
    private var origins: [Int]
    /// The tokens of each row.
    private(set) var rows: [[Int32]]
    /// How many tokens at the end of each row the model has not read yet.
    private var unread: Int
    private var hasReadPrompt = false

    /// - Parameters:
    ///   - room: the tokens that a row will probably have; it may become longer.
    ///   - precision: how keys and values are kept; that of `text` or `prefixes` where there are some.
    ///   - text: what the only prompt goes on from.
    ///   - prefixes: where the beginning of the only prompt may be found; keeps what is read.
    /// - Throws: `GenerationError` where the window shall be endless and the model's positions cannot move.
    init(
        _ model: any LanguageModel, vocabulary: Int, prompts: [[Int32]], room: Int, overflow: GenerationConfiguration.Overflow = .slide,
        precision: KVCache.Precision, text: EndlessText? = nil, prefixes: PrefixCache? = nil
    ) throws {
        let length = prompts.first?.count ?? 0
        precondition(prompts.allSatisfy { $0.count == length }, "prompts of different lengths cannot go together")
        (self.model, self.vocabulary, rows, origins, unread) = (model, vocabulary, prompts, Array(prompts.indices), length)
        (self.text, isEndless) = (text, overflow == .endless || text != nil)
        self.prefixes = isEndless || prompts.count > 1 ? nil : prefixes
        precondition(prefixes.map { $0.model === model } ?? true, "keys and values of another model")
        if isEndless {
            try requireRelativePositions(model)
            cache = text?.cache ?? KVCache(endlessFor: model, batch: prompts.count, precision: precision)
        } else {
            cache =
                try self.prefixes?.start(prompts[0], capacity: room)
                ?? KVCache(for: model, batch: prompts.count, capacity: room, precision: precision)
            unread -= cache.length
        }
        if let model = model as? any EncoderDecoder {
            source = try withInference { try model.encode(tensor(prompts.map { $0[...] }), lengths: nil, ForwardContext()) }
            (rows, unread) = (prompts.map { _ in [model.decoderStart] }, 1)
        }
        if let text {
            rows[0] = text.unread + rows[0]
            (text.unread, unread) = (rows[0], rows[0].count)
        }
    }

    /// Whether the model has read as much as its context holds, and can read no more.
    var isFull: Bool { !isEndless && cache.room == 0 }

    /// The tokens that can be put behind the unread ones and read with them, before the window has to slide or after it has.
    var room: Int {
        let free = model.contextLength - cache.length - unread
        return free >= 0 ? free : model.contextLength - window
    }

    /// What of a full context goes on: its most recent half becomes the beginning of a new one, so that half a context is read again for every half that is written.
    private var window: Int { max(1, model.contextLength / 2) }

    /// What follows each of the last tokens of each row, which the model reads now: places are rows · count.
    func logits(last count: Int = 1) throws -> Logits {
        precondition(count <= unread, "\(count) of \(unread) unread tokens")
        if !isEndless, cache.length + unread > model.contextLength {
            cache = KVCache(for: model, batch: rows.count, capacity: model.contextLength, precision: cache.precision)
            unread = min(rows[0].count, window + count - 1)
        }
        return try model.infer(rows: rows.count * unread) {
            var rest = rows.map { $0.suffix(unread) }
            var hidden: Tensor
            repeat {
                // An endless cache takes a long text in pieces, and forgets between them.
                try cache.makeRoom()
                let time = min(cache.room, rest[0].count)
                hidden = try model(tensor(rest.map { $0.prefix(time) }), ForwardContext(cache: cache, source: source))
                rest = rest.map { $0.dropFirst(time) }
            } while !rest[0].isEmpty
            let last = try hidden.narrow(1, start: hidden.size(1) - count, length: count).reshape(rows.count * count, hidden.size(2))
            unread = 0
            text?.unread = []
            if !hasReadPrompt { try keep() }
            hasReadPrompt = true
            let logits = try model.logits(last).to(.float32, device: .cpu)
            return try Logits(logits.size(1) > vocabulary ? logits.narrow(1, start: 0, length: vocabulary).contiguous() : logits)
        }
    }

    private func tensor(_ rows: [ArraySlice<Int32>]) throws -> Tensor {
        try Tensor(rows.flatMap { $0.map(Int64.init) }, shape: [rows.count, rows[0].count], device: model.device)
    }

    /// Goes on with these rows only, in this order; one may be named several times.
    func select(_ selection: [Int]) throws {
        guard !selection.elementsEqual(rows.indices) else { return }
        try model.infer(rows: rows.count) {
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
        text?.unread += tokens
    }

    /// A last token, which no other will follow now, belongs to the text that goes on.
    func leave(_ token: Int32) { text?.unread.append(token) }

    /// What was written may be the beginning of what is asked next.
    func finish() throws {
        if rows.count == 1 { try keep() }
    }

    /// Keeps what the model has read, unless the window has slid.
    private func keep() throws {
        guard let prefixes, cache.length == rows[0].count - unread else { return }
        try prefixes.keep(Array(rows[0].dropLast(unread)), cache)
    }

    /// Takes the last tokens of each row back, read or not.
    func drop(_ count: Int) {
        let read = max(0, count - unread)
        cache.truncate(to: cache.length - read)
        unread -= count - read
        for row in rows.indices { rows[row].removeLast(count) }
    }
}
