/// One turn of a conversation.
public struct Message: Codable, Sendable, Hashable {
    /// `system`, `user` or `assistant`.
    public var role: String
    public var content: String

    public init(role: String, content: String) {
        self.role = role
        self.content = content
    }
}

/// How a conversation is written for a model: every turn is `open` (with the role in it), the content, `close`.
public struct ChatTemplate: Codable, Sendable, Hashable {
    /// What stands before a turn's content; `{role}` is replaced by the role.
    public var open: String
    /// What stands after a turn's content.
    public var close: String
    /// Tokens that end the assistant's answer.
    public var stop: [String]

    /// `<|role|>content<|end|>` for every turn, `<|assistant|>` as the generation prompt; no newlines.
    public static let yuyan = ChatTemplate(open: "<|{role}|>", close: "<|end|>", stop: ["<|end|>", "<|endoftext|>"])

    public init(open: String, close: String, stop: [String]) {
        self.open = open
        self.close = close
        self.stop = stop
    }

    /// The template that a Jinja string of the form that `jinja` writes stands for; nil for any other.
    public init?(jinja: String, stop: [String]? = nil) {
        var template = ChatTemplate.yuyan
        let strings = jinja.split(separator: "'", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }.map {
            String($0.element)
        }
        // The strings of the form: open head, 'role', open tail, 'content', close, generation prompt.
        guard strings.count == 6 else { return nil }
        template.open = unescaped(strings[0]) + "{role}" + unescaped(strings[2])
        template.close = unescaped(strings[4])
        guard template.jinja == jinja else { return nil }
        template.stop = stop ?? (template.close == ChatTemplate.yuyan.close ? ChatTemplate.yuyan.stop : [template.close])
        self = template
    }

    /// The same template in Jinja, as `tokenizer_config.json` holds it and transformers renders it.
    public var jinja: String {
        let parts = open.split(separator: "{role}", maxSplits: 1, omittingEmptySubsequences: false).map { escaped(String($0)) }
        let tail = parts.count > 1 ? parts[1] : ""
        return "{% for message in messages %}{{ '\(parts[0])' + message['role'] + '\(tail)' + message['content'] + '\(escaped(close))' }}{% endfor %}"
            + "{% if add_generation_prompt %}{{ '\(escaped(opening("assistant")))' }}{% endif %}"
    }

    func opening(_ role: String) -> String {
        open.split(separator: "{role}", maxSplits: 1, omittingEmptySubsequences: false).joined(separator: role)
    }

    /// The conversation as one text; with the assistant's opening at the end when a reply is to be generated.
    public func render(_ messages: [Message], addingGenerationPrompt: Bool) -> String {
        messages.map { opening($0.role) + $0.content + close }.joined() + (addingGenerationPrompt ? opening("assistant") : "")
    }

    /// The conversation as ids. Markers are added by id and contents are plain text: a marker that someone writes into a message stays text.
    /// `answer` is true on what the assistant says and on the marker that ends it.
    /// Throws `TokenizerError` when a marker is not one token of the tokenizer's vocabulary.
    public func encode(
        _ messages: [Message], with tokenizer: Tokenizer, addingGenerationPrompt: Bool
    ) throws -> (ids: [Int32], answer: [Bool]) {
        func marker(_ text: String) throws -> Int32 {
            guard let id = tokenizer.id(of: text) else {
                throw TokenizerError("The tokenizer has no token \(text), which the chat template needs; use a tokenizer that has it.")
            }
            return id
        }
        var ids: [Int32] = []
        var answer: [Bool] = []
        let end = try marker(close)
        for message in messages {
            let isAnswer = message.role == "assistant"
            ids.append(try marker(opening(message.role)))
            answer.append(false)
            ids.append(contentsOf: tokenizer.encode(plain: message.content))
            ids.append(end)
            answer.append(contentsOf: repeatElement(isAnswer, count: ids.count - answer.count))
        }
        if addingGenerationPrompt {
            ids.append(try marker(opening("assistant")))
            answer.append(false)
        }
        return (ids, answer)
    }
}

private func escaped(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("'", with: "\\x27").replacing("\n", with: "\\n")
}

private func unescaped(_ text: String) -> String {
    text.replacing("\\n", with: "\n").replacing("\\x27", with: "'").replacing("\\\\", with: "\\")
}
