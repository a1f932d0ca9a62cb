import YuyanTensor

/// Low-rank adaptation (Hu et al. 2021): W stays as it is, and x·Wᵀ gets s·x·Aᵀ·Bᵀ added, with A [rank, in] and B [out, rank].
public struct LoRAConfiguration: Codable, Sendable, Hashable {
    public var rank: Int
    /// s = alpha / rank, or alpha / √rank with `scalesByRoot`.
    public var alpha: Double
    /// Probability that an element of x is dropped on its way into A.
    public var dropout: Double
    /// Names of layers, or the ends of their names after a dot (`q_proj`, `attn.c_attn`); empty: all linear layers of the blocks.
    public var targets: [String]
    /// Rank-stabilised scaling (Kalajdzievski 2023).
    public var scalesByRoot: Bool

    public init(rank: Int = 8, alpha: Double = 16, dropout: Double = 0, targets: [String] = [], scalesByRoot: Bool = false) {
        (self.rank, self.alpha, self.dropout, self.targets, self.scalesByRoot) = (rank, alpha, dropout, targets, scalesByRoot)
    }

    var scale: Double { alpha / (scalesByRoot ? Double(rank).squareRoot() : Double(rank)) }

    func includes(_ name: String) -> Bool { targets.isEmpty || targets.contains { name == $0 || name.hasSuffix("." + $0) } }
}

/// The low-rank matrices of a model's layers: what is trained in place of its weights.
public final class Adapter {
    /// One adapted layer.
    struct Layer {
        /// As the checkpoint calls it, without `.weight`.
        let name: String
        /// The layer's own matrix [out, in].
        let weight: Tensor
        /// Whether the checkpoint keeps that matrix as [in, out].
        let isTransposed: Bool
        let a: Tensor  // [rank, in]
        let b: Tensor  // [out, rank]
    }

    public let configuration: LoRAConfiguration
    private(set) var layers: [Layer] = []
    /// Seeds the dropout of the next forward pass; nil: none.
    public var dropoutSeed: UInt64?
    /// Whether the layers' own matrices have taken it up.
    public private(set) var isMerged = false

    init(_ configuration: LoRAConfiguration) { self.configuration = configuration }

    /// A and B of every layer, in the order of the model.
    public var parameters: [Parameter] {
        layers.flatMap { [Parameter(name: $0.name + ".lora_A.weight", value: $0.a), Parameter(name: $0.name + ".lora_B.weight", value: $0.b)] }
    }

    func add(_ layer: Layer) -> LowRank {
        layers.append(layer)
        return LowRank(adapter: self, index: layers.count - 1, a: layer.a, b: layer.b)
    }

    /// W += s·B·A in every layer, computed in float32; from then on the model is one without an adapter.
    ///
    /// Throws `WeightsError`, with nothing changed, where a sum is not finite.
    public func merge() throws {
        guard !isMerged else { return }
        try withoutGradient {
            let merged = try layers.map { layer in
                let sum = try layer.weight.to(.float32) + layer.b.to(.float32).matmul(layer.a.to(.float32)) * configuration.scale
                guard try sum.isFinite().to(.float32).min().item() == 1 else {
                    throw WeightsError("merging the adapter into \(layer.name) gives numbers that are not finite; its training has diverged")
                }
                return sum
            }
            for (layer, sum) in zip(layers, merged) { try layer.weight.copy(from: sum.to(layer.weight.dtype)) }
        }
        isMerged = true
    }
}

/// What an adapter adds to one linear layer.
struct LowRank {
    let adapter: Adapter
    let index: Int
    let a: Tensor
    let b: Tensor

    func callAsFunction(_ x: Tensor) throws -> Tensor? {
        guard !adapter.isMerged else { return nil }
        let c = adapter.configuration
        var x = x
        if let seed = adapter.dropoutSeed, c.dropout > 0 { x = try x.dropout(c.dropout, DropoutSeeds(seed: seed), index, 7) }
        return try x.to(a.dtype).linear(a).linear(b) * c.scale
    }
}
