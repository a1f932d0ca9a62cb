import Foundation

/// What tests of the model commands start from: a corpus, a tokenizer, packed shards and a training command, all tiny, made by the binary.
struct TinyModel {
    let scratch: Scratch

    var url: URL { scratch.url }

    init() throws {
        scratch = try Scratch()
        let lines = (0..<400).map { "第\($0)天，雨燕飞过\(["北京", "上海", "广州", "西安"][$0 % 4])的天空，看见\($0 * 7 % 100)座房子。" }
        try scratch.write(lines.joined(separator: "\n\n"), to: "corpus.txt")
        let documents = lines.map { "{\"text\": \"\($0)\"}" }.joined(separator: "\n")
        try scratch.write(documents, to: "corpus.jsonl")
        try run(["tokenizer", "train", "--kind", "bpe", "--vocab-size", "320", "--output", "tokenizer", "corpus.txt"])
        try run(["data", "pack", "--tokenizer", "tokenizer", "--output", "packed", "corpus.jsonl"])
    }

    /// The flags of a short run with evaluation and checkpoints on the way.
    func pretrain(_ output: String, steps: Int = 24, _ more: [String] = []) -> [String] {
        [
            "pretrain", "--data", "packed", "--model", "gpt-nano", "--layers", "2", "--width", "32", "--heads", "2", "--context-length", "64",
            "--sequence-length", "32", "--micro-batch", "4", "--batch-rows", "8", "--steps", "\(steps)", "--checkpoint-every", "4",
            "--evaluate-every", "8", "--dropout", "0.1", "--seed", "3", "--threads", "1", "--sample-prompts", "雨燕", "--output", output,
        ] + more
    }

    /// Runs the binary in the folder; what must work.
    @discardableResult
    func run(_ arguments: [String]) throws -> Program.Result {
        let result = try Program.run(arguments, in: url)
        guard result.status == 0 else { throw Failure(description: "yuyan \(arguments.joined(separator: " ")): \(result.error)") }
        return result
    }

    /// The step and loss of each line of a run's metrics.
    func losses(_ output: String) throws -> [String] {
        struct Line: Decodable {
            var step: Int
            var loss: Double
        }
        let text = try String(contentsOf: url.appending(path: "\(output)/metrics.jsonl"), encoding: .utf8)
        return try text.split(separator: "\n").map {
            let line = try JSONDecoder().decode(Line.self, from: Data($0.utf8))
            return "\(line.step) \(line.loss)"
        }
    }

    struct Failure: Error, CustomStringConvertible { var description: String }
}
