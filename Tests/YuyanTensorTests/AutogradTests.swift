import Testing
import YuyanTensor

@Suite struct AutogradTests {
    @Test @Engine func gradientsOfElementwiseFunctions() throws {
        let x = try draw([2, 3])
        try expectGradients(of: [x]) { try $0[0].exp() }
        try expectGradients(of: [x]) { try ($0[0].square() + 0.5).log() }
        try expectGradients(of: [x]) { try ($0[0].square() + 0.5).rsqrt() }
        try expectGradients(of: [x]) { try $0[0].tanh() }
        try expectGradients(of: [x]) { try $0[0].sigmoid() }
        try expectGradients(of: [x]) { try $0[0].silu() }
        try expectGradients(of: [x]) { try $0[0].gelu() }
        try expectGradients(of: [x]) { try $0[0].geluTanh() }
        try expectGradients(of: [x]) { try $0[0].softmax(along: -1) }
        try expectGradients(of: [x]) { try $0[0].logSoftmax(along: 0) }
        try expectGradients(of: [x]) { try $0[0].logSumExp(along: 1) }
    }

    @Test @Engine func gradientsThroughBroadcastsProductsAndViews() throws {
        let (a, b, c) = (try draw([2, 3, 4], seed: 1), try draw([4, 2], seed: 2), try draw([2], seed: 3))
        try expectGradients(of: [a, b, c]) { try $0[0].matmul($0[1]) * $0[2] + $0[2] }
        try expectGradients(of: [a, b, c]) { try $0[0].linear($0[1].transpose(0, 1), $0[2]) }
        try expectGradients(of: [a]) { try $0[0].permute(2, 0, 1).reshape(4, 6).narrow(0, start: 1, length: 2).square() }
        try expectGradients(of: [a]) { try $0[0].select(1, 2).unsqueeze(0).expand(3, 2, 4).square() }
        try expectGradients(of: [a]) { try Tensor.concatenate([$0[0], $0[0].square()], along: 1) }
        try expectGradients(of: [a]) { try $0[0].indexSelect(2, Tensor([3, 1, 3] as [Int64])).square() }
        try expectGradients(of: [b]) { try $0[0].embedding(Tensor([3, 0, 3] as [Int64])).square() }
        try expectGradients(of: [a, b]) { try Tensor.call("aten::roll", [.tensor($0[0]), .ints([1]), .ints([2])])[0].matmul($0[1]) }
    }

    @Test @Engine func gradientsOfLayers() throws {
        let (x, weight, bias) = (try draw([3, 5], seed: 1), try draw([5], seed: 2), try draw([5], seed: 3))
        try expectGradients(of: [x, weight, bias], tolerance: 1e-6) { try $0[0].layerNorm($0[1], $0[2], epsilon: 1e-5) }
        try expectGradients(of: [x]) { try $0[0].crossEntropy(Tensor([4, -100, 0] as [Int64])) }
        try expectGradients(of: [x]) { try $0[0].dropout(0.4, seed: 3) }
    }

    @Test @Engine func gradientsAddUpUntilCleared() throws {
        let x = try Tensor([1, 2] as [Float])
        try x.setRequiresGradient(true)
        #expect(try x.gradient == nil)
        try x.square().sum().backward()
        try x.square().sum().backward()
        #expect(try x.gradient?.array(Float.self) == [4, 8])
        x.clearGradient()
        #expect(try x.gradient == nil)
        try x.detach().square().addInPlace(x.detach())
        #expect(try x.array(Float.self) == [1, 2])
    }

    @Test @Engine func nothingIsRecordedWhenToldSo() throws {
        let x = try Tensor([1, 2] as [Float])
        try x.setRequiresGradient(true)
        #expect(try (x * 2).requiresGradient)
        #expect(try !(x.detach() * 2).requiresGradient)
        #expect(try !withoutGradient { try x * 2 }.requiresGradient)
        #expect(try !withInference { try x * 2 }.requiresGradient)
        struct Failure: Error {}
        #expect(throws: Failure.self) { try withoutGradient { throw Failure() } }
        #expect(throws: Failure.self) { try withInference { throw Failure() } }
        #expect(try (x * 2).requiresGradient, "recording goes on after an error too")
    }

    @Test @Engine func inferenceRunsTheFusedKernels() throws {
        let table = try draw([9, 8], seed: 4).to(.float32)
        try table.setRequiresGradient(true)
        func loss() throws -> Double {
            let x = try table.embedding(Tensor([1, 2, 3, 4, 5, 6] as [Int64], shape: [1, 6]))
            let heads = try x.reshape(1, 6, 2, 4)
            let mixed = try Tensor.attention(heads, heads, heads, scale: 0.5).reshape(6, 8).dropout(0.3, seed: 1)
            return try Tensor.linearCrossEntropy(mixed, table, targets: Tensor([2, 3, 4, 5, 6, 7] as [Int64]), divisor: 6).item()
        }
        let expected = try loss()
        #expect(try abs(withInference { try loss() } - expected) < 1e-6)
        #expect(try abs(withoutGradient { try loss() } - expected) < 1e-6)
    }
}

/// Computing again instead of keeping.
@Suite struct RecomputingTests {
    struct Layer {
        let weight: Tensor
        init(seed: UInt64) throws {
            weight = try draw([6, 6], seed: seed).to(.float32)
            try weight.setRequiresGradient(true)
        }
        func callAsFunction(_ x: Tensor) throws -> Tensor { try x.linear(weight).gelu().dropout(0.2, seed: 9) + x }
    }

    @Engine static func gradients(recompute: Bool, inputNeedsGradient: Bool) throws -> (loss: Double, gradients: [[Float]]) {
        let x = try draw([4, 6], seed: 20).to(.float32)
        try x.setRequiresGradient(inputNeedsGradient)
        let layers = try (1...3).map { try Layer(seed: $0) }
        var y = x
        for layer in layers { y = try recompute ? recomputing(y) { try layer($0) } : layer(y) }
        let loss = try y.square().mean()
        try loss.backward()
        let leaves = layers.map(\.weight) + (inputNeedsGradient ? [x] : [])
        return (try loss.item(), try leaves.map { try $0.gradient?.array(Float.self) ?? [] })
    }

    @Test(arguments: [true, false]) @Engine func gradientsAreIdentical(inputNeedsGradient: Bool) throws {
        let kept = try Self.gradients(recompute: false, inputNeedsGradient: inputNeedsGradient)
        let recomputed = try Self.gradients(recompute: true, inputNeedsGradient: inputNeedsGradient)
        #expect(kept.loss == recomputed.loss)
        #expect(kept.gradients == recomputed.gradients)
        #expect(recomputed.gradients.allSatisfy { !$0.isEmpty })
    }

    @Test @Engine func theBodyRunsOnceUnrecordedAndOnceRecorded() throws {
        let x = try Tensor.ones([2])
        try x.setRequiresGradient(true)
        var recorded: [Bool] = []
        let y = try recomputing(x) { x in
            let y = try x * 3
            recorded.append(y.requiresGradient)
            return y
        }
        #expect(recorded == [false] && y.requiresGradient)
        try y.sum().backward()
        #expect(recorded == [false, true])
        #expect(try x.gradient?.array(Float.self) == [3, 3])
        _ = try withoutGradient { try recomputing(x) { try $0 * 3 } }
        #expect(try !withoutGradient { try recomputing(x) { try $0 * 3 } }.requiresGradient)
    }

    @Test @Engine func memoryInsideIsNotKept() throws {
        let x = try Tensor.ones([64, 1024])
        try x.setRequiresGradient(true)
        func body(_ x: Tensor) throws -> Tensor { try x.exp().sin().exp().sin().exp() }
        func growth(_ make: () throws -> Tensor) rethrows -> Int {
            let before = MemoryStatistics.current.live
            let y = try make()
            return withExtendedLifetime(y) { MemoryStatistics.current.live - before }
        }
        #expect(try growth { try body(x) } >= 3 * 64 * 1024 * 4)
        #expect(try growth { try recomputing(x) { try body($0) } } < 2 * 64 * 1024 * 4)
    }

    @Test @Engine func anErrorInsideComesOut() throws {
        struct Failure: Error, Equatable { var text: String }
        let x = try Tensor.ones([2])
        try x.setRequiresGradient(true)
        #expect(throws: Failure(text: "first pass")) { try recomputing(x) { _ in throw Failure(text: "first pass") } }

        var passes = 0
        let y = try recomputing(x) { x in
            passes += 1
            if passes == 2 { throw Failure(text: "second pass") }
            return try x * 2
        }
        let loss = try y.sum()
        #expect(throws: Failure(text: "second pass")) { try loss.backward() }
        try (x * 2).sum().backward()
        #expect(try x.gradient?.array(Float.self) == [2, 2], "and the process goes on")
    }
}
