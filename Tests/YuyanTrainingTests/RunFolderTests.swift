import Foundation
import Testing
import YuyanModels
import YuyanTensor

@testable import YuyanData
@testable import YuyanTraining

@Suite struct RunFolderTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func text(_ name: String) throws -> String { try String(contentsOf: folder.url.appending(path: name), encoding: .utf8) }

    @Test @Engine func aRunLeavesMetricsEventsAPictureAndSamples() async throws {
        var reports: [TrainingProgressReport] = []
        let trainer = try tinyTrainer(tinyRun(steps: 10), in: folder.url) {
            $0.report = { reports.append($0) }
            $0.samples = { _, step in [TrainingSample(prompt: "天\n## Step 1", text: "地 \(step)")] }
            ($0.operationsPerToken, $0.ceiling) = (1e6, 1e12)
        }
        _ = try await trainer.run()
        let records = try MetricsLog.records(in: folder.url.appending(path: "metrics.jsonl"))
        #expect(records.map(\.step) == Array(1...10) && records.map(\.tokens) == (1...10).map { $0 * 64 })
        #expect(records.compactMap { $0[.validationLoss] == nil ? nil : $0.step } == [5, 10])
        #expect(records.allSatisfy { $0[.ceilingShare] ?? 0 > 0 })
        #expect(reports.map(\.step) == Array(1...10) && reports.map(\.loss) == records.map { $0[.loss] ?? 0 })
        #expect(reports.allSatisfy { $0.totalSteps == 10 && $0.timeLeft != nil })
        #expect(reports.compactMap { $0.checkpoint?.lastPathComponent } == ["step-000004", "step-000008", "step-000010"])
        #expect(reports.compactMap { $0.heldOut?.loss } == records.compactMap { $0[.validationLoss] })
        #expect(try text("loss.svg").contains("<svg"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).contains { $0.hasPrefix("events.out.tfevents.") })
        #expect(
            try text("samples.md") == """
                # 样本 Samples

                ## Step 5

                > **天
                > ## Step 1**
                >
                > 地 5

                ## Step 10

                > **天
                > ## Step 1**
                >
                > 地 10

                """)
    }

    /// What was written after the checkpoint is written again, not twice.
    @Test @Engine func samplesOfAResumedRunAreThoseOfAWholeOne() async throws {
        struct Killed: Error {}
        let (whole, parts) = (folder.url.appending(path: "whole"), folder.url.appending(path: "parts"))
        func train(in folder: URL, dyingAfter death: Int?) async throws {
            let trainer = try tinyTrainer(in: folder) {
                $0.samples = { _, step in [TrainingSample(prompt: "一", text: "\(step)")] }
                $0.report = { if $0.step == death { throw Killed() } }
            }
            try trainer.resume()
            _ = try await trainer.run()
        }
        try await train(in: whole, dyingAfter: nil)
        await #expect(throws: Killed.self) { try await train(in: parts, dyingAfter: 11) }
        try await train(in: parts, dyingAfter: nil)
        #expect(try text("parts/samples.md") == text("whole/samples.md"))
        #expect(try text("parts/samples.md").components(separatedBy: "## Step").count == 5)
    }

    @Test @Engine func warnsOfASpike() async throws {
        let model = try formulaModel()
        func train(_ name: String, steps: Int, rate: Double, on text: @escaping @Sendable (Int) -> [[Int32]]) async throws -> [String] {
            var c = TrainingConfiguration()
            (c.steps, c.sequenceLength, c.microBatch, c.learningRate, c.evaluateEvery, c.checkpointEvery) = (steps, 16, 2, rate, 0, 0)
            var warnings: [String] = []
            var environment = TrainingEnvironment(folder: folder.url.appending(path: name))
            environment.report = { warnings += $0.warnings }
            _ = try await Trainer(model, c, source: MadeBatches { Batch(text($0)) }, environment: environment).run()
            return warnings
        }
        let known = formulaText(step: 0, rows: 0..<2, columns: 16)
        _ = try await train("before", steps: 60, rate: 1e-2) { _ in known }
        let warnings = try await train("after", steps: 40, rate: 1e-7) { $0 == 34 ? known.map { $0.reversed() } : known }
        #expect(warnings.contains { $0.hasPrefix("Step 35: the loss jumped to ") })
        #expect(warnings.contains { $0.hasPrefix("Step 35: the gradient norm jumped to ") } && warnings.count == 2)
    }
}
