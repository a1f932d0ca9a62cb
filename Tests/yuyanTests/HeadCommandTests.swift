import Foundation
import Testing

/// Heads from the command line, on a model that the binary has trained.
@Suite struct HeadCommandTests {
    let tiny: TinyModel

    init() throws {
        tiny = try TinyModel()
        try tiny.run(tiny.pretrain("run", steps: 2))
        let rows = (0..<120).map { "\($0 % 2 == 0 ? "好" : "差"),第\($0)天看见\($0 % 2 == 0 ? "雨燕" : "房子")" }
        try tiny.scratch.write("label,review\n" + rows.joined(separator: "\n") + "\n", to: "reviews.csv")
        let questions = (0..<40).map { #"{"question": "第\#($0)天看见什么？", "choices": ["雨燕", "房子", "天空"], "answer": "\#(["A", "B"][$0 % 2])"}"# }
        try tiny.scratch.write(questions.joined(separator: "\n"), to: "questions.jsonl")
    }

    private func finetune(_ output: String, _ more: [String]) -> [String] {
        [
            "finetune", "--model", "run", "--sequence-length", "64", "--micro-batch", "4", "--evaluate-every", "20", "--checkpoint-every", "10",
            "--seed", "1",
            "--threads", "1", "--output", output,
        ] + more
    }

    @Test func `reviews are classified, measured, and the head is trained on`() throws {
        let classify = finetune(
            "head",
            ["--kind", "classification", "--data", "reviews.csv", "--steps", "40", "--learning-rate", "5e-3", "--validation-fraction", "0.25"])
        let trained = try tiny.run(classify + ["--json"])
        struct Result: Decodable {
            var accuracy: Double
            var heldOutLoss: Double?
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let accuracy = try decoder.decode(Result.self, from: Data(trained.output.utf8)).accuracy
        #expect(accuracy > 0.9)

        struct Report: Decodable {
            var accuracy: Double
            var right: Int
            var count: Int
            var majority: Double
            var kind: String
        }
        let measured = try tiny.run(["evaluate", "classification", "--model", "head", "--output", "measured", "--json", "reviews.csv"])
        let report = try decoder.decode(Report.self, from: Data(measured.output.utf8))
        #expect(report.count == 120 && report.majority == 0.5 && report.kind == "classification")
        #expect(report.accuracy == Double(report.right) / 120 && report.accuracy > 0.9)
        let lines = try String(contentsOf: tiny.url.appending(path: "measured/decisions.jsonl"), encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 120)

        // It still speaks, and its head is trained further.
        try tiny.run(["generate", "--model", "head", "--prompt", "雨燕", "--max-tokens", "4"])
        try tiny.run([
            "finetune", "--kind", "classification", "--model", "head", "--data", "reviews.csv", "--sequence-length", "64", "--steps", "1", "--output",
            "more",
        ])
    }

    @Test func `one of several answers is chosen`() throws {
        try tiny.run(finetune("choice", ["--kind", "choice", "--data", "questions.jsonl", "--steps", "2"]))
        let measured = try tiny.run(["evaluate", "choice", "--model", "choice", "--output", "measured", "questions.jsonl"])
        #expect(measured.output.contains("count: 40") && measured.output.contains("kind: choice"))
    }

    @Test func `bad requests get one sentence`() throws {
        try tiny.scratch.write("label,review\n好,雨燕\n好,房子\n", to: "same.csv")
        try tiny.run(finetune("head", ["--kind", "classification", "--data", "reviews.csv", "--steps", "1"]))
        try tiny.scratch.write("label,review\n坏,雨燕\n", to: "strange.csv")
        let cases: [(arguments: [String], status: Int32, mentions: [String])] = [
            (finetune("x1", ["--kind", "regression", "--data", "reviews.csv"]), 2, ["--kind", "classification, entailment, similarity, choice"]),
            (finetune("x2", ["--kind", "entailment", "--data", "reviews.csv"]), 1, ["reviews.csv:2", "premise and hypothesis"]),
            (finetune("x3", ["--kind", "classification", "--data", "same.csv"]), 2, ["all examples have the label \"好\""]),
            (["evaluate", "choice", "--model", "run", "--output", "x4", "questions.jsonl"], 2, ["run", "no task head"]),
            (["evaluate", "head", "--model", "head", "--output", "x5", "strange.csv"], 1, ["strange.csv:2", "坏"]),
        ]
        for (arguments, status, mentions) in cases {
            let result = try Program.run(arguments, in: tiny.url)
            #expect(result.error.split(separator: "\n").filter { $0.hasPrefix("error: ") }.count == 1, "\(arguments): \(result.error)")
            #expect(result.status == status, "\(arguments): \(result.error)")
            for text in mentions { #expect(result.error.contains(text), "\(arguments) should name \(text): \(result.error)") }
        }
    }
}
