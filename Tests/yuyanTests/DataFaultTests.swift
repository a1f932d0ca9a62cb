import Foundation
import Testing

/// Input that is broken in every way: `stop` ends with a sentence that names the place, `skip` notes it and goes on, and the counts add up.
@Suite struct DataFaultTests {
    /// A file, what is said of it, and how many of its records can be read.
    struct Fault: Sendable, CustomTestStringConvertible {
        var name: String
        var bytes: Data
        /// What follows the file's path.
        var sentence: String
        var readable: Int
        var problems = 1
        var testDescription: String { name }
    }

    private static func line(_ number: Int) -> String { "{\"text\": \"雨燕第\(number)次飞过屋檐，落在河边的树上。\"}\n" }

    static let faults: [Fault] = [
        text("line.jsonl", line(1) + line(2) + "{\"text\": \"缺了引号}\n" + line(4), ":3: not valid JSON (a string is never closed, column 10)", 3),
        text(
            "nul.jsonl", line(1) + "{\"text\": \"前面\0后面\"}\n" + line(3), ":2: not valid JSON (a control character stands in a string, column 17)", 2),
        text("kind.jsonl", line(1) + "[1, 2]\n" + line(3), ":2: a record should be a JSON object, not a list", 2),
        text("layout.jsonl", line(1) + "{\"foo\": 1}\n" + line(3), #":2: a record with the fields "foo" is of no known layout"#, 2),
        text(
            "long.jsonl", line(1) + "{\"text\": \"" + String(repeating: "长", count: 5000) + "\"}\n" + line(3),
            ":2: the line that begins here is longer than", 2),
        text(
            "array.json", "[{\"text\": \"第一篇。\"},\n{\"text\": \"第二篇。\"},\n{\"text\": \"第三",
            ":3: not valid JSON: the JSON record that begins here is not closed", 2),
        text("rows.csv", "question,answer\n你好,你好！\n多了,一个,字段\n再见,再见！\n", ":3: the row has 3 fields where the first row has 2", 2),
        text("quotes.csv", "question,answer\n你好,你好！\n\"没有结尾,再见！\n", ":3: a quoted field that begins in this row is never closed", 1),
        text(
            "page.warc", "WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 1000\r\n\r\n短",
            ": the WARC record at byte 0 is cut off: 3 of its 1000 bytes are there", 0),
        Fault(
            name: "bytes.jsonl",
            bytes: Data(line(1).utf8) + Data("{\"text\": \"坏".utf8) + Data([0xFF, 0xFF]) + Data("\"}\n".utf8) + Data(line(3).utf8),
            sentence: ": not UTF-8 at byte \(line(1).utf8.count + 13)", readable: 2),
        Fault(name: "bytes.txt", bytes: Data("开头".utf8) + Data([0xFF, 0xFF, 0xFF, 0x80]), sentence: ": not UTF-8 at byte 6", readable: 0),
        text("plain.jsonl.gz", line(1), ": the gzip data is damaged before byte 2 (incorrect header check)", 0),
        text("plain.jsonl.zst", line(1), ": the zstd data is damaged at byte 0 (Unknown frame descriptor)", 0),
    ]

    private static func text(_ name: String, _ text: String, _ sentence: String, _ readable: Int) -> Fault {
        Fault(name: name, bytes: Data(text.utf8), sentence: sentence, readable: readable)
    }

    private func convert(_ words: [String], _ scratch: Scratch) throws -> Program.Result {
        try Program.run(["data", "convert", "--maximum-record-bytes", "4000"] + words, in: scratch.url)
    }

    private func report(_ folder: String, _ scratch: Scratch) throws -> (kept: Int, problems: [String], count: Int) {
        let data = try Data(contentsOf: scratch.url.appending(path: "\(folder)/report.json"))
        let report = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let (input, kept) = (report["input"] as? [String: Int], report["kept"] as? [String: Int])
        #expect(input == kept)
        return (kept?["records"] ?? -1, report["problems"] as? [String] ?? [], report["problemCount"] as? Int ?? -1)
    }

    @Test(arguments: faults) func `broken input is named with its place`(fault: Fault) throws {
        let scratch = try Scratch()
        try fault.bytes.write(to: scratch.url.appending(path: fault.name))
        let stopped = try convert([fault.name, "--output", "stopped"], scratch)
        #expect(stopped.status == 1)
        let sentences = stopped.error.split(separator: "\n")
        #expect(
            sentences.count == 1 && sentences[0].hasPrefix("error: ") && sentences[0].contains("/\(fault.name)\(fault.sentence)"), "\(stopped.error)")
        #expect(!FileManager.default.fileExists(atPath: scratch.url.appending(path: "stopped/report.json").path), "it is not finished")

        let skipped = try convert([fault.name, "--broken", "skip", "--output", "skipped"], scratch)
        #expect(skipped.status == 0 && skipped.error.contains("warning: passed over: "), "\(skipped.error)")
        #expect(skipped.output.contains("problems: 1, see skipped/report.json"), "\(skipped.output)")
        let (kept, problems, count) = try report("skipped", scratch)
        #expect(kept == fault.readable && count == 1)
        #expect(problems.count == 1 && problems[0].contains("/\(fault.name)\(fault.sentence)"), "\(problems)")
    }

    /// All of it in one folder, and more that is broken than the report lists.
    @Test func `the rest goes on, and all counts add up`() throws {
        let scratch = try Scratch()
        for fault in Self.faults {
            try scratch.write("", to: "all/\(fault.name)")
            try fault.bytes.write(to: scratch.url.appending(path: "all/\(fault.name)"))
        }
        try scratch.write((0..<1500).map { "坏行\($0)\n" }.joined() + Self.line(1), to: "all/many.jsonl")
        let result = try convert(["all", "--broken", "skip", "--output", "out", "--json"], scratch)
        #expect(result.status == 0, "\(result.error)")
        let (kept, problems, count) = try report("out", scratch)
        #expect(kept == Self.faults.reduce(1) { $0 + $1.readable })
        #expect(count == Self.faults.count + 1500 && problems.count == 1000)
        let summary = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        #expect(summary["problems"] as? Int == count && summary["kept"] as? Int == kept && summary["records"] as? Int == kept)

        // `inspect` shows what is there without a word about stopping.
        let inspected = try Program.run(["data", "inspect", "all", "--json"], in: scratch.url)
        let inspection = try #require(try JSONSerialization.jsonObject(with: Data(inspected.output.utf8)) as? [String: Any])
        let files = try #require(inspection["files"] as? [[String: Any]])
        let many = try #require(files.first { ($0["path"] as? String)?.hasSuffix("many.jsonl") == true })
        #expect(inspected.status == 0 && files.count == Self.faults.count + 1 && many["problem_count"] as? Int == 1500)
        #expect((many["amount"] as? [String: Int])?["records"] == 1)
    }

    /// A compressed file that ends in the middle gives what is before it, which is the beginning of the whole.
    @Test(arguments: ["gz", "zst"]) func `half of a compressed file`(ending: String) throws {
        let scratch = try Scratch()
        let tool = ending == "gz" ? "gzip" : "zstd"
        guard let path = ["/usr/bin/\(tool)", "/bin/\(tool)", "/opt/homebrew/bin/\(tool)"].first(where: FileManager.default.isExecutableFile) else {
            return
        }
        var random: UInt64 = 1
        let lines = (0..<5000).map { _ in
            let text = (0..<30).map { _ in
                random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return String(UnicodeScalar(0x4E00 + UInt32(random >> 40) % 20000) ?? "一")
            }
            return "{\"text\": \"\(text.joined())\"}\n"
        }
        try scratch.write(lines.joined(), to: "many.jsonl")
        try Program.shell(path, ["-kq", scratch.url.appending(path: "many.jsonl").path])
        let file = scratch.url.appending(path: "many.jsonl.\(ending)")
        let data = try Data(contentsOf: file)
        try data.prefix(data.count / 2).write(to: file)
        let stopped = try convert(["many.jsonl.\(ending)", "--output", "stopped"], scratch)
        #expect(stopped.status == 1)
        #expect(
            stopped.error.contains("/many.jsonl.\(ending): the \(ending == "gz" ? "gzip" : "zstd") data is cut off at byte \(data.count / 2)"),
            "\(stopped.error)")
        #expect(try convert(["many.jsonl.\(ending)", "--broken", "skip", "--output", "skipped"], scratch).status == 0)
        let (kept, _, count) = try report("skipped", scratch)
        #expect(count == 1 && (1000..<4000).contains(kept))
        // An order by length that is stable would hide a mix-up; the ids count the lines.
        let last = try Program.run(["data", "why", "many.jsonl.\(ending):\(kept)", "skipped"], in: scratch.url)
        let text = lines[kept - 1].dropFirst(10).prefix(30)
        #expect(last.status == 0 && last.output.contains(text), "\(last.output)")
        let next = try Program.run(["data", "why", "many.jsonl.\(ending):\(kept + 1)", "skipped"], in: scratch.url)
        #expect(next.status == 2)
    }

    /// What is in another encoding is read all the same, and by its name where the guess is refused.
    @Test func `other encodings are read, and a wrong name is said to be wrong`() throws {
        let scratch = try Scratch()
        let text = "雨燕是飞得最快的鸟，它在空中睡觉，几乎从不落地。"
        let gb18030: [UInt8] = [0xD3, 0xEA, 0xD1, 0xE0, 0xA1, 0xA3]  // 雨燕。
        try Data(gb18030).write(to: scratch.url.appending(path: "gb.txt"))
        try Data(text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }).write(to: scratch.url.appending(path: "wide.txt"))
        #expect(try convert(["gb.txt", "--output", "gb"], scratch).status == 0)
        #expect(try Program.run(["data", "why", "gb.txt", "gb"], in: scratch.url).output.contains("雨燕。"))
        #expect(try convert(["wide.txt", "--encoding", "utf-16", "--output", "wide"], scratch).status == 0)
        #expect(try Program.run(["data", "why", "wide.txt", "wide"], in: scratch.url).output.contains(text))
        let wrong = try convert(["gb.txt", "--encoding", "utf-8", "--output", "wrong"], scratch)
        #expect(wrong.status == 1 && wrong.error.contains("/gb.txt: not UTF-8 at byte 0"), "\(wrong.error)")
    }

    /// A record of 100 MB goes through every kind of step, in memory that does not grow beyond some copies of it.
    @Test func `a line of a hundred megabytes goes through in bounded memory`() throws {
        let scratch = try Scratch()
        let line = String(repeating: "雨燕在空中睡觉，一生几乎都不落地。", count: 2_000_000)
        try scratch.write("{\"text\": \"短的一行。\"}\n{\"text\": \"\(line)\"}\n{\"text\": \"又是短的一行。\"}\n", to: "long.jsonl")
        let commands = [
            "data convert long.jsonl --output convert", "data clean convert --output clean",
            "data filter clean --bounds.characters.minimum 5 --output filter",
            "data decontaminate filter --against exam.jsonl --output last",
        ]
        try scratch.write("{\"question\": \"下列哪一种鸟一生中几乎从不落地？\", \"answer\": \"雨燕\"}\n", to: "exam.jsonl")
        for command in commands {
            let (status, peak) = try run(command.split(separator: " ").map(String.init), in: scratch.url)
            #expect(status == 0, "\(command)")
            #expect(peak < 1500 << 20, "\(command): \(peak >> 20) MiB")
        }
        let data = try Data(contentsOf: scratch.url.appending(path: "last/report.json"))
        let report = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(report["kept"] as? [String: Int] == ["records": 3, "characters": 5 + 34_000_000 + 7])
    }

    /// Runs the binary; gives its exit status and the most memory that it had, in bytes.
    private func run(_ arguments: [String], in folder: URL) throws -> (status: Int32, peak: Int) {
        // The shell is there to change the folder and be replaced.
        let words = ["/bin/sh", "-c", "cd \"$1\" && shift && exec \"$@\" >/dev/null 2>&1", "sh", folder.path, Program.binary.path] + arguments
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var process = pid_t()
        try #require(posix_spawn(&process, words[0], nil, nil, &pointers, environ) == 0)
        var (status, usage) = (Int32(0), rusage())
        while wait4(process, &status, 0, &usage) < 0, errno == EINTR {}
        #if os(macOS)
            return (status, Int(usage.ru_maxrss))
        #else
            return (status, Int(usage.ru_maxrss) << 10)
        #endif
    }
}
