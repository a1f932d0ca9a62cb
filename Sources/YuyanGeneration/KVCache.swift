public import YuyanModels
public import YuyanTensor

/// Keys and values of past tokens, so that a new token costs one token's work.
///
/// Stored as [batch, groups, capacity, width]: what one head reads lies together. The capacity doubles when it is used up, as far as the
/// model's context. An endless cache, when that is used up, forgets the oldest tokens but the very first (`makeRoom`).
///
/// In 8 bits (`Precision.int8`) every query reads rounded keys and values, those of its own pass too: so an answer does not depend on how a text was cut into
/// passes, and tokens that were guessed ahead, or a beginning that was kept, give what one token after another gives.
public final class KVCache: AttentionCache {
    /// How keys and values are kept.
    public enum Precision: String, Codable, Sendable, CaseIterable {
        /// As the model computes them.
        case model
        /// Integers of 8 bits; those of one token in one group share a float32 scale. About half the memory of bfloat16.
        case int8
    }

    private struct Layer {
        /// Keys, values, and the keys without places where they may have to take others.
        var buffers: [CacheBuffer]
        var place: KeyPlacement?
        var count = 0
    }

    private let shape: CacheShape
    private let limit: Int
    /// The first tokens, which an endless cache keeps; nil: it ends.
    private let sinks: Int?
    /// How keys and values are kept.
    public let precision: Precision
    private let dtype: DType
    private let device: Device
    private var layers: [Layer?]

    /// Sequences in it.
    public private(set) var batch: Int
    private var capacity: Int

    /// An empty cache for `batch` sequences with room for `capacity` tokens, more when needed.
    public convenience init(for model: any LanguageModel, batch: Int, capacity: Int = 64, precision: Precision = .model) {
        self.init(model, batch: batch, capacity: capacity, limit: model.contextLength, sinks: nil, precision)
    }

    /// An empty cache for text without end (Xiao et al. 2023, "Efficient Streaming Language Models with Attention Sinks"): the first tokens, which softmax
    /// makes the model lean on whatever they say, and a window of the most recent ones. Positions are places in the cache, so the model sees no distance
    /// that it was not trained on, and memory and the time of a token are bounded. It does not lengthen what the model remembers.
    ///
    /// - Parameters:
    ///   - sinks: how many of the first tokens stay, at most half of the places; 0: a plain window.
    ///   - places: sinks and window together; nil: the model's context.
    public convenience init(
        endlessFor model: any LanguageModel, batch: Int, sinks: Int = 4, places: Int? = nil, precision: Precision = .model
    ) {
        precondition(model.positionsAreRelative, "an endless cache needs relative positions")
        let limit = min(places ?? model.contextLength, model.contextLength)
        self.init(model, batch: batch, capacity: min(64, limit), limit: limit, sinks: min(sinks, limit / 2), precision)
    }

    /// A cache of one sequence that has read a text already: of each layer the first `length` keys and values of another (`copies`).
    convenience init(
        for model: any LanguageModel, continuing buffers: [CacheBuffer], length: Int, capacity: Int, precision: Precision
    ) throws {
        self.init(for: model, batch: 1, capacity: max(capacity, length), precision: precision)
        for number in layers.indices {
            let own = try buffers[2 * number..<2 * number + 2].map { try grown($0, length) }
            layers[number] = Layer(buffers: own, count: length)
        }
    }

    /// Of each layer keys and values, with no more places than there are tokens.
    func copies() throws -> [CacheBuffer] {
        precondition(sinks == nil, "an endless cache has forgotten how the text began")
        return try layers.flatMap { layer in
            try layer.map { layer in try layer.buffers.map { try $0.narrow(start: 0, length: layer.count).clone() } } ?? []
        }
    }

    private init(_ model: any LanguageModel, batch: Int, capacity: Int, limit: Int, sinks: Int?, _ precision: Precision) {
        (shape, self.limit, self.sinks, self.precision) = (model.cacheShape, limit, sinks, precision)
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
        layers.reduce(0) { $0 + ($1?.buffers.reduce(0) { $0 + $1.byteCount } ?? 0) }
    }

    /// In 8 bits, what comes back is made anew each time.
    public func extend(layer number: Int, keys: Tensor, values: Tensor, placing place: KeyPlacement?) throws -> (keys: Tensor, values: Tensor) {
        let layer = try opened(number, for: keys.size(1), place)
        let (placed, count) = try (place?(keys, layer.count) ?? keys, layer.count + keys.size(1))
        for (buffer, part) in zip(layer.buffers, [placed, values, keys]) { try buffer.store(part, at: layer.count) }
        layers[number] = Layer(buffers: layer.buffers, place: layer.place, count: count)
        let all = try layer.buffers.prefix(2).map { try $0.narrow(start: 0, length: count).wide(dtype) }
        return (all[0], all[1])
    }

    public func attention(
        _ queries: Tensor, keys: Tensor, values: Tensor, layer number: Int, placing place: KeyPlacement?, documents: Tensor?, window: Int?,
        scale: Double
    ) throws -> Tensor {
        let layer = try opened(number, for: keys.size(1), place)
        if layer.buffers.count == 3 { try layer.buffers[2].store(keys, at: layer.count) }
        let mixed = try CacheBuffer.attention(
            queries, storing: place?(keys, layer.count) ?? keys, values, in: (layer.buffers[0], layer.buffers[1]), at: layer.count,
            documents: documents, window: window, scale: scale)
        layers[number] = Layer(buffers: layer.buffers, place: layer.place, count: layer.count + keys.size(1))
        return mixed
    }

    /// A layer as it is, with places for `new` tokens more.
    private func opened(_ number: Int, for new: Int, _ place: KeyPlacement?) throws -> Layer {
        let moves = sinks != nil && place != nil
        var layer = try layers[number] ?? Layer(buffers: (0..<(moves ? 3 : 2)).map { _ in try empty() }, place: moves ? place : nil)
        let count = layer.count + new
        precondition(count <= limit, "\(count) tokens do not fit a context of \(limit)")
        if count > layer.buffers[0].places {
            capacity = max(capacity, min(limit, max(count, 2 * layer.buffers[0].places)))
            layer.buffers = try layer.buffers.map { try grown($0, layer.count) }
        }
        return layer
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
                try buffer.narrow(start: sinks, length: rest).copy(from: buffer.narrow(start: sinks + gone, length: rest).clone())
            }
            // From the keys without places each time: what turning or rounding costs does not add up.
            if let place = layer.place, rest > 0 {
                let keys = try place(layer.buffers[2].narrow(start: sinks, length: rest).wide(dtype), sinks)
                try layer.buffers[0].store(keys, at: sinks)
            }
            layer.count = sinks + rest
            layers[number] = layer
        }
    }

    /// Goes on with these sequences only, in this order; one may be named several times.
    public func select(_ rows: [Int]) throws {
        if rows.count == batch, device == .cpu {
            for layer in layers.compactMap({ $0 }) { for buffer in layer.buffers { try buffer.reorder(rows, places: layer.count) } }
            return
        }
        let indices = try Tensor(rows.map(Int64.init), device: device)
        for number in layers.indices {
            if let layer = layers[number] { layers[number]?.buffers = try layer.buffers.map { try $0.select(rows: indices) } }
        }
        batch = rows.count
    }

    /// Forgets what is behind the first `count` tokens.
    public func truncate(to count: Int) {
        precondition(0...length ~= count, "\(count) of \(length) tokens")
        for layer in layers.indices { layers[layer]?.count = count }
    }

    private func empty() throws -> CacheBuffer {
        try CacheBuffer([batch, shape.groups, capacity, shape.width], precision, dtype: dtype, device: device)
    }

    private func grown(_ old: CacheBuffer, _ count: Int) throws -> CacheBuffer {
        let new = try empty()
        if count > 0 { try new.narrow(start: 0, length: count).copy(from: old.narrow(start: 0, length: count)) }
        return new
    }
}
