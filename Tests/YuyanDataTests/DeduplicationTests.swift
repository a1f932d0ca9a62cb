import Foundation
import Synchronization
import Testing
import YuyanText

@testable import YuyanData

/// What a stage left in its folder.
struct StageResult: Equatable {
    struct Dropped: Equatable {
        var id: String
        var reason: String
        var value: String
    }

    var texts: [String: String] = [:]
    var dropped: [Dropped] = []

    var kept: [String] { texts.keys.sorted() }

    init(_ folder: URL) throws {
        func lines(_ place: String) throws -> [[String: Any]] {
            let folder = folder.appendingPathComponent(place)
            var lines: [[String: Any]] = []
            for name in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() {
                try PartFile.forEachLine(of: folder.appendingPathComponent(name)) { line in
                    lines.append(try #require(JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]))
                    return true
                }
            }
            return lines
        }
        for line in try lines("documents") { texts[line["id"] as? String ?? ""] = line["text"] as? String ?? "" }
        for line in try lines("dropped") {
            let record = line["record"] as? [String: Any]
            dropped.append(
                Dropped(id: record?["id"] as? String ?? "", reason: line["reason"] as? String ?? "", value: line["value"] as? String ?? ""))
        }
    }
}

/// Every file below a folder, with its bytes, but for times.
func contents(of folder: URL) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path)
    where path.hasPrefix("documents/") || path.hasPrefix("dropped/") || path == "duplicates.jsonl" {
        files[path] = try? Data(contentsOf: folder.appendingPathComponent(path))
    }
    return files
}

private func document(_ id: String, _ text: String, _ metadata: [String: String] = [:]) -> Record {
    .document(Document(id: id, text: text, source: "test", metadata: metadata))
}

/// The id of the record that stays for each, from columns in several files.
private func survivors(
    _ records: [Record], _ configuration: DeduplicationConfiguration = .init(), files: Int = 3, limit: Int = 1 << 25
) throws -> [String: String] {
    let folder = try TemporaryFolder()
    let columns = try (0..<files).map { number in
        var fingerprinter = Fingerprinter(configuration)
        let file = folder.file("\(number).columns")
        try fingerprinter.columns(of: records[records.count * number / files..<records.count * (number + 1) / files]).write(to: file, input: 0)
        return try ColumnFile(file, number: number)
    }
    let finder = ClusterFinder(
        configuration: configuration, columns: try ColumnFiles(columns), indexed: 0, working: folder.url, equalHashes: EqualHashes(limit: limit))
    return Dictionary(uniqueKeysWithValues: zip(records, try finder.representatives()).map { ($0.id, records[Int($1)].id) })
}

/// Some hundred texts, of which families are copies with small changes.
private func families(_ seed: UInt64, count: Int) -> [Record] {
    var random = SeededRandom(seed: seed)
    var records: [Record] = []
    for family in 0..<count {
        let text = randomText(&random, random.number(in: 60...200))
        for member in 0..<random.number(in: 1...5) {
            let changes = random.number(in: 0...3)
            records.append(document("\(family)/\(member)", mutated(text, &random, changes: changes)))
        }
    }
    return records
}

@Suite struct ClusterTests {
    @Test func survivorsDoNotDependOnOrder() throws {
        var records = families(21, count: 120)
        let expected = try survivors(records)
        #expect(expected.contains { $0.key != $0.value })
        var random = SeededRandom(seed: 22)
        for round in 1...4 {
            random.shuffle(&records)
            #expect(try survivors(records, files: round, limit: round == 4 ? 32 : 1 << 25) == expected)
        }
    }

    /// Against clusters from the exact similarity of all pairs.
    @Test func clustersAreThoseOfExactSimilarity() throws {
        let records = families(23, count: 100)
        let shingles = records.map { plainShingles($0.text, 5) }
        var sets = UnionFind(ranks: Array(0..<UInt32(records.count)))
        for one in records.indices {
            for other in 0..<one where plainJaccard(shingles[one], shingles[other]) >= 0.8 { sets.union(UInt32(one), UInt32(other)) }
        }
        let expected = sets.representatives()
        let found = try survivors(records)
        var (missed, pairs) = (0, 0)
        for one in records.indices {
            for other in 0..<one {
                let isOne = found[records[one].id] == found[records[other].id]
                let should = expected[one] == expected[other]
                #expect(should || !isOne)  // never a false one
                pairs += should ? 1 : 0
                missed += should && !isOne ? 1 : 0
            }
        }
        #expect(pairs > 100)
        #expect(Double(missed) <= 0.01 * Double(pairs))
    }

    @Test func bestQualityStaysThenTheFirstID() throws {
        let text = "雨燕是飞得最快的鸟之一，一生几乎都在空中度过。"
        let records = [
            document("b", text, ["score": "2"]), document("a", text, ["score": "1"]), document("d", "雨燕是飞得最快的鸟之一 一生几乎都在空中度过", ["score": "10"]),
            document("c", text, ["score": "10.0"]), document("e", text), document("f", text, ["score": "nan"]),
        ]
        var configuration = DeduplicationConfiguration()
        for level in [DeduplicationConfiguration.Level.exact, .near] {
            configuration.level = level
            configuration.quality = "score"
            #expect(Set(try survivors(records, configuration).values) == ["c"])
            configuration.quality = nil
            #expect(Set(try survivors(records, configuration).values) == ["a"])
        }
        // Without a quality, the longest stays.
        let long = [document("a", text), document("b", text + "真快")]
        configuration.threshold = 0.7
        #expect(Set(try survivors(long, configuration).values) == ["b"])
    }

    @Test func shortTextsAreComparedAsAWhole() throws {
        let records = [
            document("1", "好的"), document("2", "好的。"), document("3", "好吧"), document("4", "？？"), document("5", "！！"), document("6", "？ ？"),
            document("7", ""),
        ]
        let found = try survivors(records)
        #expect(found["2"] == "1")
        #expect(found["3"] == "3")
        #expect((found["4"], found["5"], found["6"]) == ("4", "5", "4"))
        #expect(found["7"] == "7")
    }

    @Test func manyCopiesInOneGroup() throws {
        var random = SeededRandom(seed: 24)
        let (one, other) = (randomText(&random, 100), randomText(&random, 100))
        var records: [Record] = []
        for number in 0..<400 { records.append(document("\(1000 + number)", mutated(number % 2 == 0 ? one : other, &random, changes: 1))) }
        var configuration = DeduplicationConfiguration()
        // One row: groups hold what is not alike at all.
        (configuration.bands, configuration.rows) = (64, 1)
        configuration.quality = "none"
        #expect(Set(try survivors(records, configuration).values) == ["1000", "1001"])
    }

    @Test func withoutVerificationAllThatMeetAreCopies() throws {
        var random = SeededRandom(seed: 25)
        let text = randomText(&random, 300)
        let records = [document("a", text), document("b", mutated(text, &random, changes: 15))]
        var configuration = DeduplicationConfiguration()
        (configuration.bands, configuration.rows) = (128, 1)
        #expect(try survivors(records, configuration)["b"] == "b")
        configuration.verify = false
        #expect(try survivors(records, configuration)["b"] == "a")
    }
}

@Suite struct DeduplicateTests {
    /// A file for each record, so that ids do not depend on the order.
    private func write(_ records: [Record], to folder: TemporaryFolder) throws -> [String] {
        try records.map { try folder.write("in/\($0.id.replacing("/", with: "-")).txt", $0.text) }
    }

    @Test func keepsOneOfEachAndSaysWhy() throws {
        let folder = try TemporaryFolder()
        let text = "雨燕是飞得最快的鸟之一，一生几乎都在空中度过，睡觉也在天上，只有筑巢的时候才落到屋檐下。"
        let inputs = [
            try folder.write("a.txt", text), try folder.write("b.txt", text.replacing("，", with: ", ")),
            try folder.write("c.txt", text.replacing("屋檐下", with: "屋檐上")), try folder.write("d.txt", "燕子低飞要下雨，老人们都这么说。"),
        ]
        let report = try deduplicate(inputs, to: folder.file("out"))
        let result = try StageResult(folder.file("out"))
        #expect(result.kept == ["a.txt", "d.txt"])
        #expect(result.texts["a.txt"] == text)
        #expect(result.dropped.map(\.id) == ["b.txt", "c.txt"])
        #expect(result.dropped.map(\.reason) == ["exact_duplicate", "near_duplicate"])
        let similarity = plainJaccard(plainShingles(text, 5), plainShingles(text.replacing("屋檐下", with: "屋檐上"), 5))
        #expect(result.dropped.map(\.value) == ["a.txt", "a.txt (\(rounded(similarity)))"])
        #expect((report.input.records, report.kept.records, report.dropped["near_duplicate"]?.records) == (4, 2, 1))
        #expect(!FileManager.default.fileExists(atPath: folder.file("out/working").path))

        let lines = try String(contentsOf: folder.file("out/duplicates.jsonl"), encoding: .utf8).split(separator: "\n").map { Data($0.utf8) }
        let summary = try JSONDecoder().decode(DuplicateSummary.self, from: lines[0])
        #expect((summary.clusters, summary.records, summary.sizes) == (1, 3, [3: 1]))
        let cluster = try JSONDecoder().decode(DuplicateCluster.self, from: lines[1])
        #expect(cluster.members.map(\.id) == ["a.txt", "b.txt", "c.txt"])
        #expect(cluster.members[0].opening == String(text.prefix(60)))
    }

    @Test func orderAndPartsDoNotMatter() throws {
        let folder = try TemporaryFolder()
        var inputs = try write(families(31, count: 40), to: folder)
        try deduplicate(inputs, to: folder.file("a"))
        let expected = try StageResult(folder.file("a"))
        #expect(!expected.dropped.isEmpty)
        var random = SeededRandom(seed: 32)
        random.shuffle(&inputs)
        var configuration = DeduplicationConfiguration()
        configuration.level = .near
        _ = try RecordDeduplication(inputs: inputs, folder: folder.file("b"), configuration: configuration, partBytes: 3000).run({ false }, { _ in })
        let found = try StageResult(folder.file("b"))
        #expect(found.texts == expected.texts)
        #expect(found.dropped.sorted { $0.id < $1.id } == expected.dropped.sorted { $0.id < $1.id })
    }

    @Test func tinyInputs() throws {
        let folder = try TemporaryFolder()
        let empty = try folder.write("empty.jsonl", "")
        for level in DeduplicationConfiguration.Level.allCases {
            var configuration = DeduplicationConfiguration()
            configuration.level = level
            #expect(try deduplicate([empty], to: folder.file("none"), configuration: configuration).input.records == 0)
            let one = try folder.write("one.txt", "雨")
            #expect(try deduplicate([one], to: folder.file("one"), configuration: configuration).kept.records == 1)
            #expect(try StageResult(folder.file("one")).kept == ["one.txt"])
        }
    }

    @Test func wrongConfigurationsAreRefused() throws {
        func sentence(_ change: (inout DeduplicationConfiguration) -> Void) -> String {
            var configuration = DeduplicationConfiguration()
            change(&configuration)
            return errorSentence { try configuration.check() }
        }
        #expect(sentence { $0.shingle = 0 } == "shingle is 0; it should be from 1 to 64 characters")
        #expect(sentence { $0.threshold = 1.5 }.contains("threshold is 1.5"))
        #expect(sentence { $0.bands = 14 } == "bands and rows go together: give both or neither")
        #expect(sentence { ($0.bands, $0.rows) = (100, 100) }.contains("100 × 100"))
        #expect(sentence { ($0.level, $0.index) = (.lines, "index") }.contains("an index remembers records"))
        #expect(errorSentence { try deduplicate(["-"], to: URL(fileURLWithPath: "/nowhere")) }.contains("standard input"))
    }

    @Test func goesOnAfterAnInterruption() throws {
        let folder = try TemporaryFolder()
        let inputs = try write(families(33, count: 40), to: folder)
        func run(_ name: String) throws {
            _ = try RecordDeduplication(inputs: inputs, folder: folder.file(name), configuration: .init(), partBytes: 4000).run({ false }, { _ in })
        }
        try run("whole")
        let expected = try contents(of: folder.file("whole"))

        // Stopped in the first pass after each number of parts, with the part that was being written half there.
        for stop in [1, 3, 6] {
            let name = "stopped-\(stop)"
            let asked = Mutex(0)
            let isCancelled: @Sendable () -> Bool = {
                asked.withLock {
                    $0 += 1
                    return $0 > stop
                }
            }
            let stopped = RecordDeduplication(inputs: inputs, folder: folder.file(name), configuration: .init(), partBytes: 4000)
            #expect(throws: CancellationError.self) { _ = try stopped.run(isCancelled) { _ in } }
            let last = folder.file("\(name)/working/\(stop - 1).columns")
            let whole = try Data(contentsOf: last)
            switch stop {
            case 1: try whole.prefix(whole.count / 2).write(to: last)
            case 3:
                var damaged = whole
                damaged[damaged.count / 2] ^= 1
                try damaged.write(to: last)
            default: try whole.prefix(100).write(to: folder.file("\(name)/working/\(stop).columns.tmp"))
            }
            try run(name)
            #expect(try contents(of: folder.file(name)) == expected)
        }
    }

    @Test func finishedPartsAreNotComputedAgain() throws {
        let folder = try TemporaryFolder()
        let inputs = try write(families(34, count: 20), to: folder)
        let working = WorkingColumns(folder: folder.file("working"), fingerprint: "one", partBytes: 4000)
        let computed = Mutex(0)
        func make(_ working: WorkingColumns) throws -> Int {
            computed.withLock { $0 = 0 }
            let columns: @Sendable (ArraySlice<Record>) -> Columns = { records in
                computed.withLock { $0 += records.count }
                var fingerprinter = Fingerprinter(.init())
                return fingerprinter.columns(of: records)
            }
            let made = try working.make(inputs, isCancelled: { false }, progress: { _ in }, columns: columns)
            #expect(made.columns.count > 3)
            return computed.withLock { $0 }
        }
        #expect(try make(working) == inputs.count)
        #expect(try make(working) == 0)
        try FileManager.default.removeItem(at: folder.file("working/2.columns"))
        #expect((1..<inputs.count / 2).contains(try make(working)))
        // A changed text changes its part, and a changed fingerprint everything.
        try Data("别的文字".utf8).write(to: URL(fileURLWithPath: inputs[0]))
        #expect((1..<inputs.count).contains(try make(working)))
        #expect(try make(WorkingColumns(folder: folder.file("working"), fingerprint: "two", partBytes: 4000)) == inputs.count)
    }

    @Test(.enabled(if: testData != nil, needsTestData)) func realTextsAgainstAllPairs() throws {
        let folder = try TemporaryFolder()
        let data = try #require(testData)
        let comments = try readText(data.appendingPathComponent("noisy/ecommerce_comments.txt")).components(separatedBy: "\n")
        let poems = try readText(data.appendingPathComponent("text/poetry/anthologies.jsonl")).components(separatedBy: "\n").prefix(1000)
        let lines = try comments.map { String(decoding: try JSONEncoder().encode(["text": $0]), as: UTF8.self) } + poems
        let input = try folder.write("texts.jsonl", lines.joined(separator: "\n") + "\n")
        var reader = try RecordReader([input])
        let records = try reader.readAll()
        let shingles = records.map { plainShingles($0.text, 5) }
        var holders: [[UInt32]: [Int]] = [:]
        var found: [String: String] = [:]
        try deduplicate([input], to: folder.file("out"))
        for drop in try StageResult(folder.file("out")).dropped { found[drop.id] = drop.value.split(separator: " ").first.map(String.init) }
        var (pairs, met) = (0, 0)
        var hasCopy: Set<String> = []
        for (number, set) in shingles.enumerated() {
            var candidates: [Int: Int] = [:]
            for shingle in set {
                for other in holders[shingle] ?? [] { candidates[other, default: 0] += 1 }
                holders[shingle, default: []].append(number)
            }
            for (other, common) in candidates where Double(common) >= 0.8 * Double(set.count + shingles[other].count - common) {
                let (one, two) = (records[number].id, records[other].id)
                pairs += 1
                met += found[one] ?? one == found[two] ?? two ? 1 : 0
                hasCopy.formUnion([one, two])
            }
        }
        #expect(pairs > 50)
        #expect(Double(met) >= 0.99 * Double(pairs))
        // Whatever was dropped has a copy; texts shorter than a shingle are compared as a whole.
        for (id, other) in found where !hasCopy.contains(id) {
            let texts = [id, other].map { id in records.first { $0.id == id }?.text ?? "" }
            #expect(texts.allSatisfy { plainShingles($0, 5).isEmpty }, "\(texts)")
        }
    }
}

@Suite struct DuplicateIndexTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func batch(_ name: String, _ texts: [String]) throws -> String {
        for (number, text) in texts.enumerated() { _ = try folder.write("\(name)/\(name)\(number).txt", text) }
        return folder.file(name).path
    }

    private func run(_ inputs: String..., to name: String, _ change: (inout DeduplicationConfiguration) -> Void = { _ in }) throws -> StageResult {
        var configuration = DeduplicationConfiguration()
        configuration.index = folder.file("index").path
        change(&configuration)
        try deduplicate(inputs, to: folder.file(name), configuration: configuration)
        return try StageResult(folder.file(name))
    }

    private func texts() -> (first: [String], second: [String]) {
        var random = SeededRandom(seed: 41)
        let first = (0..<8).map { _ in randomText(&random, 100) }
        let second = [first[2], mutated(first[5], &random, changes: 1) + "更长", randomText(&random, 100), "短", first[0] + "！"]
        return (first, second)
    }

    @Test func aBatchAfterTheOtherKeepsWhatAllAtOnceKeeps() throws {
        let (first, second) = texts()
        let (a, b) = (try batch("a", first), try batch("b", second))
        #expect(try run(a, to: "out-a").kept.count == 8)
        let added = try run(b, to: "out-b")
        #expect(added.kept == ["b2.txt", "b3.txt"])
        #expect(added.dropped.map(\.id) == ["b0.txt", "b1.txt", "b4.txt"])
        // Quality does not take back what an earlier batch kept: b1 is longer than a5.
        #expect(added.dropped[1].value.hasPrefix("a5.txt ("))
        #expect(added.dropped[0].value == "a2.txt")
        // Where quality does not choose, the clusters' survivors are those of one run.
        let atOnce = try run(a, b, to: "all") {
            $0.index = nil
            $0.quality = "none"
        }
        #expect(atOnce.kept == ["a0.txt", "a1.txt", "a2.txt", "a3.txt", "a4.txt", "a5.txt", "a6.txt", "a7.txt", "b2.txt", "b3.txt"])
        // The second batch is in the index too.
        let c = try batch("c", [second[2], "短"])
        #expect(try run(c, to: "out-c").kept.isEmpty)
    }

    @Test func theSameRunAgainGivesTheSame() throws {
        let (first, second) = texts()
        let (a, b) = (try batch("a", first), try batch("b", second))
        let one = try run(a, to: "out-a")
        let two = try run(b, to: "out-b")
        let header = try Data(contentsOf: folder.file("index/index.json"))
        #expect(try run(a, to: "out-a") == one)
        #expect(try run(b, to: "out-b") == two)
        #expect(try Data(contentsOf: folder.file("index/index.json")) == header)
        // Into another folder it is a batch of its own.
        #expect(try run(b, to: "out-d").kept.isEmpty)
    }

    @Test func anInterruptedRunLeavesTheOldIndex() throws {
        let (first, second) = texts()
        let (a, b) = (try batch("a", first), try batch("b", second))
        _ = try run(a, to: "out-a")
        let header = try Data(contentsOf: folder.file("index/index.json"))
        // What a run killed while it added to the index leaves.
        _ = try folder.write("index/0123-0.columns", "half")
        _ = try folder.write("index/0123-1.columns.tmp", "half")
        _ = try folder.write("index/index.json.tmp", "{")
        #expect(try run(b, to: "out-b").kept == ["b2.txt", "b3.txt"])
        #expect(try Data(contentsOf: folder.file("index/index.json")) != header)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.file("index").path)
        #expect(!names.contains { $0.hasPrefix("0123") || $0.hasSuffix(".tmp") })
        // Stopped before it is done, a run adds nothing.
        var random = SeededRandom(seed: 42)
        let c = try batch("c", [randomText(&random, 80), "新的"])
        let before = try Data(contentsOf: folder.file("index/index.json"))
        var configuration = DeduplicationConfiguration()
        configuration.index = folder.file("index").path
        #expect(throws: CancellationError.self) {
            try deduplicate([c], to: folder.file("out-c"), configuration: configuration, isCancelled: { true })
        }
        #expect(try Data(contentsOf: folder.file("index/index.json")) == before)
    }

    @Test func otherParametersAndDamageAreRefused() throws {
        let (first, second) = texts()
        let (a, b) = (try batch("a", first), try batch("b", second))
        _ = try run(a, to: "out-a")
        let sentence = errorSentence { _ = try run(b, to: "out-b") { $0.shingle = 4 } }
        #expect(sentence.contains("index.json: this index was made with level near, shingle 5, bands 21, rows 6"))
        #expect(sentence.contains("this run has level near, shingle 4"))
        #expect(errorSentence { _ = try run(b, to: "out-b") { $0.level = .exact } }.contains("this run has level exact"))
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder.file("index").path).first { $0.hasSuffix(".columns") })
        let file = folder.file("index/\(name)")
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count - 20] ^= 4
        try bytes.write(to: file)
        #expect(errorSentence { _ = try run(b, to: "out-b") }.contains("\(name): this file is damaged"))
        try Data("{}".utf8).write(to: folder.file("index/index.json"))
        #expect(errorSentence { _ = try run(b, to: "out-b") }.contains("the header of this index is damaged"))
    }
}
