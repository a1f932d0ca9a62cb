import CData

/// JSON text as it is written: a buffer of UTF-8 that grows, emptied by whoever takes it.
struct JSONText: ~Copyable {
    private var memory: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    /// Bytes in it.
    private(set) var count = 0

    init(capacity: Int = 1 << 12) {
        self.capacity = capacity
        memory = .allocate(capacity: capacity)
    }

    deinit {
        memory.deallocate()
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }

    /// Takes everything out. The memory of what was very long is given back.
    mutating func empty() {
        count = 0
        guard capacity > 16 << 20 else { return }
        memory.deallocate()
        capacity = 1 << 20
        memory = .allocate(capacity: capacity)
    }

    private mutating func reserve(_ more: Int) {
        guard count + more > capacity else { return }
        capacity = max(capacity * 2, count + more)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        larger.update(from: memory, count: count)
        memory.deallocate()
        memory = larger
    }

    /// As it stands.
    mutating func append(raw text: StaticString) {
        reserve(text.utf8CodeUnitCount)
        (memory + count).update(from: text.utf8Start, count: text.utf8CodeUnitCount)
        count += text.utf8CodeUnitCount
    }

    private mutating func append(raw text: String) {
        var text = text
        text.withUTF8 { utf8 in
            reserve(utf8.count)
            if let base = utf8.baseAddress { (memory + count).update(from: base, count: utf8.count) }
            count += utf8.count
        }
    }

    /// A string: `"`, `\` and control characters are escaped, and nothing else.
    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            reserve(cdata_json_escaped_length(utf8.baseAddress, utf8.count) + 2)
            memory[count] = UInt8(ascii: "\"")
            let end = cdata_json_escape(utf8.baseAddress, utf8.count, memory + count + 1)
            count = end.map { $0 - memory } ?? count + 1
            memory[count] = UInt8(ascii: "\"")
            count += 1
        }
    }

    /// Gives the text to a parser, with the room behind it that parsers need.
    mutating func parsed<Result>(_ body: (UnsafeMutableBufferPointer<UInt8>) -> Result) -> Result {
        reserve(Int(CDATA_JSON_PADDING))
        return body(UnsafeMutableBufferPointer(start: memory, count: count))
    }

    mutating func append(_ number: JSONNumber) { append(raw: number.text) }

    mutating func append(_ value: JSONValue) {
        switch value {
        case .null: append(raw: "null")
        case .bool(let value): append(raw: value ? "true" as StaticString : "false")
        case .number(let number): append(number)
        case .string(let text): append(text)
        case .array(let elements):
            append(raw: "[")
            for (index, element) in elements.enumerated() {
                if index > 0 { append(raw: ",") }
                append(element)
            }
            append(raw: "]")
        case .object(let object):
            append(raw: "{")
            for (index, member) in object.members.enumerated() {
                if index > 0 { append(raw: ",") }
                append(member.key)
                append(raw: ":")
                append(member.value)
            }
            append(raw: "}")
        }
    }
}

extension JSONValue: CustomStringConvertible {
    /// The value as JSON on one line, without spaces.
    public var description: String {
        var text = JSONText()
        text.append(self)
        return String(decoding: text.bytes, as: UTF8.self)
    }
}
