import Testing
import YuyanTensor

/// Operands that do not fit stop the program with a sentence that names the operation and both shapes.
@Suite struct ShapeMistakeTests {
    /// What a child process that made a mistake wrote.
    func expect(_ result: ExitTest.Result?, says parts: String..., sourceLocation: SourceLocation = #_sourceLocation) {
        let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        for part in parts { #expect(text.contains(part), sourceLocation: sourceLocation) }
    }

    @Test func addition() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = try await Engine.run { try (Tensor.ones([2, 3]) + Tensor.ones([4])).count }
        }
        expect(result, says: "+([2, 3] float32, [4] float32)")
    }

    @Test func matrixProduct() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = try await Engine.run { try Tensor.ones([2, 3]).matmul(Tensor.ones([4, 5])).count }
        }
        expect(result, says: "matmul([2, 3] float32, [4, 5] float32)")
    }

    @Test func linearBias() async {
        // A few rows of bfloat16: the kernel of our own has to look as closely as libtorch does.
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = try await Engine.run {
                let (x, weight) = (try Tensor.ones([1, 8], dtype: .bfloat16), try Tensor.ones([16, 8], dtype: .bfloat16))
                return try x.linear(weight, Tensor.ones([5], dtype: .bfloat16)).count
            }
        }
        expect(result, says: "linear([1, 8] bfloat16, [16, 8] bfloat16", "[5]")
    }

    @Test func attentionOfTwoDTypes() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = try await Engine.run {
                let (q, k) = (try Tensor.ones([1, 1, 2, 8]), try Tensor.ones([1, 4, 2, 8], dtype: .bfloat16))
                return try Tensor.attention(q, k, k, scale: 1).count
            }
        }
        expect(result, says: "attention([1, 1, 2, 8] float32, [1, 4, 2, 8] bfloat16")
    }

    @Test func attentionOfTwoWidths() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = try await Engine.run {
                let (q, k) = (try Tensor.ones([1, 9, 2, 8]), try Tensor.ones([1, 9, 2, 4]))
                return try Tensor.attention(q, k, k, scale: 1).count
            }
        }
        expect(result, says: "attention([1, 9, 2, 8] float32, [1, 9, 2, 4] float32")
    }

    @Test func targetBeyondTheVocabulary() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = try await Engine.run {
                try Tensor.linearCrossEntropy(Tensor.ones([2, 4]), Tensor.ones([3, 4]), targets: Tensor([1, 3] as [Int64]), divisor: 2).item()
            }
        }
        expect(result, says: "linearCrossEntropy([2, 4] float32, [3, 4] float32", "3")
    }

    @Test func momentsOfAnotherShape() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            try await Engine.run {
                let step = AdamWStep(learningRate: 1, beta1: 0.9, beta2: 0.9, epsilon: 1, weightDecay: 0, gradientScale: 1, step: 1)
                let (weight, moment) = (try Tensor.ones([9]), try Tensor.ones([4]))
                try step.update(weight, copy: nil, gradient: weight.clone(), firstMoment: moment, secondMoment: moment.clone())
            }
        }
        expect(result, says: "AdamW([9] float32", "[4]")
    }

    @Test func operatorByName() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = try await Engine.run { try Tensor.call("aten::mm", [.tensor(Tensor.ones([2, 3])), .tensor(Tensor.ones([4, 5]))]).count }
        }
        expect(result, says: "aten::mm([2, 3] float32, [4, 5] float32)")
    }
}
