import Foundation
import Synchronization
import Testing
import YuyanText

@testable import YuyanData

/// A corpus of `count` short texts in one JSON Lines file, the same for the same seed.
func sampleCorpus(_ folder: TemporaryFolder, count: Int, seed: UInt64 = 1, name: String = "corpus.jsonl") throws -> String {
    var random = SeededRandom(seed: seed)
    let phrases = ["春风又绿江南岸，", "明月何时照我还。", "他说：“走吧！”\\n", "一九二七年，", "機器學習與深度學習", "see https://example.com/a?b=1 ", "\\t引号\\\"与反斜杠\\\\，", "😀👍🏽"]
    var lines = ""
    for number in 0..<count {
        let text = (0...random.number(in: 1...40)).map { _ in random.element(of: phrases) }.joined()
        lines += "{\"text\": \"第\(number)篇：\(text)\", \"title\": \"题\(number)\"}\n"
    }
    return try folder.write(name, lines)
}

/// Every file of a stage by its place, but for the report and the markers, which hold times.
func stageFiles(_ folder: URL) throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for place in ["documents", "dropped", "statistics"] {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent(place).path)) ?? [] {
            files["\(place)/\(name)"] = Array(try Data(contentsOf: folder.appendingPathComponent(place).appendingPathComponent(name)))
        }
    }
    return files
}

/// The lines of a stage's documents or of what it dropped.
func stageLines(_ stage: URL, _ place: String) throws -> [[UInt8]] {
    var lines: [[UInt8]] = []
    for part in try FileManager.default.contentsOfDirectory(atPath: stage.appendingPathComponent(place).path).sorted() {
        try PartFile.forEachLine(of: stage.appendingPathComponent(place).appendingPathComponent(part)) { line in
            lines.append(Array(line))
            return true
        }
    }
    return lines
}

func temporaryFiles(_ folder: URL) -> [String] {
    (FileManager.default.enumerator(atPath: folder.path)?.allObjects as? [String] ?? []).filter { $0.hasSuffix(".tmp") }
}

/// A step that keeps, drops, splits and changes, by the record alone.
@Sendable func mixedStep(_ record: Record, _ ordinal: Int) throws -> [RecordOutcome] {
    guard case .document(var document) = record else { return [.kept(record)] }
    switch stableHash(document.text) % 5 {
    case 0: return [.dropped(record, Drop(step: "mixed", reason: "fifth", value: "\(ordinal)"))]
    case 1:
        var second = document
        second.id += "#2"
        return [.kept([record, .document(second)], changes: ["split": 1])]
    case 2:
        document.text += "\n（完）"
        return [.kept(.document(document), changes: ["end": 1, "nothing": 0])]
    case 3:
        return [.kept(record), .dropped(record, Drop(step: "mixed", reason: "half", value: "上 < 下"))]
    default: return [.kept(record)]
    }
}

@Suite struct ProcessRecordsTests {
    private struct Stop: Error {}

    private func run(_ input: String, to folder: URL, fingerprint: String? = "a", partBytes: Int = 20000, threads: Int = 4) -> PartRun {
        PartRun(inputs: [input], step: "mixed", folder: folder, fingerprint: fingerprint, partBytes: partBytes, pieceBytes: 3000, threads: threads)
    }

    @Test func everythingIsSomewhere() throws {
        let folder = try TemporaryFolder()
        let input = try sampleCorpus(folder, count: 600)
        let stage = folder.file("stage")
        let seen = Mutex<[Int]>([])
        let report = try run(input, to: stage).run { record, ordinal in
            seen.withLock { $0.append(ordinal) }
            return try mixedStep(record, ordinal)
        }
        #expect(report.addsUp)
        #expect(report.input.records == 600)
        #expect(seen.withLock { $0.sorted() } == Array(0..<600))
        #expect(report.added > 0 && report.kept.records > 0)
        #expect(Set(report.dropped.keys) == ["fifth", "half"])
        #expect(Set(report.changes.keys) == ["split", "end"])
        // The plain reference: one record after the other.
        var expected = StepReport(step: "mixed")
        var dropped: [Record] = []
        for (ordinal, record) in try readRecords(input).enumerated() {
            expected.input.add(record)
            var count = 0
            for outcome in try mixedStep(record, ordinal) {
                switch outcome.fate {
                case .kept(let records):
                    for record in records { expected.kept.add(record) }
                    count += records.count
                case .dropped(let record, let drop):
                    expected.dropped[drop.reason, default: Amount()].add(record)
                    dropped.append(record)
                    count += 1
                }
                for (name, count) in outcome.changes where count > 0 { expected.changes[name, default: 0] += count }
            }
            expected.added += count - 1
        }
        expected.seconds = report.seconds
        #expect(report == expected)
        #expect(try readRecords(stage.appendingPathComponent("documents").path).count == report.kept.records)
        #expect(try JSONDecoder().decode(StepReport.self, from: Data(contentsOf: stage.appendingPathComponent("report.json"))) == report)
        // Every dropped line holds the drop and the record.
        let lines = try stageLines(stage, "dropped").map { try #require(JSONSerialization.jsonObject(with: Data($0)) as? [String: Any]) }
        #expect(lines.map { ($0["record"] as? [String: Any])?["text"] as? String } == dropped.map(\.text))
        #expect(Set(lines.flatMap(\.keys)) == ["step", "reason", "value", "record"])
    }

    @Test func partsAndThreadsDoNotChangeTheBytes() throws {
        let folder = try TemporaryFolder()
        let input = try sampleCorpus(folder, count: 500, seed: 2)
        let one = try run(input, to: folder.file("one"), threads: 1).run(transform: mixedStep)
        let many = try run(input, to: folder.file("many"), threads: 8).run(transform: mixedStep)
        #expect(one.kept == many.kept)
        let files = try stageFiles(folder.file("one"))
        #expect(files.count > 10)
        #expect(try stageFiles(folder.file("many")) == files)
        // Parts one after the other are the whole.
        try run(input, to: folder.file("whole"), partBytes: 1 << 30).run(transform: mixedStep)
        let whole = try readRecords(folder.file("whole").appendingPathComponent("documents").path)
        #expect(try readRecords(folder.file("one").appendingPathComponent("documents").path).map(\.text) == whole.map(\.text))
    }

    @Test(arguments: [0, 1, 137, 599]) func stoppedAndRunAgain(at failing: Int) throws {
        let folder = try TemporaryFolder()
        let input = try sampleCorpus(folder, count: 600, seed: 3)
        try run(input, to: folder.file("whole")).run(transform: mixedStep)
        let stage = folder.file("stage")
        #expect(throws: Stop.self) {
            try run(input, to: stage).run { record, ordinal in
                if ordinal == failing { throw Stop() }
                return try mixedStep(record, ordinal)
            }
        }
        #expect(!FileManager.default.fileExists(atPath: stage.appendingPathComponent("report.json").path))
        if FileManager.default.fileExists(atPath: stage.appendingPathComponent("documents").path) {
            #expect(errorSentence { _ = try documentPaths([stage.path]) }.contains("has not finished"))
        }
        _ = try folder.write("stage/documents/00003.jsonl.tmp", "half a part")
        let again = Mutex(0)
        let report = try run(input, to: stage).run { record, ordinal in
            again.withLock { $0 += 1 }
            return try mixedStep(record, ordinal)
        }
        #expect(report.addsUp)
        if failing > 100 { #expect(again.withLock { $0 } < 600) }
        #expect(try stageFiles(stage) == stageFiles(folder.file("whole")))
        #expect(temporaryFiles(folder.url).isEmpty)
        // And once more: nothing is left to do.
        try run(input, to: stage).run { _, _ in throw Stop() }
        #expect(try stageFiles(stage) == stageFiles(folder.file("whole")))
    }

    @Test func cancelledBetweenParts() throws {
        let folder = try TemporaryFolder()
        let input = try sampleCorpus(folder, count: 400, seed: 4)
        try run(input, to: folder.file("whole")).run(transform: mixedStep)
        let asked = Mutex(0)
        let stage = folder.file("stage")
        #expect(throws: CancellationError.self) {
            try run(input, to: stage).run(
                isCancelled: {
                    asked.withLock {
                        $0 += 1
                        return $0 > 3
                    }
                }, transform: mixedStep)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: stage.appendingPathComponent("parts").path).count == 2)
        try run(input, to: stage).run(transform: mixedStep)
        #expect(try stageFiles(stage) == stageFiles(folder.file("whole")))
    }

    @Test func anotherConfigurationOrInputIsMadeAgain() throws {
        let folder = try TemporaryFolder()
        let input = try sampleCorpus(folder, count: 300, seed: 5)
        let stage = folder.file("stage")
        func count(_ fingerprint: String?) throws -> Int {
            let calls = Mutex(0)
            let report = try run(input, to: stage, fingerprint: fingerprint).run { record, ordinal in
                calls.withLock { $0 += 1 }
                return try mixedStep(record, ordinal)
            }
            #expect(report.addsUp)
            return calls.withLock { $0 }
        }
        #expect(try count("a") == 300)
        #expect(try count("a") == 0)
        #expect(try count("b") == 300)
        #expect(try count(nil) == 300)
        #expect(try count("b") == 300)
        // One line less at the end: the parts before the last stay; fewer parts leave no rest behind.
        let lines = try String(contentsOfFile: input, encoding: .utf8).split(separator: "\n")
        _ = try folder.write("corpus.jsonl", lines.dropLast().joined(separator: "\n"))
        let again = try count("b")
        #expect(again > 0 && again < 60)
        _ = try folder.write("corpus.jsonl", lines.prefix(20).joined(separator: "\n"))
        _ = try count("b")
        #expect(
            try readRecords(stage.appendingPathComponent("documents").path).count
                == run(input, to: folder.file("x")).run(transform: mixedStep).kept.records)
        // A changed record in the first part.
        _ = try folder.write("corpus.jsonl", "{\"text\": \"新的一篇\"}\n" + lines.dropFirst().joined(separator: "\n"))
        #expect(try count("b") > 0)
    }

    @Test func damagedMarkersAndFilesAreMadeAgain() throws {
        let folder = try TemporaryFolder()
        let input = try sampleCorpus(folder, count: 120, seed: 6)
        let stage = folder.file("stage")
        var expected = try run(input, to: stage).run(transform: mixedStep)
        let whole = try stageFiles(stage)
        let markers = try FileManager.default.contentsOfDirectory(atPath: stage.appendingPathComponent("parts").path).sorted()
        #expect(markers.count > 2)
        var random = SeededRandom(seed: 7)
        for _ in 0..<150 {
            let marker = stage.appendingPathComponent("parts").appendingPathComponent(random.element(of: markers))
            var bytes = Array(try Data(contentsOf: marker))
            switch random.number(in: 0...3) {
            case 0: bytes.removeLast(random.number(in: 1...bytes.count))
            case 1: bytes[random.number(in: 0...bytes.count - 1)] = UInt8(truncatingIfNeeded: random.next())
            case 2: bytes.insert(contentsOf: Array("{[\"\0".utf8), at: random.number(in: 0...bytes.count - 1))
            default:
                // Not the marker but a file it vouches for.
                let file = stage.appendingPathComponent(random.element(of: whole.keys.sorted()))
                if random.number(in: 0...1) == 0 {
                    unlink(file.path)
                } else {
                    try Data("x".utf8).write(to: file)
                }
            }
            try Data(bytes).write(to: marker)
            let report = try run(input, to: stage).run(transform: mixedStep)
            expected.seconds = report.seconds
            #expect(report == expected)
            #expect(try stageFiles(stage) == whole)
        }
    }

    @Test func stagesFollowEachOther() throws {
        let folder = try TemporaryFolder()
        let input = try sampleCorpus(folder, count: 100, seed: 8)
        let (first, second) = (folder.file("run/first"), folder.file("run/second"))
        let kept = try processRecords([input], step: "first", to: first, transform: mixedStep).kept
        let report = try processRecords([first.path], step: "second", to: second) { record, _ in
            [.dropped(record, Drop(step: "second", reason: "all", value: ""))]
        }
        #expect(report.input == kept)
        #expect(report.kept == Amount())
        // Everything was dropped: the next stage reads nothing, and says so in its counts.
        let third = try processRecords([second.path], step: "third", to: folder.file("run/third"), transform: mixedStep)
        #expect(third.input == Amount())
        #expect(
            errorSentence { try processRecords([first.path], step: "x", to: first, transform: mixedStep) }.contains(
                "cannot write into the folder that it reads"))
    }

    /// Keys in order, every escape; read back by Foundation, and equal to what `RecordWriter` writes.
    @Test func linesAreWhatTheWriterWrites() throws {
        let text = "行一\n行二\t\"引\"\\ / \u{0}\u{1}\u{8}\u{c}\u{1f}\r😀\u{2028}"
        let records: [Record] = [
            .document(Document(id: "a:1", text: text, source: "/语料/a.jsonl", metadata: ["题": text, "b": "", "a": "1"])),
            .document(Document(id: "", text: "", source: "")),
            .conversation(
                Conversation(id: "b", messages: [Message(role: "user", content: text), Message(role: "assistant", content: "好")], source: "b")),
            .pair(Pair(id: "c", input: text, target: "是", source: "c", metadata: ["k": "v"])),
            .comparison(
                Comparison(
                    id: "d", prompt: [Message(role: "user", content: "问")], answers: [.init(text: text, score: 1), .init(text: "", score: -0.25)],
                    source: "d")),
        ]
        let folder = try TemporaryFolder()
        let writer = try RecordWriter(folder.file("written.jsonl"))
        for record in records { try writer.append(record) }
        try writer.finish()
        var lines: [NSDictionary] = []
        try PartFile.forEachLine(of: folder.file("written.jsonl")) { line in
            lines.append(try #require(JSONSerialization.jsonObject(with: Data(line)) as? NSDictionary))
            return true
        }
        #expect(lines.count == records.count)
        for (record, line) in zip(records, lines) {
            var bytes: [UInt8] = []
            bytes.append(json: record)
            #expect(!bytes.contains(0x0A))
            #expect(try JSONSerialization.jsonObject(with: Data(bytes)) as? NSDictionary == line)
            #expect(record.characterCount == record.text.unicodeScalars.count)
        }
    }

    /// On a file system of one megabyte: one sentence, no half files, and the same command goes on when there is room.
    @Test(.enabled(if: getuid() == 0 && FileManager.default.fileExists("/bin/mount"), "only root can mount a small file system")) func fullDisk()
        throws
    {
        let folder = try TemporaryFolder()
        // Texts that compression does not make small.
        var random = SeededRandom(seed: 9)
        let input = try folder.write(
            "corpus.jsonl",
            (0..<3000).map { _ in
                let text = (0..<200).map { _ in String(UnicodeScalar(UInt32(random.number(in: 0x4E00...0x9FFF))) ?? "一") }.joined()
                return "{\"text\": \"\(text)\"}\n"
            }.joined())
        let disk = folder.file("disk")
        try FileManager.default.createDirectory(at: disk, withIntermediateDirectories: true)
        func shell(_ arguments: String...) -> Int32 {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: arguments[0])
            process.arguments = Array(arguments.dropFirst())
            process.standardError = FileHandle.nullDevice
            guard (try? process.run()) != nil else { return -1 }
            process.waitUntilExit()
            return process.terminationStatus
        }
        guard shell("/bin/mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk.path) == 0 else { return }  // a container may forbid it
        defer { _ = shell("/bin/umount", disk.path) }
        let stage = disk.appendingPathComponent("stage")
        let keep: @Sendable (Record, Int) -> [RecordOutcome] = { record, _ in [.kept(record)] }
        let sentence = errorSentence { try run(input, to: stage, partBytes: 100_000).run(transform: keep) }
        #expect(sentence.contains("No space left on device") && sentence.contains("finished and stay"))
        #expect(temporaryFiles(disk).isEmpty)
        let parts = try FileManager.default.contentsOfDirectory(atPath: stage.appendingPathComponent("parts").path).count
        #expect(parts > 0)
        #expect(shell("/bin/mount", "-o", "remount,size=64m", disk.path) == 0)
        let calls = Mutex(0)
        let report = try run(input, to: stage, partBytes: 100_000).run { record, ordinal in
            calls.withLock { $0 += 1 }
            return keep(record, ordinal)
        }
        #expect(report.kept.records == 3000)
        #expect(calls.withLock { $0 } < 3000)
        try run(input, to: folder.file("whole"), partBytes: 100_000).run(transform: keep)
        #expect(try stageFiles(stage) == stageFiles(folder.file("whole")))
    }

    @Test func compressedFramesReadAsOneText() throws {
        let folder = try TemporaryFolder()
        var random = SeededRandom(seed: 10)
        let lines = (0..<20000).map { _ in String(random.next(), radix: 36) + "，" + String(repeating: "春", count: random.number(in: 0...30)) }
        let pieces = stride(from: 0, to: lines.count, by: 3000).map { start in
            PartFile.encode(Array(lines[start..<min(start + 3000, lines.count)].map { $0 + "\n" }.joined().utf8), ending: "jsonl.zst")
        }
        let file = folder.file("a.jsonl.zst")
        try PartFile.write(pieces, to: file)
        func read() throws -> [String] {
            var read: [String] = []
            try PartFile.forEachLine(of: file) { line in
                read.append(String(decoding: line, as: UTF8.self))
                return true
            }
            return read
        }
        #expect(try read() == lines)
        try PartFile.write([[], []], to: file)
        #expect(try read().isEmpty)
        #expect(try !Data(contentsOf: file).isEmpty)
        // Cut off or damaged: an error that names the file, never a crash, never other text.
        let bytes = pieces.flatMap { $0 }
        for _ in 0..<300 {
            var damaged = bytes
            if random.number(in: 0...1) == 0 {
                damaged.removeLast(random.number(in: 1...damaged.count))
            } else {
                for _ in 0...3 { damaged[random.number(in: 0...damaged.count - 1)] ^= UInt8(1 << random.number(in: 0...7)) }
            }
            try Data(damaged).write(to: file)
            do { #expect(try lines.starts(with: read())) } catch { #expect("\(error)".contains("a.jsonl.zst")) }
        }
    }
}

extension FileManager {
    fileprivate func fileExists(_ path: String) -> Bool { fileExists(atPath: path) }
}
