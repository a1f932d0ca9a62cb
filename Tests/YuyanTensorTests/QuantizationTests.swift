import Foundation
import Testing
import YuyanTensor

/// The numbers that 8 bits stand for, from the definition: decades 10^(i−6), i = 0...6, each from a tenth to one, cut into 2^i intervals (2^(i+1) without
/// a sign), whose middles they are; and 0 and 1.
private func dynamicNumbers(isSigned: Bool) -> [Double] {
    var numbers = [0.0, 1]
    for i in 0..<7 {
        let count = (isSigned ? 1 : 2) << i
        for j in 0..<count {
            let middle = pow(10, Double(i - 6)) * (0.1 + 0.9 * (Double(j) + 0.5) / Double(count))
            numbers += isSigned ? [middle, -middle] : [middle]
        }
    }
    return numbers.sorted()
}

/// bitsandbytes' `create_dynamic_map`: its ends and its middle.
private let published: [(isSigned: Bool, at: Int, value: Double)] = [
    (true, 0, -0.9929687), (true, 1, -0.9789063), (true, 127, 0), (true, 128, 5.5e-7), (true, 129, 3.25e-6), (true, 130, 7.75e-6), (true, 255, 1),
    (false, 0, 0), (false, 1, 3.25e-7), (false, 2, 7.75e-7), (false, 3, 2.125e-6), (false, 255, 1),
]

@Suite struct BlockwiseTests {
    @Test func theNumbersAreThePublishedOnes() {
        for (isSigned, at, value) in published {
            let numbers = dynamicNumbers(isSigned: isSigned)
            #expect(numbers.count == 256 && abs(numbers[at] - value) <= 1e-6 * abs(value))
        }
    }

    /// Every number, and what lies between: the nearest.
    @Test(arguments: [true, false]) @Engine func roundsToTheNearest(isSigned: Bool) throws {
        let numbers = dynamicNumbers(isSigned: isSigned)
        var values = numbers.map(Float.init)
        #expect(values.count == 256)
        let exact = try BlockwiseQuantized(Tensor(values), isSigned: isSigned)
        #expect(try exact.codes.array(UInt8.self) == (0...255).map { UInt8($0) })
        #expect(try difference(exact.dequantized(), numbers) < 1e-7)

        // A tenth of the way from one number to the next, half way bar a little, and beyond it.
        for share in [0.1, 0.49, 0.51, 0.9] {
            values = zip(numbers, numbers.dropFirst()).map { Float($0 + ($1 - $0) * share) } + [1]
            let codes = try BlockwiseQuantized(Tensor(values), isSigned: isSigned).codes.array(UInt8.self)
            #expect(codes == (0..<255).map { UInt8($0) + (share > 0.5 ? 1 : 0) } + [255], "\(share)")
        }
    }

    /// Sizes that leave a short last block; each block has its own scale.
    @Test(arguments: [1, 255, 256, 257, 20_001], [true, false]) @Engine func blocksHaveTheirOwnScales(count: Int, isSigned: Bool) throws {
        var values = try draw([count], seed: 4).array(Double.self)
        for i in values.indices {
            values[i] *= pow(10, Double(i / 256 % 5) - 2)
            if !isSigned { values[i] = abs(values[i]) }
        }
        let x = try Tensor(values.map(Float.init))
        let quantized = try BlockwiseQuantized(x, isSigned: isSigned)
        #expect(quantized.scales.count == (count + 255) / 256)
        let back = try quantized.dequantized().array(Double.self)
        for start in stride(from: 0, to: count, by: 256) {
            let block = start..<min(start + 256, count)
            let largest = block.map { abs(values[$0]) }.max() ?? 0
            // Half of the widest gap, which lies between the last two numbers of the lower half.
            #expect(block.allSatisfy { abs(back[$0] - values[$0]) <= (isSigned ? 0.0072 : 0.0036) * largest })
        }
    }

    /// Rounded at random, the mean is right to a part of the gaps that shrinks with the root of the number.
    @Test(arguments: [true, false]) @Engine func roundsWithoutBias(isSigned: Bool) throws {
        let start: [Float] = [1, 0.09995, 0.1003, 0.5, 0.0123, 0.00098, 3e-7, 1e-7, 0]
        let values = start + (isSigned ? start.dropFirst().map { -$0 } : [])
        let block = (0..<256).map { values[$0 % values.count] }
        let blocks = 400
        let x = try Tensor([[Float]](repeating: block, count: blocks).flatMap { $0 })
        let back = try BlockwiseQuantized(x, isSigned: isSigned, seed: 3).dequantized().array(Double.self)
        let numbers = dynamicNumbers(isSigned: isSigned)
        for (place, value) in values.enumerated() {
            let drawn = back.indices.filter { $0 % 256 % values.count == place }.map { back[$0] }
            let mean = drawn.reduce(0, +) / Double(drawn.count)
            let upper = numbers.firstIndex { $0 >= Double(value) } ?? 255
            let gap = upper == 0 ? 0 : numbers[upper] - numbers[upper - 1]
            #expect(drawn.allSatisfy { abs($0 - Double(value)) <= gap + 1e-8 })
            // Of numbers at either end of a gap the deviation is at most half of it.
            #expect(abs(mean - Double(value)) <= 4 * gap / 2 / Double(drawn.count).squareRoot() + 1e-8, "\(value)")
        }
    }

    @Test @Engine func doesNotDependOnThreads() throws {
        let x = try draw([100_001]).to(.float32)
        let threads = Runtime.threadCount
        defer { Runtime.threadCount = threads }
        let codes = try [1, 2, 3].map {
            Runtime.threadCount = $0
            return try BlockwiseQuantized(x, isSigned: true, seed: 9).codes.array(UInt8.self)
        }
        #expect(codes[0] == codes[1] && codes[0] == codes[2])
    }

    @Test @Engine func nothingStaysNothing() throws {
        let zeros = try BlockwiseQuantized(Tensor.zeros([300]), isSigned: true, seed: 1)
        #expect(try zeros.dequantized().abs().max().item() == 0)
    }
}

@Suite struct EightBitAdamWTests {
    /// With the float64 reference of full moments: rounding moves each step a little, and nothing in the mean.
    @Test(arguments: [1, 255, 1001, 40_000], [DType.float32, .bfloat16, .float16]) @Engine func followsThePaper(count: Int, dtype: DType) throws {
        let start = try draw([count], seed: 1).to(.float32)
        var reference = try AdamWTests.Reference(
            weight: start.array(Double.self), first: [Double](repeating: 0, count: count), second: [Double](repeating: 0, count: count))
        let weight = try start.clone()
        let first = try BlockwiseQuantized(Tensor.zeros([count]), isSigned: true)
        let root = try BlockwiseQuantized(Tensor.zeros([count]), isSigned: false)
        let copy = try Tensor.zeros([count], dtype: .bfloat16)
        let steps = 40
        for step in 1...steps {
            let gradient = try draw([count], seed: UInt64(step + 1)).to(dtype)
            let setting = AdamWTests.setting(step, scale: 0.5)
            try setting.update(weight, copy: copy, gradient: gradient, firstMoment: first, secondRoot: root, seed: UInt64(step))
            try reference.update(gradient.array(Double.self), setting)
        }
        let (end, begin) = (try weight.array(Double.self), try start.array(Double.self))
        let errors = zip(end, reference.weight).map { $0 - $1 }
        let moves = zip(reference.weight, begin).map { $0 - $1 }
        func size(_ x: [Double]) -> Double { (x.reduce(0) { $0 + $1 * $1 } / Double(x.count)).squareRoot() }
        // A step is of the rate's size, 0.01, and a moment is off by a few hundredths.
        #expect(errors.allSatisfy { abs($0) < 0.02 })
        if count > 1000 {
            #expect(size(errors) < 0.03 * size(moves))
            #expect(abs(errors.reduce(0, +)) / Double(count) < 4 * size(errors) / Double(count).squareRoot() + 1e-5, "no bias")
        }
        #expect(try difference(root.dequantized(), reference.second.map { $0.squareRoot() }) < 0.05)
        #expect(try copy.array(Float.self) == weight.to(.bfloat16).array(Float.self))
    }

    /// With β₂ = 0.999 a step changes the second moment by less than half of any gap: rounded to the nearest it would never move.
    @Test @Engine func smallChangesAddUp() throws {
        let count = 1024
        let weight = try Tensor.zeros([count])
        let first = try BlockwiseQuantized(Tensor.zeros([count]), isSigned: true)
        let root = try BlockwiseQuantized(Tensor.ones([count]), isSigned: false)
        // One weight of each block goes on as before and keeps the block's scale.
        let gradient = try Tensor((0..<count).map { Float($0 % 256 == 0 ? 1 : 0.1) })
        for step in 1...1000 {
            try AdamWStep(learningRate: 0, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, gradientScale: 1, step: step)
                .update(weight, copy: nil, gradient: gradient, firstMoment: first, secondRoot: root, seed: UInt64(step))
        }
        let expected = (0.01 + 0.99 * pow(0.999, 1000)).squareRoot()
        let roots = try root.dequantized().array(Double.self).enumerated().filter { $0.offset % 256 != 0 }.map(\.element)
        let mean = roots.reduce(0, +) / Double(roots.count)
        #expect(abs(mean - expected) < 0.02 * expected)
    }

    /// What is small beside its block's largest is not rounded to nothing, by which the update would be divided.
    @Test @Engine func aStepStaysBounded() throws {
        let count = 256
        let weight = try Tensor.zeros([count])
        let first = try BlockwiseQuantized(Tensor.zeros([count]), isSigned: true)
        let root = try BlockwiseQuantized(Tensor.zeros([count]), isSigned: false)
        for step in 1...30 {
            let gradient = try Tensor((0..<count).map { Float(pow(10, -Double($0 % 10)) * (step % 3 == 0 ? 0 : 1)) })
            try AdamWTests.setting(step).update(weight, copy: nil, gradient: gradient, firstMoment: first, secondRoot: root, seed: UInt64(step))
        }
        #expect(try weight.abs().max().item() < 30 * 0.01 * 5)
    }

    @Test @Engine func theSameSeedGivesTheSameBitsOnAnyNumberOfThreads() throws {
        let threads = Runtime.threadCount
        defer { Runtime.threadCount = threads }
        let results = try [1, 2, 3].map { count in
            Runtime.threadCount = count
            let weight = try draw([70_001]).to(.float32)
            let first = try BlockwiseQuantized(Tensor.zeros([70_001]), isSigned: true)
            let root = try BlockwiseQuantized(Tensor.zeros([70_001]), isSigned: false)
            for step in 1...3 {
                let gradient = try draw([70_001], seed: UInt64(step)).to(.bfloat16)
                try AdamWTests.setting(step).update(weight, copy: nil, gradient: gradient, firstMoment: first, secondRoot: root, seed: 5)
            }
            return try (weight.array(Float.self), first.codes.array(UInt8.self), root.codes.array(UInt8.self))
        }
        #expect(results[0] == results[1] && results[0] == results[2])
    }
}

@Suite struct NF4Tests {
    /// QLoRA, appendix E.
    private static let table: [Double] = [
        -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
        0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
        0.7229568362236023, 1,
    ]

    /// Plain and slow: to the nearest of the table in each block of 64, and the scales rounded in blocks of 256 around their mean.
    private func reference(_ values: [Double]) -> [Double] {
        let starts = Array(stride(from: 0, to: values.count, by: 64))
        let scales = starts.map { start in values[start..<min(start + 64, values.count)].map(abs).max() ?? 0 }
        let mean = scales.reduce(0, +) / Double(scales.count)
        let numbers = dynamicNumbers(isSigned: true)
        var rounded: [Double] = []
        for start in stride(from: 0, to: scales.count, by: 256) {
            let group = scales[start..<min(start + 256, scales.count)].map { $0 - mean }
            let largest = group.map(abs).max() ?? 0
            rounded += group.map { value in
                largest == 0 ? mean : mean + largest * (numbers.min { abs($0 - value / largest) < abs($1 - value / largest) } ?? 0)
            }
        }
        return values.enumerated().map { index, value in
            let scale = scales[index / 64]
            let code = scale == 0 ? 0 : Self.table.min { abs($0 - value / scale) < abs($1 - value / scale) } ?? 0
            return code * rounded[index / 64]
        }
    }

    @Test(arguments: [[1, 1], [3, 21], [64, 64], [5, 130], [300, 192]], [DType.float32, .bfloat16]) @Engine
    func isWhatThePaperSays(shape: [Int], dtype: DType) throws {
        let matrix = try (draw(shape, seed: 6) * 0.02).to(dtype)
        let quantized = try NF4Matrix(matrix)
        let expected = try reference(matrix.array(Double.self))
        let back = try quantized.dequantized(.float32)
        #expect(back.shape == shape)
        #expect(try difference(back * 50, expected.map { $0 * 50 }) < 1e-5)
        #expect(try quantized.dequantized(.bfloat16).array(Float.self) == back.to(.bfloat16).array(Float.self))
        #expect(try quantized.dequantized(.float64).array(Double.self) == back.array(Double.self))
        #expect(try quantized.isFinite)
    }

    @Test @Engine func takesAboutHalfAByteAWeight() throws {
        let quantized = try NF4Matrix(draw([1024, 1024]).to(.float32))
        #expect(quantized.byteCount == (1 << 19) + (1 << 14) + 4 * 64)
        #expect(Double(quantized.byteCount) / Double(1 << 20) < 0.516)
    }

    /// The product and its derivative are those of the dense matrix that it stands for; the wide matrix is not kept between the two.
    @Test(arguments: [DType.float32, .bfloat16]) @Engine func multipliesAsItsDenseMatrix(dtype: DType) throws {
        let quantized = try NF4Matrix(draw([96, 64], seed: 2).to(.float32))
        let (dense, bias) = (try quantized.dequantized(dtype), try draw([96], seed: 3).to(dtype))
        func run(_ product: (Tensor) throws -> Tensor) throws -> (Tensor, Tensor) {
            let x = try draw([2, 5, 64], seed: 4).to(dtype)
            try x.setRequiresGradient(true)
            let y = try product(x)
            try (y * draw([2, 5, 96], seed: 5).to(dtype)).to(.float32).sum().backward()
            return (y, try #require(try x.gradient))
        }
        let (y, gradient) = try run { try quantized.linear($0, bias) }
        let (expected, expectedGradient) = try run { try $0.linear(dense, bias) }
        #expect(try y.array(Float.self) == expected.array(Float.self))
        #expect(try difference(gradient, expectedGradient) < (dtype == .float32 ? 1e-6 : 1e-2))
    }

    @Test @Engine func theWideMatrixIsNotKept() throws {
        let size = 1024
        let matrix = try NF4Matrix(draw([size, size]).to(.float32))
        let x = try draw([1, size]).to(.float32)
        try x.setRequiresGradient(true)
        let before = MemoryStatistics.current.live
        let y = try matrix.linear(x)
        #expect(MemoryStatistics.current.live - before < size * size, "of \(4 * size * size) bytes")
        try y.sum().backward()
        #expect(MemoryStatistics.current.live - before < size * size)
    }

    @Test @Engine func aNumberThatIsNoneShows() throws {
        for value in [Float.nan, .infinity] {
            #expect(try !NF4Matrix(Tensor([1, 2, value, 4], shape: [2, 2])).isFinite)
        }
        let zeros = try NF4Matrix(Tensor.zeros([8, 64]))
        #expect(try zeros.isFinite && zeros.dequantized(.float32).abs().max().item() == 0)
    }
}
