internal import CTorch

/// Keys or values of a cache in 8 bits: the numbers of a row, which is one token in one group, share a scale.
public struct RoundedRows {
    /// int8 [batch, group, token, width], −127…127.
    public let codes: Tensor
    /// float32 [batch, group, token]: what the codes of a row are multiplied by.
    public let scales: Tensor

    /// Parts that somebody keeps; they may be views of larger ones.
    public init(codes: Tensor, scales: Tensor) { (self.codes, self.scales) = (codes, scales) }

    /// Rounds rows [batch, group, token, width] into the parts: a number is off by at most 1/254 of the largest in its row. The scale of a row that is not
    /// finite is none either.
    public func store(_ rows: Tensor) throws { try check(yy_rows8_store(rows.handle, handles), "store", rows, codes, scales) }

    /// The numbers that they stand for, [batch, group, token, width].
    public func wide(_ dtype: DType) throws -> Tensor { try Tensor.make("wide", codes, scales) { yy_rows8_widen(handles, dtype.code, $0) } }

    fileprivate var handles: yy_rows8 { yy_rows8(codes: codes.handle, scales: scales.handle) }
}

extension Tensor {
    /// Attention over rounded keys and values [batch, group, key, width], else like the one over plain ones. A few queries (up to eight) read them where they
    /// lie, for more they are widened first. Gradients are for the queries alone.
    public static func attention(
        _ queries: Tensor, _ keys: RoundedRows, _ values: RoundedRows, documents: Tensor? = nil, causal: Bool = true, window: Int? = nil,
        scale: Double
    ) throws -> Tensor {
        try make("attention", queries, keys.codes) {
            yy_attention8(queries.handle, keys.handles, values.handles, documents?.handle, causal, Int64(window ?? 0), scale, $0)
        }
    }
}
