import Foundation
import Testing
import YuyanModels
import YuyanTensor

@testable import YuyanData
@testable import YuyanTraining

@Suite struct ResumeTests {
    let folder: TemporaryFolder
    let reference: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        reference = try TemporaryFolder()
    }

    private struct Killed: Error {}

    /// Trains until `step` has been made and dies there, as if killed: nothing is saved on the way out.
    @Engine private func trainAndDie(_ c: TrainingConfiguration, after step: Int, dtype: DType, resuming: Bool = false) async throws {
        let trainer = try tinyTrainer(c, in: folder.url, dtype: dtype) {
            $0.report = { if $0.step == step { throw Killed() } }
        }
        if resuming { try trainer.resume() }
        await #expect(throws: Killed.self) { try await trainer.run() }
    }

    @Test(
        arguments: [(DType.float32, [1]), (.float32, [6, 7, 15]), (.bfloat16, [4]), (.bfloat16, [9, 19])], TrainingConfiguration.Optimizer.allCases)
    @Engine func aRunThatDiedGoesOnAsIfItHadNot(death: (DType, [Int]), optimizer: TrainingConfiguration.Optimizer) async throws {
        let (dtype, deaths) = death
        var c = tinyRun()
        c.optimizer = optimizer
        let whole = try tinyTrainer(c, in: reference.url, dtype: dtype)
        _ = try await whole.run()
        for (index, step) in deaths.enumerated() { try await trainAndDie(c, after: step, dtype: dtype, resuming: index > 0) }

        // Another seed: everything must come from the checkpoint, if there is one.
        let isSaved = deaths.last ?? 0 >= 4
        let trainer = try tinyTrainer(c, in: folder.url, dtype: dtype, seed: isSaved ? 99 : 5)
        #expect(try trainer.resume() == (isSaved ? (deaths.last ?? 0) / 4 * 4 : nil))
        let outcome = try await trainer.run()
        #expect(outcome.reason == .finished && outcome.steps == 20)
        #expect(try losses(of: folder.url) == losses(of: reference.url))
        for (a, b) in zip(whole.model.parameters, trainer.model.parameters) {
            #expect(try a.value.to(.float32).array(Float.self) == b.value.to(.float32).array(Float.self))
        }
        for file in ["model.safetensors", "trainer/optimizer.safetensors", "trainer/state.json"] {
            let path = "checkpoints/step-000020/\(file)"
            #expect(
                try Data(contentsOf: folder.url.appending(path: path)) == Data(contentsOf: reference.url.appending(path: path)), "\(file) differs")
        }
    }

    /// Interrupted in the middle of a step: the half-made step is forgotten, the rest is saved.
    @Test(arguments: [1, 2, 3, 11]) @Engine func anInterruptedRunSavesAndGoesOn(microBatches: Int) async throws {
        _ = try await tinyTrainer(in: reference.url).run()
        var looks = 0
        let trainer = try tinyTrainer(in: folder.url) {
            $0.isInterrupted = {
                looks += 1
                return looks == microBatches
            }
        }
        let outcome = try await trainer.run()
        #expect(outcome.reason == .interrupted && outcome.steps == (microBatches - 1) / 2)
        #expect(FileManager.default.fileExists(atPath: outcome.checkpoint.appending(path: "trainer/state.json").path))
        let again = try tinyTrainer(in: folder.url, seed: 99)
        #expect(try again.resume() == outcome.steps)
        _ = try await again.run()
        #expect(try losses(of: folder.url) == losses(of: reference.url))
    }

    @Test @Engine func aFinishedRunCanBeMadeLonger() async throws {
        _ = try await tinyTrainer(tinyRun(steps: 6), in: folder.url).run()
        let longer = try tinyTrainer(tinyRun(steps: 9), in: folder.url)
        try longer.resume()
        let outcome = try await longer.run()
        #expect(outcome.steps == 9)
        #expect(try MetricsLog.records(in: folder.url.appending(path: "metrics.jsonl")).map(\.step) == Array(1...9))
    }

    @Test @Engine func aFinishedRunHasNothingLeftToDo() async throws {
        _ = try await tinyTrainer(tinyRun(steps: 4), in: folder.url).run()
        let before = try losses(of: folder.url)
        let again = try tinyTrainer(tinyRun(steps: 4), in: folder.url)
        try again.resume()
        #expect(try await again.run().steps == 4)
        #expect(try losses(of: folder.url) == before)
    }

    private static let changes: [(String, @Sendable (inout TrainingConfiguration) -> Void, String)] = [
        ("learning_rate", { $0.learningRate = 1e-3 }, "learning_rate was 0.003 when this run was saved and is 0.001 now: set it back"),
        ("batch_rows", { $0.batchRows = 8 }, "batch_rows was 4"),
        ("steps", { $0.steps = 5 }, "steps was 6 when this run was saved and is 5 now: it can be raised, not lowered"),
        ("tokens", { ($0.steps, $0.tokens) = (nil, 10_000) }, "steps was 6 when this run was saved and is not given now"),
        ("seed", { $0.seed = 12 }, "seed was 11"),
        ("clip", { $0.clip = 0.5 }, "clip was 1"),
        ("optimizer", { $0.optimizer = .adamw8Bit }, "optimizer was \"adamw\" when this run was saved and is \"adamw-8bit\" now"),
    ]

    @Test(arguments: 0..<7) @Engine func aConfigurationThatWouldAlterTheRunIsRefused(index: Int) async throws {
        _ = try await tinyTrainer(tinyRun(steps: 6), in: folder.url).run()
        var changed = tinyRun(steps: 6)
        Self.changes[index].1(&changed)
        let trainer = try tinyTrainer(changed, in: folder.url)
        #expect(sentence { try trainer.resume() }.hasPrefix(Self.changes[index].2))
    }

    @Test @Engine func whatDoesNotAlterTheRunMayChange() async throws {
        _ = try await tinyTrainer(tinyRun(steps: 4), in: folder.url).run()
        var changed = tinyRun(steps: 8)
        (changed.checkpointEvery, changed.keepCheckpoints, changed.evaluateEvery, changed.recompute, changed.patience) = (1, 1, 2, true, 3)
        changed.samplePrompts = ["天"]
        let trainer = try tinyTrainer(changed, in: folder.url)
        try trainer.resume()
        #expect(try await trainer.run().steps == 8)
    }

    /// A run of a version that had no such key goes on with what it did then.
    @Test func aKeyThatCameLaterHadItsDefault() throws {
        var c = tinyRun()
        var saved = try c.values
        saved["optimizer"] = nil
        try c.check(resuming: saved)
        c.optimizer = .adamw8Bit
        #expect(throws: TrainingError.self) { try c.check(resuming: saved) }
    }

    @Test @Engine func anotherDtypeIsRefused() async throws {
        _ = try await tinyTrainer(tinyRun(steps: 4), in: folder.url).run()
        let trainer = try tinyTrainer(tinyRun(steps: 4), in: folder.url, dtype: .bfloat16)
        #expect(sentence { try trainer.resume() }.hasPrefix("dtype was float32 when this run was saved and is bfloat16 now"))
    }

    @Test @Engine func aNewRunDoesNotWriteOverAnOldOne() async throws {
        _ = try await tinyTrainer(tinyRun(steps: 4), in: folder.url).run()
        let before = try losses(of: folder.url)
        await #expect(throws: TrainingError.self) { try await tinyTrainer(tinyRun(steps: 4), in: folder.url).run() }
        #expect(try losses(of: folder.url) == before)
    }

    /// Weights that lie in a mapped file, at whatever address, give the same bits as those of a model made in memory.
    @Test(arguments: [DType.float32, .bfloat16]) @Engine func aModelReadFromAFileTrainsAlike(dtype: DType) async throws {
        Runtime.threadCount = 1
        let saved = folder.url.appending(path: "model")
        // A width that leaves most weights of the file at odd places.
        let configuration = GPTConfiguration(vocabularySize: 61, contextLength: 24, width: 20, layers: 2, heads: 2)
        try saveModel(formulaModel(configuration, dtype: dtype), to: saved, tokens: nil)
        for (name, model) in [("made", try formulaModel(configuration, dtype: dtype) as any LanguageModel), ("read", try loadModel(from: saved))] {
            let source = MadeBatches { Batch(formulaText(step: $0, rows: 0..<4, columns: 16)) }
            var c = tinyRun(steps: 6)
            c.dropout = 0
            _ = try await Trainer(model, c, source: source, environment: TrainingEnvironment(folder: folder.url.appending(path: name))).run()
            for parameter in model.parameters {
                parameter.value.withBytes { #expect(UInt(bitPattern: $0.baseAddress) % 64 == 0, "\(parameter.name) is not aligned") }
            }
        }
        #expect(try losses(of: folder.url.appending(path: "read")) == losses(of: folder.url.appending(path: "made")))
    }

    /// With the loader of packed text, across the end of an epoch.
    @Test @Engine func packedTextGoesOnWhereItStood() async throws {
        struct Killed: Error {}
        let shard = folder.url.appending(path: "train-00000.yyt")
        let writer = try TokenShardWriter(shard, tokenizerFingerprint: "0", vocabularySize: 61)
        for document in 0..<5 { try writer.append(formulaText(step: document, rows: document..<document + 1, columns: 70)[0]) }
        try writer.finish()
        let shards = try ShardSet([shard])
        func train(_ name: String, dyingAfter death: Int?) async throws {
            var environment = TrainingEnvironment(folder: folder.url.appending(path: name))
            environment.report = { if $0.step == death { throw Killed() } }
            let trainer = try Trainer(
                formulaModel(), tinyRun(), source: PretrainLoader(shards, sequenceLength: 16, batchSize: 2, seed: 4, separateDocuments: true),
                validation: PretrainLoader.validation(shards, sequenceLength: 16, batchSize: 2), environment: environment)
            try trainer.resume()
            _ = try await trainer.run()
        }
        try await train("whole", dyingAfter: nil)
        for death in [5, 10, 19] { await #expect(throws: Killed.self) { try await train("parts", dyingAfter: death) } }
        try await train("parts", dyingAfter: nil)
        #expect(try losses(of: folder.url.appending(path: "parts")) == losses(of: folder.url.appending(path: "whole")))
    }
}
