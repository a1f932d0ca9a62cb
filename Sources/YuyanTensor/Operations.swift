internal import CTorch

// PyTorch's operations under PyTorch's names. Shapes broadcast as there.
extension Tensor {
    // MARK: Element by element

    public static func + (a: Tensor, b: Tensor) throws -> Tensor { try make("+", a, b) { yy_add(a.handle, b.handle, $0) } }
    public static func - (a: Tensor, b: Tensor) throws -> Tensor { try make("-", a, b) { yy_sub(a.handle, b.handle, $0) } }
    public static func * (a: Tensor, b: Tensor) throws -> Tensor { try make("*", a, b) { yy_mul(a.handle, b.handle, $0) } }
    public static func / (a: Tensor, b: Tensor) throws -> Tensor { try make("/", a, b) { yy_div(a.handle, b.handle, $0) } }
    public static func + (a: Tensor, b: Double) throws -> Tensor { try make("+", a) { yy_add_scalar(a.handle, b, $0) } }
    public static func - (a: Tensor, b: Double) throws -> Tensor { try make("-", a) { yy_add_scalar(a.handle, -b, $0) } }
    public static func * (a: Tensor, b: Double) throws -> Tensor { try make("*", a) { yy_mul_scalar(a.handle, b, $0) } }
    public static func / (a: Tensor, b: Double) throws -> Tensor { try make("/", a) { yy_div_scalar(a.handle, b, $0) } }
    public static prefix func - (a: Tensor) throws -> Tensor { try make("-", a) { yy_neg(a.handle, $0) } }

    public func exp() throws -> Tensor { try Self.make("exp", self) { yy_exp(handle, $0) } }
    public func log() throws -> Tensor { try Self.make("log", self) { yy_log(handle, $0) } }
    public func sqrt() throws -> Tensor { try Self.make("sqrt", self) { yy_sqrt(handle, $0) } }
    public func rsqrt() throws -> Tensor { try Self.make("rsqrt", self) { yy_rsqrt(handle, $0) } }
    public func abs() throws -> Tensor { try Self.make("abs", self) { yy_abs(handle, $0) } }
    public func square() throws -> Tensor { try Self.make("square", self) { yy_square(handle, $0) } }
    public func pow(_ exponent: Double) throws -> Tensor { try Self.make("pow", self) { yy_pow_scalar(handle, exponent, $0) } }
    public func sin() throws -> Tensor { try Self.make("sin", self) { yy_sin(handle, $0) } }
    public func cos() throws -> Tensor { try Self.make("cos", self) { yy_cos(handle, $0) } }
    public func tanh() throws -> Tensor { try Self.make("tanh", self) { yy_tanh(handle, $0) } }
    public func sigmoid() throws -> Tensor { try Self.make("sigmoid", self) { yy_sigmoid(handle, $0) } }
    public func relu() throws -> Tensor { try Self.make("relu", self) { yy_relu(handle, $0) } }
    public func silu() throws -> Tensor { try Self.make("silu", self) { yy_silu(handle, $0) } }
    /// x·Φ(x) (Hendrycks & Gimpel 2016).
    public func gelu() throws -> Tensor { try Self.make("gelu", self) { yy_gelu(handle, $0) } }
    /// The same with tanh in place of the error function, as GPT-2 computes it (`gelu_new`).
    public func geluTanh() throws -> Tensor { try Self.make("geluTanh", self) { yy_gelu_tanh(handle, $0) } }
    public func clamp(_ low: Double, _ high: Double) throws -> Tensor { try Self.make("clamp", self) { yy_clamp(handle, low, high, $0) } }
    public func maximum(_ other: Tensor) throws -> Tensor { try Self.make("maximum", self, other) { yy_maximum(handle, other.handle, $0) } }
    public func minimum(_ other: Tensor) throws -> Tensor { try Self.make("minimum", self, other) { yy_minimum(handle, other.handle, $0) } }

    // MARK: Comparing: tensors of dtype bool

    public static func .== (a: Tensor, b: Tensor) throws -> Tensor { try make(".==", a, b) { yy_eq(a.handle, b.handle, $0) } }
    public static func .!= (a: Tensor, b: Tensor) throws -> Tensor { try make(".!=", a, b) { yy_ne(a.handle, b.handle, $0) } }
    public static func .< (a: Tensor, b: Tensor) throws -> Tensor { try make(".<", a, b) { yy_lt(a.handle, b.handle, $0) } }
    public static func .<= (a: Tensor, b: Tensor) throws -> Tensor { try make(".<=", a, b) { yy_le(a.handle, b.handle, $0) } }
    public static func .> (a: Tensor, b: Tensor) throws -> Tensor { try make(".>", a, b) { yy_gt(a.handle, b.handle, $0) } }
    public static func .>= (a: Tensor, b: Tensor) throws -> Tensor { try make(".>=", a, b) { yy_ge(a.handle, b.handle, $0) } }
    public static func .== (a: Tensor, b: Double) throws -> Tensor { try make(".==", a) { yy_eq_scalar(a.handle, b, $0) } }
    public static func .!= (a: Tensor, b: Double) throws -> Tensor { try make(".!=", a) { yy_ne_scalar(a.handle, b, $0) } }
    public static func .< (a: Tensor, b: Double) throws -> Tensor { try make(".<", a) { yy_lt_scalar(a.handle, b, $0) } }
    public static func .<= (a: Tensor, b: Double) throws -> Tensor { try make(".<=", a) { yy_le_scalar(a.handle, b, $0) } }
    public static func .> (a: Tensor, b: Double) throws -> Tensor { try make(".>", a) { yy_gt_scalar(a.handle, b, $0) } }
    public static func .>= (a: Tensor, b: Double) throws -> Tensor { try make(".>=", a) { yy_ge_scalar(a.handle, b, $0) } }
    public func and(_ other: Tensor) throws -> Tensor { try Self.make("and", self, other) { yy_logical_and(handle, other.handle, $0) } }
    public func or(_ other: Tensor) throws -> Tensor { try Self.make("or", self, other) { yy_logical_or(handle, other.handle, $0) } }
    public func not() throws -> Tensor { try Self.make("not", self) { yy_logical_not(handle, $0) } }
    public func isFinite() throws -> Tensor { try Self.make("isFinite", self) { yy_isfinite(handle, $0) } }

    /// Elements of `a` where the condition holds, of `b` elsewhere.
    public static func choose(where condition: Tensor, _ a: Tensor, _ b: Tensor) throws -> Tensor {
        try make("choose", a, b) { yy_where(condition.handle, a.handle, b.handle, $0) }
    }
    public func maskedFill(_ mask: Tensor, _ value: Double) throws -> Tensor {
        try Self.make("maskedFill", self, mask) { yy_masked_fill(handle, mask.handle, value, $0) }
    }
    /// The lower triangle; `diagonal` moves the border up.
    public func lowerTriangle(diagonal: Int = 0) throws -> Tensor { try Self.make("lowerTriangle", self) { yy_tril(handle, Int32(diagonal), $0) } }

    // MARK: Reducing

    public func sum() throws -> Tensor { try Self.make("sum", self) { yy_sum_all(handle, $0) } }
    public func mean() throws -> Tensor { try Self.make("mean", self) { yy_mean_all(handle, $0) } }
    public func max() throws -> Tensor { try Self.make("max", self) { yy_max_all(handle, $0) } }
    public func min() throws -> Tensor { try Self.make("min", self) { yy_min_all(handle, $0) } }
    public func sum(along dimension: Int, keep: Bool = false) throws -> Tensor {
        try Self.make("sum", self) { yy_sum(handle, Int32(dimension), keep, $0) }
    }
    public func mean(along dimension: Int, keep: Bool = false) throws -> Tensor {
        try Self.make("mean", self) { yy_mean(handle, Int32(dimension), keep, $0) }
    }
    public func max(along dimension: Int, keep: Bool = false) throws -> Tensor {
        try Self.make("max", self) { yy_amax(handle, Int32(dimension), keep, $0) }
    }
    public func min(along dimension: Int, keep: Bool = false) throws -> Tensor {
        try Self.make("min", self) { yy_amin(handle, Int32(dimension), keep, $0) }
    }
    /// int64 positions of the largest elements.
    public func argmax(along dimension: Int, keep: Bool = false) throws -> Tensor {
        try Self.make("argmax", self) { yy_argmax(handle, Int32(dimension), keep, $0) }
    }
    public func logSumExp(along dimension: Int, keep: Bool = false) throws -> Tensor {
        try Self.make("logSumExp", self) { yy_logsumexp(handle, Int32(dimension), keep, $0) }
    }
    public func softmax(along dimension: Int) throws -> Tensor { try Self.make("softmax", self) { yy_softmax(handle, Int32(dimension), $0) } }
    public func logSoftmax(along dimension: Int) throws -> Tensor {
        try Self.make("logSoftmax", self) { yy_log_softmax(handle, Int32(dimension), $0) }
    }
    public func cumulativeSum(along dimension: Int) throws -> Tensor {
        try Self.make("cumulativeSum", self) { yy_cumsum(handle, Int32(dimension), $0) }
    }

    /// The k largest along a dimension, largest first, and their int64 positions.
    public func topK(_ k: Int, along dimension: Int = -1) throws -> (values: Tensor, indices: Tensor) {
        try pair("topK") { yy_topk(handle, Int64(k), Int32(dimension), $0, $1) }
    }
    /// Stable.
    public func sorted(along dimension: Int = -1, descending: Bool = false) throws -> (values: Tensor, indices: Tensor) {
        try pair("sorted") { yy_sort(handle, Int32(dimension), descending, $0, $1) }
    }

    /// Two tensors that one call makes of this, and maybe another.
    func pair(
        _ operation: StaticString, _ other: Tensor? = nil, _ body: (UnsafeMutablePointer<yy_tensor?>, UnsafeMutablePointer<yy_tensor?>) -> yy_status
    ) throws -> (Tensor, Tensor) {
        var first: yy_tensor?
        var second: yy_tensor?
        try check(body(&first, &second), operation, self, other)
        guard let first, let second else { preconditionFailure("\(operation) made no tensors") }
        return (Tensor(owning: first), Tensor(owning: second))
    }

    // MARK: Products

    /// Matrix product over the last two dimensions, the others broadcast.
    public func matmul(_ other: Tensor) throws -> Tensor { try Self.make("matmul", self, other) { yy_matmul(handle, other.handle, $0) } }

    // MARK: Shapes (views where possible)

    public func reshape(_ shape: Int...) throws -> Tensor { try reshape(shape) }
    public func reshape(_ shape: [Int]) throws -> Tensor { try Self.make("reshape", self) { yy_reshape(handle, shape.sizes, shape.rank, $0) } }
    public func expand(_ shape: Int...) throws -> Tensor { try Self.make("expand", self) { yy_expand(handle, shape.sizes, shape.rank, $0) } }
    public func permute(_ order: Int...) throws -> Tensor { try Self.make("permute", self) { yy_permute(handle, order.sizes, order.rank, $0) } }
    public func transpose(_ first: Int, _ second: Int) throws -> Tensor {
        try Self.make("transpose", self) { yy_transpose(handle, Int32(first), Int32(second), $0) }
    }
    public func unsqueeze(_ dimension: Int) throws -> Tensor { try Self.make("unsqueeze", self) { yy_unsqueeze(handle, Int32(dimension), $0) } }
    public func squeeze(_ dimension: Int) throws -> Tensor { try Self.make("squeeze", self) { yy_squeeze(handle, Int32(dimension), $0) } }
    /// Elements [start, start + length) of one dimension.
    public func narrow(_ dimension: Int, start: Int, length: Int) throws -> Tensor {
        try Self.make("narrow", self) { yy_narrow(handle, Int32(dimension), Int64(start), Int64(length), $0) }
    }
    /// One slice of a dimension, which disappears.
    public func select(_ dimension: Int, _ index: Int) throws -> Tensor {
        try Self.make("select", self) { yy_select(handle, Int32(dimension), Int64(index), $0) }
    }
    /// All slices of a dimension, which disappears. On the way back their gradients are put together once, which several `select` would not.
    public func unbind(_ dimension: Int) throws -> [Tensor] {
        var outs = [yy_tensor?](repeating: nil, count: size(dimension))
        try check(yy_unbind(handle, Int32(dimension), &outs), "unbind", self)
        return outs.compactMap { $0.map(Tensor.init(owning:)) }
    }
    public static func concatenate(_ tensors: [Tensor], along dimension: Int = 0) throws -> Tensor {
        try make("concatenate", tensors.first, tensors.last) { yy_cat(tensors.map(\.handle), Int32(tensors.count), Int32(dimension), $0) }
    }
    public static func stack(_ tensors: [Tensor], along dimension: Int = 0) throws -> Tensor {
        try make("stack", tensors.first, tensors.last) { yy_stack(tensors.map(\.handle), Int32(tensors.count), Int32(dimension), $0) }
    }
    /// Slices of a dimension at int64 positions [n].
    public func indexSelect(_ dimension: Int, _ indices: Tensor) throws -> Tensor {
        try Self.make("indexSelect", self, indices) { yy_index_select(handle, Int32(dimension), indices.handle, $0) }
    }
    public func gather(_ dimension: Int, _ indices: Tensor) throws -> Tensor {
        try Self.make("gather", self, indices) { yy_gather(handle, Int32(dimension), indices.handle, $0) }
    }
}

infix operator .== : ComparisonPrecedence
infix operator .!= : ComparisonPrecedence
infix operator .< : ComparisonPrecedence
infix operator .<= : ComparisonPrecedence
infix operator .> : ComparisonPrecedence
infix operator .>= : ComparisonPrecedence
