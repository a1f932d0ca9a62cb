import Foundation
import Testing
import YuyanData
import YuyanGeneration
import YuyanModels
import YuyanTensor
import YuyanText

@testable import YuyanEvaluation

@Suite @Engine struct FactAccuracyTests {
    @Test func anAnswerIsRightWhenItHoldsTheFact() async throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "YuyanGenerationTests/Fixtures/tiny-gpt2")
        let (tokenizer, model) = (try Tokenizer(contentsOf: folder), try loadModel(from: folder))
        // What the random model says to each question, one at a time; the facts are made from it.
        var questions: [HeldOutQuestion] = []
        for (number, text) in ["swift?", "燕子", "雨燕", "春天来了吗", "air"].enumerated() {
            let ids = try ChatTemplate.yuyan.encode([Message(role: "user", content: text)], with: tokenizer, addingGenerationPrompt: true).ids
            var configuration = GenerationConfiguration.greedy(maxTokens: 12)
            configuration.stopTokens = [0, 4]
            let said = try await complete(model, tokenizer: tokenizer, prompt: ids, configuration: configuration)[0].text
            let part = String(String.UnicodeScalarView(said.unicodeScalars.dropFirst().prefix(2)))
            questions.append(HeldOutQuestion(question: text, fact: number == 3 ? part + "燕窝" : part, answer: said, table: "t"))
        }
        let found = try await factAccuracy(questions, model: model, tokenizer: tokenizer, template: .yuyan, maxTokens: 12, batch: 2)
        #expect(found.answers.map(\.question) == questions.map(\.question))
        #expect(found.answers.map(\.answer) == questions.map(\.answer))
        #expect(found.answers.map(\.isRight) == [true, true, true, false, true])
        #expect(found.count == 5 && found.right == 4 && found.accuracy == 0.8)
    }
}
