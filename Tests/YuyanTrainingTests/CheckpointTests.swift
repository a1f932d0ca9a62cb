import Foundation
import Testing
import YuyanModels
import YuyanTensor

@testable import YuyanData
@testable import YuyanTraining

@Suite struct CheckpointTests {
    let folder: TemporaryFolder
    let reference: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        reference = try TemporaryFolder()
    }

    private var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.url.appending(path: "checkpoints").path)) ?? []).sorted()
    }

    private func link(_ name: String) -> String? { try? FileManager.default.destinationOfSymbolicLink(atPath: folder.url.appending(path: name).path) }

    @Test @Engine func theLastOnesStayAndLatestPointsAtTheNewest() async throws {
        let outcome = try await tinyTrainer(in: folder.url).run()
        #expect(names == ["step-000016", "step-000020"])
        #expect(link("latest") == "checkpoints/step-000020")
        #expect(link("best") == nil)
        #expect(outcome.checkpoint.lastPathComponent == "step-000020")
        #expect(TrainingCheckpoints(run: folder.url).last == outcome.checkpoint)
        // `latest` is a folder that every command takes for a model.
        let model = try loadModel(from: folder.url.appending(path: "latest"))
        #expect(model.parameterCount == tinyGPT.parameterCount)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: outcome.checkpoint.path).sorted() == ["config.json", "model.safetensors", "trainer"])
    }

    @Test @Engine func theBestOneStays() async throws {
        var c = tinyRun(steps: 40)
        (c.learningRate, c.schedule, c.evaluateEvery, c.checkpointEvery, c.keepCheckpoints, c.keepBest) = (3e-2, .constant, 3, 10, 1, true)
        let outcome = try await tinyTrainer(c, in: folder.url).run()
        let records = try MetricsLog.records(in: folder.url.appending(path: "metrics.jsonl")).filter { $0[.validationLoss] != nil }
        let best = try #require(records.min { $0[.validationLoss] ?? 0 < $1[.validationLoss] ?? 0 })
        try #require(best.step < 40, "this test needs a run that gets worse")
        #expect(outcome.bestStep == best.step && outcome.bestLoss == best[.validationLoss])
        #expect(names == [TrainingCheckpoints.name(step: best.step), "step-000040"])
        #expect(link("best") == "checkpoints/\(TrainingCheckpoints.name(step: best.step))")
        #expect(outcome.bestCheckpoint?.lastPathComponent == TrainingCheckpoints.name(step: best.step))
    }

    @Test @Engine func stopsWhenTheHeldOutLossNoLongerImproves() async throws {
        var c = tinyRun(steps: 400)
        (c.learningRate, c.schedule, c.evaluateEvery, c.patience) = (3e-2, .constant, 2, 2)
        let outcome = try await tinyTrainer(c, in: folder.url).run()
        #expect(outcome.reason == .stoppedEarly)
        #expect(outcome.steps == (outcome.bestStep ?? 0) + 4)
        #expect(outcome.bestCheckpoint != nil)
    }

    @Test @Engine func whatACrashLeftIsRemoved() async throws {
        let left = folder.url.appending(path: "checkpoints/.tmp-step-000004")
        try FileManager.default.createDirectory(at: left, withIntermediateDirectories: true)
        try Data("half".utf8).write(to: left.appending(path: "model.safetensors"))
        let trainer = try tinyTrainer(tinyRun(steps: 4), in: folder.url)
        #expect(try trainer.resume() == nil)
        _ = try await trainer.run()
        #expect(names == ["step-000004"])
    }

    /// Dies at every point of writing a checkpoint: what is there afterwards is whole, and the same or newer than before.
    @Test(arguments: 0..<4) func aCheckpointIsWholeOrNotThere(point: Int) throws {
        struct Killed: Error {}
        let checkpoints = TrainingCheckpoints(run: folder.url)
        func write(_ folder: URL, until point: Int) throws {
            for (index, name) in ["a", "b/c", "d"].enumerated() {
                if index == point { throw Killed() }
                let file = folder.appending(path: name)
                try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(name.utf8).write(to: file)
            }
        }
        _ = try checkpoints.save(step: 1, best: nil, keep: 2) { try write($0, until: 3) }
        if point < 3 {
            let error = #expect(throws: TrainingError.self) { _ = try checkpoints.save(step: 2, best: nil, keep: 2) { try write($0, until: point) } }
            #expect(error?.description.hasPrefix("the checkpoint of step 2 could not be saved (Killed()): ") == true)
            #expect(error?.description.contains("step-000001 is intact") == true)
        } else {
            _ = try checkpoints.save(step: 2, best: nil, keep: 2) { try write($0, until: point) }
        }
        #expect(checkpoints.steps == (point < 3 ? [1] : [1, 2]))
        #expect(link("latest") == "checkpoints/step-00000\(point < 3 ? 1 : 2)")
        for name in names { #expect(FileManager.default.fileExists(atPath: folder.url.appending(path: "checkpoints/\(name)/b/c").path)) }
    }

    @Test func savingAStepAgainReplacesIt() throws {
        let checkpoints = TrainingCheckpoints(run: folder.url)
        for text in ["old", "new"] {
            _ = try checkpoints.save(step: 3, best: nil, keep: 1) {
                try FileManager.default.createDirectory(at: $0, withIntermediateDirectories: true)
                try Data(text.utf8).write(to: $0.appending(path: "x"))
            }
        }
        #expect(try String(contentsOf: checkpoints.url(step: 3).appending(path: "x"), encoding: .utf8) == "new")
        #expect(names == ["step-000003"])
    }

    // MARK: A full disk

    private static func run(_ command: String...) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    private static let canMount: Bool = {
        guard let probe = try? TemporaryFolder(), run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", probe.url.path) else { return false }
        return run("umount", probe.url.path)
    }()

    /// A disk with room for two checkpoints and not for a third.
    @Test(.enabled(if: canMount, "a full disk needs the right to mount a small one")) @Engine func aFullDiskLeavesThePreviousCheckpoint() async throws
    {
        _ = try await tinyTrainer(in: reference.url).run()

        try #require(Self.run("mount", "-t", "tmpfs", "-o", "size=1100k", "tmpfs", folder.url.path))
        defer { _ = Self.run("umount", "-l", folder.url.path) }
        let error = await #expect(throws: TrainingError.self) { try await tinyTrainer(in: folder.url).run() }
        let sentence = try #require(error?.description)
        #expect(sentence.contains("the checkpoint of step 12 could not be saved") && sentence.contains("No space left on device"))
        #expect(sentence.contains("step-000008 is intact"))
        #expect(names == ["step-000004", "step-000008"])
        #expect(link("latest") == "checkpoints/step-000008")

        try #require(Self.run("mount", "-o", "remount,size=4m", folder.url.path))
        let trainer = try tinyTrainer(in: folder.url, seed: 99)
        #expect(try trainer.resume() == 8)
        _ = try await trainer.run()
        #expect(try losses(of: folder.url) == losses(of: reference.url))
    }
}
