import Foundation
import Testing
import YuyanModels
import YuyanTensor

@testable import YuyanGeneration

private let stories: URL? = ProcessInfo.processInfo.environment["YUYAN_TEST_DATA"].map {
    URL(fileURLWithPath: $0).appending(path: "weights/stories260K")
}

/// A real trained LLaMA, as a Hugging Face folder and as llama2.c's file, writes the story that it writes elsewhere (karpathy/llama2.c, stories260K).
@Suite(.enabled(if: stories != nil, "YUYAN_TEST_DATA names no folder of real data")) struct StoriesTests {
    @Test(arguments: ["hf", "stories260K.bin", "."]) @Engine func greedyTokensAreThoseOfEverybody(name: String) async throws {
        let folder = try #require(stories)
        let expected = try JSONDecoder().decode([Int32].self, from: Data(contentsOf: folder.appending(path: "greedy_ids.json")))
        let model = try loadModel(from: folder.appending(path: name))
        let completion = try await complete(
            model, tokenizer: nil, prompt: [expected[0]], configuration: .greedy(maxTokens: expected.count - 1))
        #expect(completion[0].tokens.map(\.id) == Array(expected.dropFirst()))
    }

    /// Nothing is kept: every token is computed from the whole text before it.
    @Test @Engine func greedyTokensWithoutACache() throws {
        let folder = try #require(stories)
        let expected = try JSONDecoder().decode([Int64].self, from: Data(contentsOf: folder.appending(path: "greedy_ids.json")))
        let model = try loadModel(from: folder.appending(path: "stories260K.bin"))
        var tokens = [expected[0]]
        while tokens.count < expected.count {
            let hidden = try withInference { try model(Tensor(tokens, shape: [1, tokens.count]), ForwardContext()) }
            tokens.append(try model.logits(hidden.select(1, tokens.count - 1)).argmax(along: -1).array(Int64.self)[0])
        }
        #expect(tokens == expected)
    }

    @Test @Engine func bothFilesHoldTheSameWeights() throws {
        let folder = try #require(stories)
        let (a, b) = (try loadModel(from: folder.appending(path: "hf")), try loadModel(from: folder.appending(path: "stories260K.bin")))
        #expect(a.parameters.map(\.name) == b.parameters.map(\.name))
        for (one, other) in zip(a.parameters, b.parameters) {
            #expect(try one.value.array(Float.self) == other.value.array(Float.self), "\(one.name)")
        }
    }

    @Test(arguments: [0, 20, 28, 5000]) @Engine func aCutFileIsRefused(bytes: Int) throws {
        let folder = try #require(stories)
        let file = FileManager.default.temporaryDirectory.appending(path: "cut-\(UUID().uuidString).bin")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(contentsOf: folder.appending(path: "stories260K.bin")).prefix(bytes).write(to: file)
        let error = #expect(throws: WeightsError.self) { try loadModel(from: file) }
        #expect(error?.description.contains("\(bytes)") == true)
    }
}
