import Foundation
import Testing

@Suite struct CrashTests {
    /// Killed before the first checkpoint, between two, and in the middle of writing one: the remaining losses are those of an uninterrupted run.
    @Test func `a killed run resumes with the same losses`() throws {
        let tiny = try TinyModel()
        try tiny.run(tiny.pretrain("whole"))
        let expected = try tiny.losses("whole")
        #expect(expected.count == 24)

        let metrics = tiny.url.appending(path: "killed/metrics.jsonl")
        let checkpoints = tiny.url.appending(path: "killed/checkpoints")
        func lines() -> Int { (try? String(contentsOf: metrics, encoding: .utf8))?.split(separator: "\n").count ?? 0 }
        func isSaving() -> Bool {
            ((try? FileManager.default.contentsOfDirectory(atPath: checkpoints.path)) ?? []).contains { $0.hasPrefix(".tmp-") }
        }
        let moments: [() -> Bool] = [{ lines() >= 2 }, { lines() >= 6 }, { lines() >= 10 && isSaving() }, { lines() >= 18 }]
        var killed = 0
        for (index, moment) in moments.enumerated() {
            let resume = index > 0 ? ["--resume"] : []
            if try Program.run(tiny.pretrain("killed") + resume, in: tiny.url, killedWhen: moment) { killed += 1 }
        }
        #expect(killed >= 2, "the run must have been killed while it ran")
        let result = try Program.run(tiny.pretrain("killed") + ["--resume"], in: tiny.url)
        #expect(result.status == 0, "\(result.error)")
        #expect(try tiny.losses("killed") == expected)
        for file in ["model.safetensors", "trainer/optimizer.safetensors"] {
            let path = "checkpoints/step-000024/\(file)"
            let (a, b) = (tiny.url.appending(path: "whole/\(path)"), tiny.url.appending(path: "killed/\(path)"))
            #expect(try Data(contentsOf: a) == Data(contentsOf: b), "\(file) differs")
        }
    }

    @Test func `an adapter resumes exactly, and talks, and is merged`() throws {
        let tiny = try TinyModel()
        try tiny.run(tiny.pretrain("base", steps: 4))
        try tiny.scratch.write((0..<40).map { "{\"question\": \"第\($0)问\", \"answer\": \"答\($0)\"}" }.joined(separator: "\n"), to: "faq.jsonl")
        func finetune(_ output: String, _ steps: Int) -> [String] {
            [
                "finetune", "--model", "base", "--data", "faq.jsonl", "--lora", "--lora.dropout", "0.2", "--sequence-length", "48", "--epochs",
                "\(steps)",
                "--checkpoint-every", "2", "--learning-rate", "0.01", "--threads", "1", "--output", output,
            ]
        }
        try tiny.run(finetune("whole", 4))
        let expected = try tiny.losses("whole")
        let metrics = tiny.url.appending(path: "killed/metrics.jsonl")
        _ = try Program.run(finetune("killed", 4), in: tiny.url) {
            ((try? String(contentsOf: metrics, encoding: .utf8))?.split(separator: "\n").count ?? 0) >= 3
        }
        try tiny.run(finetune("killed", 4) + ["--resume"])
        #expect(try tiny.losses("killed") == expected && expected.count > 4)
        let files = try ["whole", "killed"].map { try Data(contentsOf: tiny.url.appending(path: "\($0)/latest/adapter_model.safetensors")) }
        #expect(files[0] == files[1])
        #expect(!FileManager.default.fileExists(atPath: tiny.url.appending(path: "whole/latest/model.safetensors").path))
        let words = ["--prompt", "第3问", "--max-tokens", "8", "--greedy", "--dtype", "float32", "--json"]
        let adapted = try tiny.run(["generate", "--model", "whole", "--chat"] + words)
        try tiny.run(["convert", "--from", "whole", "--to", "merged", "--merge"])
        #expect(try tiny.run(["generate", "--model", "merged", "--chat"] + words).status == 0)
        #expect(adapted.output.contains("\"tokens\""))
        #expect(try Program.run(["convert", "--from", "base", "--to", "x", "--merge"], in: tiny.url).status == 2)
    }

    @Test func `Ctrl-C saves and says how to go on`() throws {
        let tiny = try TinyModel()
        try tiny.run(tiny.pretrain("whole", steps: 40))
        let process = Process()
        process.executableURL = Program.binary
        process.arguments = tiny.pretrain("stopped", steps: 40)
        process.currentDirectoryURL = tiny.url
        let errors = tiny.url.appending(path: "errors.txt")
        try Data().write(to: errors)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        let metrics = tiny.url.appending(path: "stopped/metrics.jsonl")
        while process.isRunning, ((try? Data(contentsOf: metrics))?.count ?? 0) == 0 { usleep(500) }
        process.interrupt()
        process.waitUntilExit()
        let said = try String(contentsOf: errors, encoding: .utf8)
        #expect(process.terminationStatus == 1)
        #expect(said.contains("stopped:") && said.contains("--resume"), "\(said)")
        try tiny.run(tiny.pretrain("stopped", steps: 40) + ["--resume"])
        #expect(try tiny.losses("stopped") == tiny.losses("whole"))
    }

    /// A file system of 2 MB that root mounts for the test.
    @Test(.enabled(if: getuid() == 0 && FileManager.default.isExecutableFile(atPath: "/bin/mount"), "mounting a small file system takes root"))
    func `a full disk leaves the previous checkpoint intact`() throws {
        let tiny = try TinyModel()
        let small = tiny.url.appending(path: "small")
        try FileManager.default.createDirectory(at: small, withIntermediateDirectories: true)
        try #require(try Program.shell("/bin/mount", ["-t", "tmpfs", "-o", "size=1200k", "tmpfs", small.path]) == 0)
        defer { _ = try? Program.shell("/bin/umount", [small.path]) }
        let result = try Program.run(tiny.pretrain("small/run", steps: 40, ["--keep-checkpoints", "40"]), in: tiny.url)
        #expect(result.status == 1)
        let sentence = result.error.split(separator: "\n").last.map(String.init) ?? ""
        #expect(sentence.hasPrefix("error: ") && sentence.contains("No space left on device"), "\(sentence)")
        let steps = try FileManager.default.contentsOfDirectory(atPath: small.appending(path: "run/checkpoints").path).sorted()
        #expect(!steps.isEmpty && steps.allSatisfy { $0.hasPrefix("step-") }, "\(steps)")
        let last = "small/run/checkpoints/\(steps.last ?? "")"
        let answer = try Program.run(["generate", "--model", last, "--prompt", "雨燕", "--max-tokens", "4", "--greedy"], in: tiny.url)
        #expect(answer.status == 0, "\(answer.error)")
    }
}
