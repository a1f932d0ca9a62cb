internal import CTorch

// What layers are made of.
extension Tensor {
    /// Rows of a table: `self` [words, width] at int64 ids of any shape → [..., width].
    public func embedding(_ ids: Tensor) throws -> Tensor { try Self.make("embedding", self, ids) { yy_embedding(handle, ids.handle, $0) } }

    /// x·Wᵀ + b with x [..., in], W [out, in], b [out].
    public func linear(_ weight: Tensor, _ bias: Tensor? = nil) throws -> Tensor {
        try Self.make("linear", self, weight) { yy_linear(handle, weight.handle, bias?.handle, $0) }
    }

    /// (x − mean)/√(variance + ε)·w + b over the last dimension (Ba et al. 2016), computed in float32 whatever the dtype.
    public func layerNorm(_ weight: Tensor, _ bias: Tensor?, epsilon: Double) throws -> Tensor {
        try Self.make("layerNorm", self, weight) { yy_layer_norm(handle, nil, weight.handle, bias?.handle, epsilon, nil, $0) }
    }

    /// x/√(mean(x²) + ε)·w over the last dimension (Zhang & Sennrich 2019); mean and quotient in float32 whatever the dtype, as transformers does.
    public func rmsNorm(_ weight: Tensor, epsilon: Double) throws -> Tensor {
        try Self.make("rmsNorm", self, weight) { yy_rms_norm(handle, nil, weight.handle, epsilon, nil, $0) }
    }

    /// `self` + more, and its `layerNorm`.
    public func layerNorm(adding more: Tensor, _ weight: Tensor, _ bias: Tensor?, epsilon: Double) throws -> (sum: Tensor, normed: Tensor) {
        try pair("layerNorm", more) { yy_layer_norm(handle, more.handle, weight.handle, bias?.handle, epsilon, $0, $1) }
    }

    /// `self` + more, and its `rmsNorm`.
    public func rmsNorm(adding more: Tensor, _ weight: Tensor, epsilon: Double) throws -> (sum: Tensor, normed: Tensor) {
        try pair("rmsNorm", more) { yy_rms_norm(handle, more.handle, weight.handle, epsilon, $0, $1) }
    }

    /// x·σ(x)·factor: the gate of a feed-forward layer (Shazeer 2020, "GLU Variants").
    public func siluGated(_ factor: Tensor) throws -> Tensor { try Self.make("siluGated", self, factor) { yy_silu_gated(handle, factor.handle, $0) } }

    /// Inverted dropout: kept elements are divided by 1 − probability. The mask is a function of the seed.
    public func dropout(_ probability: Double, seed: UInt64) throws -> Tensor {
        try Self.make("dropout", self) { yy_dropout(handle, probability, seed, $0) }
    }

    /// softmax(scale·q·kᵀ)·v (Vaswani et al. 2017, eq. 1).
    ///
    /// Queries [batch, query, head, width]; keys and values [batch, key, group, width], each group shared by head/group heads. Query i stands at
    /// position key − query + i, and with `causal` sees the keys up to its own. `documents` [batch, key] int32 numbers the documents of a packed
    /// row: a token sees its own document only. With a `window` it sees that many keys, its own the last (Beltagy et al. 2020, section 3.1).
    /// Returns [batch, query, head, width].
    public static func attention(
        _ queries: Tensor, _ keys: Tensor, _ values: Tensor, documents: Tensor? = nil, causal: Bool = true, window: Int? = nil, scale: Double
    ) throws -> Tensor {
        try make("attention", queries, keys) {
            yy_attention(queries.handle, keys.handle, values.handle, documents?.handle, causal, Int64(window ?? 0), scale, $0)
        }
    }

    /// Puts keys and values [batch, new, group, width] into those of a cache, [batch, group, place, width], from place `start` on, and gives the causal
    /// attention of queries over all up to there: `attention`, in one call.
    public static func attention(
        _ queries: Tensor, storing keys: Tensor, _ values: Tensor, in cache: (keys: Tensor, values: Tensor), at start: Int, documents: Tensor? = nil,
        window: Int? = nil, scale: Double
    ) throws -> Tensor {
        try make("attention", queries, cache.keys) {
            yy_cached_attention(
                queries.handle, keys.handle, values.handle, cache.keys.handle, cache.values.handle, Int64(start), documents?.handle,
                Int64(window ?? 0), scale, $0)
        }
    }

    /// Row i of a cache [row, group, place, ...] on the CPU becomes what row `order[i]` was, for the first `places` places, where they lie: rows that stay
    /// are not touched.
    public func reorderInPlace(_ order: [Int], places: Int) throws {
        precondition(order.count == size(0), "\(order.count) rows of \(self)")
        try check(yy_reorder(handle, order.map(Int64.init), Int64(places)), "reorderInPlace", self)
    }

    /// Rotary positions (Su et al. 2021) of [batch, token, head, width]: halves of a head turn by the angles whose cosines and sines are in float32 tables
    /// [context, width / 2], in the rows that int64 `positions` [batch, token] name; nil: from `start` on.
    public func rotated(cosines: Tensor, sines: Tensor, positions: Tensor?, start: Int) throws -> Tensor {
        try Self.make("rotated", self, cosines) { yy_rotate(handle, cosines.handle, sines.handle, positions?.handle, Int64(start), $0) }
    }

    /// Σ −log softmax(h·Wᵀ)[target] / divisor over the rows whose target is not `ignored`: hidden [n, width], weight [words, width], int64 targets [n].
    /// The logits exist for `rows` rows at a time only.
    public static func linearCrossEntropy(
        _ hidden: Tensor, _ weight: Tensor, targets: Tensor, ignored: Int = -100, divisor: Double, rows: Int = 512
    ) throws -> Tensor {
        try make("linearCrossEntropy", hidden, weight) {
            yy_linear_cross_entropy(hidden.handle, weight.handle, targets.handle, Int64(ignored), divisor, Int64(rows), $0)
        }
    }

    /// Mean of −log softmax(logits)[target]: logits [n, words], int64 targets [n].
    public func crossEntropy(_ targets: Tensor, ignored: Int = -100) throws -> Tensor {
        try Self.make("crossEntropy", self, targets) { yy_cross_entropy(handle, targets.handle, Int64(ignored), $0) }
    }

    /// Σ x². On the CPU the same bits whatever the number of threads.
    public func sumOfSquares() throws -> Double {
        var result = 0.0
        try check(yy_sum_of_squares(handle, &result), "sumOfSquares", self)
        return result
    }
}

/// The settings of one AdamW step (Loshchilov & Hutter 2019).
public struct AdamWStep: Sendable {
    public var learningRate: Double
    public var beta1: Double
    public var beta2: Double
    public var epsilon: Double
    public var weightDecay: Double
    /// Multiplies the gradient on the way: clipping.
    public var gradientScale: Double
    /// From 1.
    public var step: Int

    public init(learningRate: Double, beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double, gradientScale: Double, step: Int) {
        (self.learningRate, self.beta1, self.beta2, self.epsilon) = (learningRate, beta1, beta2, epsilon)
        (self.weightDecay, self.gradientScale, self.step) = (weightDecay, gradientScale, step)
    }

    /// Updates float32 `weight` and moments in place, in one pass over memory, and rounds the new weights into `copy`.
    public func update(_ weight: Tensor, copy: Tensor?, gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor) throws {
        try check(
            yy_adamw_step(weight.handle, copy?.handle, gradient.handle, firstMoment.handle, secondMoment.handle, setting), "AdamW", weight, gradient)
    }

    var setting: yy_adamw {
        yy_adamw(
            learning_rate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon, weight_decay: weightDecay, gradient_scale: gradientScale,
            step: Int64(step))
    }
}
