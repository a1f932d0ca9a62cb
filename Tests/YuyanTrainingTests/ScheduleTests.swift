import Foundation
import Testing
import YuyanTraining

@Suite struct ScheduleTests {
    private func rate(_ schedule: LearningRateSchedule, step: Int) -> Double {
        schedule.rate(at: TrainingProgress(steps: step, tokens: 0, batchTokens: 0))
    }

    private func isClose(_ value: Double, _ expected: Double) -> Bool {
        abs(value - expected) <= 1e-14 + 1e-12 * abs(expected)
    }

    /// Peak · (t+1)/w: the first step learns, the last of the warm-up has the peak, and so has the first after it.
    @Test(arguments: [LearningRateSchedule.Kind.cosine, .linear, .constant, .wsd])
    func warmsUp(kind: LearningRateSchedule.Kind) {
        let schedule = LearningRateSchedule(kind: kind, peak: 6e-4, warmup: .steps(100), total: .steps(1000))
        #expect(isClose(rate(schedule, step: 0), 6e-6))
        #expect(isClose(rate(schedule, step: 49), 3e-4))
        #expect(isClose(rate(schedule, step: 99), 6e-4))
        #expect(isClose(rate(schedule, step: 100), 6e-4))
    }

    @Test(arguments: LearningRateSchedule.Kind.allCases)
    func startsAtThePeakWithoutWarmup(kind: LearningRateSchedule.Kind) {
        guard kind != .noam else { return }
        #expect(rate(LearningRateSchedule(kind: kind, peak: 1, total: .steps(10)), step: 0) == 1)
    }

    /// Values of transformers 5.23, `get_cosine_schedule_with_warmup` with `min_lr_rate` 0.1, 100 warm-up steps of 1000, lr 6e-4.
    @Test(arguments: [
        (100, 0.0006), (200, 0.0005837170076121951), (550, 0.00033), (775, 0.00013908116907963218), (999, 6.0001644932396594e-05),
        (1000, 6e-05), (1500, 6e-05),
    ])
    func cosineIsThatOfTransformers(step: Int, expected: Double) {
        let schedule = LearningRateSchedule(kind: .cosine, peak: 6e-4, minimumRatio: 0.1, warmup: .steps(100), total: .steps(1000))
        #expect(isClose(rate(schedule, step: step), expected))
    }

    /// `get_linear_schedule_with_warmup`, which has no minimum.
    @Test(arguments: [(100, 0.0006), (200, 0.0005333333333333333), (550, 0.0003), (775, 0.00015), (999, 6.666666666666666e-07), (1000, 0)])
    func linearIsThatOfTransformers(step: Int, expected: Double) {
        let schedule = LearningRateSchedule(kind: .linear, peak: 6e-4, minimumRatio: 0, warmup: .steps(100), total: .steps(1000))
        #expect(isClose(rate(schedule, step: step), expected))
    }

    /// `get_wsd_schedule` with 100 warm-up, 700 stable, 200 decay steps, `decay_type="1-sqrt"`, `min_lr_ratio=0.1`.
    @Test(arguments: [
        (100, 0.0006), (799, 0.0006), (800, 0.0006), (801, 0.0005618162338159264), (850, 0.00033), (900, 0.00021816233815926428),
        (999, 6.135169173197994e-05), (1000, 6e-05), (1200, 6e-05),
    ])
    func wsdIsThatOfTransformers(step: Int, expected: Double) {
        let schedule = LearningRateSchedule(
            kind: .wsd, peak: 6e-4, minimumRatio: 0.1, warmup: .steps(100), total: .steps(1000), decayRatio: 0.2)
        #expect(isClose(rate(schedule, step: step), expected))
    }

    @Test func constantStays() {
        let schedule = LearningRateSchedule(kind: .constant, peak: 1e-3, warmup: .steps(10), total: .steps(20))
        #expect(rate(schedule, step: 15) == 1e-3)
        #expect(rate(schedule, step: 2000) == 1e-3)
    }

    /// The base model of Vaswani et al.: width 512, 4000 warm-up steps, at its highest 1/√(512·4000) in step 4000.
    @Test func noamIsThatOfThePaper() {
        let schedule = LearningRateSchedule(kind: .noam, peak: 1, warmup: .steps(4000), total: .steps(100_000), width: 512)
        #expect(isClose(rate(schedule, step: 0), 1.746928107421711e-07))
        #expect(isClose(rate(schedule, step: 1999), 0.00034938562148434214))
        #expect(isClose(rate(schedule, step: 3999), 0.0006987712429686843))
        #expect(isClose(rate(schedule, step: 15_999), 0.00034938562148434214))
    }

    /// ModelScope leaves the width out: `lr · min(s^-0.5, s·w^-1.5)`.
    @Test func noamWithoutWidthIsThatOfModelScope() {
        let schedule = LearningRateSchedule(kind: .noam, peak: 3e-4, warmup: .steps(100), total: .steps(1000))
        #expect(isClose(rate(schedule, step: 0), 3e-7))
        #expect(isClose(rate(schedule, step: 99), 3e-5))
        #expect(isClose(rate(schedule, step: 399), 1.5e-5))
    }

    @Test(arguments: [LearningRateSchedule.Kind.cosine, .linear, .constant, .wsd])
    func tokensAndStepsAgreeWhileTheBatchIsConstant(kind: LearningRateSchedule.Kind) {
        let batch = 4096
        let steps = LearningRateSchedule(kind: kind, warmup: .steps(7), total: .steps(50))
        let tokens = LearningRateSchedule(kind: kind, warmup: .tokens(7 * batch), total: .tokens(50 * batch))
        for step in 0..<60 {
            let progress = TrainingProgress(steps: step, tokens: step * batch, batchTokens: batch)
            #expect(isClose(steps.rate(at: progress), tokens.rate(at: progress)))
        }
    }

    @Test func readsAndWritesItsConfiguration() throws {
        let schedule = LearningRateSchedule(kind: .wsd, peak: 1e-3, warmup: .tokens(1000), total: .tokens(50_000), width: 64)
        #expect(try JSONDecoder().decode(LearningRateSchedule.self, from: JSONEncoder().encode(schedule)) == schedule)
        #expect(try JSONDecoder().decode(Extent.self, from: Data(#"{"steps": 12}"#.utf8)) == .steps(12))
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(Extent.self, from: Data(#"{"steps": 1, "tokens": 2}"#.utf8)) }
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(Extent.self, from: Data("{}".utf8)) }
    }

    @Test(arguments: [
        (LearningRateSchedule(peak: 0, total: .steps(10)), "peak"),
        (LearningRateSchedule(minimumRatio: 1.5, total: .steps(10)), "minimum_ratio"),
        (LearningRateSchedule(warmup: .steps(5), total: .tokens(10)), "agree"),
        (LearningRateSchedule(warmup: .steps(-1), total: .steps(10)), "negative"),
        (LearningRateSchedule(warmup: .steps(10), total: .steps(10)), "leaves nothing"),
        (LearningRateSchedule(kind: .noam, total: .steps(10)), "at least 1 step"),
        (LearningRateSchedule(kind: .wsd, total: .steps(10), decayRatio: 0), "decay_ratio"),
    ])
    func refusesWhatMakesNoSense(schedule: LearningRateSchedule, word: String) {
        let error = #expect(throws: ScheduleError.self) { try schedule.validate() }
        #expect(error?.description.contains(word) == true)
    }
}

@Suite struct BatchRampTests {
    private let ramp = BatchRamp(start: 32_768, end: 98_304, increment: 16_384, rampTokens: 1_000_000)

    @Test(arguments: [(0, 32_768), (249_999, 32_768), (250_000, 49_152), (500_000, 65_536), (999_999, 81_920), (1_000_000, 98_304)])
    func climbsInEqualStairs(tokens: Int, size: Int) {
        #expect(ramp.size(afterTokens: tokens) == size)
    }

    @Test func theLastStairMayBeLower() {
        let ramp = BatchRamp(unit: .sequences, start: 4, end: 9, increment: 2, rampTokens: 300)
        #expect([0, 100, 200, 299, 300].map { ramp.size(afterTokens: $0) } == [4, 6, 8, 8, 9])
    }

    @Test func accumulatesToTheNearestSize() {
        #expect(ramp.accumulation(afterTokens: 0, rows: 8, columns: 1024) == 4)
        #expect(ramp.accumulation(afterTokens: 1_000_000, rows: 8, columns: 1024) == 12)
        #expect(ramp.accumulation(afterTokens: 0, rows: 64, columns: 1024) == 1)
        let sequences = BatchRamp(constant: 48, unit: .sequences)
        #expect(sequences.accumulation(afterTokens: 12_345, rows: 8, columns: 1024) == 6)
    }

    @Test func countsTheTokensOfSteps() {
        var (tokens, steps) = (0, 0)
        while tokens < 1_500_000 {
            #expect(ramp.tokens(in: .steps(steps), rows: 8, columns: 1024) == tokens)
            tokens += ramp.accumulation(afterTokens: tokens, rows: 8, columns: 1024) * 8 * 1024
            steps += 1
        }
        #expect(ramp.tokens(in: .tokens(77), rows: 8, columns: 1024) == 77)
        #expect(BatchRamp(constant: 4096).tokens(in: .steps(10), rows: 4, columns: 256) == 40_960)
    }

    @Test(arguments: [
        (BatchRamp(start: 0, end: 10, increment: 1, rampTokens: 5), "start"), (BatchRamp(start: 11, end: 10, increment: 1, rampTokens: 5), "end"),
        (BatchRamp(start: 1, end: 10, increment: 0, rampTokens: 5), "increment"),
        (BatchRamp(start: 1, end: 10, increment: 1, rampTokens: -5), "ramp_tokens"),
    ])
    func refusesWhatMakesNoSense(ramp: BatchRamp, word: String) {
        let error = #expect(throws: ScheduleError.self) { try ramp.validate() }
        #expect(error?.description.contains(word) == true)
    }
}
