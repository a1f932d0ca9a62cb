import Foundation
import Testing

@testable import YuyanText

/// The formats against Jinja: `Fixtures/chat_templates.json` holds their Jinja, the conversations, and what jinja2 makes of them (`chat_templates.py`).
@Suite struct ChatFormatTests {
    private struct Golden: Decodable {
        struct Case: Decodable {
            var messages: [Message]
            var addsPrompt: Bool
            /// By the template's name.
            var rendered: [String: String]
        }

        /// Spellings that model makers publish, and the kind each is; null: none that is known.
        struct Published: Decodable {
            var jinja: String
            var name: String?
            var rendered: [String]
        }

        var jinja: [String: String]
        var cases: [Case]
        var published: [Published]
    }

    private func golden() throws -> Golden {
        try JSONDecoder().decode(Golden.self, from: Data(contentsOf: fixtures.appending(path: "chat_templates.json")))
    }

    @Test func `what we render is what Jinja renders`() throws {
        let golden = try golden()
        for template in ChatTemplate.known {
            #expect(golden.jinja[template.name] == template.jinja, "\(template.name): run chat_templates.py with this: \(template.jinja)")
            for one in golden.cases {
                let text = template.render(one.messages, addingGenerationPrompt: one.addsPrompt, bos: "<s>", eos: "</s>")
                #expect(text == one.rendered[template.name], "\(template.name)")
            }
        }
    }

    @Test func `published spellings are recognised, others are not guessed`() throws {
        let golden = try golden()
        for published in golden.published {
            let template = ChatTemplate(jinja: published.jinja)
            #expect(template?.name == published.name)
            guard let template else { continue }
            for (one, expected) in zip(golden.cases, published.rendered) {
                #expect(template.render(one.messages, addingGenerationPrompt: one.addsPrompt, bos: "<s>", eos: "</s>") == expected)
            }
        }
        #expect(golden.published.contains { $0.name == nil })
    }

    @Test func `a question that ends with the answer's opening is not given it twice`() {
        let asked = { ChatTemplate.promptCLUE.render([Message(role: "user", content: $0)], addingGenerationPrompt: true) }
        #expect(asked("这是哪一类？\n选项：体育，财经\n答案：") == "这是哪一类？\n选项：体育，财经\n答案：")
        #expect(asked("这是哪一类？\n选项：体育，财经") == "这是哪一类？\n选项：体育，财经\n答案：")
        #expect(asked("什么叫答案：") == "什么叫答案：\n答案：")
    }

    /// A tokenizer of plain bytes: ids are those of the rendered text as a whole, and the answer is all that the model is not given.
    @Test func `text formats are encoded as the whole text is`() throws {
        let tokenizer = try TokenizerTrainer.train(kind: .bpe, vocabularySize: 420, texts: [sampleText])
        let messages = [Message(role: "user", content: "雨燕吃什么？"), Message(role: "assistant", content: "昆虫。")]
        for template in [ChatTemplate.alpaca, .belle, .promptCLUE] {
            let (ids, answer) = try template.encode(messages, with: tokenizer, addingGenerationPrompt: false)
            let eos = try #require(tokenizer.special.eos)
            let text = template.written(template.render(messages, addingGenerationPrompt: false))
            #expect(ids == tokenizer.encode(plain: text) + [eos], "\(template.name)")
            let given = try template.encode(Array(messages[..<1]), with: tokenizer, addingGenerationPrompt: true).ids
            #expect(answer == ids.indices.map { $0 >= given.count }, "\(template.name)")
            #expect(Array(ids[..<given.count]) == given)
        }
    }

    @Test func `the last three questions, and what was looked up, stand before the answer`() {
        var messages: [Message] = []
        for turn in 1...5 { messages += [Message(role: "user", content: "问\(turn)"), Message(role: "assistant", content: "答\(turn)")] }
        messages.append(Message(role: "user", content: "问6"))
        #expect(
            ChatTemplate.gpt3.render(messages, knowledge: ["雨燕不落地。"], addingGenerationPrompt: true)
                == "输入：问3输出：答3</s>输入：问4输出：答4</s>输入：问5输出：答5</s>检索知识：雨燕不落地。当前输入：问6当前输出：")
        let question = [Message(role: "user", content: "问")]
        #expect(
            ChatTemplate.chatML.render(question, knowledge: ["甲", "乙"], addingGenerationPrompt: true)
                == "<|im_start|>user\n参考资料：\n甲\n乙\n\n问<|im_end|>\n<|im_start|>assistant\n")
    }

    @Test func `an unknown name is answered with the known ones`() {
        let error = #expect(throws: TokenizerError.self) { try ChatTemplate.named("vicuna") }
        #expect(
            error?.description == "There is no chat template \"vicuna\"; there are yuyan, chatml, llama2, llama3, alpaca, belle, promptclue, gpt3.")
    }
}
