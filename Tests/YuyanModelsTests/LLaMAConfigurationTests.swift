import Foundation
import Testing
import YuyanTensor

@testable import YuyanModels

@Suite struct LLaMAConfigurationTests {
    private func decode(_ json: String) throws -> LLaMAConfiguration { try JSONDecoder().decode(LLaMAConfiguration.self, from: Data(json.utf8)) }

    /// `rope_scaling` and `rope_theta` are older than `rope_parameters`, `type` is older than `rope_type`.
    @Test func allSpellingsOfARuleMeanTheSame() throws {
        let expected = try decode(
            #"{"model_type": "llama", "rope_parameters": {"rope_type": "linear", "rope_theta": 5e5, "factor": 4}}"#)
        #expect(expected.rotary.kind == .linear && expected.rotary.base == 5e5 && expected.rotary.factor == 4)
        for json in [
            #"{"model_type": "llama", "rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 4}}"#,
            #"{"model_type": "llama", "rope_theta": 5e5, "rope_parameters": {"rope_type": "linear", "factor": 4}}"#,
            // What stands with the rule is more than what stands beside it.
            #"{"model_type": "llama", "rope_theta": 1e3, "rope_parameters": {"rope_type": "linear", "rope_theta": 5e5, "factor": 4}, "rope_scaling": null}"#,
        ] { #expect(try decode(json) == expected, "\(json)") }
        #expect(try decode(#"{"model_type": "qwen2", "rope_theta": 1e6, "rope_scaling": null}"#).rotary.base == 1e6)
        #expect(try decode(#"{"model_type": "qwen3"}"#).rotary == RotaryConfiguration())
    }

    /// The defaults of each member's configuration in transformers.
    @Test func whatIsLeftOutHasItsDefault() throws {
        let mistral = try decode(#"{"model_type": "mistral"}"#)
        #expect(mistral.window == 4096 && mistral.groups == 8 && mistral.feedForwardWidth == 14336 && !mistral.attentionBias)
        #expect(try decode(#"{"model_type": "mistral", "sliding_window": null, "num_key_value_heads": null}"#).window == nil)
        #expect(try decode(#"{"model_type": "mistral", "num_key_value_heads": null}"#).groups == 32)
        #expect(try decode(#"{"model_type": "llama", "num_attention_heads": 16}"#).groups == 16)
        let qwen = try decode(#"{"model_type": "qwen2", "sliding_window": 9}"#)
        #expect(qwen.window == nil && qwen.attentionBias && qwen.vocabularySize == 151936)
        #expect(try decode(#"{"model_type": "qwen2", "use_sliding_window": true}"#).window == 4096)
        #expect(try decode(#"{"model_type": "qwen2", "attention_bias": false}"#).attentionBias)
        #expect(try decode(#"{"model_type": "qwen3"}"#).headWidth == 128)
    }

    /// Qwen 2.5 reads four times as far with the four lines that its authors tell people to add.
    @Test @Engine func yarnLengthensTheContext() throws {
        var configuration = LLaMAConfiguration(vocabularySize: 7, width: 8, feedForwardWidth: 8, layers: 1, heads: 2, contextLength: 32)
        configuration.rotary = try JSONDecoder().decode(
            RotaryConfiguration.self, from: Data(#"{"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}"#.utf8))
        let model = try LLaMA(configuration, seed: 0)
        #expect(model.contextLength == 128)
        #expect(
            try model(Tensor([Int64](repeating: 1, count: 128), shape: [1, 128]), ForwardContext()).isFinite().array(Bool.self).allSatisfy { $0 })
        configuration.rotary = RotaryConfiguration()
        #expect(try LLaMA(configuration, seed: 0).contextLength == 32)
    }

    @Test @Engine func dropoutIsAFunctionOfTheSeed() throws {
        var configuration = LLaMAConfiguration(vocabularySize: 31, width: 16, feedForwardWidth: 24, layers: 2, heads: 2, groups: 1, contextLength: 32)
        configuration.dropout = 0.3
        let model = try LLaMA(configuration, seed: 1)
        let tokens = try Tensor((0..<20).map(Int64.init), shape: [1, 20])
        func hidden(_ seed: UInt64?, recompute: Bool = false) throws -> [Float] {
            try model(tokens, ForwardContext(dropoutSeed: seed, recompute: recompute)).array(Float.self)
        }
        #expect(try hidden(1) == hidden(1) && hidden(1) == hidden(1, recompute: true))
        #expect(try hidden(1) != hidden(2) && hidden(1) != hidden(nil))
        configuration.dropout = 0
        #expect(try LLaMA(configuration, seed: 1)(tokens, ForwardContext(dropoutSeed: 1)).array(Float.self) == hidden(nil))
    }

    @Test(arguments: [
        (#""model_type": "gemma""#, #"model_type "gemma" is not supported; gpt2, openai-gpt, gpt3, llama, mistral, qwen2, qwen3, t5, mt5 are"#),
        (
            #""model_type": "llama", "num_attention_heads": 6, "num_key_value_heads": 4"#,
            "num_attention_heads must be a multiple of num_key_value_heads, found 6 and 4"
        ),
        (
            #""model_type": "llama", "hidden_size": 50, "num_attention_heads": 4"#,
            "hidden_size must be a multiple of num_attention_heads, found 50 and 4"
        ),
        (#""model_type": "mistral", "head_dim": 5"#, "the width of a head must be even"),
        (#""model_type": "qwen3", "num_key_value_heads": 0"#, "num_key_value_heads must be above 0"),
        (#""model_type": "llama", "max_position_embeddings": 4000000000000000000"#, "max_position_embeddings must be above 0 and below"),
        (#""model_type": "mistral", "sliding_window": -1"#, "sliding_window must be above 0"),
        (#""model_type": "llama", "hidden_size": "4096""#, "hidden_size: "),
        (#""model_type": "llama", "hidden_act": "swish9""#, #"hidden_act "swish9" is not supported; "#),
        (#""model_type": "llama", "rope_theta": 0"#, "rope_theta must be above 0"),
        (#""model_type": "llama", "rope_scaling": {"type": "su"}"#, #"rope_type "su" is not supported; default, linear, dynamic, llama3, yarn are"#),
        (#""model_type": "llama", "rope_scaling": {"type": "linear"}"#, #"rope_type "linear" needs a factor above 0"#),
        (#""model_type": "llama", "rope_scaling": {"rope_type": "llama3", "factor": 8}"#, "needs low_freq_factor and high_freq_factor"),
        (#""model_type": "llama", "rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}"#, "partial_rotary_factor: "),
        (#""model_type": "llama", "partial_rotary_factor": 0.5"#, "partial_rotary_factor: "),
        (#""model_type": "qwen3", "rope_parameters": {"full_attention": {"rope_type": "default"}}"#, "rope_parameters: one rule for all layers"),
        (#""model_type": "qwen2", "num_hidden_layers": 2, "layer_types": ["sliding_attention", "full_attention"]"#, "layer_types must be what"),
    ])
    @Engine func aConfigurationThatCannotBeIsRefused(json: String, problem: String) throws {
        let folder = try ScratchFolder()
        try Data("{\(json)}".utf8).write(to: folder.url.appending(path: "config.json"))
        let said = sentence { _ = try loadModel(from: folder.url) }
        #expect(said.contains(problem) && said.contains("config.json") && said.split(separator: "\n").count == 1, "\(said)")
    }
}
