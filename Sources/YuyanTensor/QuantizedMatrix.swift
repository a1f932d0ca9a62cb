internal import CTorch

/// What weights are rounded to for inference: integers of 8 or 4 bits, times a float16 scale for each group of inputs of an output.
///
/// As text `int8` (one scale for each output), `int4` (one for 32 inputs: the numbers of GGUF's Q4_0), `int8:32` (those of Q8_0), `int4:128`.
public struct IntegerQuantization: RawRepresentable, Codable, Sendable, Hashable {
    /// 8 or 4.
    public let bits: Int
    /// Inputs that share a scale, a multiple of 32; nil: all of an output.
    public let group: Int?

    private init(bits: Int, group: Int?) {
        precondition(group.map { $0 > 0 && $0.isMultiple(of: 32) } ?? true, "a group is a multiple of 32, not \(group ?? 0)")
        (self.bits, self.group) = (bits, group)
    }

    public static let int8 = int8(group: nil)
    public static func int8(group: Int?) -> Self { Self(bits: 8, group: group) }
    public static let int4 = int4(group: 32)
    public static func int4(group: Int?) -> Self { Self(bits: 4, group: group) }

    public init?(rawValue: String) {
        let parts = rawValue.split(separator: ":", omittingEmptySubsequences: false)
        guard let bits = ["int8": 8, "int4": 4][parts[0]], parts.count <= 2 else { return nil }
        guard parts.count == 2 else {
            self = bits == 8 ? .int8 : .int4
            return
        }
        guard let group = Int(parts[1]) else { return nil }
        self.init(bits: bits, groupSize: group)
    }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let scheme = Self(rawValue: text) else {
            let expected = "expected int8 or int4, or with the inputs that share a scale, a multiple of 32: int8:32, int4:64"
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: expected))
        }
        self = scheme
    }

    /// As configurations have it, −1 for one scale an output; nil where there is no such kind.
    public init?(bits: Int, groupSize: Int) {
        guard bits == 8 || bits == 4, groupSize == -1 || groupSize > 0 && groupSize.isMultiple(of: 32) else { return nil }
        self.init(bits: bits, group: groupSize == -1 ? nil : groupSize)
    }

    public var groupSize: Int { group ?? -1 }

    public var rawValue: String {
        // Equality compares raw values, so it cannot be asked here.
        if group == (bits == 8 ? nil : 32) { return "int\(bits)" }
        return "int\(bits):\(groupSize)"
    }
}

/// A matrix [out, in] of integers and scales, for inference on the CPU: it gives no gradients.
public struct QuantizedMatrix {
    /// uint8 [⌈out/16⌉, ⌈in/32⌉, 64·bits], as the kernels read it (docs/kernels.md).
    public let codes: Tensor
    /// float16 [⌈out/16⌉, groups, 16].
    public let scales: Tensor
    public let scheme: IntegerQuantization
    /// [out, in].
    public let shape: [Int]

    /// Rounds a matrix: with 8 bits to the nearest, with 4 the scale of each group is the one of a few that leaves the least squared error.
    public init(_ matrix: Tensor, _ scheme: IntegerQuantization) throws {
        var made = yy_quantized()
        try check(yy_quantize(matrix.handle, Int32(scheme.bits), scheme.groupCode, &made), "QuantizedMatrix", matrix)
        self.init(made, scheme, matrix.shape)
    }

    /// Integers int8 [out, in], with 4 bits −8…7, and float16 scales [out, groups] that somebody else has found.
    public init(numbers: Tensor, scales: Tensor, _ scheme: IntegerQuantization) throws {
        var made = yy_quantized()
        try check(yy_quantized_pack(numbers.handle, scales.handle, Int32(scheme.bits), scheme.groupCode, &made), "QuantizedMatrix", numbers, scales)
        self.init(made, scheme, numbers.shape)
    }

    /// From the parts of another of this shape.
    public init(codes: Tensor, scales: Tensor, _ scheme: IntegerQuantization, shape: [Int]) {
        let (codesShape, scalesShape) = Self.partShapes(scheme, shape: shape)
        precondition(
            codes.dtype == .uint8 && codes.shape == codesShape && scales.dtype == .float16 && scales.shape == scalesShape,
            "\(codes) and \(scales) are no matrix \(shape) of \(scheme.rawValue)")
        (self.codes, self.scales, self.scheme, self.shape) = (codes, scales, scheme, shape)
    }

    private init(_ made: yy_quantized, _ scheme: IntegerQuantization, _ shape: [Int]) {
        guard let codes = made.codes, let scales = made.scales else { preconditionFailure("QuantizedMatrix made no tensors") }
        (self.codes, self.scales) = (Tensor(owning: codes), Tensor(owning: scales))
        (self.scheme, self.shape) = (scheme, shape)
    }

    /// The shapes of `codes` and `scales` of a matrix [out, in].
    public static func partShapes(_ scheme: IntegerQuantization, shape: [Int]) -> (codes: [Int], scales: [Int]) {
        func parts(_ count: Int, _ size: Int) -> Int { (count + size - 1) / size }
        let (tiles, blocks) = (parts(shape[0], 16), parts(shape[1], 32))
        return ([tiles, blocks, 64 * scheme.bits], [tiles, scheme.group.map { parts(blocks, $0 / 32) } ?? 1, 16])
    }

    private var handles: yy_quantized {
        yy_quantized(
            codes: codes.handle, scales: scales.handle, bits: Int32(scheme.bits), group: scheme.groupCode, rows: Int64(shape[0]),
            columns: Int64(shape[1]))
    }

    /// What it takes in memory.
    public var byteCount: Int { [codes, scales].reduce(0) { $0 + $1.count * $1.dtype.size } }
    /// Whether every number is one.
    public var isFinite: Bool { get throws { try scales.isFinite().to(.float32).min().item() == 1 } }

    /// The matrix that it stands for.
    public func dequantized(_ dtype: DType) throws -> Tensor {
        try Tensor.make("dequantized", codes) { yy_quantized_dequantize(handles, dtype.code, $0) }
    }

    /// Rows at int64 indices of any shape → [..., in], in float32 or bfloat16.
    public func rows(_ indices: Tensor, _ dtype: DType) throws -> Tensor {
        try Tensor.make("rows", codes, indices) { yy_quantized_rows(handles, indices.handle, dtype.code, $0) }
    }

    /// x·Wᵀ + b with x [..., in] in float32 or bfloat16, rounded to 8 bits by blocks of 32 inputs on the way.
    public func linear(_ x: Tensor, _ bias: Tensor? = nil) throws -> Tensor {
        try Tensor.make("linear", x, codes) { yy_quantized_linear(x.handle, handles, bias?.handle, $0) }
    }
}

extension IntegerQuantization {
    fileprivate var groupCode: Int64 { Int64(group ?? 0) }
}

/// The most that kernels written for several instruction sets may use: tests hold one against the other.
enum InstructionLimit: UInt32, CaseIterable {
    case portable, avx2, avx512

    @Engine func impose() { yy_limit_instructions(yy_instructions(rawValue)) }
}
