import Foundation
import Testing
import YuyanModels
import YuyanTensor
import YuyanText

@testable import YuyanEvaluation

@Suite @Engine struct PerplexityTests {
    private let model: GPT
    init() throws {
        model = try GPT(
            GPTConfiguration(vocabularySize: 31, contextLength: 12, width: 16, layers: 2, heads: 2, initializerRange: 0.4), seed: 5)
    }

    private func stream(_ count: Int, _ step: Int) -> [Int32] { (0..<count).map { Int32($0 * step % 29) } }

    /// −ln p of every token of a stream but the first, each in a pass of its own over the tokens from `begin` on.
    private func losses(_ tokens: [Int32], rows: Int = 31, begin: (Int) -> Int) throws -> [Double] {
        try (1..<tokens.count).map { position in
            let seen = tokens[begin(position)..<position].map(Int64.init)
            let hidden = try model(Tensor(seen, shape: [1, seen.count]), ForwardContext()).select(1, seen.count - 1)
            let logits = try model.logits(hidden).narrow(1, start: 0, length: rows).to(.float64)
            return try -logits.logSoftmax(along: 1).array(Double.self)[Int(tokens[position])]
        }
    }

    @Test(arguments: [2, 12, 13, 14, 25, 40], [1, 5, 6, 12]) func windowsPredictEveryTokenOnce(count: Int, stride: Int) async throws {
        let tokens = stream(count, 7)
        let found = try await perplexity(of: [tokens], model: model, stride: stride, batch: 3)
        // The first context from its beginning, then each token from the beginning of the first window that reaches it.
        let expected = try losses(tokens) { position in position <= 12 ? 0 : (position - 12 + stride - 1) / stride * stride }
        #expect(found.tokens == count - 1)
        #expect(abs(found.totalLoss - expected.reduce(0, +)) < 1e-3)
        #expect(abs(found.perplexity - exp(found.totalLoss / Double(count - 1))) < 1e-9)
    }

    @Test func streamsOfAllLengthsAddUpWhateverTheBatch() async throws {
        let streams = [stream(9, 3), [], stream(30, 5), stream(1, 1), stream(12, 11), stream(4, 2)]
        var expected = 0.0
        for tokens in streams { expected += try await perplexity(of: [tokens], model: model).totalLoss }
        for batch in [1, 2, 8] {
            let found = try await perplexity(of: streams, model: model, batch: batch)
            #expect(found.tokens == 8 + 29 + 11 + 3)
            #expect(abs(found.totalLoss - expected) < 1e-3)
        }
    }

    @Test func paddedRowsHaveNoProbability() async throws {
        let tokens = stream(10, 3)
        let found = try await perplexity(of: [tokens], model: model, vocabularySize: 29)
        #expect(abs(found.totalLoss - (try losses(tokens, rows: 29) { _ in 0 }.reduce(0, +))) < 1e-3)
    }

    @Test func tokensWithoutARowAreRefused() async throws {
        await #expect(throws: EvaluationError("The text holds the token 40, and the model knows 0 to 30 only.")) {
            _ = try await perplexity(of: [[1, 2], [40]], model: model)
        }
    }

    @Test func textsBeginWithTheBeginningOfText() async throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "YuyanGenerationTests/Fixtures/tiny-gpt2")
        let (tokenizer, model) = (try Tokenizer(contentsOf: folder), try loadModel(from: folder))
        let texts = ["雨燕一生都在飞。", "the swift"]
        let found = try await perplexity(of: texts, model: model, tokenizer: tokenizer)
        let ids = texts.map { [0] + tokenizer.encode($0) }
        let expected = try await perplexity(of: ids, model: model, vocabularySize: tokenizer.vocabularySize)
        #expect(found.tokens == ids.reduce(0) { $0 + $1.count - 1 } && found.totalLoss == expected.totalLoss)
        #expect(found.characters == 17)
        #expect(abs(found.bitsPerCharacter * 17 * log(2) - found.totalLoss) < 1e-9)
        let error = await #expect(throws: EvaluationError.self) { _ = try await perplexity(of: texts, model: self.model, tokenizer: tokenizer) }
        #expect(error?.description.contains("has 340 tokens and the model's embedding only 31 rows") == true)
    }
}
