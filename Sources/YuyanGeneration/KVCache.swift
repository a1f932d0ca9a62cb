public import YuyanModels
public import YuyanTensor

/// Keys and values of past tokens, so that a new token costs one token's work.
///
/// Stored as [batch, groups, capacity, width]: what one head reads lies together. The capacity doubles when it is used up, as far as the
/// model's context.
public final class KVCache: AttentionCache {
    private struct Layer {
        var keys: Tensor
        var values: Tensor
        var count = 0
    }

    private let shape: CacheShape
    private let limit: Int
    private let dtype: DType
    private let device: Device
    private var layers: [Layer?]

    /// Sequences in it.
    public private(set) var batch: Int
    private var capacity: Int

    /// An empty cache for `batch` sequences with room for `capacity` tokens, more when needed.
    public init(for model: any LanguageModel, batch: Int, capacity: Int = 64) {
        (shape, limit) = (model.cacheShape, model.contextLength)
        (dtype, device) = (model.dtype, model.device)
        (self.batch, self.capacity) = (batch, min(max(capacity, 1), model.contextLength))
        layers = Array(repeating: nil, count: shape.layers)
    }

    /// Tokens stored before this forward pass: the last layer's count, which changes when the pass is over.
    public var length: Int { layers.last??.count ?? 0 }

    public func extend(layer: Int, keys: Tensor, values: Tensor) throws -> (keys: Tensor, values: Tensor) {
        let new = keys.size(1)
        var kept = try layers[layer] ?? Layer(keys: empty(), values: empty())
        let count = kept.count + new
        precondition(count <= limit, "\(count) tokens do not fit a context of \(limit)")
        if count > kept.keys.size(2) {
            capacity = max(capacity, min(limit, max(count, 2 * kept.keys.size(2))))
            (kept.keys, kept.values) = try (grown(kept.keys, kept.count), grown(kept.values, kept.count))
        }
        try kept.keys.narrow(2, start: kept.count, length: new).copy(from: keys.transpose(1, 2))
        try kept.values.narrow(2, start: kept.count, length: new).copy(from: values.transpose(1, 2))
        kept.count = count
        layers[layer] = kept
        return try (
            kept.keys.narrow(2, start: 0, length: count).transpose(1, 2), kept.values.narrow(2, start: 0, length: count).transpose(1, 2)
        )
    }

    /// Goes on with these sequences only, in this order; one may be named several times.
    public func select(_ rows: [Int]) throws {
        let indices = try Tensor(rows.map(Int64.init), device: device)
        for (number, layer) in layers.enumerated() {
            guard let layer else { continue }
            layers[number] = try Layer(keys: layer.keys.indexSelect(0, indices), values: layer.values.indexSelect(0, indices), count: layer.count)
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
