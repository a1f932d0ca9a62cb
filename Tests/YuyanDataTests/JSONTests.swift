import Foundation
import Testing
import YuyanText

@testable import YuyanData

@Suite struct JSONTests {
    private func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: text.utf8) }

    @Test func valuesAreReadAsTheyAreWritten() throws {
        let value = try parse(
            " {\"文\" : \"\\u96e8\\n燕\\/\\\"\\ud83d\\udc26\\u0000\", \"数\":[1, -0.50,6.02E+23,12345678901234567890123], \"空\":{},\"t\":true,\"f\":false,\"n\":null} "
        )
        let object = try #require(value.object)
        #expect(object.keys == ["文", "数", "空", "t", "f", "n"])
        #expect(object["文"]?.string == "雨\n燕/\"🐦\u{0}")
        let numbers = try #require(object["数"]?.array)
        #expect(numbers.map(\.description) == ["1", "-0.50", "6.02E+23", "12345678901234567890123"])
        #expect(numbers.map(\.number) == [1, -0.5, 6.02e23, 12_345_678_901_234_567_741_440])
        #expect(object["空"] == [:] && object["t"] == true && object["f"] == false && object["n"] == .null)
        #expect(object["没有"] == nil)
        #expect(try ["42", " \"独\" ", "true", "[]", "null", "-0"].map { try parse($0).description } == ["42", "\"独\"", "true", "[]", "null", "-0"])
    }

    @Test func ofARepeatedKeyTheLastCounts() throws {
        #expect(try parse(#"{"a": 1, "b": 2, "a": 3}"#).description == #"{"b":2,"a":3}"#)
        let many = (0..<100).map { "\"k\($0 % 40)\": \($0)" }.joined(separator: ",")
        let object = try #require(try parse("{\(many)}").object)
        #expect(object.members.count == 40)
        #expect(object["k3"]?.number == 83)
    }

    @Test(arguments: [
        ("", "it ends where a value is expected", 0), ("{\"a\" 1}", "a colon is expected behind the key", 5), ("{\"a\": }", "a value is expected", 6),
        ("{a: 1}", "a key in double quotes is expected", 1), ("[1, 2", "this bracket is never closed", 0), ("[1 2]", "a comma or ] is expected", 3),
        ("[1,]", "a value is expected", 3), ("{\"a\": 1,}", "a key in double quotes is expected", 8), ("\"a", "a string is never closed", 0),
        ("\"a\nb\"", "a string is not closed before the line ends", 2), ("\"\u{1}\"", "a control character stands in a string", 1),
        ("\"\\x\"", "an escape is none of JSON's", 1), ("\"\\u12\"", "\\u needs four digits", 1),
        ("\"\\ud800\"", "an escape is half of a surrogate pair", 1),
        ("01", "there is more behind the end of the value", 1), ("1.", "a number has no digits behind its point", 0),
        ("-", "a number has no digits", 0),
        ("1e", "a number has no digits in its exponent", 0), ("nul", "a value is expected", 0),
        ("{} {}", "there is more behind the end of the value", 3),
        ("True", "a value is expected", 0), ("'a'", "a value is expected", 0), ("NaN", "a value is expected", 0),
        ("{\"a\":{\"b\":1}", "this bracket is never closed", 0),
    ])
    func faultsAreNamed(text: String, reason: String, offset: Int) {
        #expect(errorSentence { _ = try parse(text) } == "not valid JSON (\(reason), byte \(offset))")
    }

    @Test func nestingIsBounded() throws {
        #expect(try parse(String(repeating: "[", count: 512) + String(repeating: "]", count: 512)).kind == "a list")
        #expect(errorSentence { _ = try parse(String(repeating: "[", count: 100_000)) }.contains("nest deeper than 512"))
        #expect(errorSentence { _ = try parse(String(repeating: "[", count: 513) + String(repeating: "]", count: 513)) }.contains("nest deeper"))
    }

    /// The fast parser and the plain one agree on what is JSON, and Foundation reads the same values where it reads any.
    @Test func theFastAndThePlainParserAgree() throws {
        let samples = [
            "{\"id\": \"a:1\", \"text\": \"雨燕\\n\\u96e8\\\\ \\\"\", \"n\": [1, -2.5e-3, true, null, {\"深\": []}]}", "[[1,2],[3,[4,{}]],\"\"]",
            "\"\\ud83d\\udc26\"",
            "  {\"a\":false , \"b\" : 0 } ",
        ].map { Array($0.utf8) }
        var random = SeededRandom(seed: 1)
        var valid = 0
        for round in 0..<20_000 {
            let bytes = round < samples.count ? samples[round] : damaged(random.element(of: samples), &random)
            let plain = bytes.withUnsafeBufferPointer { JSONFault.find(in: $0) }
            let isText = bytes.withUnsafeBytes { isUTF8($0) }
            let value = try? JSONValue(parsing: bytes)
            #expect((value != nil) == (plain == nil && isText), "\(String(decoding: bytes, as: UTF8.self))")
            guard let value else { continue }
            valid += 1
            #expect(try JSONValue(parsing: value.description.utf8) == value)
            if let other = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed) { #expect(isSame(value, other)) }
        }
        #expect(valid > 500)
    }

    private func isSame(_ value: JSONValue, _ other: Any) -> Bool {
        switch (value, other) {
        case (.string(let text), let other as String): text.unicodeScalars.elementsEqual(other.unicodeScalars)
        case (.array(let elements), let other as [Any]): elements.count == other.count && zip(elements, other).allSatisfy(isSame)
        case (.object(let object), let other as [String: Any]):
            object.members.count == other.count && object.members.allSatisfy { member in other[member.key].map { isSame(member.value, $0) } ?? false }
        case (.null, is NSNull): true
        case (.bool(let value), let other as Bool): value == other
        case (.number(let number), let other as NSNumber): number.value == other.doubleValue
        default: false
        }
    }

    @Test func numbersAreWrittenShort() {
        #expect([2.0, 0.1, -0.0, 1e300, 1.5, -3].map { JSONNumber($0).text } == ["2", "0.1", "-0.0", "1e+300", "1.5", "-3"])
        #expect(JSONValue.array([1, 2.5, "三", [:], nil ?? .null]).description == "[1,2.5,\"三\",{},null]")
    }

    /// Every byte, at every place in a word of eight, escaped as the standard says, against Foundation's reading.
    @Test func stringsAreEscaped() throws {
        for code in 0..<128 {
            for length in 0..<17 {
                let text = String(repeating: "雨a", count: length) + String(Unicode.Scalar(UInt8(code))) + String(repeating: "b", count: 16 - length)
                let json = JSONValue.string(text).description
                #expect(json.utf8.allSatisfy { $0 >= 0x20 } && !json.contains("\\/"))
                #expect(try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed) as? String == text)
                #expect(try parse(json).string == text)
            }
        }
        #expect(JSONValue.string("\u{7F}\u{2028}/\u{1}\t\"\\").description == "\"\u{7F}\u{2028}/\\u0001\\t\\\"\\\\\"")
    }

    @Test func fieldsAreAskedByKind() throws {
        let object = try #require(
            try parse(#"{"t": "文", "n": 1.50, "b": true, "z": null, "l": [1, "二"], "o": {"k": "v"}, "m": "3", "p": [["问", "答"]]}"#).object)
        let fields = Fields(object, file: URL(fileURLWithPath: "/a/b.jsonl"), line: 7, source: "a/b.jsonl")
        #expect(fields.id == "a/b.jsonl:7")
        #expect(fields.names == ["t", "n", "b", "z", "l", "o", "m", "p"])
        #expect(
            try fields.text("t") == "文" && fields.text("n") == "1.50" && fields.text("b") == "true" && fields.text("z") == nil
                && fields.text("x") == nil)
        #expect(try fields.number("n") == 1.5 && fields.number("m") == 3 && fields.number("z") == nil)
        #expect(fields.has("t") && !fields.has("z") && !fields.has("x"))
        #expect(try fields.list("l") == [1, "二"] && fields.list("x") == nil && fields.object("o")?.text("k") == "v" && fields.json("z") == .null)
        #expect(try fields.textPairs("p").map { [$0, $1] } == [["问", "答"]])
        #expect(try fields.isTrue("b") && !fields.isFalse("b") && !fields.isFalse("x"))
        #expect(fields.rest(except: ["t", "p", "l"]) == ["n": "1.50", "b": "true", "o": #"{"k":"v"}"#, "m": "3"])
        #expect(errorSentence { _ = try fields.text("l") } == "/a/b.jsonl:7: the field \"l\" should be text, not a list")
        #expect(errorSentence { _ = try fields.requiredText("x") } == "/a/b.jsonl:7: the field \"x\" should be text, not null")
        #expect(errorSentence { _ = try fields.number("t") } == "/a/b.jsonl:7: the field \"t\" should be a number, not \"文\"")
        #expect(errorSentence { _ = try fields.texts("l") } == "/a/b.jsonl:7: the list \"l\" should hold texts, not a number")
        #expect(errorSentence { _ = try fields.objects("l") } == "/a/b.jsonl:7: the list \"l\" should hold objects, not a number")
    }
}
