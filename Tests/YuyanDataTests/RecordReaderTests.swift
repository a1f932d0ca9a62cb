import Foundation
import Testing
import YuyanText

@testable import YuyanData

@Suite struct RecordReaderTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test func aTextFileIsOneDocumentAsItStands() throws {
        let text = "　　第一段。\n\n\n第二段。\n"
        let records = try readRecords(folder.write("a.txt", text), folder.write("b.md", "# 题\n\n文"))
        #expect(records.compactMap(\.document?.text) == [text, "# 题\n\n文"])
        #expect(records[0].document?.id == "a.txt")
        #expect(records[0].document?.source == folder.file("a.txt").path)
    }

    @Test func aByteOrderMarkIsDropped() throws {
        let mark = byteOrderMark
        let records = try readRecords(
            folder.write("a.txt", mark + Array("文".utf8)), folder.write("b.jsonl", mark + Array(#"{"text": "行"}"#.utf8)),
            folder.write("c.json", mark + Array(#"[{"text": "组"}]"#.utf8)), folder.write("d.csv", mark + Array("text\n列\n".utf8)))
        #expect(records.compactMap(\.document?.text) == ["文", "行", "组", "列"])
    }

    @Test func foldersAreReadInOrderAndPatternsExpand() throws {
        for name in ["b/2.txt", "a.txt", "b/1.txt", "c/deep/x.jsonl", "skip.bin", ".hidden.txt"] {
            _ = try folder.write(name, name.hasSuffix("jsonl") ? #"{"text": "c/deep/x.jsonl"}"# : name)
        }
        #expect(try readRecords(folder.url.path).compactMap(\.document?.text) == ["a.txt", "b/1.txt", "b/2.txt", "c/deep/x.jsonl"])
        #expect(try readRecords(folder.url.path + "/b/*.txt").compactMap(\.document?.text) == ["b/1.txt", "b/2.txt"])
        #expect(try readRecords(folder.url.path + "/?").count == 3)
    }

    @Test func whatCannotBeReadIsNamed() throws {
        #expect(errorSentence { _ = try RecordReader(["没有.txt"]) } == "没有.txt: no such file or folder")
        #expect(errorSentence { _ = try RecordReader(["没有*.txt"]) } == "没有*.txt: no file matches this pattern")
        let binary = try folder.write("a.bin", "x")
        #expect(errorSentence { _ = try RecordReader([binary]) }.hasPrefix("\(binary): a file of this kind cannot be read, only .txt"))
        #expect(errorSentence { _ = try RecordReader([folder.url.path]) }.contains("the folder holds no .txt"))
        #expect(errorSentence { _ = try RecordReader([]) }.contains("no data files are named"))
    }

    @Test func bytesThatAreNoTextAreNamedWithTheirPlace() throws {
        let gb: [UInt8] = [0xC4, 0xE3, 0xBA, 0xC3]  // 你好 in GB18030
        let lines = try folder.write("gb.jsonl", Array("{\"text\": \"好\"}\n".utf8) + gb)
        #expect(errorSentence { _ = try readRecords(lines) }.hasPrefix("\(lines): not UTF-8 at byte 16: it looks like gb18030 from there"))
        let json = try folder.write("gb.json", Array("[{\"text\": \"天地玄黄\"}, {\"text\": \"".utf8) + [0xFF, 0xFF] + Array("\"}]".utf8))
        #expect(errorSentence { _ = try readRecords(json) }.hasPrefix("\(json): not UTF-8 at byte 37: convert it to UTF-8 first"))
        let noise = try folder.write("noise.txt", Array("好".utf8) + [0x80, 0x80])
        #expect(errorSentence { _ = try readRecords(noise) }.contains("at byte 3: convert it to UTF-8 first"))
        let row = try folder.write("row.csv", Array("text\n好\n".utf8) + [0xE5, 0xA5] + Array(",\n".utf8))
        #expect(errorSentence { _ = try readRecords(row) }.hasPrefix("\(row): not UTF-8 at byte 9"))
    }

    @Test func malformedJSONIsNamedWithItsLine() throws {
        let lines = try folder.write("a.jsonl", "{\"text\": \"一\"}\n\n{\"text\" \"二\"}\n")
        #expect(errorSentence { _ = try readRecords(lines) }.hasPrefix("\(lines):3: not valid JSON ("))
        let array = try folder.write("a.json", "[\n{\"text\": \"一\"},\n{\"text\":\n 二}\n]")
        #expect(errorSentence { _ = try readRecords(array) }.hasPrefix("\(array):4: not valid JSON ("))
        let open = try folder.write("open.json", "[\n{\"text\": \"一\"}\n")
        #expect(errorSentence { _ = try readRecords(open) } == "\(open):3: the JSON array ends without its closing ]")
        let string = try folder.write("string.json", "[\n{\"text\": \"一},\n{\"text\": \"二\"}]")
        #expect(errorSentence { _ = try readRecords(string) } == "\(string):2: not valid JSON: a JSON string is not closed before the line ends")
        let brace = try folder.write("brace.json", "[\n\n{\"text\": \"一\",\n{\"text\": \"二\"}]")
        #expect(errorSentence { _ = try readRecords(brace) }.contains("brace.json:4: not valid JSON"))
        let comma = try folder.write("comma.json", "[{\"text\": \"一\"}\n{\"text\": \"二\"}]")
        #expect(errorSentence { _ = try readRecords(comma) } == "\(comma):2: a comma is missing between two JSON records")
        let number = try folder.write("number.jsonl", "42\n")
        #expect(errorSentence { _ = try readRecords(number) }.hasPrefix("\(number):1: a record should be a JSON object, not a number"))
        let rest = try folder.write("rest.json", "[{\"text\": \"一\"}] x")
        #expect(errorSentence { _ = try readRecords(rest) } == "\(rest):1: there is more text after the end of the JSON array")
    }

    @Test func jsonMayBeAnArrayOneObjectOrLines() throws {
        let array = "[{\"text\": \"括号 ]}\\\" 在字里\"},\r\n {\"text\": \"二\"}]\n"
        #expect(try readRecords(folder.write("a.json", array)).compactMap(\.document?.text) == ["括号 ]}\" 在字里", "二"])
        #expect(try readRecords(folder.write("b.json", "{\n  \"text\": \"独\"\n}")).compactMap(\.document?.text) == ["独"])
        let lines = try readRecords(folder.write("c.json", "{\"text\": \"一\"}\n{\"text\": \"二\"}"))
        #expect(lines.compactMap(\.document?.text) == ["一", "二"])
        #expect(lines.compactMap(\.document?.id) == ["c.json:1", "c.json:2"])
        #expect(try readRecords(folder.write("d.json", "[]")).isEmpty)
    }

    @Test func linesLongerThanTheBufferAreWhole() throws {
        let texts = [String(repeating: "长", count: 5000), "", "短", String(repeating: "行", count: 70)]
        let file = try folder.write("long.txt", texts.joined(separator: "\n") + "\r\n末")
        var reader = LineReader(try InputBuffer(URL(fileURLWithPath: file), options: ReadingConfiguration(), blockSize: 64))
        var lines: [String] = []
        while let line = try reader.next() {
            lines.append(try reader.text(line))
            #expect(line.number == lines.count)
        }
        #expect(lines == texts + ["末"])
    }

    @Test func csvKeepsQuotedCommasQuotesAndLineBreaks() throws {
        let file = try folder.write("a.csv", "label,review\r\n1,\"快,好\"\n0,\"他说\"\"慢\"\"\n还凉\"\n\n1,不\"引\"号\n")
        #expect(try readRecords(file).compactMap(\.document?.text) == ["快,好", "他说\"慢\"\n还凉", "不\"引\"号"])
        #expect(try readRecords(file).compactMap(\.document?.id) == ["a.csv:2", "a.csv:3", "a.csv:6"])
        let open = try folder.write("open.csv", "text\n好\n\"没完\n又一行\n")
        #expect(errorSentence { _ = try readRecords(open) } == "\(open):3: a quoted field that begins in this row is never closed")
        let ragged = try folder.write("ragged.csv", "label,review\n1,好,了\n")
        #expect(errorSentence { _ = try readRecords(ragged) } == "\(ragged):2: the row has 3 fields where the first row has 2")
        let unknown = try folder.write("unknown.csv", "a,b\n1,2\n")
        #expect(
            errorSentence { _ = try readRecords(unknown) }.hasPrefix(
                "\(unknown):1: a record with the fields \"a\", \"b\" is of no known layout; known are "))
    }

    @Test func tsvWithoutAHeaderHoldsPairs() throws {
        let pairs = try readRecords(folder.write("a.tsv", "上联\t下联\n问\"号\t答\n")).compactMap(\.conversation)
        #expect(pairs.map(\.transcript) == [["user: 上联", "assistant: 下联"], ["user: 问\"号", "assistant: 答"]])
        let named = try readRecords(folder.write("b.tsv", "id\ttarget\tinput\n1\t答\t问\n")).compactMap(\.conversation)
        #expect(named.map(\.transcript) == [["user: 问", "assistant: 答"]])
    }

    @Test(arguments: [
        (
            #"{"messages": [{"role": "system", "content": "你是雨燕"}, {"role": "user", "content": "问"}, {"role": "assistant", "content": "答"}]}"#,
            ["system: 你是雨燕", "user: 问", "assistant: 答"]
        ),
        (#"{"id": 0, "messages": [{"role": "client", "content": "问"}, {"role": "counselor", "content": "答"}]}"#, ["user: 问", "assistant: 答"]),
        (
            #"{"system": "简短", "conversations": [{"from": "human", "value": "问"}, {"from": "gpt", "value": "答"}]}"#,
            ["system: 简短", "user: 问", "assistant: 答"]
        ),
        (#"{"instruction": "翻译", "input": "hello", "output": "你好"}"#, ["user: 翻译\nhello", "assistant: 你好"]),
        (
            #"{"instruction": "再说", "input": "", "output": "好", "history": [["问", "答"]], "system": null}"#,
            ["user: 问", "assistant: 答", "user: 再说", "assistant: 好"]
        ),
        (#"{"instruction": "写诗", "instances": [{"input": "夏", "output": "诗"}]}"#, ["user: 写诗\n夏", "assistant: 诗"]),
        (#"{"prompt": "问", "response": "答"}"#, ["user: 问", "assistant: 答"]),
        (#"{"question": "问", "answer": 42}"#, ["user: 问", "assistant: 42"]),
        (#"{"question": "问", "std_answer": "答", "class": "qa"}"#, ["user: 问", "assistant: 答"]),
        (#"{"input": "问", "target": "答", "answer_choices": ["答"], "type": "classify"}"#, ["user: 问", "assistant: 答"]),
        (#"{"source": "问", "target": "答"}"#, ["user: 问", "assistant: 答"]),
    ])
    func conversationsAreKnownByTheirFields(record: String, transcript: [String]) throws {
        #expect(try readRecords(folder.write("a.jsonl", record)).map { $0.conversation?.transcript } == [transcript])
    }

    @Test func oneSeedTaskHoldsSeveralConversations() throws {
        let task = #"{"instruction": "同义词", "instances": [{"input": "快", "output": "迅速"}, {"input": "大", "output": "巨大"}]}"#
        let conversations = try readRecords(folder.write("a.jsonl", task)).compactMap(\.conversation)
        #expect(conversations.map(\.id) == ["a.jsonl:1#1", "a.jsonl:1#2"])
        #expect(conversations.map(\.transcript.last) == ["assistant: 迅速", "assistant: 巨大"])
    }

    @Test func poemsBeginWithTitleAndAuthor() throws {
        let poem = #"{"title": "靜夜思", "author": "李白", "text": "床前明月光\n疑是地上霜", "source": "全唐诗"}"#
        #expect(try readRecords(folder.write("a.jsonl", poem)).first?.document?.text == "靜夜思\n李白\n床前明月光\n疑是地上霜")
    }

    @Test func recordsOfNoKnownLayoutAreNamedWithTheirFields() throws {
        let other = try folder.write("a.jsonl", "{\"text\": \"一\"}\n{\"b\": 1, \"a\": 2}")
        let sentence = errorSentence { _ = try readRecords(other) }
        #expect(sentence.hasPrefix("\(other):2: a record with the fields \"a\", \"b\" is of no known layout; known are yuyan (id, source, text), "))
        #expect(sentence.contains("alpaca (instruction, output)") && sentence.contains("text (text)"))
        let preference = try folder.write("b.jsonl", #"{"conversations": [], "chosen": {}, "rejected": {}}"#)
        #expect(errorSentence { _ = try readRecords(preference) }.hasPrefix("\(preference):1: the field \"role\" should be text"))
        let role = try folder.write("c.jsonl", #"{"messages": [{"role": "tool", "content": "x"}]}"#)
        #expect(errorSentence { _ = try readRecords(role) }.hasPrefix("\(role):1: the role \"tool\" is not known; known are \"assistant\", "))
        let kind = try folder.write("d.jsonl", #"{"prompt": ["x"], "response": "y"}"#)
        #expect(errorSentence { _ = try readRecords(kind) } == "\(kind):1: the field \"prompt\" should be text, not a list")
        let turns = try folder.write("e.jsonl", #"{"messages": "x"}"#)
        #expect(errorSentence { _ = try readRecords(turns) } == "\(turns):1: the field \"messages\" should be a list, not text")
    }

    @Test func recordsWithNothingToLearnAreCounted() throws {
        let file = try folder.write(
            "a.jsonl",
            """
            {"text": " \\u3000"}
            {"text": null}
            {"question": "问", "std_answer": ""}
            {"messages": [{"role": "user", "content": "只问"}]}
            {"text": "有"}
            """)
        var reader = try RecordReader([file])
        #expect(try reader.readAll().count == 1)
        #expect(reader.emptyRecords == 4)
    }

    @Test func examplesForFineTuningHoldNoComparisons() throws {
        let ranked = try folder.write("a.jsonl", #"{"prompt": "问", "chosen": "好", "rejected": "坏"}"#)
        #expect(errorSentence { _ = try readExamples([ranked]) }.contains("fine-tuning needs conversations, pairs or texts"))
        let empty = try folder.write("b.jsonl", "\n")
        #expect(errorSentence { _ = try readExamples([empty]) } == "\(empty): there is nothing to learn from")
    }

    /// The second line is written only after the first record has been handed out: a reader that wanted the whole file would wait for ever.
    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("a.jsonl", "", "{\"text\": \"一\"}\n", "{\"text\": \"二\"}\n"), ("a.csv", "text\n", "一\n", "二\n"),
            ("a.tsv", "id\ttext\n", "1\t一\n", "2\t二\n"),
        ])
    func recordsAreHandedOutBeforeTheFileIsRead(name: String, header: String, first: String, second: String) throws {
        let path = folder.file(name).path
        #expect(mkfifo(path, 0o600) == 0)
        let isRead = DispatchSemaphore(value: 0)
        // A thread of its own: it waits for the reader, and the reader for it.
        Thread.detachNewThread {
            let pipe = FileHandle(forWritingAtPath: path)
            try? pipe?.write(contentsOf: Data((header + first).utf8))
            isRead.wait()
            try? pipe?.write(contentsOf: Data(second.utf8))
            try? pipe?.close()
        }
        var reader = try RecordReader([path])
        #expect(try next(&reader) == "一")
        isRead.signal()
        #expect(try next(&reader) == "二")
        #expect(try next(&reader) == nil)
    }

    private func next(_ reader: inout RecordReader) throws -> String? { try reader.next()?.document?.text }
}
