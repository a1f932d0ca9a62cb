import Foundation
import Testing
import YuyanTensor

@Suite struct AdamWTests {
    /// Loshchilov & Hutter 2019, algorithm 2, one parameter at a time in Double, the schedule multiplier taken into the learning rate.
    struct Reference {
        var weight: [Double]
        var first: [Double]
        var second: [Double]

        mutating func update(_ gradient: [Double], _ s: AdamWStep) {
            for i in weight.indices {
                let g = gradient[i] * s.gradientScale
                first[i] = s.beta1 * first[i] + (1 - s.beta1) * g
                second[i] = s.beta2 * second[i] + (1 - s.beta2) * g * g
                let mean = first[i] / (1 - pow(s.beta1, Double(s.step)))
                let variance = second[i] / (1 - pow(s.beta2, Double(s.step)))
                weight[i] -= s.learningRate * (mean / (variance.squareRoot() + s.epsilon) + s.weightDecay * weight[i])
            }
        }
    }

    static func setting(_ step: Int, scale: Double = 1) -> AdamWStep {
        AdamWStep(learningRate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, gradientScale: scale, step: step)
    }

    /// Sizes that do not fill a vector, and one that is split between threads.
    @Test(arguments: [1, 15, 16, 1001, 40_000], [DType.float32, .bfloat16, .float16]) @Engine func followsThePaper(count: Int, dtype: DType) throws {
        let start = try draw([count], seed: 1).to(.float32)
        var reference = try Reference(
            weight: start.array(Double.self), first: [Double](repeating: 0, count: count), second: [Double](repeating: 0, count: count))
        let weight = try start.clone()
        let (first, second) = (try Tensor.zeros([count]), try Tensor.zeros([count]))
        let copy = try Tensor.zeros([count], dtype: .bfloat16)
        try copy.setRequiresGradient(true)  // it is the parameter that the model computes with
        for step in 1...5 {
            let gradient = try draw([count], seed: UInt64(step + 1)).to(dtype)
            let setting = Self.setting(step, scale: 0.5)
            try setting.update(weight, copy: copy, gradient: gradient, firstMoment: first, secondMoment: second)
            try reference.update(gradient.array(Double.self), setting)
        }
        #expect(try difference(weight, reference.weight) < 2e-6)
        #expect(try difference(first, reference.first) < 1e-6)
        #expect(try difference(second, reference.second) < 1e-6)
        #expect(try copy.array(Float.self) == weight.to(.bfloat16).array(Float.self), "the copy is the weight, rounded to nearest even")
    }

    @Test @Engine func theFirstStepHasTheSizeOfTheLearningRate() throws {
        // Bias correction makes m̂/√v̂ = ±1 at step 1 whatever the gradient.
        let weight = try Tensor([1, 1] as [Float])
        let setting = AdamWStep(learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-12, weightDecay: 0, gradientScale: 1, step: 1)
        try setting.update(
            weight, copy: nil, gradient: Tensor([1e-3, -20] as [Float]), firstMoment: Tensor.zeros([2]), secondMoment: Tensor.zeros([2]))
        #expect(try difference(weight, [0.9, 1.1]) < 1e-6)
    }

    @Test @Engine func decayIsDecoupled() throws {
        let weight = try Tensor([2, -4] as [Float])
        let zeros = try Tensor.zeros([2])
        try Self.setting(1).update(weight, copy: nil, gradient: zeros, firstMoment: zeros.clone(), secondMoment: zeros.clone())
        #expect(try difference(weight, [2 * 0.999, -4 * 0.999]) < 1e-6)
    }

    @Test @Engine func anyDTypeOfCopyMayRequireGradients() throws {
        let weight = try Tensor([1, 2, 3] as [Float])
        try weight.setRequiresGradient(true)
        let zeros = try Tensor.zeros([3])
        for dtype in [DType.float16, .bfloat16, .float32] {
            let copy = try Tensor.zeros([3], dtype: dtype)
            try copy.setRequiresGradient(true)
            try Self.setting(1).update(weight, copy: copy, gradient: zeros, firstMoment: zeros.clone(), secondMoment: zeros.clone())
            #expect(try difference(copy, weight) < 1e-2)
        }
    }

    @Test @Engine func stridedGradients() throws {
        let gradient = try draw([4, 3]).to(.float32).transpose(0, 1)
        let (a, b) = (try Tensor.ones([3, 4]), try Tensor.ones([3, 4]))
        func zeros() throws -> Tensor { try Tensor.zeros([3, 4]) }
        try Self.setting(1).update(a, copy: nil, gradient: gradient, firstMoment: zeros(), secondMoment: zeros())
        try Self.setting(1).update(b, copy: nil, gradient: gradient.contiguous(), firstMoment: zeros(), secondMoment: zeros())
        #expect(try a.array(Float.self) == b.array(Float.self))
    }

    @Test @Engine func notANumberStaysOne() throws {
        // A payload in the low bits, which rounding by addition would carry into the sign.
        let values: [Float] = [Float(bitPattern: 0x7fff_ffff), .infinity, -.infinity, 3e38]
        let weight = try Tensor(values)
        let copy = try Tensor.zeros([4], dtype: .bfloat16)
        let zeros = try Tensor.zeros([4])
        try Self.setting(1).update(weight, copy: copy, gradient: zeros, firstMoment: zeros.clone(), secondMoment: zeros.clone())
        let rounded = try copy.array(Float.self)
        #expect(rounded[0].isNaN)
        #expect(rounded[1] == .infinity && rounded[2] == -.infinity && rounded[3].isFinite)
    }

    @Test(arguments: [1, 15, 16, 17, 16_384, 16_385, 300_001], [DType.float32, .bfloat16, .float64]) @Engine
    func sumsOfSquares(count: Int, dtype: DType) throws {
        let x = try draw([count], seed: 3).to(dtype)
        let expected = try x.array(Double.self).reduce(0) { $0 + $1 * $1 }
        #expect(try abs(x.sumOfSquares() - expected) < 1e-5 * max(1, expected))
    }

    @Test @Engine func sumsOfSquaresDoNotDependOnThreads() throws {
        let x = try draw([500_001], seed: 3).to(.float32)
        let threads = Runtime.threadCount
        defer { Runtime.threadCount = threads }
        let sums = try [1, 2, 3, 5].map {
            Runtime.threadCount = $0
            return try x.sumOfSquares()
        }
        #expect(Set(sums).count == 1)
        #expect(try Tensor.zeros([0]).sumOfSquares() == 0)
        #expect(try Tensor([1, .infinity] as [Float]).sumOfSquares() == .infinity)
        #expect(try Tensor([1, .nan] as [Float]).sumOfSquares().isNaN)
    }
}
