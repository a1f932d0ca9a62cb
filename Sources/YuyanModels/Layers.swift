public import YuyanTensor

/// x·Wᵀ + b, and what an adapter adds.
public struct Linear {
    let matrix: Matrix
    public let bias: Tensor?
    var adapter: LowRank?

    /// W [out, in].
    enum Matrix {
        case dense(Tensor)
        /// Frozen, under an adapter.
        case nf4(NF4Matrix)
        /// For inference.
        case integers(QuantizedMatrix)

        /// x·Wᵀ + b.
        func linear(_ x: Tensor, _ bias: Tensor? = nil) throws -> Tensor {
            switch self {
            case .dense(let weight): try x.linear(weight, bias)
            case .nf4(let weight): try weight.linear(x, bias)
            case .integers(let weight): try weight.linear(x, bias)
            }
        }

        /// Rows at int64 indices, in `dtype` where they are not dense.
        func rows(_ indices: Tensor, _ dtype: DType) throws -> Tensor {
            switch self {
            case .dense(let weight): try weight.embedding(indices)
            case .nf4(let weight): try weight.dequantized(dtype).embedding(indices)
            case .integers(let weight): try weight.rows(indices, dtype)
            }
        }

        /// The matrix as one tensor, in `dtype` where it is not dense.
        func wide(_ dtype: DType) throws -> Tensor {
            switch self {
            case .dense(let weight): weight
            case .nf4(let weight): try weight.dequantized(dtype)
            case .integers(let weight): try weight.dequantized(dtype)
            }
        }
    }

    public init(weight: Tensor, bias: Tensor?) { self.init(.dense(weight), bias: bias) }

    init(_ matrix: Matrix, bias: Tensor?) { (self.matrix, self.bias) = (matrix, bias) }

    public func callAsFunction(_ x: Tensor) throws -> Tensor {
        let y = try matrix.linear(x, bias)
        guard let more = try adapter?(x) else { return y }
        return try y + more.to(y.dtype)
    }
}

/// Layer normalisation (Ba et al. 2016).
public struct LayerNorm {
    public let weight: Tensor
    public let bias: Tensor
    public let epsilon: Double

    public init(_ source: ParameterSource, _ name: String, width: Int, epsilon: Double) throws {
        weight = try source("\(name).weight", shape: [width], initial: .ones)
        bias = try source("\(name).bias", shape: [width], initial: .zeros)
        self.epsilon = epsilon
    }

    public func callAsFunction(_ x: Tensor) throws -> Tensor { try x.layerNorm(weight, bias, epsilon: epsilon) }

    /// x + more, and its norm.
    public func callAsFunction(_ x: Tensor, adding more: Tensor) throws -> (sum: Tensor, normed: Tensor) {
        try x.layerNorm(adding: more, weight, bias, epsilon: epsilon)
    }
}

/// Root mean square normalisation (Zhang & Sennrich 2019), computed in float32 whatever the dtype.
public struct RMSNorm {
    public let weight: Tensor
    public let epsilon: Double

    public init(_ source: ParameterSource, _ name: String, width: Int, epsilon: Double) throws {
        weight = try source("\(name).weight", shape: [width], initial: .ones)
        self.epsilon = epsilon
    }

    public func callAsFunction(_ x: Tensor) throws -> Tensor { try x.rmsNorm(weight, epsilon: epsilon) }

    /// x + more, and its norm.
    public func callAsFunction(_ x: Tensor, adding more: Tensor) throws -> (sum: Tensor, normed: Tensor) {
        try x.rmsNorm(adding: more, weight, epsilon: epsilon)
    }
}

/// The seeds of one pass's dropout masks: each place in the model has its own, whenever and however often it is computed.
struct DropoutSeeds {
    let seed: UInt64

    /// SplitMix64's finaliser (Steele et al. 2014) over the seed and the place.
    func callAsFunction(_ layer: Int, _ place: Int) -> UInt64 {
        var z = seed &+ UInt64(layer * 8 + place + 1) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

extension Tensor {
    /// Dropout at one place of the model; none without seeds.
    func dropout(_ probability: Double, _ seeds: DropoutSeeds?, _ layer: Int, _ place: Int) throws -> Tensor {
        guard let seeds, probability > 0 else { return self }
        return try dropout(probability, seed: seeds(layer, place))
    }
}
