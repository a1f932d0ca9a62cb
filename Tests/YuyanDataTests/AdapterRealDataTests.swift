import Foundation
import Testing
import YuyanText

@testable import YuyanData

/// The public data sets as they are: the right adapter is guessed, and gives what was counted with another program.
@Suite(.enabled(if: testData != nil, needsTestData)) struct AdapterRealDataTests {
    enum Kind { case document, conversation, pair, comparison }

    static let files: [(path: String, adapter: String, kind: Kind, count: Int, empty: Int)] = [
        ("instruct/alpaca_zh_demo.json", "alpaca", .conversation, 1000, 0), ("instruct/identity.json", "alpaca", .conversation, 91, 0),
        ("instruct/belle_eval_set.json", "belle", .conversation, 631, 369), ("instruct/belle_zh_seed_tasks.jsonl", "belle", .conversation, 175, 0),
        ("instruct/pCLUE_train_1k.json", "pclue", .conversation, 1000, 0), ("instruct/pCLUE_test_500.json", "pclue", .conversation, 500, 0),
        ("instruct/sharegpt_zh_100_format.jsonl", "sharegpt", .conversation, 101, 0),
        ("instruct/zh_couplet_train.tsv", "dialogue", .conversation, 49958, 0), ("instruct/zh_dialog.tsv", "dialogue", .conversation, 563, 0),
        ("dialog/smile_4000.jsonl", "messages", .conversation, 3995, 5), ("qa/cmrc2018_trial.json", "squad", .pair, 1000, 2),
        ("preference/dpo_zh_demo.json", "preference", .comparison, 300, 0), ("text/poetry/tang.jsonl", "text", .document, 20000, 0),
        ("text/poetry/ci.jsonl", "text", .document, 8000, 0), ("text/poetry/anthologies.jsonl", "text", .document, 12279, 143),
        ("classify/waimai_10k.csv", "review", .document, 11987, 0),
    ]

    @Test(arguments: files) func everyFile(path: String, adapter: String, kind: Kind, count: Int, empty: Int) throws {
        let file = try #require(testData).appendingPathComponent(path)
        #expect(Adapter.first(matching: try firstNames(file))?.name ?? "dialogue" == adapter)
        var reader = try RecordReader([file.path])
        let records = try reader.readAll()
        #expect(records.count == count)
        #expect(reader.emptyRecords == empty)
        #expect(
            records.allSatisfy { record in
                switch record {
                case .document: kind == .document
                case .conversation: kind == .conversation
                case .pair: kind == .pair
                case .comparison: kind == .comparison
                }
            })
        #expect(Set(records.map(\.id)).count == count)
    }

    /// No file of these folders is left out above.
    @Test func allFilesAreListed() throws {
        let folder = try #require(testData)
        let found = try ["instruct", "dialog", "qa", "preference", "text/poetry", "classify"].flatMap { name in
            try FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent(name).path).map { "\(name)/\($0)" }
        }
        #expect(found.filter { !$0.hasSuffix(".csv.gz") }.sorted() == Self.files.map(\.path).sorted())
    }

    @Test func readingComprehensionAsQuestionGeneration() throws {
        let file = try #require(testData).appendingPathComponent("qa/cmrc2018_trial.json")
        let first = try #require(readRecords(file.path).first?.pair)
        #expect(first.input.hasPrefix("踢爆[SEP]基于《跑跑卡丁车》与《泡泡堂》上所开发的游戏"))
        #expect(first.target == "生命数耗完即算为什么？")
        #expect(first.metadata == ["title": "泡泡战士", "question_id": "TRIAL_800_QUERY_0", "answer": "踢爆"])
    }

    @Test func preferencesKeepTheWholeTalk() throws {
        let file = try #require(testData).appendingPathComponent("preference/dpo_zh_demo.json")
        let comparisons = try readRecords(file.path).compactMap(\.comparison)
        #expect(comparisons.allSatisfy { $0.answers.map(\.score) == [1, 0] && $0.prompt.last?.role == "user" })
        #expect(comparisons.count { $0.prompt.first?.role == "system" } == 64)
    }

    /// The field or column names of a file's first record, by the system's JSON parser.
    private func firstNames(_ file: URL) throws -> Set<String> {
        let data = try Data(contentsOf: file)
        let line = data.prefix { $0 != 0x0A && $0 != 0x0D }
        switch file.pathExtension {
        case "csv": return Set(String(decoding: line, as: UTF8.self).components(separatedBy: ","))
        case "tsv": return Set(String(decoding: line, as: UTF8.self).components(separatedBy: "\t"))
        default:
            let whole = try? JSONSerialization.jsonObject(with: data)
            let value = try whole ?? JSONSerialization.jsonObject(with: line)
            return Set((((value as? [Any])?.first ?? value) as? [String: Any] ?? [:]).keys)
        }
    }
}
