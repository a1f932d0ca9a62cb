import Foundation
import YuyanText

/// A way in which public data sets write a document or a conversation, known by its field names.
struct RecordLayout: Sendable {
    /// How an error message names it.
    let name: String
    /// Whether a record with these fields is of this layout.
    let matches: @Sendable (Set<String>) -> Bool
    let read: @Sendable (Fields) throws -> [Record]

    /// From the most particular to the most general: the first match wins.
    static let all: [RecordLayout] =
        [
            turns("messages", role: "role", content: "content"),
            turns("conversations", role: "from", content: "value"),
            instances,
        ] + pairs.map { pair(question: $0, answer: $1) } + bodies.map(document)

    /// The record(s) that one set of fields stands for.
    static func records(_ fields: Fields) throws -> [Record] {
        let names = Set(fields.values.keys)
        guard let layout = first(matching: names) else {
            throw fields.error(
                "a record with the fields \(names.sorted().quotedList) is of no known layout; known are \(all.map(\.name).joined(separator: "; "))")
        }
        return try layout.read(fields)
    }

    /// The layout of records with these fields; preference pairs are not for pre-training or fine-tuning.
    static func first(matching names: Set<String>) -> RecordLayout? {
        names.contains("chosen") ? nil : all.first { $0.matches(names) }
    }
}

// MARK: - Conversations

extension RecordLayout {
    /// Names of a question's field and its answer's: Alpaca and BELLE, plain pairs, the BELLE evaluation set, pCLUE and
    /// PromptCLUE, translation-like pairs.
    private static let pairs = [
        ("instruction", "output"), ("prompt", "response"), ("prompt", "completion"), ("question", "answer"), ("question", "std_answer"),
        ("input", "target"), ("input", "output"), ("source", "target"),
    ]

    /// `instruction` + `input` → `output` and its relatives, with an optional `system` text and a `history` of earlier pairs.
    private static func pair(question: String, answer: String) -> RecordLayout {
        let input = question == "instruction" ? "input" : nil
        return RecordLayout(name: question + (input.map { " (+ \($0))" } ?? "") + ", " + answer) { names in
            names.contains(question) && names.contains(answer)
        } read: { fields in
            var messages: [Message] = []
            if let system = try fields.text("system"), !isBlank(system) { messages.append(Message(role: "system", content: system)) }
            for (earlier, reply) in try history(fields) {
                messages += [Message(role: "user", content: earlier), Message(role: "assistant", content: reply)]
            }
            let parts = [try fields.requiredText(question), try input.flatMap(fields.text) ?? ""]
            messages.append(Message(role: "user", content: parts.filter { !isBlank($0) }.joined(separator: "\n")))
            messages.append(Message(role: "assistant", content: try fields.requiredText(answer)))
            return [conversation(messages, fields)]
        }
    }

    /// Alpaca's `history`: a list of [question, answer].
    private static func history(_ fields: Fields) throws -> [(String, String)] {
        guard let value = fields.values["history"], !(value is NSNull) else { return [] }
        guard let pairs = value as? [[String]], pairs.allSatisfy({ $0.count == 2 }) else {
            throw fields.error("the field \"history\" should be a list of [question, answer] pairs")
        }
        return pairs.map { ($0[0], $0[1]) }
    }

    /// Seed tasks: one instruction with several inputs and outputs.
    private static let instances = RecordLayout(name: "instruction, instances (input, output)") { names in
        names.isSuperset(of: ["instruction", "instances"])
    } read: { fields in
        let instruction = try fields.requiredText("instruction")
        return try fields.objects("instances").enumerated().map { index, instance in
            let question = [instruction, try instance.text("input") ?? ""].filter { !isBlank($0) }.joined(separator: "\n")
            let answer = try instance.requiredText("output")
            let messages = [Message(role: "user", content: question), Message(role: "assistant", content: answer)]
            return conversation(messages, fields, suffix: "#\(index + 1)")
        }
    }

    /// A list of turns: `messages` of role and content, or ShareGPT's `conversations` of from and value. A `system` field beside
    /// the list opens the conversation.
    private static func turns(_ list: String, role: String, content: String) -> RecordLayout {
        RecordLayout(name: "\(list) (\(role), \(content))") { names in
            names.contains(list)
        } read: { fields in
            var messages: [Message] = []
            if let system = try fields.text("system"), !isBlank(system) { messages.append(Message(role: "system", content: system)) }
            for turn in try fields.objects(list) {
                let name = try turn.requiredText(role)
                guard let known = roles[name] else {
                    throw fields.error("the role \"\(name)\" is not known; known are \(roles.keys.sorted().quotedList)")
                }
                messages.append(Message(role: known, content: try turn.requiredText(content)))
            }
            return [conversation(messages, fields)]
        }
    }

    /// What data sets call the two sides: OpenAI, ShareGPT, BELLE, and counselling dialogues.
    private static let roles = [
        "system": "system",
        "user": "user", "human": "user", "client": "user",
        "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "counselor": "assistant",
    ]

    private static func conversation(_ messages: [Message], _ fields: Fields, suffix: String = "") -> Record {
        .conversation(Conversation(id: "\(fields.file.lastPathComponent):\(fields.line)\(suffix)", messages: messages, source: fields.file.path))
    }
}

// MARK: - Documents

extension RecordLayout {
    private static let bodies = ["text", "content", "review"]

    /// A text, opened by its title and author on lines of their own where it has them.
    private static func document(body: String) -> RecordLayout {
        RecordLayout(name: body == "text" ? "text (+ title, author)" : body) { names in
            names.contains(body)
        } read: { fields in
            let text = try fields.text(body) ?? ""
            let heading = try ["title", "author"].compactMap(fields.text).filter { !isBlank($0) }
            let whole = isBlank(text) ? "" : (heading + [text]).joined(separator: "\n")
            return [.document(Document(id: "\(fields.file.lastPathComponent):\(fields.line)", text: whole, source: fields.file.path))]
        }
    }
}
