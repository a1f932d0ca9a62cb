import YuyanTensor

/// Keys or values of one layer, as a cache keeps them.
struct CacheBuffer {
    /// [batch, groups, places, width] in the model's type; or int8 codes of that shape and float32 scales [batch, groups, places].
    let parts: [Tensor]

    init(parts: [Tensor]) { self.parts = parts }

    /// With room for [batch, groups, places, width].
    init(_ shape: [Int], _ precision: KVCache.Precision, dtype: DType, device: Device) throws {
        parts = try Self.layout(shape, precision, dtype: dtype).map { try .empty($0.shape, dtype: $0.dtype, device: device) }
    }

    /// What the parts of keys or values [batch, groups, places, width] are.
    static func layout(_ shape: [Int], _ precision: KVCache.Precision, dtype: DType) -> [(shape: [Int], dtype: DType)] {
        switch precision {
        case .model: [(shape, dtype)]
        case .int8: [(shape, .int8), (Array(shape.dropLast()), .float32)]
        }
    }

    var places: Int { parts[0].size(2) }
    var byteCount: Int { parts.reduce(0) { $0 + $1.count * $1.dtype.size } }

    private var rounded: RoundedRows? { parts.count == 2 ? RoundedRows(codes: parts[0], scales: parts[1]) : nil }

    /// A view of some places.
    func narrow(start: Int, length: Int) throws -> CacheBuffer {
        CacheBuffer(parts: try parts.map { try $0.narrow(2, start: start, length: length) })
    }
    func clone() throws -> CacheBuffer { CacheBuffer(parts: try parts.map { try $0.clone() }) }
    func copy(from other: CacheBuffer) throws { for (part, source) in zip(parts, other.parts) { try part.copy(from: source) } }
    func select(rows: Tensor) throws -> CacheBuffer { CacheBuffer(parts: try parts.map { try $0.indexSelect(0, rows) }) }

    /// Fills all places with [batch, places, groups, width].
    func store(_ x: Tensor) throws {
        let rows = try x.transpose(1, 2)
        if let rounded { try rounded.store(rows) } else { try parts[0].copy(from: rows) }
    }

    /// [batch, places, groups, width].
    func wide(_ dtype: DType) throws -> Tensor { try (rounded?.wide(dtype) ?? parts[0]).transpose(1, 2) }

    /// Attention of queries [batch, query, head, width].
    static func attention(
        _ queries: Tensor, _ keys: CacheBuffer, _ values: CacheBuffer, documents: Tensor?, window: Int?, scale: Double
    ) throws -> Tensor {
        if let keys = keys.rounded, let values = values.rounded {
            return try Tensor.attention(queries, keys, values, documents: documents, window: window, scale: scale)
        }
        return try Tensor.attention(
            queries, keys.wide(queries.dtype), values.wide(queries.dtype), documents: documents, window: window, scale: scale)
    }
}
