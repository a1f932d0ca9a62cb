public import YuyanModels
public import YuyanTensor

/// AdamW (Loshchilov & Hutter 2019, algorithm 2) over the parameters of a model.
///
/// Weights are float32, moments too or 8 bits. A model that computes in float32 is its own master; one that computes in less has a float32 master for each
/// weight, which every step rounds into the model's. Decay is for matrices: biases and norms have one dimension.
@Engine public final class AdamW {
    /// What is kept for one parameter.
    struct Slot {
        let name: String
        /// What the model computes with.
        let value: Tensor
        let master: Tensor
        let moments: Moments
        let decays: Bool
        /// The sum of several micro-batches' gradients, in float32.
        var accumulator: Tensor?

        /// Whether `value` is a rounded copy of `master`.
        var isCopy: Bool { value.dtype != .float32 }
    }

    enum Moments {
        case float32(first: Tensor, second: Tensor)
        /// In 8 bits, in blocks; of the second moment its root (Dettmers et al. 2022).
        case eightBit(first: BlockwiseQuantized, secondRoot: BlockwiseQuantized)

        /// Zeros. Vectors stay in float32: there are few of them, and their values spread wider.
        init(_ value: Tensor, eightBit: Bool) throws {
            func zeros() throws -> Tensor { try .zeros(value.shape, device: value.device) }
            self =
                try eightBit && value.rank >= 2
                ? .eightBit(first: BlockwiseQuantized(zeros(), isSigned: true), secondRoot: BlockwiseQuantized(zeros(), isSigned: false))
                : .float32(first: zeros(), second: zeros())
        }

        var tensors: [(name: String, value: Tensor)] {
            switch self {
            case .float32(let first, let second): [("first_moment", first), ("second_moment", second)]
            case .eightBit(let first, let root):
                [
                    ("first_moment", first.codes), ("first_moment_scales", first.scales), ("second_moment_root", root.codes),
                    ("second_moment_root_scales", root.scales),
                ]
            }
        }
    }

    private(set) var slots: [Slot]
    private let beta1, beta2, epsilon, weightDecay, clip: Double
    private var accumulates = false
    /// Updates made.
    public internal(set) var step = 0

    /// Takes the parameters over: they record gradients from now on.
    ///
    /// - Parameters:
    ///   - clip: the largest norm of all gradients together; 0: no limit.
    ///   - eightBit: keeps the moments of matrices in 8 bits: two bytes a weight in place of eight.
    public init(
        _ parameters: [Parameter], beta1: Double = 0.9, beta2: Double = 0.95, epsilon: Double = 1e-8, weightDecay: Double = 0.1, clip: Double = 1,
        eightBit: Bool = false
    ) throws {
        (self.beta1, self.beta2, self.epsilon, self.weightDecay, self.clip) = (beta1, beta2, epsilon, weightDecay, clip)
        slots = try parameters.map { parameter in
            let value = parameter.value
            try value.takeAlignedMemory()
            try value.setRequiresGradient(true)
            return Slot(
                name: parameter.name, value: value, master: value.dtype == .float32 ? value : try value.detach().to(.float32),
                moments: try Moments(value, eightBit: eightBit), decays: value.rank >= 2)
        }
    }

    /// Adds the gradients of a micro-batch to those of the step; call it after each backward pass of a step that has several.
    public func accumulate() throws {
        try withoutGradient {
            for index in slots.indices where slots[index].isCopy {  // libtorch adds float32 gradients up itself
                guard let gradient = try slots[index].value.gradient else {
                    if !accumulates { slots[index].accumulator = nil }
                    continue
                }
                if let sum = slots[index].accumulator {
                    try accumulates ? sum.addInPlace(gradient) : sum.copy(from: gradient)
                } else {
                    slots[index].accumulator = try gradient.to(.float32)
                }
                slots[index].value.clearGradient()
            }
        }
        accumulates = true
    }

    private func gradient(_ slot: Slot) throws -> Tensor? { accumulates && slot.isCopy ? slot.accumulator : try slot.value.gradient }

    /// The norm of all gradients of the step together, before clipping.
    public func gradientNorm() throws -> Double {
        try slots.reduce(0) { try $0 + (gradient($1)?.sumOfSquares() ?? 0) }.squareRoot()
    }

    /// One step with the gradients gathered, which are gone afterwards.
    ///
    /// - Parameter gradientNorm: of this step; gradients are scaled down by `clip / gradientNorm` where it is above the limit.
    public func update(learningRate: Double, gradientNorm: Double) throws {
        step += 1
        let scale = clip > 0 && gradientNorm > clip ? clip / gradientNorm : 1
        try withoutGradient {
            for (index, slot) in slots.enumerated() {
                guard let gradient = try gradient(slot) else { continue }
                let setting = AdamWStep(
                    learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: slot.decays ? weightDecay : 0,
                    gradientScale: scale, step: step)
                let copy = slot.isCopy ? slot.value : nil
                switch slot.moments {
                case .float32(let first, let second):
                    try setting.update(slot.master, copy: copy, gradient: gradient, firstMoment: first, secondMoment: second)
                case .eightBit(let first, let root):
                    let seed = UInt64(step) << 32 | UInt64(index)
                    try setting.update(slot.master, copy: copy, gradient: gradient, firstMoment: first, secondRoot: root, seed: seed)
                }
            }
        }
        discardGradients()
    }

    /// Forgets the gradients gathered.
    public func discardGradients() {
        for slot in slots { slot.value.clearGradient() }
        accumulates = false
    }

    // MARK: Keeping and putting back

    /// Everything a resumed run needs of weights and optimiser, under names of their own.
    var state: [(name: String, value: Tensor)] {
        slots.flatMap { slot in
            [(name: "master." + slot.name, value: slot.master)] + slot.moments.tensors.map { (name: "\($0.name).\(slot.name)", value: $0.value) }
        }
    }

    /// Puts `state` back, the model's weights included.
    func restore(step: Int, _ stored: (String) throws -> Tensor) throws {
        try withoutGradient {
            for (name, value) in state {
                let saved = try stored(name)
                guard saved.shape == value.shape, saved.dtype == value.dtype else {
                    throw TrainingError("the checkpoint's \(name) is \(saved.dtype) \(saved.shape), this model needs \(value.dtype) \(value.shape)")
                }
                try value.copy(from: saved)
            }
            for slot in slots where slot.isCopy { try slot.value.copy(from: slot.master) }
        }
        self.step = step
    }
}

extension Tensor {
    /// Moves a tensor that lies in a mapped file to memory of libtorch's own: matrix products may round differently at another alignment,
    /// and a resumed run must give the same bits.
    fileprivate func takeAlignedMemory() throws {
        guard device == .cpu, isContiguous else { return }
        let isAligned = withBytes { UInt(bitPattern: $0.baseAddress) % 64 == 0 }
        if !isAligned { _ = try Tensor.call("aten::set_", overload: "source_Tensor", [.tensor(self), .tensor(clone())]) }
    }
}
