import Foundation
import Testing
import YuyanModels
import YuyanTensor
import YuyanText

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

    /// A checkpoint is all that a chat needs: the tokenizer with its template, and the tokens that end an answer.
    @Test @Engine func holdsTheTokenizerAndItsStopTokens() async throws {
        let text = folder.url.appending(path: "text.txt")
        try Data("春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。".utf8).write(to: text)
        let tokenizer = try TokenizerTrainer.train(kind: .bpe, vocabularySize: 280, files: [text])
        var configuration = tinyGPT
        configuration.vocabularySize = tokenizer.vocabularySize
        let source = MadeBatches { Batch(formulaText(step: $0, rows: 0..<2, columns: 16)) }
        func outcome(_ model: GPT) async throws -> TrainingOutcome {
            try await Trainer(
                model, tinyRun(steps: 4), source: source,
                environment: TrainingEnvironment(folder: folder.url.appending(path: "run"), tokenizer: tokenizer)
            ).run()
        }
        let checkpoint = try await outcome(GPT(configuration, seed: 1)).checkpoint
        let read = try Tokenizer(contentsOf: checkpoint)
        #expect(read.fingerprint == tokenizer.fingerprint && read.chatTemplate == .yuyan)
        let tokens = try #require(try GenerationTokens(contentsOf: checkpoint))
        #expect(tokens.eos == ["<|end|>", "<|endoftext|>"].compactMap { read.id(of: $0).map(Int.init) } && tokens.eos.count == 2)

        let error = await #expect(throws: TrainingError.self) { _ = try await outcome(formulaModel()) }
        #expect(error?.description.hasPrefix("the tokenizer has \(tokenizer.vocabularySize) tokens, the model's embedding only 61") == true)
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

    /// Metrics that cannot be written end the run with the checkpoint to go on from.
    @Test(.enabled(if: canMount, "a full disk needs the right to mount a small one")) @Engine func aFullDiskUnderTheMetricsIsNamedToo() async throws {
        let disk = folder.url
        try #require(Self.run("mount", "-t", "tmpfs", "-o", "size=1100k", "tmpfs", disk.path))
        defer { _ = Self.run("umount", "-l", disk.path) }
        var c = tinyRun(steps: 60)
        (c.checkpointEvery, c.evaluateEvery) = (30, 0)
        let trainer = try tinyTrainer(c, in: disk) { environment in
            environment.report = { if $0.step == 31 { try Self.fill(disk) } }
        }
        let error = await #expect(throws: TrainingError.self) { try await trainer.run() }
        let sentence = try #require(error?.description)
        #expect(
            sentence.hasPrefix("Cannot write to ") && sentence.contains("No space left on device: ")
                && sentence.contains("step-000030 is intact, resume from it when there is room"), "\(sentence)")
    }

    private static func fill(_ disk: URL) throws {
        let file = disk.appending(path: "filler")
        try Data().write(to: file)
        let handle = try FileHandle(forWritingTo: file)
        for size in [1 << 16, 1 << 12, 1 << 8, 1] { while (try? handle.write(contentsOf: Data(count: size))) != nil {} }
    }

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
