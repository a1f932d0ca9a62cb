import Foundation
import Testing
import YuyanData
import YuyanText

/// Every `yuyan data STEP` on a small input, and what comes of it.
@Suite struct DataStepTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// Runs `yuyan data …`, which must succeed; gives what it prints.
    @discardableResult
    private func data(_ words: String..., input: String = "") throws -> String {
        let result = try Program.run(["data"] + words, input: input, in: scratch.url)
        #expect(result.status == 0, "\(words.joined(separator: " ")): \(result.error)")
        return result.output
    }

    /// The records of a stage's folder, in order.
    private func records(_ folder: String) throws -> [Record] {
        var reader = try RecordReader([scratch.url.appending(path: "\(folder)/documents").path])
        return try reader.readAll()
    }

    private func texts(_ folder: String) throws -> [String] { try records(folder).map(\.text) }

    private func lines(_ texts: [String]) -> String { texts.map { "{\"text\": \"\($0)\"}\n" }.joined() }

    private let birds = ["雨燕在空中睡觉。", "家燕在屋檐下筑巢，每年春天都回来。", "麻雀。", "白鹭站在水田里等鱼，一动也不动。"]

    @Test func `convert keeps kinds, ids and order`() throws {
        try scratch.write(lines(birds), to: "in/a.jsonl")
        try scratch.write("question,answer\n谁在空中睡觉？,雨燕。\n空的,\n", to: "in/b.csv")
        try scratch.write("第一行。\n第二行。", to: "in/c.txt")
        let said = try data("convert", "in", "--output", "out")
        #expect(said == "kept: 6 of 6 records, 64 of 64 characters\nempty: 1 more records hold nothing and were passed over\noutput: out\n")
        let records = try records("out")
        #expect(records.map(\.id) == ["a.jsonl:1", "a.jsonl:2", "a.jsonl:3", "a.jsonl:4", "b.csv:2", "c.txt"])
        #expect(records.map(\.text).prefix(4) == birds[...] && records.last?.text == "第一行。\n第二行。")
        guard case .conversation(let conversation) = records[4] else { throw Unexpected() }
        #expect(conversation.messages.map(\.content) == ["谁在空中睡觉？", "雨燕。"])
        try data("convert", "-", "--output", "piped", input: lines(birds))
        #expect(try texts("piped") == birds)
    }

    @Test func `clean, filter and dedup in a row`() throws {
        let texts = ["全形的ＡＢＣ，保留。", "<p>标签&amp;实体，去掉。</p>", "打这个电话13812345678，找我。", "臺灣的鳥兒飛過山崗。", "短"]
        try scratch.write(lines(texts + [texts[0]]), to: "a.jsonl")
        let cleaned = try data("clean", "a.jsonl", "--html.markdown", "--simplify.from", "tw2s", "--privacy.mode", "mask", "--output", "clean")
        #expect(cleaned.contains("kept: 6 of 6 records") && cleaned.contains("changed: "), "\(cleaned)")
        let expected = ["全形的ＡＢＣ，保留。", "标签&实体，去掉。\n", "打这个电话[手机号]，找我。", "台湾的鸟儿飞过山岗。", "短", "全形的ＡＢＣ，保留。"]
        #expect(try self.texts("clean") == expected)
        let kept = try data("filter", "clean", "--bounds.characters.minimum", "5", "--output", "filter")
        #expect(kept.contains("kept: 5 of 6 records (83.3 %)") && kept.contains("dropped: 1: characters 1"), "\(kept)")
        #expect(try self.texts("filter") == expected.filter { $0 != "短" })
        let single = try data("dedup", "filter", "--level", "exact", "--output", "dedup")
        #expect(single.contains("dropped: 1: exact_duplicate 1"), "\(single)")
        #expect(try records("dedup").map(\.id) == ["a.jsonl:1", "a.jsonl:2", "a.jsonl:3", "a.jsonl:4"])
    }

    /// NUL bytes and their like are characters as others are, until they are cleaned away.
    @Test func `control characters go`() throws {
        try scratch.write("前面\0后面\u{7}，还有一句话。", to: "nul.txt")
        #expect(try data("clean", "nul.txt", "--output", "clean").contains("changed: control 2"))
        #expect(try texts("clean") == ["前面后面，还有一句话。"])
    }

    @Test func `shared lines go from all but the first`() throws {
        try scratch.write(lines(["版权归雨燕观察协会所有\\n\(birds[0])", "版权归雨燕观察协会所有\\n\(birds[1])"]), to: "a.jsonl")
        try data("dedup", "a.jsonl", "--level", "lines", "--output", "out")
        #expect(try texts("out") == ["版权归雨燕观察协会所有\n\(birds[0])", birds[1]])
    }

    @Test func `decontaminate drops, or cuts the passage out`() throws {
        let exam = "下列哪一种鸟一生中几乎从不落地而在空中睡觉？"
        try scratch.write("{\"question\": \"\(exam)\", \"answer\": \"雨燕\"}\n", to: "exam.jsonl")
        try scratch.write(lines(birds + ["开头的话。\(exam)后面的话。"]), to: "a.jsonl")
        let said = try data("decontaminate", "a.jsonl", "--against", "exam.jsonl", "--output", "out")
        #expect(said.contains("kept: 4 of 5 records") && said.contains("contaminated 1"), "\(said)")
        #expect(try texts("out") == birds)
        try data("decontaminate", "a.jsonl", "--against", "exam.jsonl", "--cut", "--output", "cut")
        let last = try #require(try texts("cut").last)
        #expect(last.hasPrefix("开头的话。") && last.hasSuffix("后面的话。") && !last.contains("从不落地"), "\(last)")
    }

    @Test func `order by length, score and chance`() throws {
        let scores = [3, 1, 2, 10]
        try scratch.write(
            zip(birds, scores).map { "{\"id\": \"\($1)\", \"source\": \"鸟\", \"text\": \"\($0)\", \"metadata\": {\"score\": \"\($1)\"}}\n" }.joined(),
            to: "a.jsonl")
        try data("order", "a.jsonl", "--by", "length", "--output", "length")
        #expect(try texts("length") == birds.sorted { $0.count < $1.count })
        try data("order", "a.jsonl", "--by", "score", "--descending", "--output", "score")
        #expect(try records("score").map(\.id) == ["10", "3", "2", "1"])
        try data("order", "a.jsonl", "--seed", "5", "--output", "one")
        try data("order", "a.jsonl", "--seed", "5", "--output", "other")
        #expect(try texts("one") == texts("other") && texts("one").sorted() == birds.sorted())
    }

    @Test func `split keeps copies on one side`() throws {
        let many = (0..<400).map { "第\($0 / 2)天，雨燕飞过。" }
        try scratch.write(lines(many), to: "a.jsonl")
        let said = try data("split", "a.jsonl", "--validation", "0.2", "--test", "0.1", "--output", "out")
        let parts = try ["train", "validation", "test"].map { try texts("out/\($0)") }
        #expect(parts.reduce([], +).sorted() == many.sorted() && parts.allSatisfy { !$0.isEmpty })
        let sets = parts.map(Set.init)
        #expect(sets[0].isDisjoint(with: sets[1]) && sets[0].isDisjoint(with: sets[2]) && sets[1].isDisjoint(with: sets[2]))
        #expect(said.contains("parts: train \(parts[0].count), validation \(parts[1].count), test \(parts[2].count)"), "\(said)")
    }

    @Test func `mix takes sources from the command line`() throws {
        try scratch.write(lines((0..<30).map { "甲\($0)" }), to: "a.jsonl")
        try scratch.write(lines((0..<10).map { "乙\($0)" }), to: "b.jsonl")
        let said = try data(
            "mix", "--unit", "records", "--order", "source", "--sources", "{name: 甲, paths: [a.jsonl], weight: 1}",
            "{name: 乙, paths: [b.jsonl], weight: 1, maximum_epochs: 2}", "--output", "out")
        #expect(
            said == "mixed: 40 records, 90 characters; by records:\n甲: 50 %, 20 of 30 records, 0.67 epochs\n乙: 50 %, 20 of 10 records, 2 epochs\n")
        let mixed = try records("out")
        #expect(mixed.count == 40 && mixed.prefix(4).map(\.text) == ["甲0", "乙0", "甲1", "乙1"] && mixed[21].id == "b.jsonl:1@2")
    }

    @Test func `shape makes windows, questions and phrasings`() throws {
        let turns = [("user", "你好"), ("assistant", "你好！"), ("user", "你是谁"), ("assistant", "我是雨燕。")]
        let messages = turns.map { "{\"role\": \"\($0)\", \"content\": \"\($1)\"}" }.joined(separator: ", ")
        try scratch.write("{\"messages\": [\(messages)]}\n", to: "chat.jsonl")
        let said = try data("shape", "chat.jsonl", "--windows.turns", "1", "--output", "windows")
        #expect(said.contains("kept: 2 of 2 records") && said.contains("records read: 1; 1 more came of splitting them"), "\(said)")
        let pairs = try records("windows").compactMap { record -> Pair? in if case .pair(let pair) = record { pair } else { nil } }
        #expect(pairs.map(\.target) == ["你好！", "我是雨燕。"] && pairs.map(\.id) == ["chat.jsonl:1#1", "chat.jsonl:1#2"])
        #expect(pairs.last?.input == "用户：你好\n助手：你好！\n用户：你是谁\n助手：")
        let why = try data("why", "chat.jsonl:1", "windows")
        #expect(why.contains("chat.jsonl:1#2"), "\(why)")
    }

    @Test func `triples and facts become sentences and questions`() throws {
        try scratch.write("subject,relation,object\n雨燕,属于,雨燕科\n", to: "triples.csv")
        let said = try data("triples", "triples.csv", "--output", "triples")
        #expect(said.contains("made: ") && said.contains("questions 2"), "\(said)")
        #expect(try texts("triples/sentences").allSatisfy { $0.contains("雨燕") && $0.contains("雨燕科") })
        #expect(try records("triples/questions").allSatisfy { $0.text.contains("雨燕科") })
        try scratch.write("鸟\t窝\n雨燕\t屋檐\n家燕\t房梁\n", to: "facts/nests.tsv")
        try scratch.write(
            #"{"title": "鸟窝", "relations": [{"name": "nest", "fact": "{窝}", "answer": "{鸟}的窝在{窝}。", "statements": ["{鸟}在{窝}筑窝。"], "#
                + #""questions": ["{鸟}的窝在哪里？"], "held_out": ["哪里有{鸟}的窝？"]}]}"#, to: "facts/nests.json")
        #expect(try data("facts", "facts", "--output", "facts-out") == "output: facts-out\nstatements: 2\nquestions: 2\nheld_out: 2\n")
    }

    @Test func `ngram, clean and inspect know what is usual`() throws {
        try scratch.write(lines((0..<200).map { "第\($0 % 7)天，雨燕飞过屋檐，落在河边。" }), to: "usual.jsonl")
        #expect(try data("ngram", "usual.jsonl", "--order", "3", "--output", "ngram").contains("order: 3"))
        try scratch.write(lines(["第3天，雨燕飞过屋檐，落在河边。", "檐边落燕屋第飞天在，3过河雨。，"]), to: "two.jsonl")
        try data("clean", "two.jsonl", "--perplexity", "ngram", "--output", "clean")
        let numbers = try records("clean").compactMap { $0.metadata["perplexity"].flatMap(Double.init) }
        #expect(numbers.count == 2 && numbers[0] * 10 < numbers[1], "\(numbers)")
        let inspected = try data("inspect", "usual.jsonl", "--samples", "2")
        #expect(inspected.hasPrefix("200 records, 3,200 characters in 1 file\n"), "\(inspected)")
        #expect(inspected.contains("Repeated to the letter: 193 records"))
    }

    @Test func `pack wants a tokenizer, and packs what a stage left`() throws {
        try scratch.write("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n雨\n燕\n。\n", to: "bert/vocab.txt")
        try scratch.write(lines(["雨燕。", "燕雨。"]), to: "a.jsonl")
        try data("convert", "a.jsonl", "--output", "stage")
        let said = try data("pack", "stage", "--tokenizer", "bert", "--validation-fraction", "0", "--output", "packed")
        #expect(said.contains("tokens: 8"), "two texts of three tokens and an end: \(said)")
        let none = try Program.run(["data", "pack", "stage", "--tokenizer", "stage", "--output", "none"], in: scratch.url)
        #expect(none.status == 1 && none.error.contains("holds no tokenizer"), "\(none.error)")
    }

    @Test func `lexicon lists the words of a cell dictionary`() throws {
        func number(_ value: Int) -> [UInt8] { [UInt8(value & 0xFF), UInt8(value >> 8)] }
        func utf16(_ text: String) -> [UInt8] { text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] } }
        var file = [UInt8](repeating: 0, count: 0x1540)
        file.replaceSubrange(0..<8, with: [0x40, 0x15, 0, 0, 0x44, 0x43, 0x53, 0x01])
        (file[0x120], file[0x124]) = (1, 2)
        file.replaceSubrange(0x130..<0x138, with: utf16("鸟类名录"))
        file += [2, 0, 0, 0]
        for (index, syllable) in ["yan", "yu"].enumerated() { file += number(index) + number(2 * syllable.utf16.count) + utf16(syllable) }
        file += number(2) + number(4) + number(1) + number(0)
        for word in ["雨燕", "语言"] { file += number(4) + utf16(word) + number(10) + [UInt8](repeating: 0, count: 10) }
        try Data(file).write(to: scratch.url.appending(path: "birds.scel"))
        let said = try data("lexicon", "birds.scel", "--output", "words")
        #expect(said.contains("name: 鸟类名录") && said.contains("words: 2"), "\(said)")
        #expect(try String(contentsOf: scratch.url.appending(path: "words/words.txt"), encoding: .utf8) == "雨燕\n语言\n")
    }

    /// What the story of one record says: kept, changed, dropped, or a copy of another.
    @Test func `why tells the whole story`() throws {
        let long = "雨燕是飞得最快的鸟，它在空中吃东西，在空中喝水，也在空中睡觉。"
        try scratch.write(lines([long, "請看　　鳥兒\u{200B}飛過山崗，落在河邊的樹上。", "短。", long]), to: "a.jsonl")
        try scratch.write(
            """
            name: story
            stages:
              - {name: clean, task: clean, files: [a.jsonl], simplify: {from: t2s}}
              - {name: filter, task: filter, data: "${clean}", bounds: {characters: {minimum: 5}, han_share: {minimum: 0.5}}}
              - {name: dedup, task: dedup, files: ["${filter}"]}

            """, to: "story.yaml")
        #expect(try Program.run(["run", "story.yaml"], in: scratch.url).status == 0)
        func story(_ id: String) throws -> [String] {
            try data("why", id, "runs/story").split(separator: "\n").map(String.init).filter {
                !$0.hasPrefix("  ") || $0.contains("✓") || $0.contains("✗") || $0.contains("→")
            }
        }
        #expect(
            try story("a.jsonl:1") == [
                "a.jsonl:1", "clean: kept", "  characters                           31  ✓ ≥ 5",
                "  han_share                            0.871  ✓ ≥ 0.5", "filter: kept", "dedup: kept",
            ])
        let changed = try story("a.jsonl:2")
        #expect(changed[1] == "clean: kept, changed" && changed[2].contains("→"), "\(changed)")
        let short = try story("a.jsonl:3")
        #expect(short.contains("filter: dropped by filter: characters (2 < 5)") && !short.contains { $0.hasPrefix("dedup") }, "\(short)")
        #expect(short.contains { $0.hasPrefix("  characters") && $0.hasSuffix("2  ✗ ≥ 5") }, "\(short)")
        #expect(try story("a.jsonl:4").last == "dedup: dropped by dedup: exact_duplicate (a.jsonl:1)")
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(data("why", "a.jsonl:3", "runs/story", "--json").utf8)) as? [String: Any])
        let chapters = try #require(object["chapters"] as? [[String: Any]])
        #expect(chapters.map { $0["event"] as? String } == ["kept", "dropped"])
        #expect((chapters[1]["drop"] as? [String: String]) == ["step": "filter", "reason": "characters", "value": "2 < 5"])
        #expect(try data("report", "runs/story") == "runs/story/report.html\n")
    }

    /// A wrong value is found before any stage starts, not after hours of the stages before it.
    @Test func `settings are checked before the first stage`() throws {
        try scratch.write(lines(birds), to: "a.jsonl")
        for (stage, sentence) in [
            ("task: dedup, files: [a.jsonl], threshold: 2", "threshold is 2.0; it should be above 0 and at most 1"),
            ("task: decontaminate, files: [a.jsonl], against: [a.jsonl], ngram: 1", "ngram is 1; it should be from 2 to 64 characters"),
            ("task: split, files: [a.jsonl], validation: 0.9, test: 0.3", "the shares of validation (0.9) and test (0.3) should be at least 0"),
            ("task: order, files: [a.jsonl], stages: 3", "stages need something to rank records by"),
            ("task: convert, files: [a.jsonl], adapter: belle2", #"there is no adapter "belle2"; did you mean "belle"?"#),
            ("task: ngram, files: [a.jsonl], order: 9", "order should be between 1 and 6, not 9"),
            ("task: shape, files: [a.jsonl], windows: {unit: tokens}", "a budget in tokens needs a tokenizer"),
            ("task: mix, sources: [{name: a, paths: [a.jsonl], weight: -1}]", "the source \"a\" has the weight -1.0"),
        ] {
            try scratch.write(
                "name: early\nstages:\n  - {name: first, task: convert, files: [a.jsonl]}\n  - {name: second, \(stage)}\n", to: "early.yaml")
            let result = try Program.run(["run", "early.yaml"], in: scratch.url)
            #expect(result.status == 2 && result.error.contains(sentence) && result.error.contains("(stage second)"), "\(result.error)")
            #expect(!FileManager.default.fileExists(atPath: scratch.url.appending(path: "runs").path))
        }
    }

    @Test(arguments: [
        (["inspect", "nowhere.jsonl"], 2, #"error: there is no file or folder "nowhere.jsonl""#),
        (["why", "a", "nowhere"], 2, #"error: there is no file or folder "nowhere""#),
        (["report", "nowhere"], 2, #"error: there is no file or folder "nowhere""#),
        (["why", "zzz", "stage"], 2, "error: zzz: no record of this run has this id, or one that ends in it"),
        (["convert", "a.jsonl", "--maximum-record-bytes", "0"], 2, "error: maximum_record_bytes is 0; it should be at least 1"),
        (["dedup", "-"], 1, "error: duplicates are found in two passes, and standard input can be read but once: save it to a file"),
        (["ngram", "-"], 1, "error: the text is read twice, and standard input can be read but once: save it to a file"),
        (["dedup", "a.jsonl", "--bands", "4"], 2, "error: bands and rows go together: give both or neither"),
        (["mix", "--sources", "a.jsonl"], 2, #"error: --sources: expected keys and values, found "a.jsonl""#),
        (["mix", "--sources", "{name: a, path: [a.jsonl]}"], 2, #"error: --sources: unknown key "path"; did you mean "paths"?"#),
        (
            ["mix", "--sources", "{name: a, paths: [a.jsonl]}", "--unit", "tokens"], 2,
            "error: --unit: a mixture measured in tokens needs a tokenizer"
        ),
        (["shape", "a.jsonl", "--windows.budget", "0"], 2, "error: the budget is 0 characters, and should be above 0"),
        (["triples", "a.jsonl"], 1, #"a.jsonl:1: the triple should have "subject", "relation" and "object""#),
        (["order", "a.jsonl", "--by", "score"], 1, #"a.jsonl:1 has no "score" in its metadata to order it by, which is empty"#),
        (["filter", "stage", "--bounds.perplexity.minimum", "5"], 1, "there are no statistics here to filter by"),
        (["clean", "a.jsonl", "--perplexity", "a.jsonl"], 1, "a.jsonl: not a character model"),
    ])
    func `a mistake is one readable sentence`(words: [String], status: Int32, sentence: String) throws {
        try scratch.write(lines(birds), to: "a.jsonl")
        try data("convert", "a.jsonl", "--output", "stage")
        let result = try Program.run(["data"] + words, in: scratch.url)
        #expect(result.status == status, "\(result.error)")
        let sentences = result.error.split(separator: "\n")
        #expect(sentences.count == 1 && sentences[0].hasPrefix("error: ") && sentences[0].contains(sentence), "\(result.error)")
    }

    private struct Unexpected: Error {}
}
