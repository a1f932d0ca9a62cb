import Foundation
import Testing

@Suite struct TokenizerCommandTests {
    private let scratch: Scratch

    /// A BERT folder of a few characters.
    init() throws {
        scratch = try Scratch()
        let vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "雨", "燕", "春", "天", "a", "##b"]
        try scratch.write(vocabulary.joined(separator: "\n") + "\n", to: "bert/vocab.txt")
    }

    @Test func `each line becomes a line of ids`() throws {
        try scratch.write("雨燕\n\n春天 ab\n龙", to: "text.txt")
        let fromFile = try Program.run(["tokenizer", "encode", "--tokenizer", "bert", "text.txt"], in: scratch.url)
        #expect(fromFile.output == "5 6\n\n7 8 9 10\n1\n")
        #expect(fromFile.status == 0)
        let fromInput = try Program.run(["tokenizer", "encode", "--tokenizer", "bert"], input: "雨燕\n\n春天 ab\n龙", in: scratch.url)
        #expect(fromInput.output == fromFile.output)
    }

    @Test func `special tokens and JSON come when asked for`() throws {
        let special = try Program.run(["tokenizer", "encode", "--tokenizer", "bert", "--special-tokens"], input: "雨燕\n", in: scratch.url)
        #expect(special.output == "2 5 6 3\n")
        let json = try Program.run(["tokenizer", "encode", "--tokenizer", "bert", "--json"], input: "雨燕\n春\n", in: scratch.url)
        #expect(json.output == "{\"ids\":[5,6]}\n{\"ids\":[7]}\n")
    }

    @Test func `decode is the way back`() throws {
        let text = try Program.run(["tokenizer", "decode", "--tokenizer", "bert"], input: "9 10\n\n2 9 3\n", in: scratch.url)
        #expect(text.output == "ab\n\n[CLS] a [SEP]\n")
        let json = try Program.run(["tokenizer", "decode", "--tokenizer", "bert", "--json"], input: "9 10", in: scratch.url)
        #expect(json.output == "{\"text\":\"ab\"}\n")
    }

    @Test func `ids that are none are refused with their line`() throws {
        try scratch.write("5 6\n5 x\n", to: "ids.txt")
        let word = try Program.run(["tokenizer", "decode", "--tokenizer", "bert", "ids.txt"], in: scratch.url)
        #expect(word.error == "error: ids.txt:2: \"x\" is not a token id: a whole number from 0 to 10 is expected\n")
        #expect(word.status == 2)
        let large = try Program.run(["tokenizer", "decode", "--tokenizer", "bert"], input: "11", in: scratch.url)
        #expect(large.error == "error: standard input:1: \"11\" is not a token id: a whole number from 0 to 10 is expected\n")
    }

    @Test func `bytes that are not UTF-8 are replaced`() throws {
        let file = scratch.url.appendingPathComponent("bad.txt")
        try (Data("雨".utf8) + Data([0xFF, 0xFE]) + Data("燕\n".utf8)).write(to: file)
        let result = try Program.run(["tokenizer", "encode", "--tokenizer", "bert", "bad.txt"], in: scratch.url)
        #expect(result.status == 0)
        #expect(result.output.hasPrefix("5 ") && result.output.hasSuffix(" 6\n"))
    }

    @Test func `a folder without a tokenizer is refused`() throws {
        try scratch.write("", to: "empty/readme")
        let result = try Program.run(["tokenizer", "encode", "--tokenizer", "empty"], in: scratch.url)
        #expect(result.status == 2)
        #expect(result.error.hasPrefix("error: ") && result.error.contains("empty") && result.error.split(separator: "\n").count == 1)
    }

    @Test func `the benchmark prints one JSON object`() throws {
        try scratch.write(String(repeating: "春天雨燕\n", count: 100), to: "text.txt")
        let result = try Program.run(["benchmark", "tokenize", "--tokenizer", "bert", "text.txt", "--json"], in: scratch.url)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        #expect(object["tokens"] as? Int == 400)
        #expect(object["bytes"] as? Int == 1200)
        #expect(object["megabytes_per_second"] as? Double ?? 0 > 0)
    }
}
