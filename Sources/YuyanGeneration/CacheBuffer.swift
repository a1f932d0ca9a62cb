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
    func reorder(_ rows: [Int], places: Int) throws { for part in parts { try part.reorderInPlace(rows, places: places) } }
    func select(rows: Tensor) throws -> CacheBuffer { CacheBuffer(parts: try parts.map { try $0.indexSelect(0, rows) }) }

    /// Puts [batch, new, groups, width] into the places from `start` on.
    func store(_ x: Tensor, at start: Int) throws {
        let (rows, places) = try (x.transpose(1, 2), narrow(start: start, length: x.size(1)))
        if let rounded = places.rounded { try rounded.store(rows) } else { try places.parts[0].copy(from: rows) }
    }

    /// [batch, places, groups, width].
    func wide(_ dtype: DType) throws -> Tensor { try (rounded?.wide(dtype) ?? parts[0]).transpose(1, 2) }

    /// Puts new keys and values [batch, new, groups, width] into the places from `start` on, and gives the attention of queries [batch, new, head, width] over all up
    /// to there.
    static func attention(
        _ queries: Tensor, storing newKeys: Tensor, _ newValues: Tensor, in buffers: (keys: CacheBuffer, values: CacheBuffer), at start: Int,
        documents: Tensor?, window: Int?, scale: Double
    ) throws -> Tensor {
        guard let keys = buffers.keys.rounded, let values = buffers.values.rounded else {
            return try Tensor.attention(
                queries, storing: newKeys, newValues, in: (buffers.keys.parts[0], buffers.values.parts[0]), at: start, documents: documents,
                window: window, scale: scale)
        }
        try buffers.keys.store(newKeys, at: start)
        try buffers.values.store(newValues, at: start)
        func taken(_ rows: RoundedRows) throws -> RoundedRows {
            let count = start + newKeys.size(1)
            return RoundedRows(codes: try rows.codes.narrow(2, start: 0, length: count), scales: try rows.scales.narrow(2, start: 0, length: count))
        }
        return try Tensor.attention(queries, taken(keys), taken(values), documents: documents, window: window, scale: scale)
    }
}
