import Foundation
import Testing

@testable import YuyanData

@Suite struct TextEncodingTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private static let simplified = [
        "你好", "测试", "在我的后园，可以看见墙外有两株树，一株是枣树，还有一株也是枣树。", "今天天气很好。",
        "他说：“我们明天再来吧！”", "标题\n正文", "人工智能是计算机科学的一个分支，它企图了解智能的实质。", "北京市海淀区", "小王", "价格：12.50元（含税）",
    ]
    private static let traditional = [
        "你好", "測試一下", "在我的後園，可以看見牆外有兩株樹，一株是棗樹，還有一株也是棗樹。", "今天天氣很好。", "他說：「我們明天再來吧！」",
        "標題\n正文", "人工智慧是電腦科學的一個分支，它企圖了解智慧的實質。", "台北市大安區", "床前明月光，疑是地上霜。", "價格：12.50元（含稅）",
        "香港特別行政區政府今日公布最新數字。",
    ]

    @Test(arguments: simplified) func simplifiedTextIsRead(text: String) throws {
        #expect(try read(text, encoded(text, "GB18030")) == text)
        #expect(try read(text, encoded(text, "UTF-16LE"), mark: [0xFF, 0xFE]) == text)
        #expect(try read(text, encoded(text, "UTF-16BE"), mark: [0xFE, 0xFF]) == text)
        #expect(try read(text, Array(text.utf8)) == text)
        #expect(try read(text, Array(text.utf8), mark: byteOrderMark) == text)
    }

    @Test(arguments: traditional) func traditionalTextIsRead(text: String) throws {
        #expect(try read(text, encoded(text, "BIG5")) == text)
        if text.unicodeScalars.count > 4 { #expect(try read(text, encoded(text, "GB18030")) == text) }
        #expect(try read(text, Array(text.utf8)) == text)
    }

    private func read(_ text: String, _ bytes: [UInt8], mark: [UInt8] = []) throws -> String? {
        try readRecords(folder.write("a.txt", mark + bytes)).first?.document?.text
    }

    /// The first non-ASCII character may come late, and a block may end inside a character.
    @Test(arguments: [0, 1, 2, 3, 4095, 4096, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 700_001]) func theEncodingIsSettledWhereASCIIEnds(ascii: Int)
        throws
    {
        let text = String(repeating: "x", count: ascii) + String(repeating: "在我的后园，可以看见墙外有两株树。", count: 20_000)
        for encoding in ["GB18030", "UTF-8"] {
            let file = try folder.write("a.txt", encoded(text, encoding))
            #expect(try readRecords(file).first?.document?.text == text)
        }
        let traditional = String(repeating: "x", count: ascii) + "今天天氣很好，我們明天再來。"
        #expect(try readRecords(folder.write("b.txt", encoded(traditional, "BIG5"))).first?.document?.text == traditional)
    }

    @Test func everyKindOfFileIsConverted() throws {
        let lines = "{\"text\": \"天地玄黄，宇宙洪荒\"}\n{\"text\": \"日月盈昃，辰宿列张\"}\n"
        #expect(try readRecords(folder.write("a.jsonl.gz", gzip(encoded(lines, "GB18030")))).count == 2)
        #expect(try readRecords(folder.write("a.json", [0xFF, 0xFE] + encoded("[{\"text\": \"天地\"}]", "UTF-16LE"))).first?.text == "天地")
        let table = "label,review\n1,\"味道很好，送得也快\"\n0,\"等了两个小时\"\n"
        #expect(try readRecords(folder.write("b.csv", encoded(table, "GBK"))).compactMap(\.document?.text) == ["味道很好，送得也快", "等了两个小时"])
    }

    @Test func aNamedEncodingIsTaken() throws {
        let text = "測試"
        let file = try folder.write("a.txt", encoded(text, "BIG5"))
        var options = ReadingConfiguration()
        options.encoding = .big5
        var reader = try RecordReader([file], options: options)
        #expect(try reader.next()?.text == text)
        options.encoding = .utf8
        reader = try RecordReader([file], options: options)
        #expect(errorSentence { _ = try reader.next() }.contains("not UTF-8 at byte 0"))
        options.encoding = .utf16
        reader = try RecordReader([try folder.write("b.txt", encoded(text, "UTF-16LE"))], options: options)
        #expect(try reader.next()?.text == text)
    }

    /// A byte that is nothing in the file's encoding is named by its place in the file, and costs only its line.
    @Test func faultsOfOtherEncodingsAreNamedByTheirPlaceInTheFile() throws {
        let texts = ["天地玄黄，宇宙洪荒。", "日月盈昃，辰宿列张。", "寒来暑往，秋收冬藏。"].map { String(repeating: $0, count: 20) }
        let lines = texts.map { "{\"text\": \"\($0)\"}\n" }
        var bytes = try lines.map { try encoded($0, "GB18030") }
        let place = bytes[0].count + 10
        bytes[1].insert(0xFF, at: 10)
        let file = try folder.write("a.jsonl", bytes.flatMap(\.self))
        #expect(errorSentence { _ = try readRecords(file) }.hasPrefix("\(file): not gb18030 at byte \(place)"))
        let (records, problems) = try readSkipping(file)
        #expect(records.map(\.text) == [texts[0], texts[2]])
        #expect(problems.count == 1)
        let cut = try folder.write("cut.txt", encoded("天地玄黄，宇宙洪荒", "GB18030").dropLast())
        #expect(errorSentence { _ = try readRecords(cut) }.hasPrefix("\(cut): not gb18030 at byte 16"))
    }

    @Test func aUTF8FileWithAFaultIsUTF8() throws {
        let text = String(repeating: "在我的后园，可以看见墙外有两株树。", count: 100)
        let file = try folder.write("a.jsonl", Array("{\"text\": \"\(text)\"}\n{\"text\": \"".utf8) + [0xE5] + Array("\"}\n".utf8))
        #expect(errorSentence { _ = try readRecords(file) }.contains("not UTF-8 at byte \(text.utf8.count + 23)"))
        #expect(try readSkipping(file).records.map(\.text) == [text])
    }

    @Test func bytesOfNoEncodingAreNotGuessed() {
        func detect(_ bytes: [UInt8]) -> TextEncoding? { bytes.withUnsafeBytes { TextEncoding.detect($0, isWhole: true) } }
        #expect(detect(Array("abc".utf8)) == .utf8)
        #expect(detect([]) == .utf8)
        #expect(detect([0x63, 0x61, 0x66, 0xE9, 0x20]) == nil)  // café in Latin-1
        var random = SeededRandom(seed: 7)
        #expect(detect((0..<4000).map { _ in UInt8(random.number(in: 0...255)) }) == nil)
    }

    /// The prefix that a slow reading of the standard library accepts.
    @Test func theFirstFaultOfUTF8IsFound() {
        var random = SeededRandom(seed: 3)
        let text = Array("a雨é🐦\u{FFFF}\u{10FFFF}\u{7FF}".utf8)
        for _ in 0..<5000 {
            let bytes = damaged(text, &random)
            var length = 0
            var parser = Unicode.UTF8.ForwardParser()
            var iterator = bytes.makeIterator()
            while case .valid(let scalar) = parser.parseScalar(from: &iterator) { length += scalar.count }
            #expect(bytes.withUnsafeBytes { validUTF8Prefix($0) } == length)
            #expect(bytes.withUnsafeBytes { isUTF8($0) } == (length == bytes.count))
        }
    }

    /// Real prose in pieces of a few characters: what is written in an encoding is read in it.
    @Test(.enabled(if: testData != nil, needsTestData)) func shortPiecesOfRealTextAreRead() throws {
        var wrong: [Int: Int] = [:]
        let pieces = 300
        for (path, encoding, expected) in [("text/luxun", "GB18030", TextEncoding.gb18030), ("text/poetry/tang.jsonl", "BIG5", .big5)] {
            var reader = try RecordReader([try #require(testData).appendingPathComponent(path).path])
            let texts = try reader.readAll().prefix(2000).map { $0.text.split(separator: "\n").joined() }
            var random = SeededRandom(seed: 11)
            for length in [4, 8, 16, 64] {
                var count = 0
                for _ in 0..<pieces * 4 where count < pieces {
                    let text = Array(random.element(of: texts).unicodeScalars)
                    guard text.count > length else { continue }
                    let start = random.number(in: 0...text.count - length)
                    let piece = String(String.UnicodeScalarView(text[start..<start + length]))
                    guard let bytes = try? encoded(piece, encoding), piece.unicodeScalars.contains(where: { $0.value > 0x3000 }) else { continue }
                    count += 1
                    if bytes.withUnsafeBytes({ TextEncoding.detect($0, isWhole: true) }) != expected { wrong[length, default: 0] += 1 }
                }
            }
        }
        print("encodings taken for others, of \(2 * pieces) pieces:", wrong.sorted { $0.key < $1.key })
        #expect(wrong[4, default: 0] <= pieces / 10)
        #expect(wrong[8, default: 0] <= pieces / 50)
        #expect(wrong[16, default: 0] <= 1)
        #expect(wrong[64, default: 0] == 0)
    }
}
