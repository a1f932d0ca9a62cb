import Foundation
import YuyanModels
import YuyanTensor
import YuyanText

@testable import YuyanGeneration

/// What transformers makes of the tiny model (`Fixtures/make.py`).
struct Golden: Decodable {
    struct Greedy: Decodable {
        struct Step: Decodable {
            var chosen: Float
            var top: [Int32]
            var topLogprobs: [Float]
        }
        var ids: [Int32]
        var logprobs: [Step]
    }
    struct Penalty: Decodable {
        var penalty: Double
        var ids: [Int32]
    }
    struct Stop: Decodable {
        var stop: String
        var unstopped: String
        var ids: [Int32]
    }
    struct Sampled: Decodable {
        var setting: [String: Double]
        var banned: [Int32]
        var uniforms: [Double]
        var ids: [Int32]

        var configuration: GenerationConfiguration {
            var configuration = GenerationConfiguration()
            configuration.temperature = setting["temperature"] ?? 1
            configuration.topK = Int(setting["top_k"] ?? 0)
            configuration.topP = setting["top_p"] ?? 1
            configuration.minP = setting["min_p"] ?? 0
            configuration.repetitionPenalty = setting["penalty"] ?? 1
            configuration.bannedTokens = banned
            return configuration
        }
    }

    var prompt: [Int32]
    var banned: [Int32]
    var vocabulary: Int
    var greedy: Greedy
    var greedyPenalty: Penalty
    var stop: Stop
    var sampled: [Sampled]

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

    static func load() throws -> Golden {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Golden.self, from: Data(contentsOf: folder.appending(path: "golden.json")))
    }
}

/// The tiny model, in float32, with its tokenizer.
struct Tiny {
    let model: any LanguageModel
    let tokenizer: Tokenizer
    let golden: Golden

    init() throws {
        model = try loadModel(from: Golden.folder.appending(path: "tiny-gpt2"))
        tokenizer = try Tokenizer(contentsOf: Golden.folder.appending(path: "tiny-gpt2"))
        golden = try Golden.load()
    }

    /// The logits after these tokens, without any cache, the padded rows left out: the plain way.
    func logits(after tokens: [Int32]) throws -> [Float] {
        let hidden = try model(Tensor(tokens.map(Int64.init), shape: [1, tokens.count]), ForwardContext())
        return try Array(model.logits(hidden.select(1, tokens.count - 1)).array(Float.self).prefix(golden.vocabulary))
    }
}

extension GenerationConfiguration {
    init(_ change: (inout GenerationConfiguration) -> Void) {
        self.init()
        change(&self)
    }
}
