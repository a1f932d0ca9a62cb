import Foundation
import YuyanText

/// A line of `documents/` or `dropped/`, walked over without being parsed: where its id and its texts stand.
struct StoredLine {
    /// The bytes between the quotes of these strings, escapes as they are; nil where the line has no such field.
    private(set) var id: UnsafeRawBufferPointer?
    private(set) var source: UnsafeRawBufferPointer?
    private(set) var step: UnsafeRawBufferPointer?
    private(set) var reason: UnsafeRawBufferPointer?
    private(set) var value: UnsafeRawBufferPointer?
    /// Unicode scalars of the record's texts, as `Amount` counts them.
    private(set) var characters = 0
    /// The record's object: the whole line, or what a dropped line holds under `record`.
    private(set) var record: UnsafeRawBufferPointer

    /// Walks over a line of valid JSON; of any other bytes something is made, but nothing outside them is read.
    init(_ line: UnsafeRawBufferPointer) {
        record = line
        var texts = 0
        var keys: [UnsafeRawBufferPointer?] = []  // the key under which each open object or list stands
        var key: UnsafeRawBufferPointer?
        var recordDepth = 1
        var recordStart: Int?
        var position = 0
        while position < line.count {
            switch line[position] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                keys.append(key)
                if keys.count == 2, line[position] == UInt8(ascii: "{"), Self.isName(key, "record") { (recordDepth, recordStart) = (2, position) }
                key = nil
                position += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if keys.count == 2, recordDepth == 2, let start = recordStart {
                    record = UnsafeRawBufferPointer(rebasing: line[start..<position + 1])
                    (recordDepth, recordStart) = (1, nil)
                }
                _ = keys.popLast()
                key = nil
                position += 1
            case UInt8(ascii: ","):
                key = nil
                position += 1
            case UInt8(ascii: "\""):
                let end = Self.endOfString(line, from: position + 1)
                let string = UnsafeRawBufferPointer(rebasing: line[position + 1..<end])
                position = min(end + 1, line.count)
                if key == nil, position < line.count, line[position...].first(where: { $0 != 0x20 }) == UInt8(ascii: ":") {
                    key = string
                    continue
                }
                guard let name = key else { continue }
                if keys.count == 1 {
                    if Self.isName(name, "step") { step = string }
                    if Self.isName(name, "reason") { reason = string }
                    if Self.isName(name, "value") { value = string }
                }
                if keys.count == recordDepth {
                    if Self.isName(name, "id") { id = string }
                    if Self.isName(name, "source") { source = string }
                    guard Self.isName(name, "text") || Self.isName(name, "src_txt") || Self.isName(name, "tgt_txt") else { continue }
                } else {
                    guard keys.count == recordDepth + 2, let list = keys[recordDepth],
                        Self.isName(list, "answers") ? Self.isName(name, "text") : Self.isName(name, "content")
                    else { continue }
                }
                characters += Self.characterCount(string)
                texts += 1
            default: position += 1
            }
        }
        characters += max(0, texts - 1)
    }

    /// The string that stands between two quotes of a line.
    static func text(_ string: UnsafeRawBufferPointer?) -> String? {
        guard let string else { return nil }
        guard string.contains(UInt8(ascii: "\\")) else { return String(decoding: string, as: UTF8.self) }
        return try? JSONDecoder().decode([String].self, from: Data("[\"".utf8) + Data(string) + Data("\"]".utf8)).first
    }

    /// The record of an object of `documents/`; nil where it is none.
    static func record(_ object: UnsafeRawBufferPointer) -> Record? {
        guard let fields = try? JSONDecoder().decode(Fields.self, from: Data(object)) else { return nil }
        let (id, source, metadata) = (fields.id ?? "", fields.source ?? "", fields.metadata ?? [:])
        if let messages = fields.messages { return .conversation(Conversation(id: id, messages: messages, source: source, metadata: metadata)) }
        if let input = fields.input, let target = fields.target {
            return .pair(Pair(id: id, input: input, target: target, source: source, metadata: metadata))
        }
        if let prompt = fields.prompt, let answers = fields.answers {
            return .comparison(Comparison(id: id, prompt: prompt, answers: answers, source: source, metadata: metadata))
        }
        return fields.text.map { .document(Document(id: id, text: $0, source: source, metadata: metadata)) }
    }

    private struct Fields: Decodable {
        var id: String?
        var source: String?
        var metadata: [String: String]?
        var text: String?
        var messages: [Message]?
        var input: String?
        var target: String?
        var prompt: [Message]?
        var answers: [Comparison.Answer]?

        enum CodingKeys: String, CodingKey {
            case id, source, metadata, text, messages, prompt, answers
            case input = "src_txt"
            case target = "tgt_txt"
        }
    }

    private static func isName(_ key: UnsafeRawBufferPointer?, _ name: StaticString) -> Bool {
        guard let key else { return false }
        return key.count == name.utf8CodeUnitCount && memcmp(key.baseAddress ?? UnsafeRawPointer(name.utf8Start), name.utf8Start, key.count) == 0
    }

    /// Where the quote stands that closes a string; the end of the line where none does.
    private static func endOfString(_ line: UnsafeRawBufferPointer, from start: Int) -> Int {
        var position = start
        while position < line.count {
            guard let quote = memchr(line.baseAddress! + position, 0x22, line.count - position) else { return line.count }
            let end = UnsafeRawPointer(quote) - line.baseAddress!
            var first = end
            while first > start, line[first - 1] == UInt8(ascii: "\\") { first -= 1 }
            if (end - first) % 2 == 0 { return end }
            position = end + 1
        }
        return line.count
    }

    /// Unicode scalars of a JSON string: an escape is one, a surrogate pair of escapes too.
    private static func characterCount(_ string: UnsafeRawBufferPointer) -> Int {
        var count = string.reduce(0) { $0 &+ ($1 & 0xC0 != 0x80 ? 1 : 0) }
        guard string.count > 0, memchr(string.baseAddress!, 0x5C, string.count) != nil else { return count }
        var position = 0
        while position + 1 < string.count {
            guard string[position] == UInt8(ascii: "\\") else {
                position += 1
                continue
            }
            if string[position + 1] == UInt8(ascii: "u"), position + 5 < string.count {
                let second = UInt8(ascii: "d") == string[position + 2] | 0x20 && "cdef".utf8.contains(string[position + 3] | 0x20)
                count -= second ? 6 : 5
                position += 6
            } else {
                count -= 1
                position += 2
            }
        }
        return count
    }
}
