public import Foundation
import YuyanData

/// The whole way on the bundled corpus: `recipes/quickstart.yaml`, and what came out of it in one file.
public struct Quickstart: Sendable {
    /// `runs/quickstart/summary.json`.
    public struct Summary: Encodable, Sendable {
        /// The share of questions in phrasings never seen that were answered right.
        public var heldOutAccuracy: Double
        public var heldOutCount: Int
        public var parameters: Int
        public var tokensTrained: Int
        public var seconds: Double
        /// Of the pre-trained model on held-out text.
        public var perplexity: Double
        /// A few questions with the model's answers.
        public var answers: [Answer]
    }

    /// What the model said.
    public struct Answer: Codable, Sendable {
        public var prompt: String
        public var text: String
    }

    /// Where the recipe and the corpus are.
    public static let recipe = "recipes/quickstart.yaml"

    /// Runs the stages that are not done yet.
    public static func run(overrides: [String] = [], console: Console = .standard) async throws -> (folder: URL, summary: Summary) {
        let file = URL(fileURLWithPath: recipe)
        guard FileManager.default.fileExists(atPath: file.path) else {
            throw RequestError("\(recipe) is not here: run yuyan quickstart in the project's folder, which also holds the sample corpus")
        }
        let loaded = try Recipe(contentsOf: file, overrides: overrides, tasks: .standard)
        Interrupt.listen()
        let reports = try await loaded.run(resumeCommand: "yuyan quickstart", console: console)
        let folder = loaded.folder
        struct Part: Decodable {
            var tokensTrained: Int?
            var parameters: Int?
            var perplexity: Double?
            var heldOutAccuracy: Double?
            var heldOutCount: Int?
        }
        func part(_ stage: String) throws -> Part {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Part.self, from: Data(contentsOf: folder.appending(path: "\(stage)/result.json")))
        }
        let (pretrain, sft, evaluate) = (try part("pretrain"), try part("sft"), try part("evaluate"))
        let summary = Summary(
            heldOutAccuracy: evaluate.heldOutAccuracy ?? 0, heldOutCount: evaluate.heldOutCount ?? 0, parameters: evaluate.parameters ?? 0,
            tokensTrained: (pretrain.tokensTrained ?? 0) + (sft.tokensTrained ?? 0), seconds: reports.reduce(0) { $0 + $1.seconds },
            perplexity: pretrain.perplexity ?? 0,
            answers: try String(contentsOf: folder.appending(path: "generate/result.json"), encoding: .utf8).split(separator: "\n").map {
                try JSONDecoder().decode(Answer.self, from: Data($0.utf8))
            })
        try Data((TaskResult.json(summary) + "\n").utf8).write(to: folder.appending(path: "summary.json"), options: .atomic)
        return (folder, summary)
    }
}
