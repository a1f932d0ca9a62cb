import Foundation

/// A JSON document with the order and every key of its objects kept: vocabularies hold keys that Foundation's dictionaries would merge,
/// since Swift strings compare by canonical equivalence.
package enum JSON: Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case string([UInt8])
    case array([JSON])
    case object([(key: [UInt8], value: JSON)])

    static func string(_ text: String) -> JSON { .string(Array(text.utf8)) }

    subscript(_ key: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        let key = Array(key.utf8)
        guard let value = members.first(where: { $0.key == key })?.value else { return nil }
        if case .null = value { return nil }
        return value
    }

    package var text: String? {
        if case .string(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
    }

    var bytes: [UInt8]? {
        if case .string(let bytes) = self { bytes } else { nil }
    }

    package var flag: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    package var integer: Int? {
        if case .number(let value) = self { Int(exactly: value) } else { nil }
    }

    package var elements: [JSON]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    package var members: [(key: [UInt8], value: JSON)]? {
        if case .object(let members) = self { members } else { nil }
    }

    mutating func set(_ key: String, _ value: JSON) {
        guard case .object(var members) = self else { return }
        let bytes = Array(key.utf8)
        if let index = members.firstIndex(where: { $0.key == bytes }) {
            members[index].value = value
        } else {
            members.append((bytes, value))
        }
        self = .object(members)
    }
}

// MARK: - Reading

extension JSON {
    /// Throws a sentence with the line of the first mistake; `name` is the file's.
    package init(parsing data: [UInt8], name: String) throws {
        var parser = JSONParser(data: data, name: name)
        self = try parser.document()
    }
}

private struct JSONParser {
    let data: [UInt8]
    let name: String
    var index = 0
    var depth = 0

    init(data: [UInt8], name: String) {
        self.data = data
        self.name = name
        if data.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
    }

    func failure(_ what: String) -> TokenizerError {
        let line = data[..<min(index, data.count)].count { $0 == UInt8(ascii: "\n") } + 1
        return TokenizerError("\(name) is not valid JSON: \(what) on line \(line).")
    }

    mutating func document() throws -> JSON {
        let value = try value()
        skipSpace()
        guard index == data.count else { throw failure("more text after the document's end") }
        return value
    }

    mutating func skipSpace() {
        while index < data.count, data[index] == 0x20 || data[index] == 0x0A || data[index] == 0x0D || data[index] == 0x09 { index += 1 }
    }

    mutating func value() throws -> JSON {
        skipSpace()
        guard index < data.count else { throw failure("the text ends too early") }
        switch data[index] {
        case UInt8(ascii: "{"): return try nested { try $0.object() }
        case UInt8(ascii: "["): return try nested { try $0.array() }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return try number()
        }
    }

    mutating func nested(_ body: (inout JSONParser) throws -> JSON) throws -> JSON {
        depth += 1
        defer { depth -= 1 }
        guard depth < 200 else { throw failure("more than 200 levels of nesting") }
        return try body(&self)
    }

    mutating func literal(_ word: String, _ value: JSON) throws -> JSON {
        guard data[index...].starts(with: word.utf8) else { throw failure("an unknown word") }
        index += word.utf8.count
        return value
    }

    mutating func number() throws -> JSON {
        let start = index
        while index < data.count, "+-.eE0123456789".utf8.contains(data[index]) { index += 1 }
        guard let value = Double(String(decoding: data[start..<index], as: UTF8.self)) else { throw failure("a malformed value") }
        return .number(value)
    }

    mutating func array() throws -> JSON {
        index += 1
        var elements: [JSON] = []
        skipSpace()
        if index < data.count, data[index] == UInt8(ascii: "]") {
            index += 1
            return .array(elements)
        }
        while true {
            elements.append(try value())
            if try !another(closing: UInt8(ascii: "]")) { return .array(elements) }
        }
    }

    mutating func object() throws -> JSON {
        index += 1
        var members: [(key: [UInt8], value: JSON)] = []
        skipSpace()
        if index < data.count, data[index] == UInt8(ascii: "}") {
            index += 1
            return .object(members)
        }
        while true {
            skipSpace()
            guard index < data.count, data[index] == UInt8(ascii: "\"") else { throw failure("a key without quotation marks") }
            let key = try string()
            skipSpace()
            guard index < data.count, data[index] == UInt8(ascii: ":") else { throw failure("a missing colon") }
            index += 1
            members.append((key, try value()))
            if try !another(closing: UInt8(ascii: "}")) { return .object(members) }
        }
    }

    mutating func another(closing: UInt8) throws -> Bool {
        skipSpace()
        guard index < data.count else { throw failure("the text ends too early") }
        let byte = data[index]
        guard byte == UInt8(ascii: ",") || byte == closing else { throw failure("a missing comma") }
        index += 1
        return byte != closing
    }

    mutating func string() throws -> [UInt8] {
        index += 1
        var result: [UInt8] = []
        while index < data.count {
            let start = index
            while index < data.count, data[index] != UInt8(ascii: "\""), data[index] != UInt8(ascii: "\\") { index += 1 }
            result.append(contentsOf: data[start..<index])
            guard index + 1 < data.count || (index < data.count && data[index] == UInt8(ascii: "\"")) else { break }
            if data[index] == UInt8(ascii: "\"") {
                index += 1
                return result
            }
            index += 2
            switch data[index - 1] {
            case UInt8(ascii: "n"): result.append(0x0A)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "r"): result.append(0x0D)
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0C)
            case UInt8(ascii: "u"): result.append(contentsOf: Array(String(Character(try escapedScalar())).utf8))
            case let byte where byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "/"): result.append(byte)
            default: throw failure("an unknown escape in a string")
            }
        }
        throw failure("a string without an end")
    }

    mutating func escapedScalar() throws -> Unicode.Scalar {
        let first = try escapedUnit()
        if 0xD800..<0xDC00 ~= first, index + 1 < data.count, data[index] == UInt8(ascii: "\\"), data[index + 1] == UInt8(ascii: "u") {
            let resume = index
            index += 2
            let second = try escapedUnit()
            if 0xDC00..<0xE000 ~= second, let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) { return scalar }
            index = resume
        }
        return Unicode.Scalar(first) ?? "\u{FFFD}"
    }

    mutating func escapedUnit() throws -> UInt32 {
        guard index + 4 <= data.count, let unit = UInt32(String(decoding: data[index..<index + 4], as: UTF8.self), radix: 16) else {
            throw failure("a malformed \\u escape")
        }
        index += 4
        return unit
    }
}

// MARK: - Writing

extension JSON {
    /// UTF-8 text; `indent` nil writes it on one line. `sorted` makes a canonical form: keys in byte order, nulls left out.
    package func serialized(indent: Int? = 2, sorted: Bool = false) -> [UInt8] {
        var output: [UInt8] = []
        write(to: &output, indent: indent, level: 0, sorted: sorted)
        return output
    }

    private func write(to output: inout [UInt8], indent: Int?, level: Int, sorted: Bool) {
        func newline(_ level: Int) {
            guard let indent else { return }
            output.append(0x0A)
            output.append(contentsOf: repeatElement(0x20, count: indent * level))
        }
        switch self {
        case .null: output.append(contentsOf: "null".utf8)
        case .bool(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
        case .number(let value): output.append(contentsOf: (Int(exactly: value).map(String.init) ?? String(value)).utf8)
        case .string(let bytes): JSON.quote(bytes, to: &output)
        case .array(let elements):
            output.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                newline(level + 1)
                element.write(to: &output, indent: indent, level: level + 1, sorted: sorted)
            }
            if !elements.isEmpty { newline(level) }
            output.append(UInt8(ascii: "]"))
        case .object(var members):
            if sorted {
                members.removeAll { if case .null = $0.value { true } else { false } }
                members.sort { $0.key.lexicographicallyPrecedes($1.key) }
            }
            output.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                newline(level + 1)
                JSON.quote(member.key, to: &output)
                output.append(UInt8(ascii: ":"))
                if indent != nil { output.append(0x20) }
                member.value.write(to: &output, indent: indent, level: level + 1, sorted: sorted)
            }
            if !members.isEmpty { newline(level) }
            output.append(UInt8(ascii: "}"))
        }
    }

    private static func quote(_ bytes: [UInt8], to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): output.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 0x0A: output.append(contentsOf: "\\n".utf8)
            case 0x00..<0x20, 0x7F:
                let digits = String(byte, radix: 16)
                output.append(contentsOf: "\\u00\(digits.count == 1 ? "0" : "")\(digits)".utf8)
            default: output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }
}
