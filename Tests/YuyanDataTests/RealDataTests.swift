import Foundation
import Testing
import YuyanText

@testable import YuyanData

/// The public data sets as they are.
@Suite(.enabled(if: testData != nil, needsTestData)) struct RealDataTests {
    @Test(arguments: [
        ("text/luxun", 13, 0), ("text/weekly", 300, 0), ("text/poetry/tang.jsonl", 20000, 0), ("text/poetry/anthologies.jsonl", 12422 - 143, 143),
        ("text/poetry/ci.jsonl", 8000, 0), ("text/d2l/*.md", 140, 0), ("classify/waimai_10k.csv", 11987, 0),
    ])
    func documents(path: String, count: Int, empty: Int) throws {
        var reader = try RecordReader([#require(testData).appendingPathComponent(path).path])
        let records = try reader.readAll()
        #expect(records.compactMap(\.document).count == count)
        #expect(records.count == count)
        #expect(reader.emptyRecords == empty)
    }

    @Test(arguments: [
        ("dialog/smile_4000.jsonl", 3995, 5), ("instruct/alpaca_zh_demo.json", 1000, 0), ("instruct/identity.json", 91, 0),
        ("instruct/belle_eval_set.json", 631, 369), ("instruct/belle_zh_seed_tasks.jsonl", 175, 0), ("instruct/pCLUE_train_1k.json", 1000, 0),
        ("instruct/pCLUE_test_500.json", 500, 0), ("instruct/sharegpt_zh_100_format.jsonl", 101, 0), ("instruct/zh_couplet_train.tsv", 49958, 0),
        ("instruct/zh_dialog.tsv", 563, 0),
    ])
    func conversations(path: String, count: Int, empty: Int) throws {
        var reader = try RecordReader([#require(testData).appendingPathComponent(path).path])
        let records = try reader.readAll()
        #expect(records.compactMap(\.conversation).count == count)
        #expect(records.count == count)
        #expect(reader.emptyRecords == empty)
        #expect(Set(records.compactMap(\.conversation).flatMap(\.messages).map(\.role)).isSubset(of: ["system", "user", "assistant"]))
    }

    @Test func wholeFolders() throws {
        let folder = try #require(testData)
        var reader = try RecordReader(["text", "dialog", "instruct"].map { folder.appendingPathComponent($0).path })
        #expect(try reader.readAll().count > 90000)
    }
}
