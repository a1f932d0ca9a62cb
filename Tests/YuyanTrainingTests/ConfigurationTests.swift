import Foundation
import Testing
import YuyanModels
import YuyanTensor

@testable import YuyanData
@testable import YuyanTraining

@Suite struct TrainingConfigurationTests {
    private func plan(rowsPerEpoch: Int = 100, _ change: (inout TrainingConfiguration) -> Void) throws -> TrainingPlan {
        var c = TrainingConfiguration()
        (c.sequenceLength, c.microBatch) = (10, 4)
        change(&c)
        return try TrainingPlan(c, rowsPerEpoch: rowsPerEpoch)
    }

    @Test func defaultsAreOneEpochInSingleMicroBatches() throws {
        let plan = try plan { _ in }
        #expect(plan.length == .steps(25) && plan.totalSteps == 25 && plan.totalTokens == 1000)
        #expect(plan.accumulation(afterTokens: 0) == 1)
        #expect(plan.schedule.warmup == .steps(0) && plan.schedule.total == .steps(25))
    }

    @Test func lengthsInStepsTokensAndEpochsAgree() throws {
        let steps = try plan { ($0.steps, $0.batchRows, $0.warmupSteps) = (15, 8, 3) }
        let tokens = try plan { ($0.tokens, $0.batchTokens, $0.warmupSteps) = (1200, 80, 3) }
        let epochs = try plan(rowsPerEpoch: 60) { ($0.epochs, $0.batchRows, $0.warmupTokens) = (2, 8, 240) }
        #expect([steps, tokens, epochs].map(\.totalSteps) == [15, 15, 15])
        #expect([steps, tokens, epochs].map(\.totalTokens) == [1200, 1200, 1200])
        for step in 0..<15 {
            let progress = TrainingProgress(steps: step, tokens: step * 80, batchTokens: 80)
            #expect(abs(steps.schedule.rate(at: progress) - tokens.schedule.rate(at: progress)) < 1e-15)
        }
    }

    /// While the batch grows, everything is counted in tokens.
    @Test func aRampCountsInTokens() throws {
        let plan = try plan { ($0.steps, $0.batchTokens, $0.rampStart, $0.rampTokens, $0.warmupSteps) = (20, 160, 40, 400, 2) }
        #expect(plan.schedule.warmup == .tokens(80))
        var (steps, tokens) = (0, 0)
        var sizes: [Int] = []
        while !plan.isDone(steps: steps, tokens: tokens) {
            sizes.append(plan.accumulation(afterTokens: tokens))
            tokens += sizes[steps] * 40
            steps += 1
        }
        #expect(steps == 20 && plan.totalSteps == 20 && plan.totalTokens == tokens && plan.schedule.total == .tokens(tokens))
        #expect(sizes.first == 1 && sizes.last == 4 && sizes == sizes.sorted())
    }

    @Test func aRampOverEpochsEndsWithTheData() throws {
        let plan = try plan(rowsPerEpoch: 100) { ($0.batchTokens, $0.rampStart, $0.rampTokens) = (160, 40, 400) }
        #expect(plan.length == .tokens(1000))
        var (steps, tokens) = (0, 0)
        while !plan.isDone(steps: steps, tokens: tokens) {
            tokens += plan.accumulation(afterTokens: tokens) * 40
            steps += 1
        }
        #expect(steps == plan.totalSteps)
    }

    private static let mistakes: [(@Sendable (inout TrainingConfiguration) -> Void, String)] = [
        ({ ($0.steps, $0.epochs) = (1, 1) }, "epochs: steps and epochs cannot both be given; leave one out"),
        ({ ($0.batchRows, $0.batchTokens) = (1, 1) }, "batch_rows: batch_tokens and batch_rows cannot both be given; leave one out"),
        ({ $0.steps = 0 }, "steps: must be above 0, found 0"),
        ({ $0.microBatch = -1 }, "micro_batch: must be above 0, found -1"),
        ({ $0.learningRate = 0 }, "learning_rate: must be above 0, found 0.0"),
        ({ $0.learningRate = .nan }, "learning_rate: must be above 0, found nan"),
        ({ $0.minimumRatio = 2 }, "minimum_ratio: must lie between 0 and 1, found 2.0"),
        ({ $0.dropout = 1 }, "dropout: must be at least 0 and below 1, found 1.0"),
        ({ $0.rampTokens = 100 }, "ramp_start: a ramp needs both ramp_start and ramp_tokens"),
        ({ ($0.rampStart, $0.rampTokens) = (10, 100) }, "ramp_start: a ramp needs batch_tokens or batch_rows to grow to"),
        ({ ($0.rampStart, $0.rampTokens, $0.batchRows) = (10, 100, 5) }, "ramp_start: 10 is more than the full batch of 5"),
        ({ $0.beta2 = 1 }, "beta2: must be at least 0 and below 1, found 1.0"),
        ({ $0.evaluateEvery = -1 }, "evaluate_every: must not be negative, found -1"),
        ({ $0.patience = 0 }, "patience: must be above 0, found 0"),
    ]

    @Test(arguments: 0..<14) func mistakesAreNamed(index: Int) {
        var c = TrainingConfiguration()
        Self.mistakes[index].0(&c)
        #expect(sentence { try c.validate() } == Self.mistakes[index].1)
    }

    @Test @Engine func aModelThatDoesNotFitIsRefused() throws {
        let folder = try TemporaryFolder()
        let environment = TrainingEnvironment(folder: folder.url)
        func error(_ change: (inout TrainingConfiguration) -> Void, _ batch: Batch = Batch([[1, 2]])) -> String {
            var c = tinyRun()
            change(&c)
            return sentence { _ = try Trainer(formulaModel(), c, source: MadeBatches { _ in batch }, environment: environment) }
        }
        #expect(error { $0.sequenceLength = 25 } == "sequence_length: 25 tokens do not fit the model's context of 24")
        #expect(error { $0.patience = 1 } == "patience: early stopping needs held-out data")
        #expect(
            sentence { try Batch([[1, 61, 2]]).check(for: formulaModel()) }
                == "the data holds token 61, the model's vocabulary ends at 60; pack the data with the model's tokenizer")
    }
}
