import Foundation
import Testing

/// `yuyan data` and the recipes over it, as a user runs them.
@Suite struct DataCommandTests {
    /// Texts of every kind that the stages look for, in three layouts.
    private func corpus(_ scratch: Scratch, count: Int = 300) throws {
        let words = ["雨燕", "清晨", "屋檐", "河流", "山岗", "麦田", "天空", "孩子", "母亲", "云层", "飞过", "醒来", "落地", "抬头", "看见", "的", "在", "了", "从", "很"]
        var state: UInt64 = 7
        func draw(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        func text() -> String {
            (0..<6 + draw(12)).map { _ in (0..<8 + draw(12)).map { _ in words[draw(words.count)] }.joined() + "。" }.joined()
        }
        var lines: [String] = []
        var last = ""
        for number in 0..<count {
            var body = text()
            if number % 20 == 3 { body = last }
            if number % 25 == 4 { body += "我的手机是13812345678，请打来。" }
            if number % 30 == 5 { body = "短。" }
            if number % 40 == 6 { body = "鳥兒飛過山崗。" + body }
            if number % 50 == 7 { body += "下列哪一种鸟一生中几乎从不落地而在空中睡觉？" }
            last = body
            lines.append(#"{"id": "文\#(number)", "title": "第\#(number)篇", "text": "\#(body)"}"#)
        }
        try scratch.write(lines.joined(separator: "\n") + "\n", to: "texts/a.jsonl")
        try scratch.write(#"{"question": "下列哪一种鸟一生中几乎从不落地而在空中睡觉？", "answer": "雨燕"}"# + "\n", to: "tests/exam.jsonl")
        try scratch.write(
            """
            name: clean
            stages:
              - {name: convert, task: convert, files: [texts]}
              - {name: ngram, task: ngram, files: [texts]}
              - {name: clean, task: clean, files: ["${convert}"], simplify: {from: t2s}, privacy: {}, perplexity: "${ngram}"}
              - {name: filter, task: filter, data: "${clean}", bounds: {characters: {minimum: 20}}}
              - {name: dedup, task: dedup, files: ["${filter}"]}
              - {name: decontaminate, task: decontaminate, files: ["${dedup}"], against: [tests]}

            """, to: "clean.yaml")
    }

    private func report(_ scratch: Scratch, _ stage: String) throws -> [String: Any] {
        let data = try Data(contentsOf: scratch.url.appending(path: "runs/\(stage)/report.json"))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    private func records(_ report: [String: Any], _ key: String) -> Int { (report[key] as? [String: Any])?["records"] as? Int ?? -1 }

    private func dropped(_ report: [String: Any]) -> [String: Int] {
        (report["dropped"] as? [String: [String: Int]] ?? [:]).compactMapValues { $0["records"] }
    }

    private func run(_ command: String, _ scratch: Scratch) throws -> Program.Result {
        try Program.run(["data"] + command.split(separator: " ").map(String.init), in: scratch.url)
    }

    @Test func `a recipe drops what it should, and the counts add up`() throws {
        let scratch = try Scratch()
        try corpus(scratch)
        let result = try Program.run(["run", "clean.yaml"], in: scratch.url)
        #expect(result.status == 0, "\(result.error)")
        var coming = 300
        for stage in ["convert", "clean", "filter", "dedup", "decontaminate"] {
            let report = try report(scratch, "clean/\(stage)")
            #expect(records(report, "input") == coming, "\(stage)")
            #expect(records(report, "kept") + dropped(report).values.reduce(0, +) == coming, "\(stage)")
            coming = records(report, "kept")
        }
        #expect(try dropped(report(scratch, "clean/filter")) == ["characters": 10])
        let copies = try dropped(report(scratch, "clean/dedup")).values.reduce(0, +)
        #expect(copies == 15, "every twentieth is the one before it")
        #expect(try dropped(report(scratch, "clean/decontaminate")) == ["contaminated": 6])
        let changes = try #require(try report(scratch, "clean/clean")["changes"] as? [String: Int])
        #expect(changes["privacy"] == 12 && (changes["simplify"] ?? 0) > 0)

        // The story of one document through all stages, by the id that its file gave it.
        let masked = try run("why 文4 runs/clean", scratch)
        #expect(masked.status == 0 && masked.output.contains("[手机号]"), "\(masked.output)")
        let short = try run("why 文5 runs/clean", scratch)
        #expect(short.output.contains("filter: dropped by filter: characters ("), "\(short.output)")
        let copy = try run("why 文23 runs/clean", scratch)
        #expect(copy.output.contains("dedup: dropped by dedup:"), "\(copy.output)")
        let exam = try run("why 文7 runs/clean", scratch)
        #expect(exam.output.contains("decontaminate: dropped") && exam.output.contains("下列哪一种鸟"), "\(exam.output)")
        let nothing = try run("why 文999 runs/clean", scratch)
        #expect(nothing.status == 2 && nothing.error == "error: 文999: no record of this run has this id, or one that ends in it\n")

        let page = try run("report runs/clean", scratch)
        #expect(page.status == 0 && page.output == "runs/clean/report.html\n")
        let html = try String(contentsOf: scratch.url.appending(path: "runs/clean/report.html"), encoding: .utf8)
        #expect(html.contains("<svg") && !html.contains("http://") && !html.contains("src=\"https"))
    }

    @Test func `orders, splits, examples and triples come from the command line`() throws {
        let scratch = try Scratch()
        try corpus(scratch)
        #expect(try Program.run(["run", "clean.yaml"], in: scratch.url).status == 0)
        let stage = "runs/clean/decontaminate"
        let kept = try records(report(scratch, "clean/decontaminate"), "kept")
        // The perplexity that the cleaning measured stays with the record.
        let ordered = try run("order \(stage) --by perplexity --output runs/order", scratch)
        #expect(ordered.status == 0, "\(ordered.error)")
        #expect(try records(report(scratch, "order"), "kept") == kept)
        #expect(try run("split \(stage) --validation 0.2 --test 0.2 --output runs/split", scratch).status == 0)
        let parts = try ["train", "validation", "test"].map { try records(report(scratch, "split/\($0)"), "kept") }
        #expect(parts.reduce(0, +) == kept && parts.allSatisfy { $0 > 0 })
        try scratch.write("subject,relation,object\n雨燕,属于,雨燕科\n雨燕,食物,\"昆虫,蜘蛛\"\n", to: "triples.csv")
        let triples = try run("triples triples.csv --output runs/triples", scratch)
        #expect(triples.status == 0 && triples.output.contains("kept: 2"), "\(triples.error)")
        try scratch.write(
            #"{"messages": [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "你好！"}, {"role": "user", "content": "你是谁"}, "#
                + #"{"role": "assistant", "content": "我是雨燕。"}]}"# + "\n", to: "chat.jsonl")
        #expect(try run("shape chat.jsonl --windows.budget 230 --output runs/windows", scratch).status == 0)
        #expect(try records(report(scratch, "windows"), "kept") == 2, "a pair for each answer")
        let inspected = try run("inspect chat.jsonl \(stage)", scratch)
        #expect(inspected.status == 0 && inspected.output.contains("conversation"), "\(inspected.output)")
        #expect(try run("lexicon chat.jsonl --output runs/words", scratch).error.contains("not a Sogou cell dictionary"))
    }

    @Test(arguments: [
        ("convert nowhere.jsonl", 2, #"files: there is no file or folder "nowhere.jsonl""#),
        ("convert a.jsonl --adapter foo", 2, #"there is no adapter "foo"; there are yuyan, "#),
        ("clean a.jsonl --simplify.from x2s", 2, "--simplify.from: expected one of t2s, tw2s, tw2sp, hk2s, found \"x2s\""),
        ("clean a.jsonl --privacy.kinds phone", 2, "--privacy.kinds: expected one of "),
        ("filter a.jsonl", 1, "there are no statistics here to filter by"),
        ("filter a.jsonl --bounds.charaters.minimum 3", 2, #"there is no statistic "charaters"; the nearest name is "characters""#),
        ("filter a.jsonl --bounds.entropy.minimum-percentile 120", 2, "the percentile of entropy is 120, and should be from 0 to 100"),
        ("order a.jsonl --by perplexity", 1, #"has no "perplexity" in its metadata"#),
        ("decontaminate a.jsonl", 2, "--against must be given"),
        ("pack a.jsonl", 2, "--tokenizer must be given"),
        ("crawl a.jsonl --template http://example.org --contact me", 2, "give an http or https address with {word} in it"),
        ("report .", 1, "there is no stage with records here"),
    ])
    func `a mistake gets one sentence`(command: String, status: Int32, sentence: String) throws {
        let scratch = try Scratch()
        try scratch.write("{\"text\": \"雨燕在空中睡觉。\"}\n", to: "a.jsonl")
        let result = try run(command, scratch)
        #expect(result.status == status, "\(result.error)")
        #expect(result.error.contains(sentence), "\(result.error)")
        #expect(result.error.split(separator: "\n").filter { $0.hasPrefix("error: ") }.count == 1, "\(result.error)")
    }
}
