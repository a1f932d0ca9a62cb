import Foundation
import Testing
import YuyanTensor

@testable import YuyanModels

/// ModelScope's Chinese GPT-3 in the layouts of `Fixtures/modelscope.py`, which also computes what they say.
@Suite struct ModelScopeTests {
    static let folder = fixtures.appending(path: "modelscope")
    static let names = ["whole", "one", "two", "four"]

    struct Expected: Decodable {
        var tokens: [Int64]
        var logits: [[Double]]

        init(_ folder: URL) throws { self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: folder.appending(path: "expected.json"))) }
    }

    /// The logits of the last `count` tokens.
    @Engine private func logits(_ model: any LanguageModel, _ tokens: [Int64], last count: Int) throws -> [Double] {
        let tokens = try Tensor(tokens, shape: [1, tokens.count])
        return try model.logits(model(tokens, ForwardContext())).array(Double.self).suffix(count * model.vocabularySize)
    }

    private func distance(_ a: [Double], _ b: [Double]) -> Double {
        a.count == b.count ? zip(a, b).map { abs($0 - $1) }.max() ?? .infinity : .infinity
    }

    @Engine private func gpt(_ name: String) throws -> GPT { try #require(try loadModel(from: Self.folder.appending(path: name)) as? GPT) }

    @Test(arguments: names) @Engine func bothLayoutsAreRead(name: String) throws {
        let folder = Self.folder.appending(path: name)
        let expected = try Expected(folder)
        let model = try gpt(name)
        #expect(model.configuration.layerNormEpsilon == (name == "whole" ? 1e-12 : 1e-5))
        #expect(model.configuration.activation == (name == "one" || name == "two" ? .geluNew : .gelu))
        #expect(distance(try logits(model, expected.tokens, last: 2), expected.logits.flatMap { $0 }) < 1e-4)
        #expect(try GenerationTokens(contentsOf: folder) == GenerationTokens(eos: [5]))
    }

    @Test(arguments: names) @Engine func exportedAsGPT2ItIsTheSameModel(name: String) throws {
        let scratch = try ScratchFolder()
        let expected = try Expected(Self.folder.appending(path: name))
        try saveModel(gpt(name), to: scratch.url, tokens: GenerationTokens(eos: [5]))
        #expect(distance(try logits(loadModel(from: scratch.url), expected.tokens, last: 2), expected.logits.flatMap { $0 }) < 1e-4)
    }

    @Test(arguments: names, [ModelScopeLayout.whole, .parts(1), .parts(2), .parts(4)])
    @Engine func dividedAndJoinedItIsTheSameModel(name: String, layout: ModelScopeLayout) throws {
        let scratch = try ScratchFolder()
        let model = try gpt(name)
        // What was there before must not be read.
        if layout != .whole { try model.save(asModelScope: .parts(4), to: scratch.url, end: 5) }
        guard layout != .whole || name == "whole" else {
            #expect(throws: WeightsError.self) { try model.save(asModelScope: layout, to: scratch.url, end: 5) }
            return
        }
        try model.save(asModelScope: layout, to: scratch.url, end: 5)
        let again = try #require(try loadModel(from: scratch.url) as? GPT)
        #expect(again.configuration == model.configuration)
        #expect(again.parameters.map(\.name) == model.parameters.map(\.name))
        for (a, b) in zip(model.parameters, again.parameters) { #expect(try a.value.array(Float.self) == b.value.array(Float.self), "\(a.name)") }
        #expect(try GenerationTokens(contentsOf: scratch.url)?.eos == [5])
    }

    /// A tokenizer may get more tokens for fine-tuning; what the model says to the old ones stays.
    @Test @Engine func itsVocabularyCanGrow() throws {
        let folder = Self.folder.appending(path: "two")
        let expected = try Expected(folder)
        let grown = try loadDecoder(from: folder, dtype: nil, device: .cpu, dropout: nil, newTokens: 3, seed: 1)
        #expect(grown.vocabularySize == 35)
        let values = try logits(grown, expected.tokens, last: 2)
        for (row, golden) in expected.logits.enumerated() { #expect(distance(Array(values[row * 35..<row * 35 + 32]), golden) < 1e-4) }
    }

    @Test(.enabled(if: SafeTensorsTests.python != nil, "no Python with torch: run make parity once, or set YUYAN_PYTHON"))
    @Engine func pythonReadsWhatIsWrittenHere() throws {
        let tokens: [Int64] = [1, 30, 7, 7, 12]
        for (name, layout) in [("whole", ModelScopeLayout.whole), ("whole", .parts(2)), ("four", .parts(1)), ("two", .parts(4))] {
            let scratch = try ScratchFolder()
            let model = try gpt(name)
            try model.save(asModelScope: layout, to: scratch.url, end: nil)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: try #require(SafeTensorsTests.python))
            process.arguments = [fixtures.appending(path: "modelscope.py").path, "read", scratch.url.path, "\(tokens)"]
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            let json = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            #expect(distance(try JSONDecoder().decode([Double].self, from: json), try logits(model, tokens, last: 1)) < 1e-4, "\(name) \(layout)")
        }
    }

    @Test @Engine func everyDTypeIsWritten() throws {
        let scratch = try ScratchFolder()
        let values = try Tensor([0, 1, 2, 3, 4, 5] as [Float], shape: [3, 2])
        var tensors: [(name: String, value: Tensor)] = try DType.allCases.map { ("层.\($0.name)", try values.to($0)) }
        tensors += [("transposed", try values.transpose(0, 1)), ("scalar", try Tensor(7)), ("empty", try .empty([2, 0, 3]))]
        for key in [nil, "module"] {
            let url = scratch.url.appending(path: "a.pt")
            try writeTorchFile(tensors, to: url, under: key)
            let file = try TorchFile(url)
            #expect(file.names == tensors.map(\.name))
            for (name, value) in tensors {
                let read = try file.tensor(name)
                #expect(read.dtype == value.dtype && read.shape == value.shape)
                #expect(try read.array(Double.self) == value.array(Double.self))
            }
        }
    }

    @Test @Engine func checksumsAreThoseOfZip() throws {
        let scratch = try ScratchFolder()
        let url = scratch.url.appending(path: "a.pt")
        try writeTorchFile([("numbers", Tensor([1, 2, 3] as [Float])), ("nothing", .empty([0]))], to: url)
        let file = try Data(contentsOf: url)
        // What Python's zlib.crc32 gives. In an entry's header the checksum stands 16 bytes before the name.
        let checksums: [(String, UInt32)] = [
            ("archive/byteorder", 0x19E3_3D85), ("archive/data/0", 0xB20E_96B1), ("archive/data/1", 0), ("archive/version", 0x5567_9ED1),
        ]
        for (name, checksum) in checksums {
            let place = try #require(file.firstRange(of: Data(name.utf8))).lowerBound - 16
            #expect(Array(file[place..<place + 4]) == withUnsafeBytes(of: checksum.littleEndian) { Array($0) }, "\(name)")
        }
    }

    @Test @Engine func whatDoesNotFitIsSaid() throws {
        let scratch = try ScratchFolder()
        func copy(_ name: String) throws -> URL {
            let folder = scratch.url.appending(path: "\(name)-\(UUID().uuidString)")
            try FileManager.default.copyItem(at: Self.folder.appending(path: name), to: folder)
            return folder
        }
        func refusal(_ folder: URL) -> String { sentence { _ = try loadModel(from: folder) }.replacing(folder.path, with: "") }

        let gap = try copy("four")
        try FileManager.default.removeItem(at: gap.appending(path: "model/mp_rank_02_model_states.pt"))
        #expect(refusal(gap) == "/model: mp_rank_02_model_states.pt is missing, though there are 3 parts")
        let short = try copy("four")
        try FileManager.default.removeItem(at: short.appending(path: "model/mp_rank_03_model_states.pt"))
        #expect(refusal(short).hasSuffix("in 3 parts together, 32 rows are asked for; is a part missing?"))
        let deep = try copy("whole")
        let file = deep.appending(path: "config.json")
        try Data(String(decoding: Data(contentsOf: file), as: UTF8.self).replacing("\"num_hidden_layers\": 2", with: "\"num_hidden_layers\": 1").utf8)
            .write(to: file)
        #expect(refusal(deep).hasSuffix("has no place in a GPT-3 of 1 layers"))

        let model = try gpt("two")
        #expect(
            sentence { try model.save(asModelScope: .parts(3), to: scratch.url, end: nil) }
                == "4 heads and a vocabulary of 32 cannot be divided into 3 parts; 1, 2, 4 are possible")
        #expect(sentence { try model.save(asModelScope: .whole, to: scratch.url, end: nil) }.contains("the layout of parts has room for it"))
    }
}
