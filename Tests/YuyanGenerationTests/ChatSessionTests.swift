import Foundation
import Testing
import YuyanText

@testable import YuyanGeneration

@Suite struct ChatSessionTests {
    private let tokenizer: Tokenizer
    init() throws { tokenizer = try Tokenizer(contentsOf: Golden.folder.appending(path: "tiny-gpt2")) }

    private func session(context: Int, system: String? = "雨燕") throws -> ChatSession {
        try ChatSession(tokenizer: tokenizer, template: .yuyan, contextLength: context, system: system)
    }

    private func ids(_ messages: [(String, String)]) throws -> [Int32] {
        try ChatTemplate.yuyan.encode(messages.map { Message(role: $0, content: $1) }, with: tokenizer, addingGenerationPrompt: true).ids
    }

    @Test func asksAndAnswersAlternate() throws {
        var chat = try session(context: 400)
        let first = try chat.ask("燕子飞", .greedy(maxTokens: 20))
        #expect(try first.tokens == ids([("system", "雨燕"), ("user", "燕子飞")]))
        #expect(first.configuration.stopTokens == [4, 0] && first.omittedMessages == 0)
        chat.answer("春天")
        let second = try chat.ask("<|end|>", .greedy(maxTokens: 20))
        #expect(try second.tokens == ids([("system", "雨燕"), ("user", "燕子飞"), ("assistant", "春天"), ("user", "<|end|>")]))
        #expect(second.tokens.count { $0 == 4 } == 4)
        chat.answer("")
        #expect(chat.messages.map(\.content) == ["燕子飞", "春天"])
        chat.reset()
        #expect(chat.messages.isEmpty && chat.system == "雨燕")
    }

    @Test func whatEndsATurnIsATokenOrAText() {
        var template = ChatTemplate.yuyan
        template.stop = ["<|end|>", "Human:", ""]
        var configuration = GenerationConfiguration()
        configuration.end(at: template, with: tokenizer)
        #expect(configuration.stopTokens == [4] && configuration.stop == ["Human:"])
    }

    @Test func theOldestTurnsAreLeftOutWhole() throws {
        var chat = try session(context: 64)
        var omitted: [Int] = []
        for turn in 0..<6 {
            let prompt = try chat.ask("question \(turn)", .greedy(maxTokens: 20))
            #expect(prompt.tokens.count <= 64 - 16)
            omitted.append(prompt.omittedMessages)
            let shown = chat.messages[prompt.omittedMessages...].map { ($0.role, $0.content) }
            #expect(shown.first?.0 == "user")
            #expect(try prompt.tokens == ids([("system", "雨燕")] + shown))
            chat.answer("answer \(turn)")
        }
        #expect(omitted.first == 0 && omitted == omitted.sorted() && (omitted.last ?? 0) >= 2)
        #expect(chat.messages.count == 12)
    }

    /// What is new, turn by turn, is the conversation as it would be read at once.
    @Test func aConversationGoesOn() throws {
        let template = ChatTemplate.yuyan
        var chat = try session(context: 32)
        var read: [Int32] = []
        for turn in 0..<9 {
            let prompt = try chat.followUp("question \(turn)", .greedy(maxTokens: 20))
            #expect(prompt.omittedMessages == 0 && !prompt.configuration.stopTokens.isEmpty)
            read += prompt.tokens
            let all = [Message(role: "system", content: "雨燕")] + chat.messages
            #expect(try read == template.encode(all, with: tokenizer, addingGenerationPrompt: true).ids)
            read += tokenizer.encode(plain: "answer \(turn)")
            chat.answer("answer \(turn)")
        }
        #expect(
            try chat.systemTokens()
                == template.encode(
                    [Message(role: "system", content: "雨燕")], with: tokenizer, addingGenerationPrompt: false
                ).ids.count)
        chat.reset()
        let again = try chat.followUp("question 0", .greedy(maxTokens: 20))
        #expect(read.starts(with: again.tokens))
    }

    @Test func aTemplateThatRewritesEarlierTurnsCannotGoOn() throws {
        var template = ChatTemplate.yuyan
        template.lastUser = .init("now: ", "")
        var chat = try ChatSession(tokenizer: tokenizer, template: template, contextLength: 200)
        _ = try chat.followUp("a", .greedy(maxTokens: 20))
        chat.answer("b")
        #expect(throws: GenerationError.self) { try chat.followUp("c", .greedy(maxTokens: 20)) }
        #expect(chat.messages.count == 2)
    }

    @Test func passagesAreFittedToTheContext() throws {
        var chat = try session(context: 64)
        let passages = ["swifts sleep in the air", "swifts eat insects", "swifts hardly ever land"]
        func shown(_ passages: [String]) throws -> [Int32] {
            let question = [Message(role: "system", content: "雨燕"), Message(role: "user", content: "what?")]
            return try ChatTemplate.yuyan.encode(question, knowledge: passages, with: tokenizer, addingGenerationPrompt: true).ids
        }
        let few = try chat.ask("what?", knowledge: Array(passages[..<1]), .greedy(maxTokens: 8))
        #expect(try few.tokens == shown(Array(passages[..<1])) && few.omittedPassages == 0)
        chat.reset()
        let some = try chat.ask("what?", knowledge: passages, .greedy(maxTokens: 8))
        #expect(some.omittedPassages > 0 && some.tokens.count <= 56)
        #expect(try some.tokens == shown(Array(passages[..<(3 - some.omittedPassages)])))
        #expect(try shown(Array(passages[..<(4 - some.omittedPassages)])).count > 56)
        chat.reset()
        let long = try chat.ask("what?", knowledge: [String(repeating: "swifts ", count: 40)], .greedy(maxTokens: 8))
        #expect(long.omittedPassages == 0 && long.tokens.count <= 56 && long.tokens.count > 50, "the first is cut, not left out")
    }

    @Test func whatDoesNotFitIsRefused() throws {
        var chat = try session(context: 32)
        let error = #expect(throws: GenerationError.self) { try chat.ask(String(repeating: "x", count: 40), .greedy(maxTokens: 20)) }
        #expect(error?.description.hasSuffix("tokens, and 24 of the model's context of 32 are free for them.") == true)
        #expect(chat.messages.isEmpty)
        #expect(throws: GenerationError.self) { try ChatSession(tokenizer: tokenizer, contextLength: 32) }
    }
}
