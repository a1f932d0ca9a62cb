import Foundation
import Testing

/// Recipes over data that are killed, stopped, left without room on the disk, or run again with other settings.
@Suite struct DataRunTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// Short texts, enough of them for two parts; some are copies, or too short, or hold a telephone number, other characters, or a test question.
    private func writeCorpus(_ count: Int = 120_000) throws {
        let words = ["雨燕", "清晨", "屋檐", "河流", "山岗", "麦田", "天空", "孩子", "母亲", "云层", "飞过", "醒来", "落地", "抬头", "看见", "的", "在", "了", "从", "很"]
        var state: UInt64 = 7
        func draw() -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33)
        }
        var lines = ""
        var last = ""
        for number in 0..<count {
            var text = ""
            for _ in 0..<10 + draw() % 10 { text += words[draw() % words.count] }
            text += "。"
            if number % 50 == 3 { text = last }
            if number % 60 == 4 { text = "短。" }
            if number % 70 == 5 { text += "我的手机是13812345678。" }
            if number % 80 == 6 { text += "鳥兒飛過。" }
            if number % 1000 == 7 { text += "下列哪一种鸟一生中几乎从不落地而在空中睡觉？" }
            last = text
            lines += "{\"text\": \"\(text)\"}\n"
        }
        try scratch.write(lines, to: "texts/a.jsonl")
        try scratch.write(#"{"question": "下列哪一种鸟一生中几乎从不落地而在空中睡觉？", "answer": "雨燕"}"# + "\n", to: "exam/exam.jsonl")
    }

    private func writeRecipe(minimum: Int = 5) throws {
        try scratch.write(
            """
            name: clean
            stages:
              - {name: convert, task: convert, files: [\(scratch.url.path)/texts]}
              - {name: ngram, task: ngram, files: [\(scratch.url.path)/texts], order: 3}
              - {name: clean, task: clean, files: ["${convert}"], simplify: {from: t2s}, privacy: {}, perplexity: "${ngram}"}
              - name: filter
                task: filter
                data: ${clean}
                bounds: {characters: {minimum: \(minimum)}, han_share: {minimum: 0.2}, entropy: {maximum: 9}, lines: {maximum: 5}}
              - {name: dedup, task: dedup, files: ["${filter}"]}
              - {name: decontaminate, task: decontaminate, files: ["${dedup}"], against: [\(scratch.url.path)/exam]}

            """, to: "clean.yaml")
    }

    /// Every file below a folder, by its path: its bytes, of JSON those of all but the seconds that it keeps, and the seals over these.
    private func files(_ folder: URL) throws -> [String: Data] {
        func timeless(_ value: Any) -> Any {
            switch value {
            case let object as [String: Any]: object.filter { $0.key != "seconds" && $0.key != "seal" }.mapValues(timeless)
            case let list as [Any]: list.map(timeless)
            default: value
            }
        }
        var files: [String: Data] = [:]
        for case let path as String in try #require(FileManager.default.enumerator(atPath: folder.path)) {
            let file = folder.appending(path: path)
            // What a stage that cannot go on had begun is kept aside.
            guard !path.hasPrefix(".replaced/") else { continue }
            guard try file.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else { continue }
            var data = try Data(contentsOf: file)
            if path.hasSuffix(".json") {
                data = try JSONSerialization.data(withJSONObject: timeless(JSONSerialization.jsonObject(with: data)), options: .sortedKeys)
            }
            files[path] = data
        }
        return files
    }

    private func expectSame(_ found: [String: Data], _ expected: [String: Data]) {
        #expect(found.keys.sorted() == expected.keys.sorted())
        for (name, bytes) in expected { #expect(found[name] == bytes, "\(name)") }
    }

    private func modified(_ file: URL) -> Date? { (try? FileManager.default.attributesOfItem(atPath: file.path))?[.modificationDate] as? Date }

    private func names(_ folder: URL) -> [String] { ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted() }

    /// Killed inside each stage, between two parts of it and while a file is written: every file of every stage is that of a run left alone.
    @Test func `killed inside each stage, a recipe goes on after its finished parts`() throws {
        try writeCorpus()
        try writeRecipe()
        let run = scratch.url.appending(path: "runs/clean")
        let whole = try Program.run(["run", "clean.yaml"], in: scratch.url)
        #expect(whole.status == 0, "\(whole.error)")
        let expected = try files(run)
        #expect(names(run.appending(path: "convert/parts")).count == 2, "the input must make several parts")
        try FileManager.default.removeItem(at: run)

        func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: run.appending(path: path).path) }
        let moments: [(stage: String, holds: () -> Bool)] = [
            ("convert", { names(run.appending(path: "convert/documents")).contains { $0.hasSuffix(".tmp") } }),
            ("convert", { exists("convert/parts/00000.json") }), ("ngram", { exists("ngram") }), ("clean", { exists("clean/parts/00000.json") }),
            ("filter", { exists("filter/documents") }), ("dedup", { exists("dedup/working/0.columns") }),
            ("dedup", { exists("dedup/parts/00000.json") }), ("decontaminate", { exists("decontaminate/parts/00000.json") }),
        ]
        var kills: [String: Int] = [:]
        var cleaned: Date?
        for (stage, moment) in moments {
            let wasKilled = try Program.run(["run", "clean.yaml"], in: scratch.url, killedWhen: moment)
            if wasKilled, !exists("\(stage)/result.json") { kills[stage, default: 0] += 1 }
            if stage == "clean" {
                cleaned = modified(run.appending(path: "clean/documents/\(names(run.appending(path: "clean/documents")).first ?? "")"))
            }
        }
        #expect(kills.count >= 3, "stages must have been killed while they ran, and not only \(kills)")
        let last = try Program.run(["run", "clean.yaml"], in: scratch.url)
        #expect(last.status == 0, "\(last.error)")
        #expect(last.error.contains("convert: already done") && last.error.contains("clean: already done"), "\(last.error)")
        expectSame(try files(run), expected)
        #expect(cleaned != nil)
        let first = try #require(names(run.appending(path: "clean/documents")).first)
        #expect(modified(run.appending(path: "clean/documents/\(first)")) == cleaned, "a finished part is not written again")
    }

    /// The order of a dictionary differs from process to process; what a stage is known by must not.
    @Test func `unchanged stages are skipped, and a changed bound repeats what depends on it`() throws {
        try writeCorpus(400)
        try writeRecipe()
        let run = scratch.url.appending(path: "runs/clean")
        #expect(try Program.run(["run", "clean.yaml"], in: scratch.url).status == 0)
        let stages = ["convert", "clean", "filter", "dedup", "decontaminate"]
        let before = stages.map { modified(run.appending(path: "\($0)/report.json")) }
        for _ in 0..<4 {
            let again = try Program.run(["run", "clean.yaml"], in: scratch.url)
            #expect(stages.allSatisfy { again.error.contains("\($0): already done") }, "\(again.error)")
        }
        try writeRecipe(minimum: 30)
        let changed = try Program.run(["run", "clean.yaml"], in: scratch.url)
        #expect(changed.error.contains("filter: its configuration has changed, it runs again"), "\(changed.error)")
        let after = stages.map { modified(run.appending(path: "\($0)/report.json")) }
        #expect(zip(before, after).map { $0 == $1 } == [true, true, false, false, false])
    }

    /// Ctrl-C: the sentence names the command that goes on, and that command does.
    @Test func `an interrupted command says how to go on`() throws {
        try writeCorpus()
        let arguments = ["data", "clean", "texts", "--privacy.mode", "fake", "--output", "cleaned"]
        let output = scratch.url.appending(path: "cleaned")
        #expect(try Program.run(arguments, in: scratch.url).status == 0)
        let expected = try files(output)
        try FileManager.default.removeItem(at: output)

        let process = Process()
        process.executableURL = Program.binary
        process.arguments = arguments
        process.currentDirectoryURL = scratch.url
        process.standardOutput = FileHandle.nullDevice
        let errors = scratch.url.appending(path: "errors.txt")
        try Data().write(to: errors)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        while process.isRunning, !FileManager.default.fileExists(atPath: output.appending(path: "documents").path) { usleep(500) }
        process.interrupt()
        process.waitUntilExit()
        let said = try String(contentsOf: errors, encoding: .utf8)
        #expect(process.terminationStatus == 1)
        #expect(
            said.contains(
                "stopped: the finished parts are in cleaned; go on with: yuyan data clean texts --privacy.mode fake --output cleaned --resume"),
            "\(said)")
        let refused = try Program.run(arguments, in: scratch.url)
        #expect(refused.status == 2 && refused.error.contains("cleaned: this folder already holds a run; add --resume"), "\(refused.error)")
        #expect(try Program.run(arguments + ["--resume"], in: scratch.url).status == 0)
        expectSame(try files(output), expected)
    }

    /// A file system that has room for the first stage and a half, which root mounts for the test.
    @Test(.enabled(if: getuid() == 0 && FileManager.default.isExecutableFile(atPath: "/bin/mount"), "mounting a small file system takes root"))
    func `a full disk keeps what is finished, and the run goes on when there is room`() throws {
        try writeCorpus()
        try writeRecipe()
        let disk = scratch.url.appending(path: "disk")
        try FileManager.default.createDirectory(at: disk, withIntermediateDirectories: true)
        let recipe = ["run", "../clean.yaml"]
        #expect(try Program.run(recipe, in: disk).status == 0)
        let run = disk.appending(path: "runs/clean")
        let expected = try files(run)
        // Room for `convert`, the first part of `clean` and half of the second.
        func size(_ holds: (String) -> Bool) -> Int { expected.filter { holds($0.key) }.values.reduce(0) { $0 + ($1.count + 8191) / 4096 * 4096 } }
        let room =
            size { $0.hasPrefix("convert/") || $0.hasPrefix("clean/") && $0.contains("/00000.") } + size { $0.hasPrefix("clean/documents/00001.") }
            / 2
        try FileManager.default.removeItem(at: disk.appending(path: "runs"))
        try #require(try Program.shell("/bin/mount", ["-t", "tmpfs", "-o", "size=\(room)", "tmpfs", disk.path]) == 0)
        defer { _ = try? Program.shell("/bin/umount", [disk.path]) }

        let full = try Program.run(recipe, in: disk)
        #expect(full.status == 1)
        let sentence = full.error.split(separator: "\n").last ?? ""
        #expect(
            sentence.hasPrefix("error: stage clean: ") && sentence.contains("/clean/") && sentence.contains("No space left on device"), "\(sentence)")
        #expect(sentence.contains("1 part is finished and stays"), "\(sentence)")
        let finished = modified(run.appending(path: "clean/parts/00000.json"))
        #expect(finished != nil)
        #expect(try files(run).keys.allSatisfy { !$0.hasSuffix(".tmp") })

        try #require(try Program.shell("/bin/mount", ["-o", "remount,size=256m", disk.path]) == 0)
        let again = try Program.run(recipe, in: disk)
        #expect(again.status == 0 && again.error.contains("clean: going on"), "\(again.error)")
        #expect(modified(run.appending(path: "clean/parts/00000.json")) == finished)
        expectSame(try files(run), expected)
    }
}
