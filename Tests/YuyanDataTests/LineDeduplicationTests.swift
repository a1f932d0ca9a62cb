import Foundation
import Testing

@testable import YuyanData

@Suite struct LineDeduplicationTests {
    private func cut(_ texts: [String], _ change: (inout DeduplicationConfiguration) -> Void) throws -> (StageResult, StepReport) {
        let folder = try TemporaryFolder()
        let inputs = try texts.enumerated().map { try folder.write("\($0).txt", $1) }
        var configuration = DeduplicationConfiguration()
        configuration.level = .lines
        configuration.minimumCharacters = 6
        change(&configuration)
        let report = try deduplicate(inputs, to: folder.file("out"), configuration: configuration)
        let lines = try String(contentsOf: folder.file("out/duplicates.jsonl"), encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 1 + (report.changes.isEmpty && report.dropped.isEmpty ? 0 : lines.count - 1))
        return (try StageResult(folder.file("out")), report)
    }

    private let texts = [
        "第一篇讲的是雨燕怎样过冬\n版权所有，翻印必究。\n短行\n", "第二篇讲的是家燕怎样筑巢\n\n版权所有 翻印必究\n短行\n", "版权所有，翻印必究！\n短行",
        "版权所有，翻印必究",
    ]

    @Test func linesStayInTheFirstDocument() throws {
        let (result, report) = try cut(texts) { _ in }
        #expect(result.texts == ["0.txt": texts[0], "1.txt": "第二篇讲的是家燕怎样筑巢\n\n短行\n", "2.txt": "短行"])
        #expect(result.dropped == [.init(id: "3.txt", reason: "duplicate_lines", value: "all 1 lines stand in earlier documents")])
        #expect(report.changes == ["duplicate_lines": 2])
    }

    @Test func asManyDocumentsAsAllowedMayShareALine() throws {
        #expect(try cut(texts) { $0.occurrences = 4 }.0.kept.count == 4)
        #expect(try cut(texts) { $0.occurrences = 3 }.0.kept.count == 3)
        #expect(try cut(texts) { $0.minimumCharacters = 9 }.0.dropped.isEmpty)
        #expect(try cut(texts) { $0.minimumCharacters = 2 }.0.texts["1.txt"] == "第二篇讲的是家燕怎样筑巢\n\n")
    }

    @Test func repetitionWithinADocumentStays() throws {
        let refrain = "关关雎鸠在河之洲\n窈窕淑女君子好逑\n关关雎鸠在河之洲"
        let (result, _) = try cut([refrain, "参差荇菜左右流之\n" + refrain]) { _ in }
        #expect(result.texts == ["0.txt": refrain, "1.txt": "参差荇菜左右流之"])
    }

    @Test func sentencesKeepTheirMarks() throws {
        let first = "欢迎关注我们的公众号！今天说说雨燕。它从不落地……"
        let second = "你好！“欢迎关注我们的公众号？！”今天说说家燕。\n它从不落地…\n再见"
        let (result, report) = try cut([first, second]) {
            $0.level = .sentences
            $0.minimumCharacters = 5
        }
        #expect(result.texts == ["0.txt": first, "1.txt": "你好！今天说说家燕。\n再见"])
        #expect(report.changes == ["duplicate_sentences": 2])
    }

    @Test func piecesCoverTheText() {
        var random = SeededRandom(seed: 51)
        let pool = Array("雨燕飞落檐下。！？!?…\n”』)ab ".unicodeScalars)
        for level in [DeduplicationConfiguration.Level.lines, .sentences] {
            for _ in 0..<2000 {
                var text = String(String.UnicodeScalarView((0..<random.number(in: 0...40)).map { _ in random.element(of: pool) }))
                var pieces = TextPieces(level: level, minimum: 2)
                pieces.split(text)
                var joined = ""
                for piece in pieces.pieces {
                    joined += String(decoding: Array(text.utf8)[piece.range], as: UTF8.self) + (piece.endsLine ? "\n" : "")
                }
                #expect(joined == text + "\n")
                let before = text
                #expect(pieces.remove(from: &text) { _ in false } == 0)
                #expect(text == before)
                if level == .lines { #expect(pieces.pieces.count == text.utf8.count { $0 == 0x0A } + 1) }
            }
        }
    }

    @Test func talksStayAsTheyAre() throws {
        let folder = try TemporaryFolder()
        let line = #"{"messages": [{"role": "user", "content": "雨燕住在哪里呢？"}, {"role": "assistant", "content": "雨燕住在屋檐下和岩缝里。"}]}"#
        let input = try folder.write("talks.jsonl", "\(line)\n\(line)\n")
        var configuration = DeduplicationConfiguration()
        configuration.level = .sentences
        #expect(try deduplicate([input], to: folder.file("out"), configuration: configuration).kept.records == 2)
        configuration.level = .exact
        #expect(try deduplicate([input], to: folder.file("out"), configuration: configuration).kept.records == 1)
    }
}
