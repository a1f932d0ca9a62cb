import Foundation
import Testing
import YuyanText

@testable import YuyanData

private struct TrailingCleaner: TextCleaner {
    let name = "advert"
    func clean(_ text: inout String) -> Int {
        guard text.hasSuffix("\n【广告】") else { return 0 }
        text.removeLast("\n【广告】".count)
        return 1
    }
}

@Suite struct StoryTests {
    /// A run of three stages: cleaned and measured, filtered by length, split into halves.
    private func run(_ folder: TemporaryFolder) throws -> (run: URL, texts: [String]) {
        let texts = (0..<40).map { String(repeating: "春眠不觉晓，", count: $0 + 1) + "第\($0)句\"引\\号\"。" }
        let lines = texts.map { text in
            var line: [UInt8] = []
            line.append(json: .document(Document(id: "", text: text + "\n【广告】", source: "")))
            return String(decoding: line, as: UTF8.self).replacing(#""id":"","#, with: "").replacing(#""source":"","#, with: "")
        }
        let input = try folder.write("诗.jsonl", lines.joined(separator: "\n"))
        let run = folder.file("runs/春")
        try clean([input], to: run.appendingPathComponent("b-clean"), cleaners: [TrailingCleaner()], statistics: ["characters", "other"]) { record in
            [Double(record.text.unicodeScalars.count), 0.5]
        }
        try filter(
            run.appendingPathComponent("b-clean"), to: run.appendingPathComponent("a-filter"),
            bounds: ["characters": Bounds(minimum: 30, maximum: 200)])
        try "name: 春\nstages:\n- task: clean\n  name: b-clean\n  options:\n    name: no stage\n- name: \"a-filter\"\n  task: filter\n".write(
            to: run.appendingPathComponent("recipe.yaml"), atomically: true, encoding: .utf8)
        return (run, texts)
    }

    @Test func keptDroppedAndChanged() throws {
        let folder = try TemporaryFolder()
        let (run, texts) = try run(folder)
        let story = try why("诗.jsonl:11", in: run)
        #expect(story.chapters.map(\.stage) == ["b-clean", "a-filter"])
        #expect(story.chapters.map(\.event) == [.kept, .kept])
        #expect(story.source?.hasSuffix("诗.jsonl") == true)
        let change = try #require(story.chapters[0].change)
        #expect(change.charactersBefore == change.charactersAfter + 5)
        #expect(change.position == texts[10].unicodeScalars.count)
        #expect(change.before.contains("⏎【广告】") && !change.after.contains("广告"))
        #expect(story.chapters[1].change == nil)
        let length = try #require(story.chapters[0].statistics.first { $0.name == "characters" })
        #expect(length.value == Double(texts[10].unicodeScalars.count) && length.threshold == Threshold(min: 30, max: 200))
        #expect(story.chapters[0].statistics.first { $0.name == "other" }?.threshold == nil)
        let short = try why("诗.jsonl:1", in: run)
        #expect(short.chapters.last?.event == .dropped)
        let drop = try #require(short.chapters.last?.drop)
        #expect(drop.step == "filter" && drop.reason == "characters" && drop.value == "\(texts[0].unicodeScalars.count) < 30")
        #expect("\(short)".contains("dropped by filter: characters (\(drop.value))"))
        #expect("\(short)".contains("✗ 30 … 200"))
    }

    @Test func candidatesAndStrangers() throws {
        let folder = try TemporaryFolder()
        let (run, _) = try run(folder)
        // The end of several ids, of one, of none.
        #expect(try why("1", in: run).candidates == ["诗.jsonl:1", "诗.jsonl:11", "诗.jsonl:21", "诗.jsonl:31"])
        #expect(try why(":17", in: run).chapters.count == 2)
        let nothing = try why("没有这一篇", in: run)
        #expect(nothing.chapters.isEmpty && nothing.candidates.isEmpty && "\(nothing)".contains("no record"))
        #expect(try why("句\"引\\号", in: run).candidates.isEmpty)
        #expect(errorSentence { _ = try why("a", in: folder.file("nowhere")) }.contains("no such folder"))
        #expect(errorSentence { _ = try why("a", in: folder.url) }.contains("no stage with records"))
        // A stage alone.
        #expect(try why("诗.jsonl:3", in: run.appendingPathComponent("a-filter")).chapters.count == 1)
    }

    @Test func splitsAndOddIds() throws {
        let folder = try TemporaryFolder()
        let ids = ["a/b \"c\"\\d", "行\n二", "x#1"]
        let input = try sampleCorpus(folder, count: 3)
        let run = folder.file("run")
        try processRecords([input], step: "one", to: run.appendingPathComponent("one")) { record, ordinal in
            var record = record
            record.id = ids[ordinal]
            return [.kept(record)]
        }
        try processRecords([input], step: "two", to: run.appendingPathComponent("two")) { record, ordinal in
            let pieces = (1...2).map { piece in
                var copy = record
                copy.id = "\(ids[ordinal])#\(piece)"
                return copy
            }
            return [.kept(pieces)]
        }
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1000)], ofItemAtPath: run.appendingPathComponent("one/report.json").path)
        for id in ids {
            let story = try why(id, in: run)
            #expect(story.chapters.map(\.stage) == ["one", "two"])
            #expect(story.chapters.last?.event == .split)
            #expect(story.chapters.last?.pieces == ["\(id)#1", "\(id)#2"])
        }
    }

    @Test func stagesOfARecipe() {
        #expect(
            RunFolder.stageNames(
                "a: 1\nstages:\n  - task: x\n    name: 甲\n    list:\n      - name: no\n  # - name: no\n  - name: 'b'  # c\nname: no\n") == ["甲", "b"])
        #expect(RunFolder.stageNames("stages: []\n- name: x") == [])
        #expect(RunFolder.stageNames("") == [])
    }

    /// Against Foundation's parser, on lines of all kinds, whole and damaged.
    @Test func linesAreWalkedOver() throws {
        var random = SeededRandom(seed: 20)
        let texts = ["", "春\"眠\\", "\\", "a\nb\u{1}", "😀", "id\":\"x", "{[,:]}", "\"record\":{", String(repeating: "长", count: 300)]
        for round in 0..<3000 {
            let (one, two, three) = (random.element(of: texts), random.element(of: texts), random.element(of: texts))
            let metadata = random.number(in: 0...1) == 0 ? [:] : ["text": one, "id": two, "source": "x"]
            let record: Record =
                switch random.number(in: 0...3) {
                case 0: .document(Document(id: one, text: two, source: three, metadata: metadata))
                case 1: .pair(Pair(id: one, input: two, target: three, source: "s", metadata: metadata))
                case 2:
                    .comparison(
                        Comparison(id: one, prompt: [Message(role: "user", content: two)], answers: [.init(text: three, score: 0.5)], source: "s"))
                default:
                    .conversation(
                        Conversation(id: one, messages: [Message(role: two, content: three), Message(role: "a", content: one)], source: "s"))
                }
            var line: [UInt8] = []
            let drop = Drop(step: "s", reason: two, value: three)
            let isDropped = round % 2 == 0
            if isDropped { line.append(drop: drop) { $0.append(json: record) } } else { line.append(json: record) }
            if round % 3 == 0 {
                // As other writers escape: every character by its UTF-16 units.
                let escaped = try JSONSerialization.jsonObject(with: Data(line))
                line = Array(try JSONSerialization.data(withJSONObject: escaped, options: [.prettyPrinted]))
                line = Array(
                    String(decoding: line, as: UTF8.self).utf16.map {
                        $0 < 0x80 ? String(UnicodeScalar(UInt8($0))) : "\\u" + String(UInt32($0) + 0x10000, radix: 16).dropFirst()
                    }.joined().utf8)
            }
            line.withUnsafeBytes { bytes in
                let stored = StoredLine(bytes)
                #expect(StoredLine.text(stored.id) == record.id)
                #expect(StoredLine.text(stored.source) == record.source)
                #expect(stored.characters == record.characterCount)
                #expect(StoredLine.record(stored.record) == record)
                #expect(StoredLine.text(stored.reason) == (isDropped ? drop.reason : nil))
                #expect(StoredLine.text(stored.value) == (isDropped ? drop.value : nil))
            }
            // Damaged: anything may come of it but a crash.
            for _ in 0...random.number(in: 0...3) where !line.isEmpty {
                line[random.number(in: 0...line.count - 1)] = random.element(of: Array("\"\\{}[]:,u\u{0}".utf8))
            }
            line.removeLast(random.number(in: 0...line.count))
            line.withUnsafeBytes { bytes in
                let stored = StoredLine(bytes)
                _ = (StoredLine.text(stored.id), StoredLine.record(stored.record), StoredLine.text(stored.value))
            }
        }
    }
}
