import Foundation
import Testing
import YuyanTensor

@testable import YuyanModels

/// Files of torch.save, made by `Fixtures/torch_files.py`.
@Suite struct TorchFileTests {
    static let folder = fixtures.appending(path: "torch")

    /// Element i of every tensor of [2, 3] is i.
    @Engine private func expectAll(_ tensor: (String) throws -> Tensor) throws {
        for dtype in DType.allCases {
            let value = try tensor("dtype.\(dtype.name)")
            #expect(value.dtype == dtype && value.shape == [2, 3])
            #expect(try value.array(Double.self) == (0..<6).map { dtype == .bool ? Double($0 % 2) : Double($0) })
        }
        for name in ["transposed", "sliced", "parameter", "中文"] {
            #expect(try tensor(name).shape == [2, 3])
            #expect(try tensor(name).array(Double.self) == [0, 1, 2, 3, 4, 5], "\(name)")
        }
        #expect(try tensor("shared").array(Double.self) == [0, 1, 2, -1])
        #expect(try tensor("scalar").item() == -2.5)
        #expect(try tensor("empty").shape == [4, 0, 2])
    }

    @Test(arguments: ["zip.bin", "old.bin", "protocol4.bin"]) @Engine func everyLayoutIsRead(name: String) throws {
        let file = try TorchFile(Self.folder.appending(path: name))
        #expect(file.names.count == DType.allCases.count + 7)
        #expect(file.names.first == "dtype.float64" && file.names.last == "中文")
        #expect(file.description(of: "sliced") == TensorDescription(dtype: .float32, shape: [2, 3]))
        #expect(file.description(of: "nothing") == nil)
        #expect(sentence { _ = try file.tensor("nothing") } == "\(file.url.path): there is no tensor \"nothing\"")
        try expectAll(file.tensor)
        // Writing changes this process's copy only.
        try file.tensor("parameter").fillInPlace(7)
        try expectAll(try TorchFile(file.url).tensor)
    }

    @Test @Engine func aFolderOfShardsIsRead() throws {
        let weights = try Weights(folder: Self.folder.appending(path: "shards"))
        #expect(weights.names.count == DType.allCases.count + 7)
        #expect(weights.entry("shared")?.shape == [4])
        // The row that `shared` sees is in the other shard.
        try expectAll { try $0 == "shared" ? Tensor([0, 1, 2, -1] as [Float]) : weights.tensor($0) }
    }

    @Test @Engine func theModelIsFoundAmongOtherThings() throws {
        let trainer = try TorchFile(Self.folder.appending(path: "trainer.pt"))
        #expect(trainer.names == ["first.weight", "first.bias", "second.weight", "second.bias"])
        #expect(try trainer.tensor("first.weight").array(Float.self) == [0, 1, 2, 3, 4, 5])
        let nested = try TorchFile(Self.folder.appending(path: "nested.pt"))
        #expect(nested.names == ["language_model.embedding.weight", "language_model.encoder.layers.0.bias"])
        #expect(try nested.tensor("language_model.embedding.weight").array(Float.self) == [0, 1, 2, 3])
    }

    /// GPT2-Chinese: names with and without `transformer.`, masks among the weights, `n_ctx` alone.
    @Test(arguments: ["gpt2-chinese", "gpt2-chinese-old"]) @Engine func foldersOfGPT2ChineseAreRead(name: String) throws {
        struct Expected: Decodable {
            var tokens: [Int64]
            var logits: [[Double]]
        }
        let folder = Self.folder.appending(path: name)
        let expected = try JSONDecoder().decode(Expected.self, from: Data(contentsOf: folder.appending(path: "expected.json")))
        let model = try loadModel(from: folder)
        #expect(model.contextLength == 24)
        let tokens = try Tensor(expected.tokens, shape: [1, expected.tokens.count])
        let logits = try model.logits(model(tokens, ForwardContext())).array(Double.self)
        let worst = zip(logits.suffix(2 * model.vocabularySize), expected.logits.joined()).map { abs($0 - $1) }.max() ?? .infinity
        #expect(worst < 1e-4)
        // 50256 is beyond the vocabulary.
        #expect(try GenerationTokens(contentsOf: folder) == nil)
    }

    @Test func tokensBeyondTheVocabularyAreNotThere() throws {
        let scratch = try ScratchFolder()
        _ = try scratch.file("config.json", Data(#"{"vocab_size": 21128, "bos_token_id": 50256, "eos_token_id": 102}"#.utf8))
        _ = try scratch.file("generation_config.json", Data(#"{"bos_token_id": 50256, "eos_token_id": [50256, 50257]}"#.utf8))
        #expect(try GenerationTokens(contentsOf: scratch.url) == GenerationTokens(bos: nil, eos: [102]))
    }

    // MARK: What must be refused

    /// The older layout around a pickle, which is then followed by no storage at all.
    private static func old(_ pickle: [UInt8]) -> Data {
        let magic: [UInt8] = [0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]
        let version: [UInt8] = [0x80, 0x02, 0x4D, 0xE9, 0x03, 0x2E]
        return Data(magic + version + [0x80, 0x02, 0x7D, 0x2E] + pickle + [0x80, 0x02, 0x5D, 0x2E])
    }

    private static func text(_ string: String) -> [UInt8] {
        [0x58] + withUnsafeBytes(of: UInt32(string.utf8.count).littleEndian) { Array($0) } + Array(string.utf8)
    }

    private func refusal(_ data: Data) throws -> String {
        let folder = try ScratchFolder()
        let url = try folder.file("a.bin", data)
        return sentence { _ = try TorchFile(url) }.replacing(url.path + ": ", with: "")
    }

    @Test(arguments: [
        "os system", "posix system", "builtins eval", "builtins getattr", "subprocess Popen", "torch load", "torch.storage _load_from_bytes",
        "numpy.core.multiarray _reconstruct", "collections Counter", "torch.nn.modules.linear Linear", "argparse Namespace",
    ])
    func nothingIsExecuted(name: String) throws {
        let marker = FileManager.default.temporaryDirectory.appending(path: "yuyan-pickle-\(UUID().uuidString)")
        let words = name.split(separator: " ").map(String.init)
        let expected =
            "loading this file in Python would use \"\(words.joined(separator: "."))\"; only tensors, numbers, texts, lists and dictionaries are read here, nothing is executed"
        let argument = Self.text("touch \(marker.path)") + [0x85]
        let byGlobal = [0x80, 0x02, 0x63] + Array("\(words[0])\n\(words[1])\n".utf8) + argument + [0x52, 0x2E]
        #expect(try refusal(Self.old(byGlobal)) == expected)
        let byStack = [0x80, 0x04] + Self.text(words[0]) + Self.text(words[1]) + [0x93] + argument + [0x52, 0x2E]
        #expect(try refusal(Self.old(byStack)) == expected)
        #expect(!FileManager.default.fileExists(atPath: marker.path))
    }

    @Test func instructionsOfObjectsAreRefused() throws {
        // INST, OBJ, NEWOBJ, NEWOBJ_EX, EXT1, PERSID, BUILD of what is no dictionary.
        let programs: [[UInt8]] = [
            [0x28, 0x69] + Array("os\nsystem\n".utf8), [0x28, 0x6F], [0x29, 0x29, 0x81], [0x29, 0x29, 0x7D, 0x92], [0x82, 1], [0x50, 0x31, 0x0A],
        ]
        for program in programs {
            #expect(try refusal(Self.old([0x80, 0x02] + program + [0x2E])).contains("which no file of tensors needs at byte "))
        }
        #expect(try refusal(Self.old([0x80, 0x02, 0x5D, 0x7D, 0x62, 0x2E])).contains("there is an object with attributes at byte"))
    }

    /// A dictionary of one tensor `a` over a storage of `count` float32.
    private static func tensor(count: Int32, shape: [Int64], strides: [Int64], offset: Int32 = 0) -> [UInt8] {
        func int(_ value: Int32) -> [UInt8] { [0x4A] + withUnsafeBytes(of: value.littleEndian) { Array($0) } }
        func long(_ value: Int64) -> [UInt8] { [0x8A, 8] + withUnsafeBytes(of: value.littleEndian) { Array($0) } }
        var out: [UInt8] = [0x80, 0x02, 0x7D] + text("a") + [0x63] + Array("torch._utils\n_rebuild_tensor_v2\n".utf8) + [0x28, 0x28]
        out += text("storage") + [0x63] + Array("torch\nFloatStorage\n".utf8) + text("0") + text("cpu") + int(count) + [0x74, 0x51]
        out += int(offset) + [0x28] + shape.flatMap(long) + [0x74, 0x28] + strides.flatMap(long) + [0x74, 0x89, 0x4E, 0x74, 0x52, 0x73, 0x2E]
        return out
    }

    /// The same with its storage of `count` zeros.
    private static func file(count: Int32, shape: [Int64], strides: [Int64], offset: Int32 = 0) -> Data {
        let magicAndFacts = old(tensor(count: count, shape: shape, strides: strides, offset: offset)).dropLast(4)
        let keys = [0x80, 0x02, 0x5D] + text("0") + [0x61, 0x2E]
        return magicAndFacts + Data(keys) + withUnsafeBytes(of: Int64(count).littleEndian) { Data($0) } + Data(repeating: 0, count: 4 * Int(count))
    }

    @Test @Engine func aViewMustLieInItsStorage() throws {
        #expect(try refusal(Self.file(count: 6, shape: [2, 3], strides: [3, 1])) == "nothing was thrown")
        #expect(
            try refusal(Self.file(count: 6, shape: [2, 3], strides: [3, 1], offset: 1))
                == "tensor \"a\": shape [2, 3] with strides [3, 1] leaves its storage of 6 elements")
        #expect(try refusal(Self.file(count: 6, shape: [2, 3], strides: [3, 1], offset: -1)).hasSuffix("cannot be"))
        #expect(try refusal(Self.file(count: 6, shape: [2, 3], strides: [-3, 1], offset: 3)).hasSuffix("cannot be"))
        #expect(try refusal(Self.file(count: 6, shape: [2, 3], strides: [1])).hasSuffix("cannot be"))
        #expect(try refusal(Self.file(count: 6, shape: [1 << 40], strides: [0])).contains("repeats elements of its storage"))
        #expect(try refusal(Self.file(count: 6, shape: [1 << 62, 4], strides: [0, 0])).hasSuffix("too large to be true"))
        #expect(try refusal(Self.file(count: 6, shape: [3, 3], strides: [1 << 62, 1])).contains("leaves its storage"))
        #expect(try refusal(Self.old(Self.tensor(count: 6, shape: [6], strides: [1]))) == "the data of storage \"0\" are missing")
        #expect(try refusal(Self.file(count: 6, shape: [6], strides: [1]).dropLast()).contains("cut off"))
    }

    @Test func filesThatAreNoCheckpointsAreRefused() throws {
        #expect(try refusal(Data()).hasPrefix("not a file of torch.save"))
        #expect(try refusal(Data("hello".utf8)).hasPrefix("not a file of torch.save"))
        #expect(try refusal(Data("PK\u{3}\u{4}".utf8)) == "the zip archive is damaged or cut off: the directory at its end is missing")
        #expect(try refusal(Self.old([0x80, 0x02, 0x5D, 0x2E])).hasPrefix("there is no dictionary of tensors in this file"))
        #expect(try refusal(Self.old([0x80, 0x02, 0x7D, 0x2E])) == "there are no tensors in this file")
        // A dictionary that holds itself; a million marks; a list copied over and over; a text of four gigabytes.
        #expect(
            try refusal(Self.old([0x80, 0x02, 0x7D, 0x71, 0] + Self.text("model") + [0x68, 0, 0x73, 0x2E])) == "there are no tensors in this file")
        #expect(try refusal(Self.old([UInt8](repeating: 0x28, count: 1_000_000))).contains("damaged"))
        #expect(try refusal(Self.old([UInt8](repeating: 0x5D, count: 1_000_000) + [UInt8](repeating: 0x85, count: 1_000_000))).contains("damaged"))
        #expect(try refusal(Self.old([0x58, 0xFF, 0xFF, 0xFF, 0xFF])).contains("a text does not end"))
        let pair: [UInt8] = [0x4E, 0x4E, 0x86]
        let pairs = [0x5D, 0x71, 0, 0x28] + [[UInt8]](repeating: pair, count: 1000).joined() + [0x65]
        let copies = [[UInt8]](repeating: Array("ccollections\nOrderedDict\n".utf8) + [0x68, 0, 0x85, 0x52], count: 1000).joined()
        #expect(try refusal(Self.old(pairs + copies + [0x2E])).contains("a list that is copied over and over"))
    }

    /// Any damage at all: an error in words, or tensors that can be read.
    @Test(arguments: ["zip.bin", "old.bin", "trainer.pt"]) @Engine func damagedFilesAreRefusedOrRead(name: String) throws {
        let sound = try Data(contentsOf: Self.folder.appending(path: name))
        let scratch = try ScratchFolder()
        var random = SplitMix(state: 11)
        var (opened, refused) = (0, 0)
        func attempt(_ data: Data) throws {
            let url = try scratch.file("a.bin", data)
            do {
                let file = try TorchFile(url)
                for name in file.names {
                    let shape = file.description(of: name)?.shape
                    #expect(try file.tensor(name).array(Double.self).count == shape?.reduce(1, *))
                }
                opened += 1
            } catch {
                #expect(error is WeightsError)
                refused += 1
            }
        }
        for count in stride(from: 0, to: sound.count, by: 31) { try attempt(sound.prefix(count)) }
        #expect(opened == 0)
        for round in 0..<300 {
            var data = sound
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                // The data of tensors may be anything: most of the damage goes elsewhere.
                let place = Int.random(in: 0..<(round % 2 == 0 ? min(1700, data.count) : data.count), using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: data[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
                case 1: data[place] = .random(in: 0...255, using: &random)
                case 2: data.replaceSubrange(place..<min(place + 4, data.count), with: [0xFF, 0xFF, 0xFF, 0x7F])
                default: data.remove(at: place)
                }
            }
            try attempt(data)
        }
        #expect(opened > 0 && refused > 0)
    }
}
