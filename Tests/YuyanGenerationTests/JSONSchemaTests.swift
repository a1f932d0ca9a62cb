import Foundation
import Testing

@testable import YuyanGeneration

/// A document as Foundation reads it.
enum Document: Decodable, Equatable {
    case null
    case flag(Bool)
    case number(Double)
    case text(String)
    case elements([Document])
    case members([String: Document])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let flag = try? value.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let elements = try? value.decode([Document].self) {
            self = .elements(elements)
        } else {
            self = .members(try value.decode([String: Document].self))
        }
    }

    init(_ text: String) throws { self = try JSONDecoder().decode(Document.self, from: Data(text.utf8)) }

    subscript(_ name: String) -> Document? { if case .members(let members) = self { members[name] } else { nil } }
    var number: Int? { if case .number(let number) = self { Int(number) } else { nil } }
    var text: String? { if case .text(let text) = self { text } else { nil } }
    var elements: [Document]? { if case .elements(let elements) = self { elements } else { nil } }

    func isOf(_ type: String) -> Bool {
        switch self {
        case .null: type == "null"
        case .flag: type == "boolean"
        case .number(let number): type == "number" || type == "integer" && number.rounded() == number
        case .text: type == "string"
        case .elements: type == "array"
        case .members: type == "object"
        }
    }
}

/// Whether a document is valid, by the words of the specification: the second opinion.
private func isValid(_ value: Document, _ schema: Document) throws -> Bool {
    if case .flag(let isAllowed) = schema { return isAllowed }
    if let ways = schema["anyOf"]?.elements { return try ways.contains { try isValid(value, $0) } }
    if let constant = schema["const"], value != constant { return false }
    if let values = schema["enum"]?.elements, !values.contains(value) { return false }
    if let types = schema["type"]?.text.map({ [$0] }) ?? schema["type"]?.elements?.compactMap(\.text) {
        guard types.contains(where: value.isOf) else { return false }
    }
    switch value {
    case .text(let text):
        let length = text.unicodeScalars.count
        if length < schema["minLength"]?.number ?? 0 || length > schema["maxLength"]?.number ?? .max { return false }
        guard let pattern = schema["pattern"]?.text else { return true }
        return try NSRegularExpression(pattern: pattern).firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
    case .elements(let elements):
        if elements.count < schema["minItems"]?.number ?? 0 || elements.count > schema["maxItems"]?.number ?? .max { return false }
        return try schema["items"].map { items in try elements.allSatisfy { try isValid($0, items) } } ?? true
    case .members(let members):
        guard (schema["required"]?.elements ?? []).allSatisfy({ members[$0.text ?? ""] != nil }) else { return false }
        return try members.allSatisfy { name, member in
            try (schema["properties"]?[name] ?? schema["additionalProperties"]).map { try isValid(member, $0) } ?? true
        }
    default: return true
    }
}

func isValid(document: String, schema: String) throws -> Bool { try isValid(Document(document), Document(schema)) }

/// A schema of many kinds, as text.
func randomSchema(_ depth: Int, _ random: inout RandomStream) -> String {
    let plain = [
        #"{"type": "integer"}"#, #"{"type": "number"}"#, #"{"type": "boolean"}"#, #"{"type": "null"}"#, #"{"type": "string"}"#,
        #"{"type": "string", "maxLength": 3}"#, #"{"type": "string", "minLength": 2, "maxLength": 4}"#,
        #"{"type": "string", "pattern": "^[a-c\"\\\\燕]{1,3}$"}"#,
        #"{"type": "string", "pattern": "燕|\\d", "maxLength": 5}"#, #"{"enum": ["雨\n燕", 1, null, -2.5, {"a": [true]}]}"#,
        #"{"const": {"x": ["y\""]}}"#,
        #"{"type": ["boolean", "string"], "maxLength": 2}"#, #"{"type": "string", "enum": ["a", 7, "b\u0001c"]}"#,
        #"{"type": "array", "maxItems": 2}"#,
        #"{"type": "object", "additionalProperties": {"type": "integer"}}"#,
    ]
    guard depth > 0 else { return random.element(of: plain) }
    switch random.below(4) {
    case 0:
        let (least, most) = (random.below(3), random.below(3))
        return #"{"type": "array", "items": \#(randomSchema(depth - 1, &random)), "minItems": \#(least), "maxItems": \#(least + most)}"#
    case 1: return #"{"anyOf": [\#(randomSchema(depth - 1, &random)), \#(randomSchema(depth - 1, &random))]}"#
    case 2: return randomSchema(0, &random)
    default:
        let names = ["a", "b\"", "名", "d"].filter { _ in random.below(3) > 0 }
        let required = names.filter { _ in random.below(2) > 0 }
        let properties = names.map { "\(quoted($0)): \(randomSchema(depth - 1, &random))" }
        return
            #"{"type": "object", "properties": {\#(properties.joined(separator: ", "))}, "required": [\#(required.map(quoted).joined(separator: ", "))]}"#
    }
}

private func quoted(_ text: String) -> String { "\"" + text.replacing("\"", with: "\\\"") + "\"" }

extension ByteAutomaton {
    /// A text that is accepted, each byte drawn from those that may follow; after `length` bytes the shortest way to an end.
    func randomText(_ length: Int, _ random: inout RandomStream) -> String {
        var (state, text) = (ByteAutomaton.start, [UInt8]())
        while true {
            var ways = (0...UInt8.max).map { (byte: $0, state: next(state, $0)) }.filter { $0.state >= 0 }
            if isAccepting(state), ways.isEmpty || text.count >= length || random.below(8) == 0 { return String(decoding: text, as: UTF8.self) }
            if text.count >= length, let least = ways.map({ distances[Int($0.state)] }).min() {
                ways = ways.filter { distances[Int($0.state)] == least }
            }
            // Bytes of ASCII more often than they are many.
            let ascii = ways.filter { $0.byte < 0x80 }
            let way = random.element(of: ascii.isEmpty || random.below(4) == 0 ? ways : ascii)
            text.append(way.byte)
            state = way.state
        }
    }
}

@Suite struct JSONSchemaTests {
    @Test func whatIsAllowedIsValid() throws {
        var random = RandomStream(seed: 2)
        for _ in 0..<120 {
            let schema = randomSchema(random.below(4), &random)
            let automaton = try ByteAutomaton(JSONSchema.grammar(schema))
            for _ in 0..<5 {
                let text = automaton.randomText(10 + random.below(60), &random)
                #expect(throws: Never.self, "\(text) by \(schema)") {
                    let isValid = try isValid(document: text, schema: schema)
                    #expect(isValid, "\(text) by \(schema)")
                }
            }
        }
    }

    @Test(
        arguments: [
            (
                #"{"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}, "required": ["b"]}"#,
                [#"{"a":1,"b":[{"c":null}]}"#, #"{ "b" : 2.5e3 }"#], [#"{"a":1}"#, #"{"a":1,}"#, #"{,"b":1}"#]
            ),
            (
                #"{"type": "object", "properties": {"a": true, "b": true, "c": false}}"#, ["{}", #"{"a":1}"#, #"{"b":1}"#, #"{"a":1, "b":2}"#],
                [#"{"b":1,"a":2}"#, #"{"c":1}"#]
            ),
            (#"{"type": "array", "items": {"type": "integer"}, "minItems": 2}"#, ["[1,2]", "[1, 2 ,3,4]"], ["[1]", "[]", "[1,2,]", "[01,2]"]),
            (#"{"type": "string", "maxLength": 2}"#, [#""""#, #""燕\n""#, #""\u0001🦅""#], [#""abc""#, "\"\n\"", #""\x""#, "a"]),
            (#"{"type": "string", "pattern": "^\"\\\\$"}"#, [#""\"\\""#], [#"""\""#]),
            (
                #"{"type": "number"}"#, ["0", "-0.5", "1e9", "12E-3", "123456789012345678.5"],
                ["1.", ".5", "+1", "00", "1e123", "1234567890123456789"]
            ),
            (
                ##"{"$defs": {"n": {"type": "object", "properties": {"v": {"type": "null"}, "next": {"$ref": "#/$defs/n"}}, "required": ["v"]}}, "$ref": "#/$defs/n"}"##,
                [#"{"v":null}"#, #"{"v":null,"next":{"v":null,"next":{"v":null}}}"#],
                [#"{"next":{"v":null}}"#, #"{"v":null,"next":{"v":null,"next":{"v":null,"next":{"v":null,"next":{"v":null}}}}}"#]
            ),
            (#"{"enum": [1.5, "a", [1, {"b": null}]]}"#, ["1.5", #""a""#, #"[1,{"b":null}]"#], ["1.50", "a"]),
            ("true", [#"{"a":[1,{"b":2}]}"#, "null"], [#"[[[[[1]]]]]"#]),
        ] as [(String, [String], [String])])
    func allowsTheseAndNotThose(schema: String, allowed: [String], refused: [String]) throws {
        let automaton = try ByteAutomaton(JSONSchema.grammar(schema))
        for text in allowed { #expect(automaton.accepts(text), "\(text) by \(schema)") }
        for text in refused { #expect(!automaton.accepts(text), "\(text) by \(schema)") }
    }

    @Test(
        arguments: [
            ("{", "json_schema cannot be read: it is not valid JSON: a key without quotation marks on line 1"),
            ("3", "json_schema has no schema (an object, true or false) at #"), ("false", "json_schema allows no document of bounded depth at #"),
            (#"{"type": "int"}"#, "json_schema has a type that is none of object, array, string, integer, number, boolean, null at #"),
            (#"{"properties": {"a": {"minimum": 3}}}"#, "json_schema has the keyword minimum, which cannot be held to, at #/properties/a"),
            (#"{"required": ["a"]}"#, "json_schema requires \"a\" and has no such property at #"),
            (#"{"items": {"pattern": "(a"}}"#, "json_schema has a pattern with a ( without its ) at character 1 at #/items"),
            (##"{"$ref": "#/$defs/x"}"##, "json_schema has a $ref to #/$defs/x, which is not there, at #"),
            (#"{"$ref": "http://x"}"#, "json_schema has a $ref that does not begin with #/ at #"),
            (#"{"anyOf": [{"type": "null"}], "type": "string"}"#, "json_schema has type beside anyOf, of which one must go, at #"),
            (#"{"type": "string", "minLength": 3, "maxLength": 2}"#, "json_schema has a maxLength of 2, below its minLength of 3, at #"),
            (#"{"type": "array", "minItems": -1}"#, "json_schema has a minItems that is no number from 0 to 100000 at #"),
            (#"{"type": "string", "enum": [1]}"#, "json_schema has no value of its type at #"),
            (#"{"type": "string", "pattern": "^a$", "maxLength": 0}"#, "json_schema allows no text at all"),
            (
                ##"{"$defs": {"n": {"items": {"$ref": "#/$defs/n"}, "minItems": 1}}, "$ref": "#/$defs/n"}"##,
                "json_schema allows no document of bounded depth at #"
            ),
        ])
    func mistakesAreToldWithTheirPlace(schema: String, sentence: String) {
        let error = #expect(throws: GenerationError.self) { try GenerationConfiguration { $0.jsonSchema = schema }.validate() }
        #expect(error?.description == sentence)
    }

    @Test func oneConstraintAtATimeAndNoBeams() {
        let both = #expect(throws: GenerationError.self) { try GenerationConfiguration { ($0.regex, $0.jsonSchema) = ("a", "{}") }.validate() }
        #expect(both?.description == "json_schema and regex cannot both be followed; leave one of them out")
        let beams = #expect(throws: GenerationError.self) { try GenerationConfiguration { ($0.regex, $0.beams) = ("a", 2) }.validate() }
        #expect(beams?.description == "regex is not followed by beam search; leave one of them out")
    }
}
