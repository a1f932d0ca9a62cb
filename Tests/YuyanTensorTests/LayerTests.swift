import Foundation
import Testing
import YuyanTensor

@Suite struct LayerTests {
    /// 1 to 4 rows of bfloat16 take the kernel for decoding; 5 take libtorch's.
    @Test(arguments: [1, 2, 3, 4, 5], [1, 7, 31, 32, 33, 100, 257]) @Engine func linear(rows: Int, width: Int) throws {
        for (outputs, dtype) in [(1, DType.bfloat16), (45, .bfloat16), (700, .bfloat16), (45, .float32)] {
            let x = try draw([rows, width], seed: 1).to(dtype)
            let (weight, bias) = (try draw([outputs, width], seed: 2).to(dtype), try draw([outputs], seed: 3).to(dtype))
            let product = try x.to(.float64).matmul(weight.to(.float64).transpose(0, 1))
            let tolerance = dtype == .bfloat16 ? 8e-3 : 1e-5
            #expect(try difference(x.linear(weight), product) < tolerance)
            #expect(try difference(x.linear(weight, bias), product + bias.to(.float64)) < tolerance)
        }
    }

    @Test @Engine func linearOfAnyShape() throws {
        let (x, weight) = (try draw([1, 2, 40], seed: 1).to(.bfloat16), try draw([9, 40], seed: 2).to(.bfloat16))
        let expected = try x.to(.float64).matmul(weight.to(.float64).transpose(0, 1))
        #expect(try x.linear(weight).shape == [1, 2, 9])
        #expect(try difference(x.linear(weight), expected) < 8e-3)
        let strided = try Tensor.stack([x, x], along: 3).select(3, 1)
        #expect(try !strided.isContiguous && difference(strided.linear(weight), expected) < 8e-3)
        let transposed = try weight.transpose(0, 1).contiguous().transpose(0, 1)
        #expect(try !transposed.isContiguous && difference(x.linear(transposed), expected) < 8e-3)
        #expect(try x.reshape(2, 40).select(0, 0).linear(weight).shape == [9])
        #expect(try Tensor.zeros([0, 40], dtype: .bfloat16).linear(weight).shape == [0, 9])
    }

    @Test @Engine func aRecordedLinearHasGradients() throws {
        let (x, weight) = (try draw([2, 33], seed: 1).to(.bfloat16), try draw([9, 33], seed: 2).to(.bfloat16))
        try weight.setRequiresGradient(true)
        let unrecorded = try withoutGradient { try x.linear(weight) }
        let recorded = try x.linear(weight)
        #expect(try difference(unrecorded, recorded) < 8e-3)
        try recorded.sum().backward()
        let gradient = try #require(try weight.gradient)
        #expect(try difference(gradient, x.to(.float64).sum(along: 0, keep: true).expand(9, 33)) < 8e-3)
    }

    /// Against the definition: a complex number of elements i and i + width/2, turned by position · frequency.
    @Test(arguments: [DType.float32, .bfloat16, .float64]) @Engine func rotation(dtype: DType) throws {
        let (batch, time, heads, width) = (2, 5, 3, 8)
        let frequencies = [1, 0.3, 0.1, 0.02]
        let angles = (0..<20).flatMap { position in frequencies.map { Float(Double(position) * $0) } }
        let (cosines, sines) = (try Tensor(angles.map { cos($0) }, shape: [20, 4]), try Tensor(angles.map { sin($0) }, shape: [20, 4]))
        let x = try draw([batch, time, heads, width], seed: 1).to(dtype)
        let values = try x.to(.float64).array(Double.self)
        let chosen: [Int64] = [3, 1, 4, 1, 5, 9, 2, 6, 5, 19]
        for positions in [nil, chosen] {
            var expected = values
            for row in 0..<batch * time {
                let position = positions?[row] ?? Int64(7 + row % time)
                for head in 0..<heads {
                    for i in 0..<width / 2 {
                        let at = (row * heads + head) * width + i
                        let angle = Double(position) * frequencies[i]
                        expected[at] = values[at] * cos(angle) - values[at + 4] * sin(angle)
                        expected[at + 4] = values[at + 4] * cos(angle) + values[at] * sin(angle)
                    }
                }
            }
            let places = try positions.map { try Tensor($0, shape: [batch, time]) }
            let leaf = try x.detach().clone()
            try leaf.setRequiresGradient(true)
            let turned = try leaf.rotated(cosines: cosines, sines: sines, positions: places, start: 7)
            let tolerance = dtype == .bfloat16 ? 2e-2 : 1e-5
            #expect(try turned.dtype == dtype && difference(turned, Tensor(expected, shape: x.shape)) < tolerance)
            // A rotation of half of the channels' view, and back: the gradient of Σ y²/2 is x again.
            try (turned * turned).sum().backward()
            #expect(try difference(#require(try leaf.gradient), x * 2) < 4 * tolerance)
        }
        let view = try x.transpose(0, 1).transpose(0, 1).narrow(2, start: 1, length: 2)
        let whole = try x.rotated(cosines: cosines, sines: sines, positions: nil, start: 0).narrow(2, start: 1, length: 2)
        #expect(try difference(view.rotated(cosines: cosines, sines: sines, positions: nil, start: 0), whole) < 1e-6)
    }

    @Test(arguments: [DType.float32, .bfloat16]) @Engine func rmsNorm(dtype: DType) throws {
        let (x, weight) = (try (draw([3, 70], seed: 1) * 3).to(dtype), try draw([70], seed: 2).to(dtype))
        let exact = try x.to(.float64)
        let expected = try exact / (exact.square().mean(along: -1, keep: true) + 1e-6).sqrt() * weight.to(.float64)
        #expect(try x.rmsNorm(weight, epsilon: 1e-6).dtype == dtype)
        #expect(try difference(x.rmsNorm(weight, epsilon: 1e-6), expected) < (dtype == .bfloat16 ? 8e-2 : 1e-5))
        // In one pass for inference.
        let fused = try withInference { try x.rmsNorm(weight, epsilon: 1e-6) }
        #expect(try fused.dtype == dtype && difference(fused, x.rmsNorm(weight, epsilon: 1e-6)) < (dtype == .bfloat16 ? 8e-3 : 1e-6))
        // And after an addition, recorded or not.
        let more = try (draw(x.shape, seed: 9)).to(dtype)
        let after = { try x.rmsNorm(adding: more, weight, epsilon: 1e-6) }
        for (sum, normed) in [try after(), try withInference(after)] {
            #expect(try sum.to(.float32).array(Float.self) == (x + more).to(.float32).array(Float.self))
            #expect(try difference(normed, (x + more).rmsNorm(weight, epsilon: 1e-6)) < (dtype == .bfloat16 ? 8e-3 : 1e-6))
        }
        let strided = try x.transpose(0, 1).contiguous().transpose(0, 1)
        #expect(try !strided.isContiguous && difference(withInference { try strided.rmsNorm(weight, epsilon: 1e-6) }, fused) < 8e-3)
    }

    @Test(arguments: [DType.float32, .bfloat16, .float64]) @Engine func siluGated(dtype: DType) throws {
        let (x, factor) = (try (draw([3, 70], seed: 1) * 5).to(dtype), try draw([3, 70], seed: 2).to(dtype))
        let exact = try x.to(.float64)
        let expected = try exact * exact.sigmoid() * factor.to(.float64)
        let tolerance = dtype == .bfloat16 ? 8e-3 : dtype == .float32 ? 1e-6 : 1e-12
        #expect(try x.siluGated(factor).dtype == dtype)
        #expect(try difference(x.siluGated(factor), expected) < tolerance)
        #expect(try difference(withInference { try x.siluGated(factor) }, expected) < tolerance)
        let leaf = try x.clone()
        try leaf.setRequiresGradient(true)
        let recorded = try leaf.siluGated(factor)
        #expect(try difference(recorded, expected) < tolerance)
        try recorded.sum().backward()
        #expect(try leaf.gradient != nil)
        for value in [Float.infinity, -.infinity, .nan, 100, -100] {
            let y = try withInference { try Tensor([value]).siluGated(Tensor([Float(1)])).item() }
            #expect(value == .infinity ? y == .infinity : value == 100 ? y == 100 : value == -100 ? abs(y) < 1e-30 : y.isNaN)
        }
    }

    @Test(arguments: [DType.float64, .float32, .bfloat16]) @Engine func layerNorm(dtype: DType) throws {
        let (x, weight, bias) = (try (draw([3, 2, 37], seed: 1) + 5).to(dtype), try draw([37], seed: 2).to(dtype), try draw([37], seed: 3).to(dtype))
        let (w, b) = (try weight.array(Double.self), try bias.array(Double.self))
        let values = try x.array(Double.self)
        var expected: [Double] = []
        for row in 0..<6 {
            let slice = values[row * 37..<row * 37 + 37]
            let mean = slice.reduce(0, +) / 37
            let variance = slice.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 37
            for (i, value) in slice.enumerated() { expected.append((value - mean) / (variance + 1e-5).squareRoot() * w[i] + b[i]) }
        }
        let tolerance = [DType.float64: 1e-13, .float32: 1e-5][dtype] ?? 2e-2
        #expect(try difference(x.layerNorm(weight, bias, epsilon: 1e-5), expected) < tolerance)
        let unbiased = try Tensor(expected, shape: x.shape) - bias.to(.float64)
        #expect(try difference(x.layerNorm(weight, nil, epsilon: 1e-5), unbiased) < tolerance)
        // In one pass for inference.
        let fused = try withInference { try [x.layerNorm(weight, bias, epsilon: 1e-5), x.layerNorm(weight, nil, epsilon: 1e-5)] }
        #expect(try difference(fused[0], expected) < tolerance && difference(fused[1], unbiased) < tolerance)
        let more = try draw(x.shape, seed: 9).to(dtype)
        let added = try (x + more).layerNorm(weight, bias, epsilon: 1e-5)
        let after = { try x.layerNorm(adding: more, weight, bias, epsilon: 1e-5) }
        for (sum, normed) in [try after(), try withInference(after)] {
            #expect(try sum.to(.float32).array(Float.self) == (x + more).to(.float32).array(Float.self))
            #expect(try difference(normed, added) < 2 * tolerance)
        }
        let strided = try x.transpose(0, 1).contiguous().transpose(0, 1)
        #expect(try !strided.isContiguous && difference(withInference { try strided.layerNorm(weight, bias, epsilon: 1e-5) }, expected) < tolerance)
    }

    @Test @Engine func embeddingTakesRows() throws {
        let table = try Tensor.arange(0, 8, dtype: .float32).reshape(4, 2)
        let rows = try table.embedding(Tensor([3, 0, 1, 3] as [Int64], shape: [2, 2]))
        #expect(rows.shape == [2, 2, 2])
        #expect(try rows.array(Float.self) == [6, 7, 0, 1, 2, 3, 6, 7])
    }
}

@Suite struct DropoutTests {
    static let probabilities = [0.1, 0.5, 0.9]
    static let dtypes = [DType.float32, .bfloat16, .float64]

    @Test(arguments: probabilities, dtypes) @Engine func keepsTheMean(probability: Double, dtype: DType) throws {
        let count = 200_000
        let y = try Tensor.ones([count], dtype: dtype).dropout(probability, seed: 42)
        let values = try y.array(Double.self)
        let dropped = Double(values.count { $0 == 0 }) / Double(count)
        // Five standard deviations of a binomial share.
        #expect(abs(dropped - probability) < 5 * (probability * (1 - probability) / Double(count)).squareRoot())
        let scale = try Tensor(1 / (1 - probability), dtype: dtype).item()
        #expect(values.allSatisfy { $0 == 0 || abs($0 - scale) < 1e-6 * scale })
        #expect(abs(values.reduce(0, +) / Double(count) - 1) < 0.05)
    }

    @Test(arguments: dtypes) @Engine func theWayBackHasTheSameMask(dtype: DType) throws {
        let x = try (draw([50, 300]).abs() + 0.1).to(dtype)
        try x.setRequiresGradient(true)
        let y = try x.dropout(0.3, seed: 7)
        try y.sum().backward()
        let (kept, gradient) = (try (y.detach() .!= 0).array(Bool.self), try #require(try x.gradient).array(Double.self))
        #expect(gradient.map { $0 != 0 } == kept)
        #expect(try x.dropout(0.3, seed: 7).array(Double.self) == y.array(Double.self))
    }

    @Test @Engine func nothingIsDroppedWithProbabilityZero() throws {
        let x = try draw([9])
        #expect(try x.dropout(0, seed: 1).array(Double.self) == x.array(Double.self))
    }

    @Test @Engine func threadsDoNotMatter() throws {
        let x = try Tensor.ones([100_003])
        let threads = Runtime.threadCount
        defer { Runtime.threadCount = threads }
        let masks = try [1, 2, 3].map {
            Runtime.threadCount = $0
            return try x.dropout(0.5, seed: 3).array(Float.self)
        }
        #expect(masks[0] == masks[1] && masks[0] == masks[2])
    }

    /// Seeds that are neighbours, as a counter of layers and steps makes them, give masks that have nothing to do with each other, not even
    /// after swapping neighbours.
    @Test @Engine func masksOfDifferentSeedsAreIndependent() throws {
        let count = 1 << 16
        let ones = try Tensor.ones([count])
        func mask(_ seed: UInt64) throws -> [Bool] { try ones.dropout(0.5, seed: seed).array(Bool.self) }
        let base = try mask(0)
        for seed in [1, 2, 3, 1 << 16, 1 << 32, (1 << 32) + 1] as [UInt64] {
            let other = try mask(seed)
            for distance in [0, 1, 2, 3] {
                let agreeing = base.indices.count { base[$0] == other[$0 ^ distance] }
                #expect(abs(Double(agreeing) / Double(count) - 0.5) < 0.02, "seed \(seed), distance \(distance)")
            }
        }
        for distance in [1, 2, 3, 1024] {
            let agreeing = base.indices.count { base[$0] == base[$0 ^ distance] }
            #expect(abs(Double(agreeing) / Double(count) - 0.5) < 0.02, "distance \(distance)")
        }
    }
}
