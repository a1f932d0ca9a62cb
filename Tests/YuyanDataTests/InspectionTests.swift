import Foundation
import Testing
import YuyanText

@testable import YuyanData

@Suite struct InspectionTests {
    @Test func countsWhatIsThere() throws {
        let folder = try TemporaryFolder()
        _ = try sampleCorpus(folder, count: 300, name: "in/a.jsonl")
        _ = try folder.write(
            "in/b.jsonl",
            "{\"question\": \"天为什么蓝？\", \"answer\": \"因为散射。\"}\n{\"question\": \"天为什么蓝？\", \"answer\": \"因为散射。\"}\n{\"question\": \"\", \"answer\": \"\"}\n"
        )
        _ = try folder.write("in/c.txt", "ＡＢＣ１２，カナ 한글 Привет é😀\u{FFFD}")
        let inspection = try inspect([folder.file("in").path], samples: 4)
        let records = try readRecords(folder.file("in").path)
        var total = Amount()
        for record in records { total.add(record) }
        #expect(inspection.total == total)
        #expect(inspection.files.map { URL(fileURLWithPath: $0.path).lastPathComponent } == ["a.jsonl", "b.jsonl", "c.txt"])
        #expect(inspection.files.map(\.amount.records) == [300, 2, 1])
        #expect(inspection.files[1].emptyRecords == 1)
        #expect(inspection.kinds == ["document": 301, "conversation": 2])
        #expect(inspection.turns == 4)
        #expect(inspection.duplicates == 1)
        #expect(inspection.scripts.total == total.characters - 2)  // the line breaks between the turns are no one's
        let lengths = records.map(\.text.unicodeScalars.count).sorted()
        #expect(abs(Double(inspection.lengths.quantile(0.5)) / Double(lengths[lengths.count / 2]) - 1) < 0.04)
        #expect(inspection.lengths.quantile(1) <= lengths.last! && inspection.lengths.quantile(0) == lengths[0])
        // The same each time, and fewer are the first of more.
        let again = try inspect([folder.file("in").path], samples: 2)
        #expect(again.samples.map(\.id) == inspection.samples.prefix(2).map(\.id))
        #expect("\(inspection)".contains("303 records"))
        #expect("\(inspection)".contains("█"))
        let json = try JSONEncoder().encode(inspection)
        #expect(try JSONDecoder().decode(Inspection.self, from: json).total == total)
    }

    @Test func brokenFilesAreSaidToBe() throws {
        let folder = try TemporaryFolder()
        _ = try folder.write("in/a.jsonl", "{\"text\": \"一\"}\n{\"text\": \n[]\n{\"text\": \"三\"}\n")
        _ = try folder.write("in/b.jsonl", "{\"text\": \"二\"}\n")
        let inspection = try inspect([folder.file("in").path])
        #expect(inspection.total.records == 3)
        #expect(inspection.files[0].problem?.contains("a.jsonl:2") == true && inspection.files[0].problemCount == 2)
        #expect("\(inspection)".contains("(and 1 more in this file)"))
        #expect(inspection.files[1].problem == nil)
        #expect("\(inspection)".contains("Problems"))
        #expect(errorSentence { _ = try inspect([folder.file("nowhere").path]) }.contains("no such file"))
    }

    @Test func stagesAreInspectedByTheirDocuments() throws {
        let folder = try TemporaryFolder()
        let input = try sampleCorpus(folder, count: 50)
        try processRecords([input], step: "s", to: folder.file("stage")) { record, ordinal in
            ordinal % 2 == 0 ? [.kept(record)] : [.dropped(record, Drop(step: "s", reason: "odd", value: ""))]
        }
        #expect(try inspect([folder.file("stage").path]).total.records == 25)
    }

    @Test func scriptsAgainstProperties() throws {
        var counts = ScriptHistogram()
        counts.add("汉字〇々㐀𠀀豈")
        #expect(counts[.han] == 7)
        counts.add("かなカナｶ")
        counts.add("한글ㄱ")
        counts.add("ＡａbÉ")
        counts.add("１2٣")
        counts.add("，。、！“”《》…—·（）【】")
        counts.add(" \n\t\u{3000}\r")
        counts.add("😀☀")
        counts.add("\u{E000}\u{FFFD}\u{0}\u{200B}")
        counts.add("ДЖ")
        #expect(counts[.kana] == 5 && counts[.hangul] == 3 && counts[.latin] == 4 && counts[.digits] == 3 && counts[.punctuation] == 15)
        #expect(counts[.whitespace] == 5 && counts[.emoji] == 2 && counts[.privateUse] == 1 && counts[.replacement] == 1 && counts[.control] == 2)
        #expect(counts[.cyrillic] == 2 && counts[.other] == 0)
    }

    @Test func lengthsKeepThreePerCent() throws {
        var random = SeededRandom(seed: 30)
        var (counts, values) = (LengthCounts(), [Int]())
        for _ in 0..<5000 {
            let length = Int(random.next() >> UInt64(random.number(in: 40...63)))
            values.append(length)
            counts.add(length)
        }
        values.sort()
        for share in [0, 0.01, 0.1, 0.5, 0.9, 0.99, 1] {
            let exact = values[Int((share * 4999).rounded())]
            let found = counts.quantile(share)
            #expect(found <= exact && Double(found) >= Double(exact) * 0.968)
        }
        #expect(counts.decades.reduce(0) { $0 + counts.count(in: $1) } == 5000)
        #expect(LengthCounts().decades.isEmpty && LengthCounts().quantile(0.5) == 0)
    }

    @Test func distinctCountsAreClose() {
        var random = SeededRandom(seed: 31)
        var (one, other) = (DistinctCount(), DistinctCount())
        let hashes = (0..<50000).map { _ in random.next() }
        for hash in hashes { one.insert(hash) }
        for hash in hashes.prefix(20000) { other.insert(hash) }
        one += other
        #expect(one.estimate == 50000)
        for _ in 0..<3_000_000 { one.insert(random.next()) }
        #expect(abs(Double(one.estimate) / 3_050_000 - 1) < 0.01)
    }
}
