import Foundation
import Testing
import YuyanModels
import YuyanTensor

@testable import YuyanData
@testable import YuyanTraining

@Suite struct TrainerTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Engine private func trainer(_ model: GPT, _ change: (inout TrainingConfiguration) -> Void = { _ in }) throws -> Trainer {
        var c = TrainingConfiguration()
        (c.steps, c.sequenceLength, c.microBatch, c.schedule, c.warmupSteps, c.learningRate) = (8, 16, 4, .constant, 0, 1e-2)
        change(&c)
        return try Trainer(
            model, c, source: MadeBatches { _ in fatalError("steps are taken by hand") }, environment: TrainingEnvironment(folder: folder.url))
    }

    private struct Golden: Decodable {
        var losses, norms: [Double]
    }

    /// Losses and gradient norms of torch's AdamW on transformers' GPT-2: `Fixtures/gpt2_training.py`.
    /// In float32 to rounding, in bfloat16 within its noise: eight bits of mantissa.
    @Test(arguments: [(DType.float32, 1e-5, 1e-4), (.bfloat16, 1e-2, 5e-2)]) @Engine
    func stepsAgreeWithTorch(dtype: DType, lossTolerance: Double, normTolerance: Double) throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/gpt2_training.json")
        let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: file))
        let trainer = try trainer(formulaModel(dtype: dtype))
        for (step, expected) in zip(golden.losses, golden.norms).enumerated() {
            let batch = Batch(formulaText(step: step, rows: 0..<4, columns: 16)) { row, column in row == step % 4 && column < 8 }
            let update = try #require(try trainer.takeStep([batch]))
            #expect(abs(update.loss - expected.0) < lossTolerance * expected.0, "loss of step \(step)")
            #expect(abs(update.gradientNorm - expected.1) < normTolerance * expected.1, "norm of step \(step)")
        }
    }

    @Test @Engine func roundedMatricesAreNotTrained() throws {
        let source = try ParameterSource(seed: 1, dtype: .float32, device: .cpu)
        try source.quantize(.int8)
        let model = try GPT(GPTConfiguration(vocabularySize: 40, contextLength: 16, width: 32, layers: 1, heads: 2), source)
        let error = #expect(throws: TrainingError.self) { try trainer(model) }
        #expect(error?.description.contains("train the model that it was made from") == true)
    }

    @Engine private func weights(_ trainer: Trainer) throws -> [Float] { try trainer.model.parameters.flatMap { try $0.value.array(Float.self) } }

    private func largestDifference(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).map { abs($0 - $1) }.max() ?? .infinity }

    /// Labels are spread unevenly: a mean of the micro-batches' means would weigh them wrongly.
    @Test @Engine func accumulationEqualsOneLargeBatch() throws {
        let text = formulaText(step: 1, rows: 0..<6, columns: 16)
        let ignored: @Sendable (Int, Int) -> Bool = { row, column in row < 2 ? column != 3 : row == 2 && column < 15 }
        let whole = try trainer(formulaModel())
        let parts = try trainer(formulaModel())
        for _ in 0..<3 {
            let one = try #require(try whole.takeStep([Batch(text, ignoring: ignored)]))
            let several = try #require(
                try parts.takeStep(
                    (0..<3).map { part in Batch(Array(text[part * 2..<part * 2 + 2])) { ignored(part * 2 + $0, $1) } }))
            #expect(abs(one.loss - several.loss) < 1e-6 * one.loss)
            #expect(abs(one.gradientNorm - several.gradientNorm) < 1e-5 * one.gradientNorm)
        }
        // Adam divides by the gradient's own size: where that is near zero, rounding moves a weight by a share of the rate.
        #expect(try largestDifference(weights(whole), weights(parts)) < 1e-2 * 0.1)
    }

    /// The gradients themselves, before Adam: equal to 1e-6 of their norm.
    @Test @Engine func accumulatedGradientsEqualThoseOfOneLargeBatch() throws {
        let text = formulaText(step: 2, rows: 0..<4, columns: 16)
        let whole = Batch(text) { row, column in row == 0 && column > 2 }
        let parts = [Batch(Array(text[0..<1])) { _, column in column > 2 }, Batch(Array(text[1..<4]))]
        func gradients(_ batches: [Batch]) throws -> [Float] {
            let model = try formulaModel()
            for parameter in model.parameters { try parameter.value.setRequiresGradient(true) }
            for batch in batches { try model.loss(of: batch, outputWeight: model.outputWeight, divisors: LossDivisors(batches)).backward() }
            return try model.parameters.flatMap { try #require(try $0.value.gradient).array(Float.self) }
        }
        let (a, b) = (try gradients([whole]), try gradients(parts))
        let norm = a.reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(largestDifference(a, b) < 1e-6 * norm)
    }

    /// bfloat16 gradients are added up in float32: 1 + 2⁻⁹ 64 times is not 64.
    @Test @Engine func accumulatesInFloat32() throws {
        let parameter = Parameter(name: "w", value: try Tensor.ones([1, 4], dtype: .bfloat16))
        let optimizer = try AdamW([parameter], clip: 0)
        for index in 0..<65 {
            let x = try Tensor.full([4, 1], index == 0 ? 1 : 0.001953125, dtype: .bfloat16)
            try parameter.value.matmul(x).sum().backward()
            try optimizer.accumulate()
        }
        #expect(try optimizer.gradientNorm() == 2 * (1 + 64 * 0.001953125))
        try optimizer.update(learningRate: 0.1, gradientNorm: 1)
        #expect(try optimizer.gradientNorm() == 0)
    }

    @Test(arguments: [DType.float32, .bfloat16]) @Engine func decayIsForMatrices(dtype: DType) throws {
        let matrix = Parameter(name: "matrix", value: try Tensor.ones([2, 2], dtype: dtype))
        let bias = Parameter(name: "bias", value: try Tensor.ones([4], dtype: dtype))
        let optimizer = try AdamW([matrix, bias], weightDecay: 0.5)
        try (matrix.value.sum() + bias.value.sum()).multiplied(by: 0).backward()
        try optimizer.update(learningRate: 0.5, gradientNorm: 0)
        #expect(try optimizer.slots[0].master.array(Float.self) == [0.75, 0.75, 0.75, 0.75])
        #expect(try matrix.value.array(Float.self) == [0.75, 0.75, 0.75, 0.75])
        #expect(try bias.value.array(Float.self) == [1, 1, 1, 1])
    }

    /// With a limit of c, the first moment after one step is (1 − β₁)·g·c/‖g‖.
    @Test(arguments: [(limit: 0.5, scale: 0.1), (limit: 10, scale: 1), (limit: 0, scale: 1)]) @Engine
    func clipsTheNormOfAllGradients(limit: Double, scale: Double) throws {
        let parameters = try ["a", "b"].map { Parameter(name: $0, value: try Tensor.zeros([2])) }
        let optimizer = try AdamW(parameters, clip: limit)
        // Gradients (0, 3) and (0, 4).
        try (parameters[0].value.select(0, 1) * 3 + parameters[1].value.select(0, 1) * 4).backward()
        let norm = try optimizer.gradientNorm()
        #expect(norm == 5)
        try optimizer.update(learningRate: 1e-3, gradientNorm: norm)
        for (slot, gradient) in zip(optimizer.slots, [3.0, 4.0]) {
            guard case .float32(let first, _) = slot.moments else { continue }
            let moment = try first.array(Double.self)
            #expect(moment[0] == 0 && abs(moment[1] - 0.1 * gradient * scale) < 1e-6)
        }
    }

    /// The master keeps what bfloat16 cannot: sixteen small steps are lost without it.
    @Test @Engine func bfloat16IsARoundedCopyOfItsMaster() throws {
        let parameter = Parameter(name: "w", value: try Tensor.ones([8], dtype: .bfloat16))
        let optimizer = try AdamW([parameter], beta1: 0, beta2: 0)
        for _ in 0..<16 {
            try parameter.value.sum().backward()
            try optimizer.update(learningRate: 1e-4, gradientNorm: 0)
        }
        let master = try #require(try optimizer.slots[0].master.array(Float.self).first)
        #expect(abs(master - (1 - 16e-4)) < 1e-6)
        #expect(try parameter.value.array(Float.self) == Tensor([Float](repeating: master, count: 8)).to(.bfloat16).array(Float.self))
    }

    @Test(arguments: [DType.float32, .bfloat16], TrainingConfiguration.Optimizer.allCases) @Engine
    func lossFallsToNothingOnALittleText(dtype: DType, optimizer: TrainingConfiguration.Optimizer) async throws {
        var c = TrainingConfiguration()
        c.optimizer = optimizer
        (c.steps, c.sequenceLength, c.microBatch, c.learningRate, c.weightDecay) = (120, 16, 4, 1e-2, 0)
        let outcome = try await Trainer(
            GPT(tinyGPT, seed: 3, dtype: dtype), c, source: MadeBatches { _ in Batch(formulaText(step: 0, rows: 0..<4, columns: 16)) },
            environment: TrainingEnvironment(folder: folder.url)
        ).run()
        #expect(outcome.reason == .finished && outcome.steps == 120 && outcome.tokens == 120 * 64)
        #expect(try #require(outcome.loss) < 0.2)
    }

    /// Recomputing blocks changes memory, not numbers, dropout included.
    @Test @Engine func recomputationGivesTheSameBits() async throws {
        let folders = ["kept", "recomputed"].map { folder.url.appending(path: $0) }
        for (folder, recompute) in zip(folders, [false, true]) {
            var c = tinyRun(steps: 4)
            c.recompute = recompute
            _ = try await tinyTrainer(c, in: folder).run()
        }
        #expect(try losses(of: folders[0]) == losses(of: folders[1]))
    }

    @Test @Engine func theEndOfTheDataEndsTheRun() async throws {
        let trainer = try Trainer(
            formulaModel(), tinyRun(), source: MadeBatches(count: 5) { Batch(formulaText(step: $0, rows: 0..<2, columns: 16)) },
            environment: TrainingEnvironment(folder: folder.url))
        let outcome = try await trainer.run()
        #expect(outcome.steps == 3 && outcome.tokens == 5 * 32)  // two micro-batches, two, and the one that was left
    }

    @Test @Engine func heldOutLossIsASumOverTokens() throws {
        let model = try formulaModel()
        let text = formulaText(step: 4, rows: 0..<3, columns: 16)
        let sparse: @Sendable (Int, Int) -> Bool = { row, column in row == 0 && column < 14 }
        let together = try heldOutLoss(of: model, on: MadeBatches(count: 1) { _ in Batch(text, ignoring: sparse) })
        let apart = try heldOutLoss(of: model, on: MadeBatches(count: 3) { row in Batch([text[row]]) { sparse(row, $1) } })
        #expect(together.tokens == 34 && apart.tokens == 34)
        #expect(abs(together.loss - apart.loss) < 1e-5)
        #expect(abs(together.perplexity - exp(together.loss)) < 1e-9)
        #expect(try model.parameters.allSatisfy { try $0.value.gradient == nil })
    }

    /// A number that is none reaches neither the weights nor a checkpoint.
    @Test @Engine func stopsWhereTheLossIsNoNumber() async throws {
        let model = try formulaModel()
        let weight = model.parameters[3].value
        var environment = TrainingEnvironment(folder: folder.url)
        environment.report = { report in
            if report.step == 6 { try withoutGradient { try weight.fillInPlace(.nan) } }
        }
        let trainer = try Trainer(
            model, tinyRun(), source: MadeBatches { Batch(formulaText(step: $0, rows: 0..<2, columns: 16)) }, environment: environment)
        let error = await #expect(throws: DivergenceError.self) { try await trainer.run() }
        #expect(error?.step == 7 && error?.name == "loss")
        #expect(error?.lastGoodCheckpoint?.hasSuffix("step-000004") == true)
    }
}

extension Tensor {
    fileprivate func multiplied(by factor: Double) throws -> Tensor { try self * factor }
}
