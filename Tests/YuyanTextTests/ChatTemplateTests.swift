import Foundation
import Testing

@testable import YuyanText

@Suite struct ChatTemplateTests {
    private let messages = [
        Message(role: "system", content: "你是雨燕。"), Message(role: "user", content: "你好<|end|>！"), Message(role: "assistant", content: "你好！"),
    ]

    @Test func rendersOurTemplate() {
        let text = ChatTemplate.yuyan.render(messages, addingGenerationPrompt: true)
        #expect(text == "<|system|>你是雨燕。<|end|><|user|>你好<|end|>！<|end|><|assistant|>你好！<|end|><|assistant|>")
    }

    @Test func jinjaIsReadBack() throws {
        #expect(ChatTemplate(jinja: ChatTemplate.yuyan.jinja) == .yuyan)
        let chatML = ChatTemplate(open: "<|im_start|>{role}\n", close: "<|im_end|>\n", stop: ["<|im_end|>\n"])
        #expect(ChatTemplate(jinja: chatML.jinja) == .chatML)
        let other = ChatTemplate(open: "<{role}>", close: "</>", stop: ["</>"])
        #expect(ChatTemplate(jinja: other.jinja) == other)
        for template in ChatTemplate.known { #expect(ChatTemplate(jinja: template.jinja) == template, "\(template.name)") }
        #expect(ChatTemplate(jinja: "{{ messages[0]['content'] }}") == nil)
        let copy = try JSONDecoder().decode(ChatTemplate.self, from: JSONEncoder().encode(chatML))
        #expect(copy == chatML)
    }

    @Test(arguments: TokenizerTrainer.Kind.allCases)
    func encodesContentAsPlainText(_ kind: TokenizerTrainer.Kind) throws {
        let tokenizer = try TokenizerTrainer.train(kind: kind, vocabularySize: 420, texts: [sampleText])
        let (ids, answer) = try ChatTemplate.yuyan.encode(messages, with: tokenizer, addingGenerationPrompt: true)
        #expect(ids.count == answer.count)
        let end = try #require(tokenizer.id(of: "<|end|>"))
        // Three turns, three ends: the one that the user wrote is text.
        #expect(ids.filter { $0 == end }.count == 3)
        #expect(ids.last == tokenizer.id(of: "<|assistant|>"))
        let answerIDs = zip(ids, answer).filter(\.1).map(\.0)
        #expect(answerIDs == tokenizer.encode(plain: "你好！") + [end])
        #expect(tokenizer.encode("<|end|>") == [end])
        #expect(!tokenizer.encode(plain: "<|end|>").contains(end))
    }

    @Test func missingMarkerIsNamed() throws {
        let tokenizer = try Tokenizer(contentsOf: fixtures.appending(path: "wordpiece-bert"))
        let error = #expect(throws: TokenizerError.self) {
            try ChatTemplate.yuyan.encode(messages, with: tokenizer, addingGenerationPrompt: false)
        }
        #expect(error?.description.contains("<|system|>") ?? false)
    }
}
