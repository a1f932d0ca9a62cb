internal import CTorch

/// Float32 numbers as 8 bits: blocks of 256 along memory, each divided by its largest absolute value and rounded to numbers that lie closer together the nearer
/// they are to zero (Dettmers et al. 2022, "8-bit optimizers via block-wise quantization", section 2).
public struct BlockwiseQuantized {
    /// uint8, in the shape of the numbers.
    public let codes: Tensor
    /// float32, one for each block.
    public let scales: Tensor
    /// Whether the numbers have a sign; those without have codes twice as close.
    public let isSigned: Bool

    /// - Parameter seed: rounds at random, so that the mean is right; nil: to the nearest.
    public init(_ values: Tensor, isSigned: Bool, seed: UInt64? = nil) throws {
        var scales: yy_tensor?
        codes = try Tensor.make("BlockwiseQuantized", values) { out in
            if var seed { return yy_blockwise_quantize(values.handle, isSigned, &seed, out, &scales) }
            return yy_blockwise_quantize(values.handle, isSigned, nil, out, &scales)
        }
        guard let scales else { preconditionFailure("BlockwiseQuantized made no scales") }
        (self.scales, self.isSigned) = (Tensor(owning: scales), isSigned)
    }

    /// The numbers, in float32.
    public func dequantized() throws -> Tensor {
        try Tensor.make("dequantized", codes, scales) { yy_blockwise_dequantize(codes.handle, scales.handle, isSigned, $0) }
    }
}

extension AdamWStep {
    /// Updates float32 `weight` and moments of 8 bits in place and rounds the new weights into `copy`. Of the second moment the root is kept, which is what
    /// the update divides by: squares would span twice as many decades.
    ///
    /// - Parameters:
    ///   - firstMoment: signed.
    ///   - secondRoot: unsigned.
    ///   - seed: of the random rounding; another one for each step and weight.
    public func update(
        _ weight: Tensor, copy: Tensor?, gradient: Tensor, firstMoment: BlockwiseQuantized, secondRoot: BlockwiseQuantized, seed: UInt64
    ) throws {
        precondition(firstMoment.isSigned && !secondRoot.isSigned, "the first moment has a sign, the root of the second has none")
        try check(
            yy_adamw8_step(
                weight.handle, copy?.handle, gradient.handle, firstMoment.codes.handle, firstMoment.scales.handle, secondRoot.codes.handle,
                secondRoot.scales.handle, setting, seed), "AdamW", weight, gradient)
    }
}

/// A frozen matrix in 4 bits a weight: blocks of 64 divided by their largest absolute value and rounded to the quantiles of a normal distribution, the blocks'
/// scales themselves in 8 bits (NF4 with double quantisation: Dettmers et al. 2023, "QLoRA", section 3). About 0.516 bytes a weight.
public struct NF4Matrix {
    private let codes: Tensor
    private let scales: Tensor
    private let scaleScales: Tensor
    private let mean: Double
    /// [out, in].
    public let shape: [Int]

    /// Rounds a matrix of finite numbers.
    public init(_ matrix: Tensor) throws {
        var made = yy_nf4()
        try check(yy_nf4_quantize(matrix.handle, &made), "NF4Matrix", matrix)
        guard let codes = made.codes, let scales = made.scales, let scaleScales = made.scale_scales else {
            preconditionFailure("NF4Matrix made no tensors")
        }
        (self.codes, self.scales, self.scaleScales) = (Tensor(owning: codes), Tensor(owning: scales), Tensor(owning: scaleScales))
        (mean, shape) = (made.mean, matrix.shape)
    }

    private var handles: yy_nf4 {
        yy_nf4(
            codes: codes.handle, scales: scales.handle, scale_scales: scaleScales.handle, mean: mean, rows: Int64(shape[0]), columns: Int64(shape[1]))
    }

    public var device: Device { codes.device }
    /// What it takes in memory.
    public var byteCount: Int { [codes, scales, scaleScales].reduce(0) { $0 + $1.count * $1.dtype.size } }
    /// Whether every number is one.
    public var isFinite: Bool { get throws { try mean.isFinite && scaleScales.isFinite().to(.float32).min().item() == 1 } }

    /// The matrix that it stands for.
    public func dequantized(_ dtype: DType) throws -> Tensor {
        try Tensor.make("dequantized", codes) { yy_nf4_dequantize(handles, dtype.code, $0) }
    }

    /// x·Wᵀ + b with x [..., in]. Only x gets a gradient, and the wide matrix is gone when the product is done, both ways.
    public func linear(_ x: Tensor, _ bias: Tensor? = nil) throws -> Tensor {
        try Tensor.make("linear", x, codes) { yy_nf4_linear(x.handle, handles, bias?.handle, $0) }
    }
}
