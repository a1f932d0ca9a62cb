import Foundation
import Testing
import YuyanText

@testable import YuyanData

@Suite struct PackTests {
    let folder: TemporaryFolder
    let tokenizer: Tokenizer

    init() throws {
        folder = try TemporaryFolder()
        tokenizer = try byteTokenizer()
    }

    private func document(_ text: String) -> Record { .document(Document(id: text, text: text, source: "test")) }

    private func contents(_ output: URL) throws -> [String: Data] {
        let names = try FileManager.default.contentsOfDirectory(atPath: output.path)
        return Dictionary(uniqueKeysWithValues: try names.map { ($0, try Data(contentsOf: output.appendingPathComponent($0))) })
    }

    private func texts(_ output: URL, _ split: PackSplit) throws -> [String] {
        let set = try ShardSet(output, split: split, verifyingChecksums: true)
        return set.documents(in: 0..<set.tokenCount).map { range in
            let ids = set.tokens(in: range)
            #expect(ids.last == tokenizer.special.eos)
            return tokenizer.decode(Array(ids.dropLast()), skippingSpecialTokens: false)
        }
    }

    @Test func documentsKeepTheirOrderAndNoneIsLost() throws {
        let all = (0..<3000).map { "第\($0)篇文章" }
        let output = folder.file("out")
        let report = try pack(records: all.map(document), tokenizer: tokenizer, to: output, validationFraction: 0.1, tokensPerShard: 10000)
        let (train, validation) = (try texts(output, .train), try texts(output, .validation))
        #expect(Set(train).isDisjoint(with: validation))
        #expect(Set(train + validation) == Set(all))
        #expect(train.count + validation.count == all.count)
        #expect((200...400).contains(validation.count))
        #expect(validation == all.filter { Set(validation).contains($0) })
        #expect(report.train.documents == train.count)
        #expect(report.train.characters + report.validation.characters == all.map(\.unicodeScalars.count).reduce(0, +))
        #expect(report.train.tokens == report.train.bytes + train.count)
        #expect(report.train.shards.count == 5)
        #expect(report.train.shards.first == "train-00000.yyt")
        #expect(try PackReport(contentsOf: output) == report)
        #expect(try ShardSet(output, split: .train).check(tokenizer) == ())
    }

    @Test func theSameInputGivesTheSameBytes() throws {
        let all = (0..<500).map { document("文\($0)") }
        for name in ["one", "two"] { try pack(records: all, tokenizer: tokenizer, to: folder.file(name)) }
        #expect(try contents(folder.file("one")) == contents(folder.file("two")))
    }

    @Test func theSplitDoesNotDependOnOrder() throws {
        let all = (0..<400).map { document("文\($0)") }
        try pack(records: all, tokenizer: tokenizer, to: folder.file("one"), validationFraction: 0.1)
        try pack(records: all.reversed() + all, tokenizer: tokenizer, to: folder.file("two"), validationFraction: 0.1)
        #expect(try Set(texts(folder.file("one"), .validation)) == Set(texts(folder.file("two"), .validation)))
    }

    @Test(arguments: 2...12) func oneDocumentAtLeastIsHeldBack(count: Int) throws {
        let all = (0..<count).map { "短文\($0)" }
        let report = try pack(records: all.map(document), tokenizer: tokenizer, to: folder.file("out"), validationFraction: 0.001)
        #expect(report.validation.documents == 1)
        #expect(report.train.documents == count - 1)
        #expect(try Set(texts(folder.file("out"), .train) + texts(folder.file("out"), .validation)) == Set(all))
    }

    @Test func aSingleDocumentAndAFractionOfZeroAreAllTraining() throws {
        #expect(try pack(records: [document("独")], tokenizer: tokenizer, to: folder.file("one")).train.documents == 1)
        #expect(errorSentence { _ = try ShardSet(folder.file("one"), split: .validation) }.contains("no validation documents were packed"))
        let report = try pack(records: (0..<50).map { document("\($0)") }, tokenizer: tokenizer, to: folder.file("zero"), validationFraction: 0)
        #expect(report.train.documents == 50)
        #expect(
            errorSentence { try pack(records: [document("a")], tokenizer: tokenizer, to: folder.file("bad"), validationFraction: 1) }.contains(
                "below 1"))
    }

    @Test func conversationsAreWrittenByTheTemplate() throws {
        let messages = [Message(role: "user", content: "问<|end|>"), Message(role: "assistant", content: "答")]
        let record = Record.conversation(Conversation(id: "1", messages: messages, source: "test"))
        try pack(records: [record], tokenizer: tokenizer, to: folder.file("out"))
        let set = try ShardSet(folder.file("out"), split: .train)
        let expected = try ChatTemplate.yuyan.encode(messages, with: tokenizer, addingGenerationPrompt: false).ids + [#require(tokenizer.special.eos)]
        #expect(set.tokens(in: 0..<set.tokenCount) == expected)
    }

    @Test func packingAgainReplacesWhatWasThere() throws {
        let output = folder.file("out")
        try FileManager.default.createDirectory(at: output, withIntermediateDirectories: true)
        try Data("mine".utf8).write(to: output.appendingPathComponent("config.yaml"))
        try pack(records: (0..<100).map { document("旧\($0)") }, tokenizer: tokenizer, to: output, tokensPerShard: 50)
        try pack(records: [document("新")], tokenizer: tokenizer, to: output)
        #expect(try contents(output).keys.sorted() == ["config.yaml", "pack.json", "train-00000.yyt"])
        #expect(try texts(output, .train) == ["新"])
    }

    @Test func aFailureLeavesTheEarlierCorpusWhole() throws {
        let output = folder.file("out")
        try pack(records: [document("旧")], tokenizer: tokenizer, to: output)
        let bad = try folder.write("bad.jsonl", "{\"text\": \"一\"}\n{")
        #expect(errorSentence { try pack([bad], tokenizer: tokenizer, to: output) }.contains("bad.jsonl:2"))
        #expect(try texts(output, .train) == ["旧"])
        #expect(try contents(output).count == 2)
    }

    @Test func anEmptyCorpusIsAnError() throws {
        let empty = try folder.write("empty.txt", " \n\n")
        #expect(
            errorSentence { try pack([empty], tokenizer: tokenizer, to: folder.file("out")) }.contains("the corpus is empty (1 files hold no text"))
        #expect(errorSentence { _ = try ShardSet(folder.file("out"), split: .train) }.contains("no packed corpus here"))
    }

    @Test func progressCountsUp() throws {
        var seen: [Int] = []
        let big = String(repeating: "雨", count: 1 << 20)
        try pack(records: (0..<8).map { document("\($0)" + big) }, tokenizer: tokenizer, to: folder.file("out")) { report in
            seen.append(report.train.documents + report.validation.documents)
        }
        #expect(seen.count == 3)
        #expect(seen == seen.sorted())
    }
}
