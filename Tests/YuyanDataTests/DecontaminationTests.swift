import Foundation
import Testing

@testable import YuyanData

@Suite struct DecontaminationTests {
    private let folder: TemporaryFolder
    private let question = "下列关于雨燕的说法中，哪一项符合它在空中生活的习性？"
    private let passage = "雨燕一生中的绝大部分时间都在空中度过，进食、喝水、收集巢材甚至睡眠都不必落地。"

    init() throws {
        folder = try TemporaryFolder()
        _ = try folder.write(
            "tests/birds.csv",
            ",Question,A,B,C,D,Answer\n0,\(question),从不落地,只吃种子,\"在水面上\n睡觉\",夜间迁徙,A\n1,鸟有几条腿,1,2,3,4,B\n")
        _ = try folder.write("tests/reading.jsonl", #"{"text": "\#(passage)"}"# + "\n")
    }

    private func run(_ texts: [String], _ change: (inout DecontaminationConfiguration) -> Void = { _ in }) throws -> (StageResult, StepReport) {
        let inputs = try texts.enumerated().map { try folder.write("in/\($0).txt", $1) }
        var configuration = DecontaminationConfiguration()
        change(&configuration)
        let report = try decontaminate(inputs, against: [folder.file("tests").path], to: folder.file("out"), configuration: configuration)
        return (try StageResult(folder.file("out")), report)
    }

    @Test func whatHoldsATestIsDroppedWithThePassage() throws {
        let texts = [
            "今天做了一道题： 下列关于雨燕的说法中,哪一项符合它在空中生活的习性? 我选了第一项。", "雨燕一生都在飞，老师讲了它的许多故事。", "前言\n\(passage)\n后记",
        ]
        let (result, report) = try run(texts)
        #expect(result.kept == ["1.txt"])
        #expect(result.dropped.map(\.id) == ["0.txt", "2.txt"])
        #expect(result.dropped.allSatisfy { $0.reason == "contaminated" })
        #expect(result.dropped[0].value == "birds.csv:2 (1.000): 今天做了一道题： 【下列关于雨燕的说法中,哪一项符合它在空中生活的习性】? 我选了第一项。")
        #expect(result.dropped[1].value == "reading.jsonl:1 (1.000): 前言 【\(passage.dropLast())】。 后记")
        // The heading and the question about legs have no field of 13 characters.
        #expect(report.problems == ["2 test records have no field of 13 characters and could not be looked for"])
        let kept = try JSONDecoder().decode(StepReport.self, from: Data(contentsOf: folder.file("out/report.json")))
        #expect(kept == report)
    }

    @Test func theShareAndTheNumberDecide() throws {
        let half = String(passage.prefix(24))  // 22 characters that count: 10 of the 23 runs
        #expect(try run([half]).0.dropped.isEmpty)
        #expect(try run([half]) { $0.overlap = 0.4 }.0.dropped.count == 1)
        #expect(try run([half]) { ($0.overlap, $0.minimumMatches) = (0.4, 11) }.0.dropped.isEmpty)
        #expect(try run(["题目问雨燕的说法中哪一项"]) { ($0.overlap, $0.ngram) = (0.1, 8) }.0.dropped.count == 1)
        #expect(try run(["短文"]).0.kept.count == 1)
    }

    @Test func thePassageCanBeCut() throws {
        let (result, report) = try run(["前言。\(passage)后记。\(question)", passage]) { $0.cut = true }
        #expect(result.texts == ["0.txt": "前言。。后记。？", "1.txt": "。"])
        #expect(report.changes == ["contaminated": 3])
    }

    @Test func wordsThatAllTestsShareTellNothing() throws {
        let instruction = "请阅读下面的文章然后回答文章后面提出的问题"
        var random = SeededRandom(seed: 61)
        let tests = (0..<TestGrams.commonest + 1).map { _ in instruction + randomText(&random, 10) }
        _ = try folder.write("tests/many.tsv", tests.joined(separator: "\n"))
        let (result, _) = try run([instruction + "并说明理由", tests[3]])
        #expect(result.kept == ["0.txt"])
        #expect(result.dropped.first?.value.hasPrefix("many.tsv:4 (1.000)") == true)
    }

    /// Every n-gram of every test, looked for in a plain set.
    @Test func agreesWithPlainSearch() throws {
        var random = SeededRandom(seed: 62)
        let tests = (0..<40).map { _ in randomText(&random, random.number(in: 13...40), alphabet: 12) }
        _ = try folder.write("tests/random.tsv", tests.joined(separator: "\n"))
        let grams = try TestGrams([folder.file("tests/random.tsv").path], width: 6)
        var configuration = DecontaminationConfiguration()
        configuration.ngram = 6
        for _ in 0..<300 {
            var text = randomText(&random, random.number(in: 0...60), alphabet: 12)
            if random.number(in: 0...1) == 0 { text += String(random.element(of: tests).prefix(random.number(in: 6...20))) }
            let own = plainShingles(text, 6)
            let shares = tests.map { Double(plainShingles($0, 6).intersection(own).count) / Double(plainShingles($0, 6).count) }
            let best = shares.max() ?? 0
            let found = grams.search(text, configuration)
            #expect((found != nil) == (best >= 0.5))
            if let found { #expect(found.value.hasPrefix("random.tsv:\((shares.firstIndex(of: best) ?? 0) + 1) (\(rounded(best)))")) }
        }
    }

    @Test func mistakesAreNamed() throws {
        let tests = try folder.write("short.tsv", "短\n")
        let input = try folder.write("in/0.txt", "文")
        #expect(
            errorSentence { try decontaminate([input], against: [tests], to: folder.file("out")) }
                == "\(tests): no test record has 13 characters to look for; choose a smaller ngram")
        #expect(errorSentence { _ = try run(["文"]) { $0.ngram = 1 } } == "ngram is 1; it should be from 2 to 64 characters")
        #expect(errorSentence { _ = try run(["文"]) { $0.overlap = 0 } }.contains("overlap is 0.0"))
    }

    @Test(.enabled(if: testData != nil, needsTestData)) func realQuestionsAreFound() throws {
        let tests = try #require(testData).appendingPathComponent("benchmark/cmmlu/test")
        let rows = try readText(tests.appendingPathComponent("ancient_chinese.csv")).components(separatedBy: "\n")
        let question = try #require(rows.dropFirst().first { $0.utf8.count > 180 })
        let input = try folder.write("in/leak.txt", "从前有人出过这样一道题：\(question)")
        let clean = try #require(testData).appendingPathComponent("text/luxun")
        try decontaminate([input, clean.path], against: [tests.path], to: folder.file("out"))
        let result = try StageResult(folder.file("out"))
        #expect(result.dropped.map(\.id).contains("leak.txt"))
        #expect(result.kept.count >= 10)
    }
}
