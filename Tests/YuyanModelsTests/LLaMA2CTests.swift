import Foundation
import Testing
import YuyanTensor

@testable import YuyanModels

/// Files of llama2.c that are written here by the order of karpathy/llama2.c's export, from a model with random weights.
@Suite struct LLaMA2CTests {
    @Engine private func model(tied: Bool) throws -> LLaMA {
        try LLaMA(
            LLaMAConfiguration(
                vocabularySize: 29, width: 24, feedForwardWidth: 40, layers: 3, heads: 4, groups: 2, contextLength: 20, tiesEmbedding: tied), seed: 5)
    }

    @Engine private func file(of model: LLaMA, version: Int) throws -> Data {
        let c = model.configuration
        let weights = Dictionary(uniqueKeysWithValues: model.parameters.map { ($0.name, $0.value) })
        func numbers(_ values: [Int]) -> Data {
            values.reduce(into: Data()) { data, value in withUnsafeBytes(of: Int32(value).littleEndian) { data += $0 } }
        }
        /// Halves to neighbours.
        func neighbours(_ x: Tensor) throws -> Tensor {
            try x.reshape(x.size(0) / c.headWidth, 2, c.headWidth / 2, c.width).transpose(1, 2).contiguous()
        }
        func floats(_ name: String) throws -> Data {
            let x = try #require(weights["\(name).weight"])
            let isTurned = name.hasSuffix("q_proj") || name.hasSuffix("k_proj")
            return try (isTurned ? neighbours(x) : x).array(Float.self).withUnsafeBytes { Data($0) }
        }
        func layered(_ names: String...) throws -> Data {
            try names.reduce(into: Data()) { data, name in for layer in 0..<c.layers { data += try floats("model.layers.\(layer).\(name)") } }
        }
        let words = version == 0 && !c.tiesEmbedding ? -c.vocabularySize : c.vocabularySize
        let shape = [c.width, c.feedForwardWidth, c.layers, c.heads, c.groups, words, c.contextLength]
        let attention = try layered("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
        let feedForward = try layered("mlp.gate_proj", "mlp.down_proj", "mlp.up_proj")
        var data: Data
        if version == 0 {
            data = try numbers(shape) + floats("model.embed_tokens") + layered("input_layernorm") + attention
            data += try layered("post_attention_layernorm") + feedForward + floats("model.norm")
            data += Data(count: 4 * c.contextLength * c.headWidth)
        } else {
            data = numbers([0x616B_3432, version] + shape) + Data([c.tiesEmbedding ? 1 : 0])
            data += Data(count: 256 - data.count)
            data += try layered("input_layernorm", "post_attention_layernorm") + floats("model.norm") + floats("model.embed_tokens")
            data += attention + feedForward
        }
        return try c.tiesEmbedding ? data : data + floats("lm_head")
    }

    @Test(arguments: [0, 1], [false, true]) @Engine func bothLayoutsAreRead(version: Int, tied: Bool) throws {
        let folder = try ScratchFolder()
        let model = try model(tied: tied)
        try file(of: model, version: version).write(to: folder.url.appending(path: "model.bin"))
        // Something else that ends alike, as llama2.c's tokenizers do.
        try Data(count: 300).write(to: folder.url.appending(path: "tok512.bin"))
        for place in [folder.url.appending(path: "model.bin"), folder.url] {
            #expect(try storedDType(of: place) == .float32)
            let read = try #require(try loadModel(from: place) as? LLaMA)
            #expect(read.configuration == model.configuration)
            #expect(read.parameters.map(\.name) == model.parameters.map(\.name))
            for (a, b) in zip(read.parameters, model.parameters) { #expect(try a.value.array(Float.self) == b.value.array(Float.self), "\(a.name)") }
        }
        let lora = try loadModel(from: folder.url, lora: LoRAConfiguration(rank: 2, targets: ["q_proj"]))
        #expect(lora.adapter?.layers.count == 3)
    }

    @Test @Engine func aFileThatIsNotWholeIsRefused() throws {
        let folder = try ScratchFolder()
        let place = folder.url.appending(path: "model.bin")
        func refusal(_ data: Data) throws -> String {
            try data.write(to: place)
            return sentence { _ = try loadModel(from: place) }
        }
        for version in [0, 1] {
            let whole = try file(of: model(tied: true), version: version)
            #expect(try refusal(whole.prefix(20)).contains("begins with 28 bytes, this one has 20"))
            for data in [whole.dropLast(4), whole + Data(count: 4)] { #expect(try refusal(data).contains("its head promises \(whole.count) bytes")) }
            #expect(sentence { _ = try loadModel(from: folder.url) }.contains("holds no model"))
        }
        var later = try file(of: model(tied: true), version: 1)
        #expect(try refusal(later.prefix(100)).contains("the head takes 256 bytes"))
        later[4] = 2
        #expect(try refusal(later).contains("version 2 of llama2.c's layout is not supported"))
        #expect(try refusal(Data("not a model, but twenty-eight bytes".utf8)).contains("not a file of llama2.c"))
    }
}
