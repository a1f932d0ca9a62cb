import Foundation
import Testing
import YuyanModels
import YuyanTensor

@testable import YuyanGeneration

/// T5 through the cache against T5 read as a whole.
@Suite struct EncoderDecoderTests {
    @Engine private func model() throws -> T5 {
        let json =
            #"{"vocab_size": 61, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "feed_forward_proj": "gated-gelu", "#
            + #""tie_word_embeddings": false, "initializer_factor": 1.0}"#
        return try T5(JSONDecoder().decode(T5Configuration.self, from: Data(json.utf8)), ParameterSource(seed: 4, dtype: .float32, device: .cpu))
    }

    @Test @Engine func greedyTokensAreThoseOfWholePasses() async throws {
        let model = try model()
        let prompts: [[Int32]] = [[5, 9, 13, 17, 1], [40, 41, 42, 43, 1], [7, 1]]
        var configuration = GenerationConfiguration.greedy(maxTokens: 12)
        configuration.samples = 2
        let completions = try await complete(model, tokenizer: nil, prompts: prompts, configuration: configuration)
        for (prompt, found) in zip(prompts, completions) {
            let source = try model.encode(Tensor(prompt.map(Int64.init), shape: [1, prompt.count]), lengths: nil, ForwardContext())
            var tokens: [Int64] = [0]
            for _ in 0..<12 {
                let hidden = try model(Tensor(tokens, shape: [1, tokens.count]), ForwardContext(source: source))
                tokens.append(try model.logits(hidden.select(1, tokens.count - 1)).argmax(along: -1).array(Int64.self)[0])
            }
            for sample in found { #expect(sample.tokens.map { Int64($0.id) } == Array(tokens.dropFirst())) }
        }
        #expect(Set(completions.map { $0[0].tokens.map(\.id) }).count == 3, "what is written depends on the source")
    }
}
