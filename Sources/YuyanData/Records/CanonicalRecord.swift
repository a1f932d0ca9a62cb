import CData
import Foundation
import YuyanText

/// The way in which records are written here: an object with `id`, `source`, perhaps `metadata` (texts), and one of
///
///     text
///     messages: [{role, content}]
///     src_txt, tgt_txt
///     prompt: [{role, content}], answers: [{text, score}]
///
/// and nothing else. What is written so is read as it was.
extension JSONText {
    mutating func append(_ record: Record) throws {
        if case .comparison(let comparison) = record, let answer = comparison.answers.first(where: { !$0.score.isFinite }) {
            throw DataError("\(record.source): an answer of \(record.id) has the score \(answer.score), and JSON has no such number")
        }
        append(raw: "{\"id\":")
        append(record.id)
        append(raw: ",\"source\":")
        append(record.source)
        let metadata = record.metadata
        if !metadata.isEmpty {
            append(raw: ",\"metadata\":{")
            for (index, (key, value)) in metadata.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { append(raw: ",") }
                append(key)
                append(raw: ":")
                append(value)
            }
            append(raw: "}")
        }
        switch record {
        case .document(let document):
            append(raw: ",\"text\":")
            append(document.text)
        case .conversation(let conversation):
            append(raw: ",\"messages\":")
            append(conversation.messages)
        case .pair(let pair):
            append(raw: ",\"src_txt\":")
            append(pair.input)
            append(raw: ",\"tgt_txt\":")
            append(pair.target)
        case .comparison(let comparison):
            append(raw: ",\"prompt\":")
            append(comparison.prompt)
            append(raw: ",\"answers\":[")
            for (index, answer) in comparison.answers.enumerated() {
                append(raw: index > 0 ? ",{\"text\":" : "{\"text\":")
                append(answer.text)
                append(raw: ",\"score\":")
                append(JSONNumber(answer.score))
                append(raw: "}")
            }
            append(raw: "]")
        }
        append(raw: "}")
    }

    private mutating func append(_ messages: [Message]) {
        append(raw: "[")
        for (index, message) in messages.enumerated() {
            append(raw: index > 0 ? ",{\"role\":" : "{\"role\":")
            append(message.role)
            append(raw: ",\"content\":")
            append(message.content)
            append(raw: "}")
        }
        append(raw: "]")
    }
}

extension JSONTape {
    /// The record that this text is, where it is written in our own way; nil where it is something else.
    var record: Record? {
        guard let (id, source, metadata, keys) = head() else { return nil }
        switch (keys.text, keys.messages, keys.input, keys.target, keys.prompt, keys.answers) {
        case (let text?, nil, nil, nil, nil, nil):
            guard let text = string(at: text) else { return nil }
            return .document(Document(id: id, text: text, source: source, metadata: metadata))
        case (nil, let messages?, nil, nil, nil, nil):
            guard let messages = turns(at: messages) else { return nil }
            return .conversation(Conversation(id: id, messages: messages, source: source, metadata: metadata))
        case (nil, nil, let input?, let target?, nil, nil):
            guard let input = string(at: input), let target = string(at: target) else { return nil }
            return .pair(Pair(id: id, input: input, target: target, source: source, metadata: metadata))
        case (nil, nil, nil, nil, let prompt?, let answers?):
            guard let prompt = turns(at: prompt), let answers = scored(at: answers) else { return nil }
            return .comparison(Comparison(id: id, prompt: prompt, answers: answers, source: source, metadata: metadata))
        default: return nil
        }
    }

    /// Where the values of the keys are that tell the kinds apart.
    private struct Keys {
        var id, source, metadata, text, messages, input, target, prompt, answers: Int?
    }

    private func head() -> (id: String, source: String, metadata: [String: String], keys: Keys)? {
        guard kind(at: 0) == CDATA_JSON_OBJECT, (3...5).contains(nodes[0].length) else { return nil }
        var keys = Keys()
        var index = 1
        for _ in 0..<nodes[0].length {
            let value = index + 1
            if isText("id", at: index) {
                keys.id = value
            } else if isText("source", at: index) {
                keys.source = value
            } else if isText("metadata", at: index) {
                keys.metadata = value
            } else if isText("text", at: index) {
                keys.text = value
            } else if isText("messages", at: index) {
                keys.messages = value
            } else if isText("src_txt", at: index) {
                keys.input = value
            } else if isText("tgt_txt", at: index) {
                keys.target = value
            } else if isText("prompt", at: index) {
                keys.prompt = value
            } else if isText("answers", at: index) {
                keys.answers = value
            } else {
                return nil
            }
            index = end(of: value)
        }
        guard let id = keys.id.flatMap(string), let source = keys.source.flatMap(string) else { return nil }
        guard let place = keys.metadata else { return (id, source, [:], keys) }
        guard let metadata = texts(at: place) else { return nil }
        return (id, source, metadata, keys)
    }

    private func string(at index: Int) -> String? {
        guard kind(at: index) == CDATA_JSON_STRING else { return nil }
        var index = index
        return text(at: &index)
    }

    private func texts(at index: Int) -> [String: String]? {
        guard kind(at: index) == CDATA_JSON_OBJECT else { return nil }
        var texts: [String: String] = [:]
        var place = index + 1
        for _ in 0..<nodes[index].length {
            let key = text(at: &place)
            guard let value = string(at: place) else { return nil }
            texts[key] = value
            place += 1
        }
        return texts
    }

    /// The objects of a list that have two members of these names, as the indices of their values.
    private func couples(at index: Int, _ first: StaticString, _ second: StaticString) -> [(Int, Int)]? {
        guard kind(at: index) == CDATA_JSON_ARRAY else { return nil }
        var couples: [(Int, Int)] = []
        couples.reserveCapacity(Int(nodes[index].length))
        var place = index + 1
        for _ in 0..<nodes[index].length {
            guard kind(at: place) == CDATA_JSON_OBJECT, nodes[place].length == 2 else { return nil }
            let one = place + 1
            let other = end(of: one + 1)
            if isText(first, at: one), isText(second, at: other) {
                couples.append((one + 1, other + 1))
            } else if isText(second, at: one), isText(first, at: other) {
                couples.append((other + 1, one + 1))
            } else {
                return nil
            }
            place = end(of: other + 1)
        }
        return couples
    }

    /// Turns with our own roles: what calls them otherwise is another layout.
    private func turns(at index: Int) -> [Message]? {
        guard let couples = couples(at: index, "role", "content") else { return nil }
        var messages: [Message] = []
        messages.reserveCapacity(couples.count)
        for (role, content) in couples {
            guard kind(at: role) == CDATA_JSON_STRING, let content = string(at: content) else { return nil }
            if isText("user", at: role) {
                messages.append(Message(role: "user", content: content))
            } else if isText("assistant", at: role) {
                messages.append(Message(role: "assistant", content: content))
            } else if isText("system", at: role) {
                messages.append(Message(role: "system", content: content))
            } else {
                return nil
            }
        }
        return messages
    }

    private func scored(at index: Int) -> [Comparison.Answer]? {
        guard let couples = couples(at: index, "text", "score") else { return nil }
        var answers: [Comparison.Answer] = []
        for (answer, score) in couples {
            guard let answer = string(at: answer), kind(at: score) == CDATA_JSON_NUMBER else { return nil }
            var score = score
            guard let score = Double(text(at: &score)), score.isFinite else { return nil }
            answers.append(Comparison.Answer(text: answer, score: score))
        }
        return answers
    }
}

extension Record {
    /// The record that `RecordWriter` wrote as this value: in a line of `dropped/`, the value of `record`. Nil where it is none.
    public init?(_ value: JSONValue) {
        var text = JSONText()
        text.append(value)
        let parser = JSONParser()
        let record = text.parsed { bytes in withExtendedLifetime(parser) { parser.parse(bytes)?.record } }
        guard let record else { return nil }
        self = record
    }
}
