public import YuyanModels
public import YuyanTensor

/// AdamW (Loshchilov & Hutter 2019, algorithm 2) over the parameters of a model.
///
/// Weights and moments are float32. A model that computes in float32 is its own master; one that computes in less has a float32 master for each
/// weight, which every step rounds into the model's. Decay is for matrices: biases and norms have one dimension.
@Engine public final class AdamW {
    /// What is kept for one parameter.
    struct Slot {
        let name: String
        /// What the model computes with.
        let value: Tensor
        let master: Tensor
        let firstMoment: Tensor
        let secondMoment: Tensor
        let decays: Bool
        /// The sum of several micro-batches' gradients, in float32.
        var accumulator: Tensor?

        /// Whether `value` is a rounded copy of `master`.
        var isCopy: Bool { value.dtype != .float32 }
    }

    private(set) var slots: [Slot]
    private let beta1, beta2, epsilon, weightDecay, clip: Double
    private var accumulates = false
    /// Updates made.
    public internal(set) var step = 0

    /// Takes the parameters over: they record gradients from now on.
    ///
    /// - Parameter clip: the largest norm of all gradients together; 0: no limit.
    public init(
        _ parameters: [Parameter], beta1: Double = 0.9, beta2: Double = 0.95, epsilon: Double = 1e-8, weightDecay: Double = 0.1, clip: Double = 1
    ) throws {
        (self.beta1, self.beta2, self.epsilon, self.weightDecay, self.clip) = (beta1, beta2, epsilon, weightDecay, clip)
        slots = try parameters.map { parameter in
            let value = parameter.value
            try value.takeAlignedMemory()
            try value.setRequiresGradient(true)
            return Slot(
                name: parameter.name, value: value, master: value.dtype == .float32 ? value : try value.detach().to(.float32),
                firstMoment: try .zeros(value.shape, device: value.device), secondMoment: try .zeros(value.shape, device: value.device),
                decays: value.rank >= 2)
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
            for slot in slots {
                guard let gradient = try gradient(slot) else { continue }
                try AdamWStep(
                    learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: slot.decays ? weightDecay : 0,
                    gradientScale: scale, step: step
                ).update(
                    slot.master, copy: slot.isCopy ? slot.value : nil, gradient: gradient, firstMoment: slot.firstMoment,
                    secondMoment: slot.secondMoment)
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
            [
                (name: "master." + slot.name, value: slot.master), (name: "first_moment." + slot.name, value: slot.firstMoment),
                (name: "second_moment." + slot.name, value: slot.secondMoment),
            ]
        }
    }

    /// Puts `state` back, the model's weights included.
    func restore(step: Int, _ stored: (String) throws -> Tensor) throws {
        try withoutGradient {
            for (name, value) in state {
                let saved = try stored(name)
                guard saved.shape == value.shape, saved.dtype == .float32 else {
                    throw TrainingError("the checkpoint's \(name) is \(saved.dtype) \(saved.shape), this model needs float32 \(value.shape)")
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
