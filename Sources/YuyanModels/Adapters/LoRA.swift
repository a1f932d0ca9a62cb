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

    /// Whether the layer of this name gets an adapter.
    public func includes(_ name: String) -> Bool { takesAll || targets.contains { name == $0 || name.hasSuffix("." + $0) } }

    /// Whether the targets are all linear layers: none is named, or peft's word for it.
    var takesAll: Bool { targets.isEmpty || targets == ["all-linear"] }
}

/// What the frozen matrices of linear layers are kept in while an adapter is trained on them (QLoRA: Dettmers et al. 2023).
public enum Quantization: String, Codable, Sendable, Hashable, CaseIterable {
    /// 4 bits (`NF4Matrix`).
    case nf4
}

/// The low-rank matrices of a model's layers: what is trained in place of its weights.
public final class Adapter {
    /// One adapted layer.
    struct Layer {
        /// As the checkpoint calls it, without `.weight`.
        let name: String
        /// The layer's own matrix.
        let matrix: Linear.Matrix
        /// Whether the checkpoint keeps that matrix as [in, out].
        let isTransposed: Bool
        let a: Tensor  // [rank, in]
        let b: Tensor  // [out, rank]
    }

    public let configuration: LoRAConfiguration
    /// What the model's linear layers were rounded to; nil: they are as they were.
    public let quantization: Quantization?
    /// Whether they are kept so, and widened for each product.
    let keepsQuantized: Bool
    /// The matrices that are kept so.
    private(set) var quantized: [(name: String, shape: [Int])] = []
    private(set) var layers: [Layer] = []
    /// Seeds the dropout of the next forward pass; nil: none.
    public var dropoutSeed: UInt64?
    /// Whether the layers' own matrices have taken it up.
    public private(set) var isMerged = false

    init(_ configuration: LoRAConfiguration, quantization: Quantization?, keepsQuantized: Bool) {
        (self.configuration, self.quantization, self.keepsQuantized) = (configuration, quantization, keepsQuantized)
    }

    func addQuantized(_ name: String, _ shape: [Int]) { quantized.append((name, shape)) }

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
            func sum(_ layer: Layer) throws -> (weight: Tensor, sum: Tensor) {
                guard case .dense(let weight) = layer.matrix else {
                    throw WeightsError("the model's matrices are quantised and cannot take up an adapter; load the adapter's folder to merge it")
                }
                return (weight, try weight.to(.float32) + layer.b.to(.float32).matmul(layer.a.to(.float32)) * configuration.scale)
            }
            // All are looked at before any is changed, and none is kept: in float32 they would take twice the model's memory.
            for layer in layers {
                guard try sum(layer).sum.isFinite().to(.float32).min().item() == 1 else {
                    throw WeightsError("merging the adapter into \(layer.name) gives numbers that are not finite; its training has diverged")
                }
            }
            for layer in layers {
                let (weight, sum) = try sum(layer)
                try weight.copy(from: sum.to(weight.dtype))
            }
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
