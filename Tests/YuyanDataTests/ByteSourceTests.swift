import Foundation
import Testing

@testable import YuyanData

@Suite struct ByteSourceTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private static let contents: [(name: String, text: String, texts: [String])] = [
        ("a.txt", "　　第一段。\n\n第二段。\n", ["　　第一段。\n\n第二段。\n"]),
        ("a.md", "# 题\n\n文", ["# 题\n\n文"]),
        ("a.json", "[{\"text\": \"一\"},\n {\"text\": \"二\"}]", ["一", "二"]),
        ("a.jsonl", "{\"text\": \"一\"}\r\n\n{\"text\": \"二\"}", ["一", "二"]),
        ("a.ndjson", "{\"text\": \"一\"}\n", ["一"]),
        ("a.csv", "text\r\n\"一,\"\"二\"\"\"\r\n", ["一,\"二\""]),
        ("a.tsv", "id\ttext\n1\t一\n", ["一"]),
    ]

    @Test(arguments: contents)
    func everyKindIsReadInEveryCompression(name: String, text: String, texts: [String]) throws {
        let plain = Array(text.utf8)
        for bytes in [plain, byteOrderMark + plain] {
            #expect(try readRecords(folder.write(name, bytes)).compactMap(\.document?.text) == texts)
            #expect(try readRecords(folder.write(name + ".gz", gzip(bytes))).compactMap(\.document?.text) == texts)
            #expect(try readRecords(folder.write(name + ".zst", zstd(bytes))).compactMap(\.document?.text) == texts)
        }
    }

    @Test func membersAndFramesOfOneFileAreJoined() throws {
        let parts = ["{\"text\": \"一\"}\n{\"te", "xt\": \"二\"}\n", "", "{\"text\": \"三\"}\n"].map { Array($0.utf8) }
        let members = try folder.write("a.jsonl.gz", parts.flatMap { try gzip($0) } + [UInt8](repeating: 0, count: 512))
        #expect(try readRecords(members).compactMap(\.document?.text) == ["一", "二", "三"])
        let frames = try folder.write("a.jsonl.zst", parts.flatMap { try zstd($0) })
        #expect(try readRecords(frames).compactMap(\.document?.text) == ["一", "二", "三"])
    }

    /// Blocks of every size meet the ends of members, lines and characters.
    @Test func largeFilesAreReadWhole() throws {
        let texts = (0..<20_000).map { "第\($0)行，" + String(repeating: "雨燕\($0)", count: $0 % 37) }
        let bytes = Array(texts.map { "{\"text\": \"\($0)\"}\n" }.joined().utf8)
        let half = bytes.count / 2
        for file in [
            try folder.write("a.jsonl", bytes), try folder.write("a.jsonl.gz", gzip(Array(bytes[..<half])) + gzip(Array(bytes[half...]))),
            try folder.write("a.jsonl.zst", zstd(Array(bytes[..<half])) + zstd(Array(bytes[half...]))),
        ] {
            #expect(try readRecords(file).compactMap(\.document?.text) == texts)
        }
        let value = try folder.write(
            "a.json.gz", gzip(Array("[".utf8) + bytes.map { $0 == 0x0A ? UInt8(ascii: ",") : $0 }.dropLast() + Array("]".utf8)))
        #expect(try readRecords(value).compactMap(\.document?.text) == texts)
    }

    /// Cut off anywhere, a file gives an error that names it; the records before the cut are read where faults are passed over.
    @Test(arguments: ["gz", "zst"]) func cutOffFilesAreNamed(suffix: String) throws {
        let texts = (0..<3000).map { "第\($0)行，燕子去了，有再来的时候；\($0 &* 2_654_435_761)" }
        let lines = texts.map { "{\"text\": \"\($0)\"}\n" }
        let bytes = Array(lines.joined().utf8)
        let whole = suffix == "gz" ? try gzip(bytes) : try zstd(bytes)
        for cut in Array(0..<20) + stride(from: 20, to: whole.count, by: whole.count / 60) + [whole.count - 1] {
            let file = try folder.write("a.jsonl.\(suffix)", Array(whole[..<cut]))
            #expect(errorSentence { _ = try readRecords(file) } == "\(file): the \(suffix == "gz" ? "gzip" : "zstd") data is cut off at byte \(cut)")
            let (records, problems) = try readSkipping(file)
            #expect(problems.count == 1)
            #expect(records.compactMap(\.document?.text) == Array(texts.prefix(records.count)))
            if cut > whole.count * 9 / 10, suffix == "gz" { #expect(records.count > 1000) }
        }
    }

    @Test func damagedArchivesAreNamedAndTheNextFileIsRead() throws {
        let first = try folder.write("1.txt.gz", Array("不是压缩文件".utf8))
        _ = try folder.write("2.txt.gz", gzip(Array("是".utf8)))
        let third = try folder.write("3.txt.zst", Array("也不是压缩文件".utf8))
        #expect(errorSentence { _ = try readRecords(first) } == "\(first): the gzip data is damaged before byte 2 (incorrect header check)")
        #expect(errorSentence { _ = try readRecords(third) }.hasPrefix("\(third): the zstd data is damaged at byte "))
        let (records, problems) = try readSkipping(folder.url.path)
        #expect(records.compactMap(\.document?.text) == ["是"])
        #expect(problems.count == 2)
        var wrong = try gzip(Array("文".utf8))
        wrong[wrong.count - 6] ^= 1
        let sum = try folder.write("sum.txt.gz", wrong)
        #expect(errorSentence { _ = try readRecords(sum) }.contains("incorrect data check"))
    }

    @Test func recordsAreCalledAfterTheirPlaceBelowWhatWasNamed() throws {
        for name in ["a/1.jsonl", "a/b/1.jsonl", "c/1.jsonl"] { _ = try folder.write("data/" + name, "{\"text\": \"\(name)\"}\n") }
        let data = folder.file("data").path
        #expect(try readRecords(data).map(\.id) == ["a/1.jsonl:1", "a/b/1.jsonl:1", "c/1.jsonl:1"])
        #expect(try readRecords(data + "/").map(\.id) == ["a/1.jsonl:1", "a/b/1.jsonl:1", "c/1.jsonl:1"])
        #expect(try readRecords(data + "/a").map(\.id) == ["1.jsonl:1", "b/1.jsonl:1"])
        #expect(try readRecords(data + "/*/1.jsonl").map(\.id) == ["a/1.jsonl:1", "c/1.jsonl:1"])
        #expect(try readRecords(data + "/[ac]").map(\.id) == ["a/1.jsonl:1", "a/b/1.jsonl:1", "c/1.jsonl:1"])
        #expect(try readRecords(data + "/c/1.jsonl").map(\.id) == ["1.jsonl:1"])
        // Files of one name that were named each get as many folders in front as tell them apart.
        #expect(try readRecords(data + "/a/1.jsonl", data + "/c/1.jsonl").map(\.id) == ["a/1.jsonl:1", "c/1.jsonl:1"])
        #expect(try readRecords(data + "/a", data + "/c").map(\.id) == ["a/1.jsonl:1", "b/1.jsonl:1", "c/1.jsonl:1"])
        #expect(try readRecords(data + "/c", data + "/c/1.jsonl").map(\.id) == ["1.jsonl:1", "1.jsonl:1"])
        #expect(try readRecords(data).allSatisfy { $0.source.hasSuffix("1.jsonl") && $0.source.hasPrefix("/") })
    }

    @Test func theFolderOfAStageStandsForItsDocuments() throws {
        _ = try folder.write("stage/documents/00000.jsonl", "{\"text\": \"留\"}\n")
        _ = try folder.write("stage/dropped/00000.jsonl", "{\"step\": \"clean\", \"reason\": \"x\", \"value\": \"y\", \"record\": {}}\n")
        _ = try folder.write("stage/statistics/00000.jsonl", "{\"characters\": 1}\n")
        _ = try folder.write("stage/report.json", "{}")
        #expect(try readRecords(folder.file("stage").path).compactMap(\.document?.text) == ["留"])
        #expect(try dataFiles([folder.file("stage").path]).map(\.lastPathComponent) == ["00000.jsonl"])
        try FileManager.default.removeItem(at: folder.file("stage/report.json"))
        #expect(try dataFiles([folder.file("stage").path]).count == 3)
    }

    @Test func theStandardInputIsNamedByADash() throws {
        #expect(try dataFiles(["-"]).map(\.path) == ["/dev/stdin"])
        #expect(errorSentence { _ = try RecordReader(["-", "-"]) } == "the standard input (-) can be read only once")
        let kinds: [(String, [String])] = [
            ("{\"text\": \"一\"}\n{\"text\": \"二\"}\n", ["一", "二"]), ("[{\"text\": \"一\"},\n{\"text\": \"二\"}]", ["一", "二"]),
            ("{\n\"text\": \"一\"\n}", ["一"]), ("一\n二\n", ["一\n二\n"]), ("", []),
        ]
        // What the kind is shows in the bytes alone: the same holds for files without a known extension.
        for (text, texts) in kinds {
            for bytes in [Array(text.utf8), try gzip(Array(text.utf8)), try zstd(Array(text.utf8))] {
                #expect(try readStandardInput(bytes).compactMap(\.document?.text) == texts)
            }
        }
        #expect(try readStandardInput(Array("{\"text\": \"一\"}".utf8)).map(\.id) == ["stdin:1"])
    }

    /// Reads these bytes as the standard input of this process, which is put back after.
    private func readStandardInput(_ bytes: [UInt8]) throws -> [Record] {
        let file = try folder.write("input", bytes)
        let saved = dup(STDIN_FILENO)
        let input = open(file, O_RDONLY)
        dup2(input, STDIN_FILENO)
        defer {
            dup2(saved, STDIN_FILENO)
            close(saved)
            close(input)
        }
        return try readRecords("-")
    }
}
