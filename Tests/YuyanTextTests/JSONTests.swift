import Testing

@testable import YuyanText

@Suite struct JSONTests {
    private func parsed(_ text: String) throws -> JSON {
        try JSON(parsing: Array(text.utf8), name: "test.json")
    }

    @Test func readsAndWrites() throws {
        let json = try parsed(#" {"a": [1, -2.5, 1e3, true, false, null], "燕": "\u71d5\ud83d\ude00\n\"\\\/", "e": {}, "l": []} "#)
        #expect(json["a"]?.elements?.count == 6)
        #expect(json["燕"]?.text == "燕😀\n\"\\/")
        #expect(
            String(decoding: json.serialized(indent: nil), as: UTF8.self) == #"{"a":[1,-2.5,1000,true,false,null],"燕":"燕😀\n\"\\/","e":{},"l":[]}"#)
        #expect(try JSON(parsing: json.serialized(), name: "copy").serialized() == json.serialized())
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\" 1}", "\"abc", "tru", "[1] x", "{\"a\":}", "\"\\x\"", "\"\\u12\"", "--1", String(repeating: "[", count: 300),
    ])
    func refuses(_ text: String) {
        let error = #expect(throws: TokenizerError.self) { try parsed(text) }
        #expect(error?.description.contains("test.json") ?? false)
    }
}
