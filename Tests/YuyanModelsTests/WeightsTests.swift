import Foundation
import Testing
import YuyanTensor

@testable import YuyanModels

@Suite struct WeightsTests {
    /// Tensors `a`, `b`, … of `sizes` float32 elements, element i of each being i.
    @Engine private func tensors(_ sizes: [Int]) throws -> [(name: String, value: Tensor)] {
        try zip("abcdefgh", sizes).map { name, size in (String(name), try Tensor((0..<size).map(Float.init))) }
    }

    private func contents(_ folder: URL) throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }

    @Engine private func expect(_ weights: Weights, hold tensors: [(name: String, value: Tensor)]) throws {
        #expect(weights.names.sorted() == tensors.map(\.name).sorted())
        for (name, value) in tensors { #expect(try weights.tensor(name).array(Float.self) == value.array(Float.self)) }
    }

    @Test @Engine func aSmallModelIsOneFile() throws {
        let folder = try ScratchFolder()
        let all = try tensors([3, 4, 5])
        let deep = folder.url.appending(path: "runs/模型")
        try Weights.save(all, to: deep)
        #expect(try contents(deep) == ["model.safetensors"])
        let weights = try Weights(folder: deep)
        try expect(weights, hold: all)
        #expect(weights.names == ["a", "b", "c"])
        #expect(weights.entry("b")?.shape == [4])
        #expect(sentence { _ = try weights.tensor("z") } == "\(deep.path): there is no tensor \"z\"")
    }

    @Test @Engine func aLargeModelIsShards() throws {
        let folder = try ScratchFolder()
        let all = try tensors([3, 4, 50, 1, 1])
        try Weights.save(all, to: folder.url, maximumShardBytes: 28)
        let shards = ["model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"]
        #expect(try contents(folder.url) == shards + ["model.safetensors.index.json"])
        try expect(try Weights(folder: folder.url), hold: all)
        let index =
            try JSONSerialization.jsonObject(with: Data(contentsOf: folder.url.appending(path: "model.safetensors.index.json"))) as? [String: Any]
        #expect((index?["metadata"] as? [String: Int]) == ["total_size": 59 * 4])
        #expect((index?["weight_map"] as? [String: String]) == ["a": shards[0], "b": shards[0], "c": shards[1], "d": shards[2], "e": shards[2]])
    }

    @Test func shardsAreFilledInOrder() {
        #expect(Weights.shardRanges([], maximum: 10) == [0..<0])
        #expect(Weights.shardRanges([10], maximum: 10) == [0..<1])
        #expect(Weights.shardRanges([4, 6, 1], maximum: 10) == [0..<2, 2..<3])
        #expect(Weights.shardRanges([20, 4, 20, 4, 4], maximum: 10) == [0..<1, 1..<2, 2..<3, 3..<5])
        #expect(Weights.shardName(0, of: 12) == "model-00001-of-00012.safetensors")
    }

    @Test @Engine func savingAgainLeavesOnlyTheNewWeights() throws {
        let folder = try ScratchFolder()
        try Data("{}".utf8).write(to: folder.url.appending(path: "config.json"))
        for (sizes, maximum, count) in [
            ([3, 4, 5], 16, 3), ([7, 7], 1000, 1), ([1, 2, 3, 4], 24, 2), ([5, 5, 5], 20, 3), ([9, 9, 9], 36, 3), ([2], 8, 1),
        ] {
            let all = try tensors(sizes)
            // What a crash left of an earlier save.
            try Data("half".utf8).write(to: folder.url.appending(path: "model-00001-of-00009.safetensors.tmp"))
            try Weights.save(all, to: folder.url, maximumShardBytes: maximum)
            try expect(try Weights(folder: folder.url), hold: all)
            #expect(try contents(folder.url).count == 1 + (count == 1 ? 1 : count + 1))
        }
    }

    #if os(Linux)
        @Test(arguments: ["model-00002-of-00003.safetensors", "model.safetensors.index.json"])
        @Engine func aFullDiskLeavesTheOldShards(full: String) throws {
            let folder = try ScratchFolder()
            let old = try tensors([3, 4, 5])
            try Weights.save(old, to: folder.url, maximumShardBytes: 20)
            let files = try contents(folder.url)
            // What is written to the temporary name goes to a device that is always full.
            try FileManager.default.createSymbolicLink(
                atPath: folder.url.appending(path: full + ".tmp").path, withDestinationPath: "/dev/full")
            let new = try tensors([30, 40, 50])
            let message = sentence { try Weights.save(new, to: folder.url, maximumShardBytes: 200) }
            #expect(message.hasPrefix("cannot write \(folder.url.appending(path: full).path), which takes "))
            #expect(message.hasSuffix(" bytes: No space left on device"))
            #expect(try contents(folder.url) == files)
            try expect(try Weights(folder: folder.url), hold: old)
        }
    #endif

    // MARK: Broken folders

    @Test @Engine func whatTheIndexSaysMustBeTrue() throws {
        let folder = try ScratchFolder()
        let all = try tensors([3, 4, 5])
        func path(_ name: String) -> URL { folder.url.appending(path: name) }
        let (first, second, index) = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", path("model.safetensors.index.json"))
        func refusal(_ json: String) throws -> String {
            try Data(json.utf8).write(to: index)
            return sentence { _ = try Weights(folder: folder.url) }
        }
        #expect(
            sentence { _ = try Weights(folder: folder.url) }
                == "\(folder.url.path): there is neither model.safetensors nor pytorch_model.bin, nor an index of shards of either")
        try Weights.save(all, to: folder.url, maximumShardBytes: 28)
        #expect(
            try refusal(#"{"weight_map":{"a":"\#(first)","b":"\#(first)"}}"#.replacing("\"b\"", with: "\"z\""))
                == "\(path(first).path): there is no tensor \"z\", though model.safetensors.index.json says so")
        #expect(
            try refusal(#"{"weight_map":{"a":"\#(first)"}}"#)
                == "\(path(first).path): tensor \"b\" should not be here by model.safetensors.index.json")
        #expect(
            try refusal(#"{"weight_map":{"a":"\#(first)","b":"\#(first)","c":"../c.safetensors"}}"#)
                == "\(index.path): tensor \"c\": \"../c.safetensors\" is not a file name")
        let shape = "{\"weight_map\": {\"tensor\": \"file\", ...}} in JSON would be right"
        for json in ["", "[]", "{", "{}", #"{"weight_map":[]}"#, #"{"weight_map":{"a":1}}"#] {
            #expect(try refusal(json) == "\(index.path): not an index of shards: \(shape)")
        }
        #expect(try refusal(#"{"weight_map":{}}"#) == "\(index.path): its weight_map lists no tensor")
        // As transformers writes it, with more in the metadata.
        let right = #"{"metadata":{"total_size":48.0,"total_parameters":12},"weight_map":{"a":"\#(first)","b":"\#(first)","c":"\#(second)"}}"#
        try Data(right.utf8).write(to: index)
        try expect(try Weights(folder: folder.url), hold: all)
        let shard = try Data(contentsOf: path(second))
        try shard.dropLast(1).write(to: path(second))
        #expect(sentence { _ = try Weights(folder: folder.url) }.hasPrefix("\(path(second).path): tensor \"c\": its data end at byte 20 of 19"))
        try FileManager.default.removeItem(at: path(second))
        #expect(
            sentence { _ = try Weights(folder: folder.url) } == "\(index.path): the shard \"\(second)\" of tensor \"c\" is missing from the folder")
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["YUYAN_TEST_DATA"] != nil, "YUYAN_TEST_DATA names no folder of real data"))
    @Engine func aRealCheckpointOpens() throws {
        let data = URL(fileURLWithPath: ProcessInfo.processInfo.environment["YUYAN_TEST_DATA"] ?? "")
        let weights = try Weights(folder: data.appending(path: "weights/stories260K/hf"))
        #expect(weights.entry("model.embed_tokens.weight")?.shape == [512, 64])
        for name in weights.names { #expect(try weights.tensor(name).array(Float.self).allSatisfy(\.isFinite)) }
    }
}
