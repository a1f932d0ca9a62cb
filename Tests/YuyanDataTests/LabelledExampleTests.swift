import Foundation
import Testing

@testable import YuyanData

@Suite struct LabelledExampleTests {
    private func read(_ text: String, as name: String, _ layout: ExampleLayout) throws -> [LabelledExample] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "yuyan-examples-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data(text.utf8).write(to: folder.appending(path: name))
        return try readLabelledExamples([folder.path], layout)
    }

    @Test func textsWithLabelsAreReadFromTablesAndJSON() throws {
        let table = try read("label,review\n1,\"很快，好吃\"\n0,太慢\n1,  \n", as: "waimai.csv", .text)
        #expect(table.map(\.texts) == [["很快，好吃"], ["太慢"]])
        #expect(table.map(\.label) == ["1", "0"])
        #expect(table.map(\.id) == ["waimai.csv:2", "waimai.csv:3"])
        let lines = try read("{\"label\": 108, \"label_desc\": \"news\", \"sentence\": \"上课时\"}\n\n", as: "tnews.jsonl", .text)
        #expect(lines == [LabelledExample(id: "tnews.jsonl:1", texts: ["上课时"], label: "108")])
        // A record of our own, as `split` writes it.
        let own = try read(#"[{"id": "a:1", "source": "a", "metadata": {"label": "好"}, "text": "快"}]"#, as: "own.json", .text)
        #expect(own.map(\.texts) == [["快"]] && own.map(\.label) == ["好"])
    }

    @Test func pairsAreReadAndThoseWithoutAgreementLeftOut() throws {
        let pairs = try read(
            """
            {"sentence1": "甲", "sentence2": "乙", "label": "neutral"}
            {"premise": "甲", "hypothesis": "丙", "label": "entailment"}
            {"sentence1": "甲", "sentence2": "丁", "label": "-"}
            """, as: "ocnli.json", .pair)
        #expect(pairs.map(\.texts) == [["甲", "乙"], ["甲", "丙"]])
        #expect(pairs.map(\.label) == ["neutral", "entailment"])
    }

    @Test(arguments: [
        (#"{"context": "文", "question": "问", "choices": ["一", "二", "三"], "answer": "二"}"#, ["文\n问", "一", "二", "三"], "1"),
        (#"{"question": "问", "options": ["一", "二"], "label": 1}"#, ["问", "一", "二"], "1"),
        (#"{"question": "问", "A": "一", "B": "二", "C": "三", "D": "四", "answer": "c"}"#, ["问", "一", "二", "三", "四"], "2"),
        (#"{"ctx": "文", "endings": ["1", "0"], "label": "0"}"#, ["文", "1", "0"], "1"),
        (#"{"ctx": "文", "endings": ["1", "0"], "label": 0}"#, ["文", "1", "0"], "0"),
    ])
    func choicesAreReadWithTheirRightAnswer(json: String, texts: [String], label: String) throws {
        let examples = try read(json, as: "choice.jsonl", .choice)
        #expect(examples.map(\.texts) == [texts])
        #expect(examples.map(\.label) == [label])
    }

    @Test(arguments: [
        ("text,stars\n好,5\n", "a.csv", ExampleLayout.text, "a.csv:2: a text (text, review"),
        ("text,label\n好,5,6\n", "a.csv", .text, "a.csv:2: the row has 3 fields where the first row has 2"),
        ("text,label\n", "a.csv", .text, "there are no examples"),
        ("好", "a.txt", .text, "examples with labels are read from JSON, JSON Lines, CSV and TSV files"),
        (#"{"question": "问", "options": ["一", "二"], "label": 2}"#, "a.jsonl", .choice, #"label: "2" is none of the 2 answers"#),
        (#"{"question": "问", "options": ["一"], "label": 0}"#, "a.jsonl", .choice, "a context or question, answers"),
        ("[1]", "a.json", .pair, "a.json:1: a record should be a JSON object, not a number"),
        ("{\"text\": \"好\", \"label\": 1}\n\n[1]\n", "a.jsonl", .text, "a.jsonl:3: a record should be a JSON object, not a list"),
        ("label\ttext\n1\t\"好\n0\n", "a.tsv", .text, "a.tsv:3: the row has 1 fields where the first row has 2"),
    ])
    func whatIsNoExampleIsRefusedWithItsPlace(text: String, name: String, layout: ExampleLayout, sentence: String) {
        let error = #expect(throws: DataError.self) { try read(text, as: name, layout) }
        #expect(error?.description.contains(sentence) == true, "\(String(describing: error))")
    }

    @Test func whatIsHeldBackDependsOnTheTextsAlone() {
        let examples = (0..<500).map { LabelledExample(id: "\($0)", texts: ["第\($0 / 2)篇"], label: "\($0 % 2)") }
        let parts = split(examples, validationFraction: 0.2)
        #expect(parts.train.count + parts.validation.count == 500)
        #expect((60...140).contains(parts.validation.count))
        // Copies fall on one side.
        #expect(Set(parts.train.map(\.texts)).isDisjoint(with: parts.validation.map(\.texts)))
        let reversed: [LabelledExample] = examples.reversed()
        let part: [LabelledExample] = Array(reversed[0..<400])
        let again = split(part, validationFraction: 0.2)
        let held = Set(parts.validation.map(\.id))
        #expect(again.validation.allSatisfy { held.contains($0.id) } && again.train.allSatisfy { !held.contains($0.id) })
        #expect(split(Array(examples[0..<4]) as [LabelledExample], validationFraction: 1e-9).validation.count == 2)
        for number in 0..<40 {
            let copies = (0..<3).map { LabelledExample(id: "\($0)", texts: ["第\(number)篇"], label: "") }
            #expect(split(copies, validationFraction: 0.5).train == copies)
        }
    }
}

@Suite struct LabelledExampleLoaderTests {
    private func examples(_ count: Int) -> [LabelledExampleLoader.Example] {
        var random = SeededRandom(seed: 9)
        return (0..<count).map { number in
            let sequences = (0..<random.number(in: 1...3)).map { place in
                [Int32(1000 + number), Int32(place)] + (0..<random.number(in: 0...4)).map { Int32($0) } + [99]
            }
            return .init(sequences: sequences, label: number % 3)
        }
    }

    private func batches(_ loader: LabelledExampleLoader) throws -> [Batch] {
        var loader = loader
        var batches: [Batch] = []
        while let batch = try loader.next() { batches.append(batch) }
        return batches
    }

    /// What earlier versions saved and dealt out: a run that was begun with them goes on with the same rows.
    @Test(arguments: [(true, 15_473_125_473_133_566_680 as UInt64), (false, 3_547_504_155_566_224_791)])
    func savedPositionsStayGood(shuffled: Bool, rows: UInt64) throws {
        let loader = try LabelledExampleLoader(examples(50), sequenceLength: 32, batchSize: 3, padding: 0, seed: 1, shuffled: shuffled, epochs: 3)
        #expect(loader.state == LoaderState(seed: 1, position: 0, rowsPerEpoch: 16, dataIdentity: 11_055_515_241_820_193_084))
        let found = try checksum(batches(loader))
        #expect(found == rows)
    }

    /// Each example comes once an epoch, whole, its sequences apart, read where they end.
    @Test(arguments: [false, true]) func everyExampleIsThereOnceAndWhole(shuffled: Bool) throws {
        let given = examples(50)
        let loader = try LabelledExampleLoader(
            given, sequenceLength: 32, batchSize: 3, padding: 0, seed: 1, shuffled: shuffled, epochs: 2)
        var seen: [Int: Int] = [:]
        for batch in try batches(loader) {
            let (documents, positions) = (try #require(batch.documents), try #require(batch.positions))
            for example in batch.examples {
                seen[example.number, default: 0] += 1
                #expect(example.label == given[example.number].label)
                for (end, sequence) in zip(example.reads, given[example.number].sequences) {
                    let range = end - sequence.count + 1...end
                    #expect(Array(batch.inputs[range]) == sequence)
                    #expect(Array(batch.labels[range]) == Array(sequence.dropFirst()) + [Batch.ignored])
                    #expect(Array(positions[range]) == sequence.indices.map(Int32.init))
                    #expect(Set(documents[range]).count == 1)
                    #expect(range.lowerBound % 32 == 0 || documents[range.lowerBound - 1] != documents[end])
                    #expect(range.lowerBound / 32 == end / 32)
                }
            }
            #expect(batch.labelCount == batch.labels.count { $0 != Batch.ignored })
        }
        #expect(seen.count == 50 && seen.values.allSatisfy { $0 == 2 })
    }

    @Test func aStateGoesOnExactly() throws {
        var loader = try LabelledExampleLoader(examples(50), sequenceLength: 32, batchSize: 2, padding: 0, seed: 1, epochs: 3)
        for _ in 0..<5 { _ = try loader.next() }
        let state = loader.state
        let rest = try batches(loader)
        var again = try LabelledExampleLoader(examples(50), sequenceLength: 32, batchSize: 2, padding: 0, seed: 1, epochs: 3)
        again.state = state
        #expect(try batches(again) == rest)
        var other = try LabelledExampleLoader(examples(49), sequenceLength: 32, batchSize: 2, padding: 0, seed: 1, epochs: 3)
        other.state = state
        #expect(throws: DataError.self) { try other.next() }
        #expect(throws: DataError.self) { try LabelledExampleLoader(examples(5), sequenceLength: 4, batchSize: 2, padding: 0, seed: 1) }
        #expect(throws: DataError.self) { try LabelledExampleLoader([], sequenceLength: 4, batchSize: 2, padding: 0, seed: 1) }
    }
}
