import Foundation
import Synchronization
import Testing
import YuyanText

@testable import YuyanData

/// Takes every link out.
private struct LinkCleaner: TextCleaner {
    let name = "links"
    func clean(_ text: inout String) -> Int {
        let pieces = text.components(separatedBy: "see https://example.com/a?b=1 ")
        text = pieces.joined()
        return pieces.count - 1
    }
}

/// Leaves nothing of some texts.
private struct Eraser: TextCleaner {
    let name = "eraser"
    func clean(_ text: inout String) -> Int {
        guard stableHash(text) % 11 == 0 else { return 0 }
        text = " "
        return 1
    }
}

private let names = ["characters", "han_share", "score"]
@Sendable private func measure(_ record: Record) -> [Double] {
    let scalars = record.text.unicodeScalars
    let han = scalars.count { (0x4E00...0x9FFF).contains($0.value) }
    let score = stableHash(record.text) % 10 == 0 ? .nan : Double(stableHash(record.text) % 1000) / 1000
    return [Double(scalars.count), Double(han) / Double(scalars.count), score]
}

/// `clean` in small parts, so that there are many of a small corpus.
private func cleanInParts(_ input: String, to folder: URL) throws -> StepReport {
    let run = PartRun(
        inputs: [input], step: "clean", folder: folder, fingerprint: "c", statistics: names + [recordCharacters], partBytes: 30000, pieceBytes: 4000)
    return try run.run { record, _ in
        var outcome = RecordOutcome.kept(record)
        outcome.statistics = measure(record) + [Double(record.characterCount)]
        return [outcome]
    }
}

@Suite struct CleanAndFilterTests {
    @Test func cleaningMeasuresWhatItLeaves() throws {
        let folder = try TemporaryFolder()
        let input = try sampleCorpus(folder, count: 300)
        let stage = folder.file("clean")
        let report = try clean([input], to: stage, cleaners: [LinkCleaner(), Eraser()], statistics: names, measure: measure)
        #expect(report.addsUp && report.input.records == 300)
        #expect((report.dropped["empty"]?.records ?? 0) > 0)
        #expect(report.changes["eraser"] == report.dropped["empty"]?.records)
        #expect((report.changes["links"] ?? 0) > 100)
        let records = try readRecords(stage.appendingPathComponent("documents").path)
        let table = try StatisticsTable(contentsOf: stage.appendingPathComponent("statistics/00000.columns.zst"))
        #expect(table.names == names + ["record_characters"])
        #expect(table.rowCount == records.count && records.count == report.kept.records)
        for (row, record) in records.enumerated() {
            #expect(!record.text.contains("https://"))
            #expect(zip(table[row], measure(record) + [Double(record.text.unicodeScalars.count)]).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN })
        }
        // What is dropped is kept as it was.
        let dropped = try stageLines(stage, "dropped").map { String(decoding: $0, as: UTF8.self) }
        #expect(dropped.count == report.dropped["empty"]?.records)
        #expect(dropped.allSatisfy { $0.contains("第") })
    }

    @Test func filterIsWhatTheRecordsSay() throws {
        let folder = try TemporaryFolder()
        let input = try sampleCorpus(folder, count: 800, seed: 11)
        let stage = folder.file("clean")
        let cleaned = try cleanInParts(input, to: stage)
        let records = try readRecords(input)
        let bounds = [
            "characters": Bounds(minimum: 30, maximumPercentile: 90), "score": Bounds(maximum: 0.75),
            "han_share": Bounds(minimumPercentile: 10),
        ]
        let out = folder.file("filter")
        let report = try filter(stage, to: out, bounds: bounds)
        #expect(report.addsUp && report.input == cleaned.kept)
        // The plain reference.
        let rows = records.map(measure)
        let longest = try #require(percentile(90, of: rows.map { $0[0] }))
        let least = try #require(percentile(10, of: rows.map { $0[1] }))
        #expect(
            report.thresholds == ["characters": Threshold(min: 30, max: longest), "score": Threshold(max: 0.75), "han_share": Threshold(min: least)])
        var kept: [String] = []
        var reasons: [String: Int] = [:]
        for (record, row) in zip(records, rows) {
            if row[0] < 30 || row[0] > longest {
                reasons["characters", default: 0] += 1
            } else if row[1] < least {
                reasons["han_share", default: 0] += 1
            } else if row[2] > 0.75 {
                reasons["score", default: 0] += 1
            } else {
                kept.append(record.text)
            }
        }
        #expect(report.dropped.mapValues(\.records) == reasons)
        #expect(reasons.count == 3)
        let left = try readRecords(out.appendingPathComponent("documents").path)
        #expect(left.map(\.text) == kept)
        #expect(left.reduce(0) { $0 + $1.text.unicodeScalars.count } == report.kept.characters)
        // Lines are copied as bytes.
        let before = Set(try stageLines(stage, "documents"))
        #expect(try stageLines(out, "documents").allSatisfy(before.contains))
        // Another threshold, and back: only the filter ran, and the bytes are the same.
        let files = try stageFiles(out)
        let cleanFiles = try stageFiles(stage)
        let looser = try filter(stage, to: out, bounds: ["characters": Bounds(minimum: 10)])
        #expect(looser.kept.records > report.kept.records)
        try filter(stage, to: out, bounds: bounds)
        #expect(try stageFiles(out) == files)
        #expect(try stageFiles(stage) == cleanFiles)
        #expect(temporaryFiles(folder.url).isEmpty)
    }

    @Test func filterThatWasStoppedGoesOn() throws {
        let folder = try TemporaryFolder()
        let stage = folder.file("clean")
        _ = try cleanInParts(sampleCorpus(folder, count: 800, seed: 12), to: stage)
        let bounds = ["score": Bounds(minimum: 0.3)]
        try filter(stage, to: folder.file("whole"), bounds: bounds)
        let asked = Mutex(0)
        #expect(throws: CancellationError.self) {
            try filter(
                stage, to: folder.file("out"), bounds: bounds,
                isCancelled: {
                    asked.withLock {
                        $0 += 1
                        return $0 > 2
                    }
                })
        }
        #expect(errorSentence { _ = try documentPaths([folder.file("out").path]) }.contains("has not finished"))
        try filter(stage, to: folder.file("out"), bounds: bounds)
        #expect(try stageFiles(folder.file("out")) == stageFiles(folder.file("whole")))
    }

    @Test func mistakesAreNamed() throws {
        let folder = try TemporaryFolder()
        let input = try sampleCorpus(folder, count: 50, seed: 13)
        let stage = folder.file("clean")
        _ = try cleanInParts(input, to: stage)
        func sentence(_ bounds: [String: Bounds], _ stage: URL) -> String {
            errorSentence { try filter(stage, to: folder.file("out"), bounds: bounds) }
        }
        #expect(sentence(["length": Bounds(minimum: 1)], stage).contains("no statistic \"length\"; there are characters, han_share, score"))
        #expect(sentence(["score": Bounds(minimumPercentile: 120)], stage).contains("from 0 to 100"))
        #expect(sentence(["score": Bounds(maximum: .infinity)], stage).contains("should be a finite number"))
        try processRecords([input], step: "plain", to: folder.file("plain")) { record, _ in [.kept(record)] }
        #expect(sentence([:], folder.file("plain")).contains("no statistics"))
        #expect(sentence([:], folder.file("nowhere")).contains("no statistics"))
        let documents = stage.appendingPathComponent("documents/00000.\(PartFile.records)")
        try Data(Array(Data(contentsOf: documents)).dropLast(10)).write(to: documents)
        #expect(sentence([:], stage).contains("part 0 is damaged"))
    }

    @Test func tablesComeBackAsTheyWere() throws {
        let folder = try TemporaryFolder()
        var random = SeededRandom(seed: 14)
        var table = StatisticsTable(names: ["甲", "b \"c\"", "c"])
        let odd: [Double] = [0, -0.0, .nan, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0.1]
        var rows: [[Double]] = []
        for _ in 0..<500 {
            let row = (0..<3).map { _ in random.number(in: 0...3) == 0 ? random.element(of: odd) : Double(random.next() >> 40) }
            rows.append(row)
            table.append(row)
        }
        let file = folder.file("t.columns.zst")
        try table.write(to: file)
        let read = try StatisticsTable(contentsOf: file)
        #expect(read.names == table.names && read.rowCount == 500)
        for (index, row) in rows.enumerated() { #expect(read[index].map(\.bitPattern) == row.map(\.bitPattern)) }
        #expect(read.column("c")?.map(\.bitPattern) == rows.map { $0[2].bitPattern })
        #expect(read.column("nothing") == nil)
        try StatisticsTable(names: ["a"]).write(to: file)
        #expect(try StatisticsTable(contentsOf: file).rowCount == 0)
        // Damaged bytes, compressed or not: an error that names the file, or the same numbers; never a crash.
        try table.write(to: file)
        let compressed = Array(try Data(contentsOf: file))
        for round in 0..<3000 {
            var bytes = round % 2 == 0 ? compressed : table.bytes
            let name = round % 2 == 0 ? "d.columns.zst" : "d.columns"
            switch random.number(in: 0...2) {
            case 0: bytes.removeLast(random.number(in: 1...bytes.count))
            case 1: bytes[random.number(in: 0...min(60, bytes.count - 1))] = UInt8(truncatingIfNeeded: random.next())
            default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: random.number(in: 0...min(60, bytes.count)))
            }
            try Data(bytes).write(to: folder.file(name))
            do { #expect(try StatisticsTable(contentsOf: folder.file(name)).rowCount <= 1500) } catch { #expect("\(error)".contains(name)) }
        }
    }

    @Test func percentiles() throws {
        #expect(percentile(50, of: []) == nil)
        #expect(percentile(50, of: [.nan]) == nil)
        #expect(percentile(0, of: [3, 1, 2]) == 1)
        #expect(percentile(100, of: [3, 1, 2]) == 3)
        #expect(percentile(50, of: [4, 1, .nan, 3, 2]) == 2.5)
        #expect(percentile(25, of: [1, 2, 3, 4, 5]) == 2)
        #expect(percentile(50, of: [.infinity, .infinity]) == .infinity)
        let many = (0...1000).map { Double(($0 * 7919) % 1001) }
        #expect(percentile(5, of: many) == 50 && percentile(95, of: many) == 950)
        #expect(shortNumber(0.28712345) == "0.2871" && shortNumber(12) == "12" && shortNumber(0.00001) == "1e-05" && shortNumber(1234.56) == "1234.6")
        #expect(Threshold(max: 0.287).violation(0.28700001) == "0.28700001 > 0.287")
        #expect(Threshold(min: 50).violation(12) == "12 < 50")
        #expect(Threshold(min: 50, max: 60).violation(50) == nil)
        #expect(Threshold(min: 50).violation(.nan) == nil)
    }
}
