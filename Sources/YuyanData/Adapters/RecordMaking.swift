import Foundation
import YuyanText

/// What adapters make records from, with the id and the source that the place in the file gives.
extension Fields {
    func document(_ text: String, except used: Set<String>) -> Record {
        .document(Document(id: id, text: text, source: file.path, metadata: rest(except: used)))
    }

    func conversation(_ messages: [Message], metadata: [String: String], suffix: String = "") -> Record {
        .conversation(Conversation(id: id + suffix, messages: messages, source: file.path, metadata: metadata))
    }

    func pair(_ input: String, _ target: String, metadata: [String: String], suffix: String = "") -> Record {
        .pair(Pair(id: id + suffix, input: input, target: target, source: file.path, metadata: metadata))
    }

    /// `answers` in any order: they are put best first; of equal ones the earlier stays in front.
    func comparison(_ prompt: [Message], _ answers: [Comparison.Answer], metadata: [String: String]) -> Record {
        .comparison(Comparison(id: id, prompt: prompt, answers: bestFirst(answers, by: \.score), source: file.path, metadata: metadata))
    }

    /// The first of the fields that is there, as text; blank where none is.
    func firstText(_ names: String...) throws -> String {
        for name in names where has(name) { return try requiredText(name) }
        return ""
    }
}

func bestFirst<Value>(_ values: [Value], by score: (Value) -> Double) -> [Value] {
    values.enumerated().sorted { left, right in
        let (a, b) = (score(left.element), score(right.element))
        return a != b ? a > b : left.offset < right.offset
    }.map(\.element)
}

/// A text below its headings, each on a line of its own; a heading that the text already begins with, as a line, is not doubled. A blank text stays blank.
func headed(_ text: String, by headings: [String], gap: String = "\n") -> String {
    guard !isBlank(text) else { return "" }
    let firstLine = text.unicodeScalars.prefix { $0 != "\n" && $0 != "\r" }
    let new = headings.filter { !isBlank($0) && !$0.unicodeScalars.elementsEqual(firstLine) }
    return new.isEmpty ? text : new.joined(separator: "\n") + gap + text
}

/// A question and what is added to it (a description, an input), which is left out where it is blank or says the same.
func joined(_ question: String, _ addition: String) -> String {
    if isBlank(addition) || addition == question { return question }
    return isBlank(question) ? addition : question + "\n" + addition
}

// MARK: - Turns

extension Fields {
    /// What data sets call the sides of a talk: OpenAI, ShareGPT, BELLE, OASST, and counselling dialogues.
    static let roles = [
        "system": "system",
        "user": "user", "human": "user", "prompter": "user", "client": "user",
        "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bing": "assistant", "bard": "assistant", "bot": "assistant",
        "counselor": "assistant",
    ]

    /// One of our three roles for what stands in the field.
    func role(_ name: String) throws -> String {
        let role = try requiredText(name)
        guard let known = Self.roles[role] else {
            throw error("the role \"\(role)\" is not known; known are \(Self.roles.keys.sorted().quotedList)")
        }
        return known
    }

    /// These fields as one turn: `role` and `content`, or ShareGPT's `from` and `value`.
    func message() throws -> Message {
        let isShareGPT = has("from") || has("value")
        return Message(role: try role(isShareGPT ? "from" : "role"), content: try requiredText(isShareGPT ? "value" : "content"))
    }

    /// The field's list of turns.
    func messages(_ name: String) throws -> [Message] { try objects(name).map { try $0.message() } }

    /// What comes before the question: a `system` text and Alpaca's `history` of [question, answer] pairs.
    func opening() throws -> [Message] {
        var messages: [Message] = []
        if let system = try text("system"), !isBlank(system) { messages.append(Message(role: "system", content: system)) }
        for (question, answer) in try textPairs("history") {
            messages += [Message(role: "user", content: question), Message(role: "assistant", content: answer)]
        }
        return messages
    }

    /// A question with its answer, after what comes before it. The fields in `used` and those of the opening do not go into the metadata.
    func exchange(_ question: String, _ answer: String, used: Set<String>, suffix: String = "") throws -> Record {
        let messages = try opening() + [Message(role: "user", content: question), Message(role: "assistant", content: answer)]
        return conversation(messages, metadata: rest(except: used.union(["system", "history"])), suffix: suffix)
    }
}
