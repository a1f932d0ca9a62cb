import Foundation
import Testing
import YuyanTensor

@testable import YuyanData
@testable import YuyanModels
@testable import YuyanTraining

/// What torch computes, one sequence after the other (`Fixtures/heads.py`), against packed batches.
@Suite struct TaskHeadTests {
    struct Example: Decodable {
        var texts: [[Int32]]
        var label: Int
    }

    struct Gradient: Decodable {
        var norm: Double
        var samples: [Double]
    }

    struct Case: Decodable {
        var family: String
        var task: TaskHead.Task
        var examples: [Example]
        var scores: [[Double]]
        var taskLoss: Double
        var languageLoss: Double
        var gradients: [String: Gradient]
    }

    static let cases: [Case] = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/heads.json")
        do { return try JSONDecoder().decode([Case].self, from: Data(contentsOf: file)) } catch { fatalError("\(file.path): \(error)") }
    }()

    static let words = 40

    private func head(_ task: TaskHead.Task, limit: Int = 40) -> TaskHead {
        let labels =
            switch task {
            case .classification: ["差", "中", "好"]
            case .entailment, .similarity: ["0", "1"]
            case .choice: [String]()
            }
        return TaskHead(task: task, labels: labels, start: 40, delimiter: 41, extract: 42, limit: limit)
    }

    @Engine private func model(_ golden: Case) throws -> TaskModel {
        Runtime.threadCount = 1
        let shape = GPTConfiguration(vocabularySize: Self.words + 3, contextLength: 40, width: 32, layers: 2, heads: 4)
        let decoder: any LanguageModel = try golden.family == "gpt2" ? GPT(shape, seed: 0) : GPT1(shape, seed: 0)
        let model = try TaskModel(decoder, head(golden.task), seed: 0, dropout: 0)
        for parameter in model.parameters { try fill(parameter) }
        return model
    }

    /// The formula of `gpt2.py`.
    @Engine private func fill(_ parameter: Parameter) throws {
        let name = parameter.name.hasPrefix("transformer.") ? String(parameter.name.dropFirst(12)) : parameter.name
        let seed = name.utf8.reduce(0x811C_9DC5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
        let values = (0..<parameter.value.count).map { index in
            var x = seed &+ UInt32(truncatingIfNeeded: index) &* 2_654_435_761
            x ^= x >> 15
            x = x &* 2_246_822_519
            x ^= x >> 13
            let u = Double(x) / 4_294_967_296 - 0.5
            return name.hasSuffix(".bias") ? 0.2 * u : name.contains(".ln_") || name.hasPrefix("ln_f") ? 1 + 0.2 * u : 0.3 * u
        }
        try parameter.value.copy(from: Tensor(values, shape: parameter.value.shape))
    }

    private func loader(_ golden: Case, batchSize: Int = 4) throws -> LabelledExampleLoader {
        let head = head(golden.task)
        return try LabelledExampleLoader(
            golden.examples.map { .init(sequences: head.sequences(of: $0.texts), label: $0.label) }, sequenceLength: 40,
            batchSize: batchSize, padding: 0, seed: 3, epochs: 1)
    }

    @Test(arguments: cases.indices) @Engine func scoresOfPackedExamplesAgreeWithTorch(index: Int) throws {
        let golden = Self.cases[index]
        let decided = try decisions(of: model(golden), on: loader(golden))
        #expect(decided.map(\.number).sorted() == Array(golden.examples.indices))
        for decision in decided {
            let scores = golden.scores[decision.number]
            let sum = scores.reduce(0) { $0 + exp($1) }
            #expect(zip(decision.probabilities, scores).allSatisfy { abs($0 - exp($1) / sum) < 1e-5 })
            #expect(decision.probabilities.count == scores.count)
            #expect(decision.choice == scores.indices.max { scores[$0] < scores[$1] })
            #expect(decision.label == golden.examples[decision.number].label)
        }
    }

    @Test(arguments: cases.indices, [1, 4]) @Engine func lossAndGradientsAgreeWithTorch(index: Int, batchSize: Int) throws {
        let golden = Self.cases[index]
        let model = try model(golden)
        for parameter in model.parameters { try parameter.value.setRequiresGradient(true) }
        var loader = try loader(golden, batchSize: batchSize)
        var batches: [Batch] = []
        while let batch = try loader.next() { batches.append(batch) }
        let divisors = LossDivisors(batches)
        var loss = 0.0
        for batch in batches {
            let part = try model.loss(of: batch, outputWeight: model.outputWeight, divisors: divisors)
            try part.backward()
            loss += try part.item()
        }
        #expect(abs(loss - golden.taskLoss - 0.5 * golden.languageLoss) < 1e-4)
        for parameter in model.parameters {
            let gradient = try #require(try parameter.value.gradient, "\(parameter.name)").array(Double.self)
            let expected = try #require(golden.gradients[parameter.name], "\(parameter.name)")
            #expect(abs(gradient.reduce(0) { $0 + $1 * $1 }.squareRoot() - expected.norm) < 1e-3 * expected.norm + 1e-7, "\(parameter.name)")
            let samples = stride(from: 0, to: gradient.count, by: 7).prefix(6).map { gradient[$0] }
            #expect(zip(samples, expected.samples).allSatisfy { abs($0 - $1) < 1e-3 * expected.norm + 1e-7 }, "\(parameter.name)")
        }
        #expect(abs(try heldOutLoss(of: model, on: self.loader(golden)).loss - golden.taskLoss) < 1e-4)
    }

    @Test func sequencesAreCutAtTheLongestText() {
        let texts: [[Int32]] = [Array(1...9), Array(11...13)]
        #expect(head(.entailment, limit: 15).sequences(of: texts) == [[40, 1, 2, 3, 4, 5, 6, 7, 8, 9, 41, 11, 12, 13, 42]])
        #expect(head(.entailment, limit: 10).sequences(of: texts) == [[40, 1, 2, 3, 4, 41, 11, 12, 13, 42]])
        #expect(head(.entailment, limit: 8).sequences(of: texts) == [[40, 1, 2, 3, 41, 11, 12, 42]])
        #expect(head(.classification, limit: 5).sequences(of: [Array(1...9)]) == [[40, 1, 2, 3, 42]])
        #expect(head(.similarity, limit: 16).sequences(of: [[1], [2, 3]]) == [[40, 1, 41, 2, 3, 42], [40, 2, 3, 41, 1, 42]])
        #expect(head(.choice, limit: 10).sequences(of: [[1, 2, 3], [4], [5, 6]]) == [[40, 1, 41, 4, 42], [40, 1, 41, 5, 42]])
        for limit in 3...30 {
            for task in TaskHead.Task.allCases {
                let third: [[Int32]] = task == .choice ? [[7, 8, 9, 10, 11]] : []
                let sequences = head(task, limit: limit).sequences(of: [Array(1...9), Array(11...13)] + third)
                if limit >= 6 { #expect(sequences.reduce(0) { $0 + $1.count } <= limit) }
                #expect(sequences.allSatisfy { $0.first == 40 && $0.last == 42 })
            }
        }
    }

    /// A decoder is given a head and three tokens; trained, saved and read again it decides as before. transformers finds what it looks for.
    @Test(arguments: TaskHead.Task.allCases) @Engine func aModelWithAHeadIsKeptWhole(task: TaskHead.Task) throws {
        let folder = try TemporaryFolder()
        let (plain, kept) = (folder.url.appending(path: "plain"), folder.url.appending(path: "kept"))
        let decoder = try GPT1(GPTConfiguration(vocabularySize: 40, contextLength: 40, width: 32, layers: 2, heads: 4), seed: 1)
        try saveModel(decoder, to: plain, tokens: GenerationTokens(eos: [2], pad: 1))
        let labels = head(task).labels
        let model = try loadTaskModel(from: plain, task: task, labels: labels, limit: 40, seed: 5)
        #expect(model.head == head(task))
        #expect(model.vocabularySize == 43)
        // The old rows are as they were; the new ones are small and random.
        let (old, new) = (try decoder.outputWeight.array(Float.self), try model.outputWeight.array(Float.self))
        #expect(Array(new.prefix(old.count)) == old)
        #expect(new.suffix(96).allSatisfy { $0 != 0 && abs($0) < 0.12 })

        try saveModel(model, to: kept, tokens: GenerationTokens(eos: [2], pad: 1))
        let again = try #require(try loadModel(from: kept) as? TaskModel)
        #expect(again.head == model.head)
        for (a, b) in zip(model.parameters, again.parameters) {
            #expect(a.name == b.name)
            #expect(try a.value.array(Float.self) == b.value.array(Float.self))
        }
        let json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: kept.appending(path: "config.json"))) as? [String: Any])
        #expect(json["architectures"] as? [String] == ["OpenAIGPTForSequenceClassification"])
        #expect((json["id2label"] as? [String: String])?["0"] == (labels.first ?? "LABEL_0"))
        #expect((json["label2id"] as? [String: Int])?.count == max(1, labels.count))

        // Going on with the same task keeps the head; another one takes a new matrix and the same tokens.
        let same = try loadTaskModel(from: kept, task: task, labels: labels, limit: 40, seed: 6)
        #expect(try same.parameters.last?.value.array(Float.self) == model.parameters.last?.value.array(Float.self))
        let other = try loadTaskModel(from: kept, task: .classification, labels: ["甲", "乙", "丙", "丁"], limit: 40, seed: 6)
        #expect(other.vocabularySize == 43 && other.head.extract == 42)
        #expect(other.parameters.last?.value.shape == [4, 32])
        #expect(other.parameters.count == model.parameters.count)
    }

    /// The rule "more of the first token than of the second" is learnt, with the language model's loss beside it, and a resumed run ends with the same bits.
    @Test @Engine func aHeadLearnsAndResumesExactly() async throws {
        let folder = try TemporaryFolder()
        let plain = folder.url.appending(path: "plain")
        try saveModel(
            GPT(GPTConfiguration(vocabularySize: 40, contextLength: 40, width: 32, layers: 2, heads: 4), seed: 1), to: plain,
            tokens: GenerationTokens(eos: [2]))
        var random = SeededRandom(seed: 4)
        let examples = (0..<240).map { _ in
            let text = (0..<random.number(in: 5...9)).map { _ in Int32(random.number(in: 0...1)) }
            return LabelledExampleLoader.Example(
                sequences: head(.entailment, limit: 40).sequences(of: [text]), label: text.count { $0 == 0 } > text.count { $0 == 1 } ? 1 : 0)
        }
        func trainer(_ name: String, interruptedAt: Int? = nil) throws -> Trainer {
            let model = try loadTaskModel(from: plain, task: .classification, labels: ["0", "1"], limit: 40, dropout: 0.1, seed: 5)
            var c = TrainingConfiguration()
            (c.steps, c.sequenceLength, c.microBatch, c.batchRows, c.learningRate, c.dropout) = (90, 40, 4, 8, 5e-3, 0.1)
            (c.evaluateEvery, c.checkpointEvery) = (45, 45)
            var environment = TrainingEnvironment(folder: folder.url.appending(path: name))
            nonisolated(unsafe) var step = 0
            environment.report = { step = $0.step }
            environment.isInterrupted = { interruptedAt == step }
            return try Trainer(
                model, c, source: LabelledExampleLoader(Array(examples.dropLast(60)), sequenceLength: 40, batchSize: 4, padding: 0, seed: 0),
                validation: LabelledExampleLoader(
                    Array(examples.suffix(60)), sequenceLength: 40, batchSize: 4, padding: 0, seed: 0, shuffled: false, epochs: 1),
                environment: environment)
        }
        let outcome = try await trainer("whole").run()
        let heldOut = try #require(outcome.heldOut)
        #expect(try #require(heldOut.accuracy) > 0.9)
        #expect(heldOut.tokens == 60)

        #expect(try await trainer("parts", interruptedAt: 37).run().reason == .interrupted)
        let second = try trainer("parts")
        #expect(try second.resume() == 37)
        let resumed = try await second.run()
        #expect(resumed.heldOut == heldOut)
        #expect(resumed.loss == outcome.loss)
    }
}
