public import YuyanModels
public import YuyanTensor

/// Keys and values of past tokens, so that a new token costs one token's work.
///
/// Stored as [batch, groups, capacity, width]: what one head reads lies together. The capacity doubles when it is used up, as far as the
/// model's context. An endless cache, when that is used up, forgets the oldest tokens but the very first (`makeRoom`).
public final class KVCache: AttentionCache {
    private struct Layer {
        /// Keys, values, and the keys without places where they may have to take others.
        var buffers: [Tensor]
        var place: KeyPlacement?
        var count = 0
    }

    private let shape: CacheShape
    private let limit: Int
    /// The first tokens, which an endless cache keeps; nil: it ends.
    private let sinks: Int?
    private let dtype: DType
    private let device: Device
    private var layers: [Layer?]

    /// Sequences in it.
    public private(set) var batch: Int
    private var capacity: Int

    /// An empty cache for `batch` sequences with room for `capacity` tokens, more when needed.
    public convenience init(for model: any LanguageModel, batch: Int, capacity: Int = 64) {
        self.init(model, batch: batch, capacity: capacity, limit: model.contextLength, sinks: nil)
    }

    /// An empty cache for text without end (Xiao et al. 2023, "Efficient Streaming Language Models with Attention Sinks"): the first tokens, which softmax
    /// makes the model lean on whatever they say, and a window of the most recent ones. Positions are places in the cache, so the model sees no distance
    /// that it was not trained on, and memory and the time of a token are bounded. It does not lengthen what the model remembers.
    ///
    /// - Parameters:
    ///   - sinks: how many of the first tokens stay, at most half of the places; 0: a plain window.
    ///   - places: sinks and window together; nil: the model's context.
    public convenience init(endlessFor model: any LanguageModel, batch: Int, sinks: Int = 4, places: Int? = nil) {
        precondition(model.positionsAreRelative, "an endless cache needs relative positions")
        let limit = min(places ?? model.contextLength, model.contextLength)
        self.init(model, batch: batch, capacity: min(64, limit), limit: limit, sinks: min(sinks, limit / 2))
    }

    /// A cache of one sequence that has read a text already: of each layer the first `length` keys and values of `parts` (`copies`).
    convenience init(for model: any LanguageModel, continuing parts: [Tensor], length: Int, capacity: Int) throws {
        self.init(for: model, batch: 1, capacity: max(capacity, length))
        for number in layers.indices {
            let buffers = try parts[2 * number..<2 * number + 2].map { try grown($0, length) }
            layers[number] = Layer(buffers: buffers, count: length)
        }
    }

    /// Of each layer keys and values [batch, groups, length, width].
    func copies() throws -> [Tensor] {
        precondition(sinks == nil, "an endless cache has forgotten how the text began")
        return try layers.flatMap { layer in
            try layer.map { layer in try layer.buffers.map { try $0.narrow(2, start: 0, length: layer.count).clone() } } ?? []
        }
    }

    private init(_ model: any LanguageModel, batch: Int, capacity: Int, limit: Int, sinks: Int?) {
        (shape, self.limit, self.sinks) = (model.cacheShape, limit, sinks)
        (dtype, device) = (model.dtype, model.device)
        (self.batch, self.capacity) = (batch, min(max(capacity, 1), limit))
        layers = Array(repeating: nil, count: shape.layers)
    }

    /// Tokens stored before this forward pass: the last layer's count, which changes when the pass is over.
    public var length: Int { layers.last??.count ?? 0 }

    /// The most tokens that the next pass may bring.
    public var room: Int { limit - length }

    /// What keys and values take, in bytes.
    public var byteCount: Int {
        layers.reduce(0) { $0 + ($1?.buffers.reduce(0) { $0 + $1.shape.reduce(dtype.size, *) } ?? 0) }
    }

    public func extend(layer: Int, keys: Tensor, values: Tensor, placing place: KeyPlacement?) throws -> (keys: Tensor, values: Tensor) {
        let moves = sinks != nil && place != nil
        var kept = try layers[layer] ?? Layer(buffers: (0..<(moves ? 3 : 2)).map { _ in try empty() }, place: moves ? place : nil)
        let new = keys.size(1)
        let count = kept.count + new
        precondition(count <= limit, "\(count) tokens do not fit a context of \(limit)")
        if count > kept.buffers[0].size(2) {
            capacity = max(capacity, min(limit, max(count, 2 * kept.buffers[0].size(2))))
            kept.buffers = try kept.buffers.map { try grown($0, kept.count) }
        }
        let placed = try place?(keys, kept.count) ?? keys
        for (buffer, part) in zip(kept.buffers, [placed, values, keys]) {
            try buffer.narrow(2, start: kept.count, length: new).copy(from: part.transpose(1, 2))
        }
        kept.count = count
        layers[layer] = kept
        return try (
            kept.buffers[0].narrow(2, start: 0, length: count).transpose(1, 2), kept.buffers[1].narrow(2, start: 0, length: count).transpose(1, 2)
        )
    }

    /// Between two passes: a full endless cache forgets the oldest quarter of its window, and the rest moves up. A quarter at once, so that moving, which
    /// turns keys to their new places, costs each token a few times its own part.
    public func makeRoom() throws {
        guard let sinks, length == limit else { return }
        let gone = max(1, (limit - sinks) / 4)
        let rest = limit - sinks - gone
        for number in layers.indices {
            guard var layer = layers[number] else { continue }
            for buffer in layer.buffers where rest > 0 {
                // By way of a copy: the two ranges overlap.
                try buffer.narrow(2, start: sinks, length: rest).copy(from: buffer.narrow(2, start: sinks + gone, length: rest).clone())
            }
            if let place = layer.place, rest > 0 {
                let keys = try place(layer.buffers[2].narrow(2, start: sinks, length: rest).transpose(1, 2), sinks)
                try layer.buffers[0].narrow(2, start: sinks, length: rest).copy(from: keys.transpose(1, 2))
            }
            layer.count = sinks + rest
            layers[number] = layer
        }
    }

    /// Goes on with these sequences only, in this order; one may be named several times.
    public func select(_ rows: [Int]) throws {
        let indices = try Tensor(rows.map(Int64.init), device: device)
        for number in layers.indices {
            if let layer = layers[number] { layers[number]?.buffers = try layer.buffers.map { try $0.indexSelect(0, indices) } }
        }
        batch = rows.count
    }

    /// Forgets what is behind the first `count` tokens.
    public func truncate(to count: Int) {
        precondition(0...length ~= count, "\(count) of \(length) tokens")
        for layer in layers.indices { layers[layer]?.count = count }
    }

    private func empty() throws -> Tensor { try .empty([batch, shape.groups, capacity, shape.width], dtype: dtype, device: device) }

    private func grown(_ old: Tensor, _ count: Int) throws -> Tensor {
        let new = try empty()
        if count > 0 { try new.narrow(2, start: 0, length: count).copy(from: old.narrow(2, start: 0, length: count)) }
        return new
    }
}
