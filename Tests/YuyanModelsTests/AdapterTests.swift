import Foundation
import Testing
import YuyanTensor

@testable import YuyanModels

/// Adapters that peft made for tiny models (`Fixtures/lora.py`).
@Suite struct AdapterTests {
    private struct Golden: Decodable {
        var tokens: [Int64]
        var first: [Double]
        var last: [Double]
    }

    private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/lora")

    /// A copy of an adapter that names its model.
    private func adapter(_ name: String, of base: String? = nil, _ change: (inout [String: Any]) -> Void = { _ in }) throws -> URL {
        let source = Self.fixtures.appending(path: "\(name)/adapter")
        let folder = FileManager.default.temporaryDirectory.appending(path: "yuyan-lora-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: source, to: folder)
        let file = folder.appending(path: "adapter_config.json")
        var json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        json["base_model_name_or_path"] = Self.fixtures.appending(path: "\(base ?? name)/base").path
        change(&json)
        try JSONSerialization.data(withJSONObject: json).write(to: file)
        return folder
    }

    private func golden(_ name: String) throws -> Golden {
        try JSONDecoder().decode(Golden.self, from: Data(contentsOf: Self.fixtures.appending(path: "\(name)/logits.json")))
    }

    @Engine private func difference(_ model: any LanguageModel, _ golden: Golden) throws -> Double {
        let logits = try model.logits(model(Tensor(golden.tokens, shape: [1, golden.tokens.count]), ForwardContext())).array(Double.self)
        let words = model.vocabularySize
        return zip(logits.prefix(words), golden.first).map { abs($0 - $1) }.max()! + zip(logits.suffix(words), golden.last).map { abs($0 - $1) }
            .max()!
    }

    @Test(arguments: ["gpt2", "llama"]) @Engine func anAdapterOfPeftGivesItsLogits(name: String) throws {
        let folder = try adapter(name)
        defer { try? FileManager.default.removeItem(at: folder) }
        let golden = try golden(name)
        let model = try loadModel(from: folder)
        #expect(try difference(model, golden) < 2e-5)
        let plain = try loadModel(from: Self.fixtures.appending(path: "\(name)/base"))
        #expect(try difference(plain, golden) > 0.05, "the adapter does something")

        // Written again and read again, it is the same.
        let copy = folder.appending(path: "copy")
        try AdapterFolder.save(model, #require(model.adapter), base: Self.fixtures.appending(path: "\(name)/base"), to: copy)
        #expect(try difference(loadModel(from: copy), golden) < 2e-5)

        // Merged, the model is one without an adapter.
        try #require(model.adapter).merge()
        #expect(try difference(model, golden) < 1e-4)
        let whole = folder.appending(path: "whole")
        try saveModel(model, to: whole, tokens: nil)
        let loaded = try loadModel(from: whole)
        #expect(try loaded.adapter == nil && difference(loaded, golden) < 1e-4)
    }

    /// A new adapter changes nothing yet, and only its own matrices get gradients.
    @Test(arguments: ["gpt2", "llama"], [false, true]) @Engine func aNewAdapterIsWhatIsTrained(name: String, recompute: Bool) throws {
        let base = Self.fixtures.appending(path: "\(name)/base")
        let golden = try golden(name)
        let (plain, model) = (try loadModel(from: base), try loadModel(from: base, lora: LoRAConfiguration(rank: 2, dropout: 0.5), seed: 5))
        let tokens = try Tensor(golden.tokens, shape: [1, golden.tokens.count])
        let layers = name == "gpt2" ? 8 : 14
        #expect(model.trainable.count == 2 * layers && model.parameters.count == plain.parameters.count)
        #expect(try model(tokens, ForwardContext()).array(Float.self) == plain(tokens, ForwardContext()).array(Float.self))
        for parameter in model.trainable { try parameter.value.setRequiresGradient(true) }
        model.adapter?.dropoutSeed = 3
        try model(tokens, ForwardContext(recompute: recompute)).square().sum().backward()
        for parameter in model.parameters { #expect(try parameter.value.gradient == nil, "\(parameter.name)") }
        // B is zero, so A has no gradient yet but B has.
        for parameter in model.trainable where parameter.name.hasSuffix("lora_B.weight") {
            #expect(try #require(try parameter.value.gradient).abs().max().item() > 0, "\(parameter.name)")
        }
        let limit = 1 / Double(model.trainable[0].value.size(1)).squareRoot()
        let largest = try model.trainable[0].value.abs().max().item()
        #expect(largest <= limit && largest > limit / 2)
    }

    @Test @Engine func whatDoesNotFitIsRefused() throws {
        func sentence(_ folder: URL) -> String {
            defer { try? FileManager.default.removeItem(at: folder) }
            let error = #expect(throws: WeightsError.self) { try loadModel(from: folder) }
            return error?.description ?? ""
        }
        #expect(sentence(try adapter("llama", of: "gpt2")).contains("are no layers of this model"))
        #expect(sentence(try adapter("gpt2") { $0["r"] = 5 }).contains("is it the adapter of another model?"))
        #expect(sentence(try adapter("gpt2") { $0["use_dora"] = true }).contains("use_dora is not supported"))
        #expect(sentence(try adapter("gpt2") { $0["peft_type"] = "IA3" }).contains("\"IA3\" is not supported; LORA is"))
        #expect(sentence(try adapter("gpt2") { $0["base_model_name_or_path"] = "someone/model" }).contains("\"someone/model\" is not there"))
    }

    @Test @Engine func aDivergedAdapterIsNotMerged() throws {
        let folder = try adapter("gpt2")
        defer { try? FileManager.default.removeItem(at: folder) }
        let model = try loadModel(from: folder)
        let adapter = try #require(model.adapter)
        let before = try model.parameters.map { try $0.value.array(Float.self) }
        let b = adapter.parameters[3].value
        try b.copy(from: b * Double.infinity)
        let error = #expect(throws: WeightsError.self) { try adapter.merge() }
        #expect(error?.description.contains("not finite") == true)
        #expect(try model.parameters.map { try $0.value.array(Float.self) } == before && !adapter.isMerged)
    }
}
