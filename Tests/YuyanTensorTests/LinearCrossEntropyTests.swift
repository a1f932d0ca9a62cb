import Testing
import YuyanTensor

/// The fused output layer and loss against logits that exist as a whole, in float64.
@Suite struct LinearCrossEntropyTests {
    static let ignored = -100

    struct Case: Sendable, CustomTestStringConvertible {
        var rows: Int
        var words: Int
        var chunk: Int
        /// Rows without a label.
        var unlabelled: Set<Int> = []
        var divisor = 7.0
        var upstream = 1.0
        var width = 16

        var testDescription: String { "\(rows) rows by \(chunk), \(words) words, \(unlabelled.count) ignored, upstream \(upstream)" }

        func targets() throws -> Tensor {
            try Tensor((0..<rows).map { unlabelled.contains($0) ? Int64(ignored) : Int64(($0 * 7919 + words - 1) % words) })
        }

        func reference(_ hidden: Tensor, _ weight: Tensor) throws -> Tensor {
            let log = try hidden.matmul(weight.transpose(0, 1)).logSoftmax(along: 1)
            let targets = try targets()
            let kept = try targets .!= Double(ignored)
            let index = try targets.maskedFill(kept.not(), 0).unsqueeze(1)
            return try -(log.gather(1, index).squeeze(1) * kept.to(hidden.dtype)).sum() / divisor * upstream
        }

        func fused(_ hidden: Tensor, _ weight: Tensor) throws -> Tensor {
            try Tensor.linearCrossEntropy(hidden, weight, targets: targets(), ignored: ignored, divisor: divisor, rows: chunk) * upstream
        }
    }

    static let cases = [
        Case(rows: 1, words: 2, chunk: 512), Case(rows: 5, words: 1, chunk: 2), Case(rows: 20, words: 33, chunk: 512),
        Case(rows: 20, words: 33, chunk: 7, unlabelled: [0, 3, 19]), Case(rows: 20, words: 513, chunk: 5, unlabelled: [5, 6, 7, 8, 9]),
        Case(rows: 20, words: 1027, chunk: 20, divisor: 1), Case(rows: 9, words: 15, chunk: 1, upstream: -2.5),
        Case(rows: 9, words: 15, chunk: 100, unlabelled: [1], upstream: 0.125), Case(rows: 4, words: 17, chunk: 2, unlabelled: [0, 1, 2, 3]),
    ]

    @Test(arguments: cases) @Engine func lossAndGradients(_ c: Case) throws {
        let (hidden, weight) = (try draw([c.rows, c.width], seed: 1), try draw([c.words, c.width], seed: 2))
        for leaf in [hidden, weight] { try leaf.setRequiresGradient(true) }
        let expected = try c.reference(hidden, weight)
        try expected.backward()
        let gradients = try [hidden, weight].map { try #require(try $0.gradient) }
        for (dtype, tolerance) in [(DType.float32, 1e-5), (.bfloat16, 3e-2), (.float64, 1e-5), (.float16, 1e-2)] {
            let leaves = try [hidden, weight].map { try $0.detach().to(dtype).clone() }
            for leaf in leaves { try leaf.setRequiresGradient(true) }
            let loss = try c.fused(leaves[0], leaves[1])
            #expect(loss.shape == [] && loss.dtype == .float32)
            #expect(try difference(loss, expected) < tolerance, "\(dtype)")
            try loss.backward()
            for (name, (leaf, gradient)) in zip(["hidden", "weight"], zip(leaves, gradients)) {
                let found = try #require(try leaf.gradient)
                #expect(found.dtype == dtype)
                #expect(try difference(found, gradient) < tolerance, "gradient of \(name) in \(dtype)")
            }
            let unrecorded = try withoutGradient { try c.fused(leaves[0], leaves[1]) }
            #expect(try unrecorded.item() == loss.item())
        }
    }

    @Test @Engine func agreesWithCrossEntropy() throws {
        let (hidden, weight) = (try draw([30, 8], seed: 1).to(.float32), try draw([40, 8], seed: 2).to(.float32))
        let targets = try Tensor((0..<30).map { $0 % 4 == 0 ? -100 : Int64($0) })
        let fused = try Tensor.linearCrossEntropy(hidden, weight, targets: targets, divisor: 22, rows: 8)
        #expect(try difference(fused, hidden.linear(weight).crossEntropy(targets)) < 1e-6)
    }

    @Test @Engine func chunksDoNotMatter() throws {
        let (hidden, weight) = (try draw([40, 16], seed: 1).to(.float32), try draw([100, 16], seed: 2).to(.float32))
        let targets = try Tensor((0..<40).map { Int64($0) })
        let losses = try [1, 3, 39, 40, 41, 512].map {
            try Tensor.linearCrossEntropy(hidden, weight, targets: targets, divisor: 40, rows: $0).item()
        }
        for loss in losses { #expect(abs(loss - losses[0]) < 1e-5) }
    }

    @Test @Engine func evaluationMakesNoGradients() throws {
        let (hidden, weight) = (try draw([8, 64], seed: 1).to(.float32), try draw([20_000, 64], seed: 2).to(.float32))
        try weight.setRequiresGradient(true)
        let targets = try Tensor((0..<8).map { Int64($0) })
        func growth() throws -> Int {
            let before = MemoryStatistics.current.live
            MemoryStatistics.resetPeak()
            _ = try Tensor.linearCrossEntropy(hidden, weight, targets: targets, divisor: 8).item()
            return MemoryStatistics.current.peak - before
        }
        let bytesOfWeight = 20_000 * 64 * 4
        #expect(try growth() > bytesOfWeight)
        #expect(try withoutGradient { try growth() } < bytesOfWeight)
    }

    @Test(arguments: [Double.infinity, -.infinity, .nan], [DType.float32, .bfloat16]) @Engine
    func notANumberIsNotHidden(bad: Double, dtype: DType) throws {
        let targets = try Tensor([0, 1, 2, 3] as [Int64])
        for place in [0, 5, 20] {
            let hidden = try draw([4, 16], seed: 1).to(dtype)
            let weight = try draw([21, 16], seed: 2).to(dtype)
            try weight.select(0, place).fillInPlace(bad)
            let loss = try Tensor.linearCrossEntropy(hidden, weight, targets: targets, divisor: 4).item()
            #expect(!loss.isFinite)
            let spoilt = try hidden.clone()
            try spoilt.select(0, 2).fillInPlace(bad)
            #expect(try !Tensor.linearCrossEntropy(spoilt, draw([21, 16]).to(dtype), targets: targets, divisor: 4).item().isFinite)
        }
    }

    @Test @Engine func hugeLogitsAreStable() throws {
        // Logits of ±1e4: a softmax without the shift by the maximum would overflow.
        let hidden = try Tensor([100, -100] as [Float], shape: [2, 1])
        let weight = try Tensor([100, -100, 0] as [Float], shape: [3, 1])
        let loss = try Tensor.linearCrossEntropy(hidden, weight, targets: Tensor([0, 0] as [Int64]), divisor: 1).item()
        #expect(loss == 20_000)
    }
}
