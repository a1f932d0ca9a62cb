import Foundation
import Testing
import YuyanTensor

@testable import YuyanModels

/// A folder that goes away with the test.
final class ScratchFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "yuyan-models-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func file(_ name: String, _ bytes: Data) throws -> URL {
        let file = url.appending(path: name)
        try bytes.write(to: file)
        return file
    }
}

/// A safetensors file from the text of its header, with the length that the header has.
func safeTensors(_ header: String, data: Data) -> Data {
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) } + Data(header.utf8) + data
}

/// What a body throws, as its one sentence.
func sentence(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "nothing was thrown"
    } catch let error as WeightsError {
        return error.description
    } catch {
        return "an error of another kind: \(error)"
    }
}

let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

@Suite struct SafeTensorsTests {
    // MARK: Round trips

    @Test @Engine func whatIsWrittenReadsBack() throws {
        let folder = try ScratchFolder()
        let url = folder.url.appending(path: "a.safetensors")
        let matrix = try Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
        let tensors: [(name: String, value: Tensor)] = [
            ("真", try Tensor([true, false, true])), ("wte.weight", matrix), ("transposed \"\\\n", try matrix.transpose(0, 1)),
            ("half", try matrix.to(.bfloat16)), ("scalar", try Tensor(-2.5, dtype: .float64)), ("empty", try .empty([0, 3])),
        ]
        try writeSafeTensors(tensors, to: url, metadata: ["format": "pt", "注": "雨燕\t\u{1}"])
        let file = try SafeTensorsFile(url)
        #expect(file.metadata == ["format": "pt", "注": "雨燕\t\u{1}"])
        #expect(Set(file.names) == Set(tensors.map(\.name)))
        for (name, value) in tensors {
            let read = try file.tensor(name)
            #expect(read.shape == value.shape && read.dtype == value.dtype)
            #expect(try read.array(Double.self) == value.array(Double.self))
        }
        #expect(file.entry("wte.weight")?.shape == [2, 3])
        #expect(file.entry("nothing") == nil)
        #expect(sentence { _ = try file.tensor("nothing") } == "\(url.path): there is no tensor \"nothing\"")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["a.safetensors"])
    }

    @Test @Engine func dataBeginOnACacheLineAndEveryTensorAtItsElements() throws {
        let folder = try ScratchFolder()
        let url = folder.url.appending(path: "a.safetensors")
        let odd = try Tensor([1, 2, 3] as [UInt8])
        try writeSafeTensors(
            [("a", odd), ("b", try odd.to(.float16)), ("c", try odd.to(.float64)), ("d", odd), ("e", try odd.to(.float32))], to: url)
        let file = try SafeTensorsFile(url)
        #expect(file.names == ["c", "e", "b", "a", "d"])
        #expect(file.entry("c").map { $0.bytes.lowerBound % 64 } == 0)
        for name in file.names {
            let entry = try #require(file.entry(name))
            #expect(entry.bytes.lowerBound % entry.dtype.size == 0)
        }
    }

    @Test @Engine func aTensorIsAViewOfTheFileThatNeverWritesToIt() throws {
        let folder = try ScratchFolder()
        let url = folder.url.appending(path: "a.safetensors")
        try writeSafeTensors([("a", try Tensor([1, 2, 3] as [Float]))], to: url)
        let before = try Data(contentsOf: url)
        let live = MemoryStatistics.current.live
        let a = try SafeTensorsFile(url).tensor("a")
        #expect(MemoryStatistics.current.live == live)
        try a.fillInPlace(9)
        #expect(try a.array(Float.self) == [9, 9, 9])
        #expect(try Data(contentsOf: url) == before)
        // Over its own file: the old pages stay readable.
        try writeSafeTensors([("a", a)], to: url)
        #expect(try SafeTensorsFile(url).tensor("a").array(Float.self) == [9, 9, 9])
    }

    @Test @Engine func aParameterThatIsTrainedIsWritten() throws {
        let folder = try ScratchFolder()
        let url = folder.url.appending(path: "a.safetensors")
        let weight = try Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
        try weight.setRequiresGradient(true)
        try writeSafeTensors([("a", weight), ("b", try weight.transpose(0, 1))], to: url)
        #expect(try SafeTensorsFile(url).tensor("b").array(Float.self) == [1, 3, 2, 4])
    }

    @Test @Engine func misalignedDataAreCopied() throws {
        let folder = try ScratchFolder()
        let values: [Float] = [1.5, -2, 3]
        let data = values.withUnsafeBytes { Data($0) }
        for padding in 0..<8 {
            let header = #"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"# + String(repeating: " ", count: padding)
            let file = try SafeTensorsFile(try folder.file("\(padding).safetensors", safeTensors(header, data: data)))
            #expect(try file.tensor("a").array(Float.self) == values)
        }
    }

    @Test @Engine func aHeaderMayHaveSpacesEscapesAndAnyOrder() throws {
        let folder = try ScratchFolder()
        let header = """
            { "b\\u0041\\ud83d\\udc26\\/" : {"data_offsets" : [ 2, 4 ], "shape":[2 ], "dtype":"\\u0049\\u0038"},
            \t"__metadata__" : { } ,"": {"shape":[1,2],"dtype":"U8","data_offsets":[0,2]}, "e":{"dtype":"F64","shape":[0,7],"data_offsets":[2,2]}}\n
            """
        let file = try SafeTensorsFile(try folder.file("a.safetensors", safeTensors(header, data: Data([1, 2, 0xFF, 4]))))
        #expect(file.names == ["", "e", "bA🐦/"])
        #expect(try file.tensor("bA🐦/").array(Int8.self) == [-1, 4])
        #expect(try file.tensor("").shape == [1, 2])
        #expect(try file.tensor("e").shape == [0, 7])
        #expect(try SafeTensorsFile(try folder.file("b.safetensors", safeTensors("{}", data: Data()))).names.isEmpty)
    }

    // MARK: Python

    @Test @Engine func readsWhatPythonWrote() throws {
        let file = try SafeTensorsFile(fixtures.appending(path: "python.safetensors"))
        #expect(file.metadata == ["format": "pt", "注": "a\\b\t\"c\""])
        for dtype in DType.allCases {
            let tensor = try file.tensor("layer.\(dtype.safeTensorsName)")
            #expect(tensor.dtype == dtype && tensor.shape == [2, 3])
            #expect(try tensor.array(Double.self) == (dtype == .bool ? [0, 1, 0, 1, 0, 1] : [0, 1, 2, 3, 4, 5]))
        }
        #expect(try file.tensor("标量 \"scalar\"\n🐦").item() == -2.5)
        #expect(try file.tensor("empty").shape == [4, 0, 2])
        #expect(file.names.count == DType.allCases.count + 2)
    }

    /// The Python of `make parity`, or the one that is named.
    static let python: String? = {
        // Not standardised: that would follow the link out of the virtual environment.
        let project = fixtures.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let found = ProcessInfo.processInfo.environment["YUYAN_PYTHON"] ?? project.appending(path: ".parity/bin/python").path
        return FileManager.default.isExecutableFile(atPath: found) ? found : nil
    }()

    @Test(.enabled(if: python != nil, "no Python with safetensors: run make parity once, or set YUYAN_PYTHON"))
    @Engine func pythonReadsWhatIsWrittenHere() throws {
        let folder = try ScratchFolder()
        let values = try Tensor([0, 1, -2, 3, 100, 5] as [Float], shape: [3, 2])
        var tensors: [(name: String, value: Tensor)] = []
        for dtype in DType.allCases where dtype != .uint8 { tensors.append(("层.\(dtype.safeTensorsName)", try values.to(dtype))) }
        tensors.append(("层.U8", try Tensor([0, 1, 254, 3, 100, 5] as [UInt8], shape: [3, 2])))
        tensors.append(("transposed \"\\\n", try values.transpose(0, 1)))
        tensors.append(("scalar", try Tensor(7)))
        let url = folder.url.appending(path: "a.safetensors")
        try writeSafeTensors(tensors, to: url)
        // Shards too: Python must take each by itself.
        try Weights.save(tensors, to: folder.url, maximumShardBytes: 100)
        let shards = try FileManager.default.contentsOfDirectory(atPath: folder.url.path).filter {
            $0.hasPrefix("model-") && $0.hasSuffix(".safetensors")
        }
        #expect(shards.count > 1)

        struct Contents: Decodable {
            struct Value: Decodable {
                var dtype: String
                var shape: [Int]
                var values: [Double]
            }
            var metadata: [String: String]
            var tensors: [String: Value]
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.python))
        process.arguments =
            [fixtures.appending(path: "safetensors_fixture.py").path, "read", url.path] + shards.map { folder.url.appending(path: $0).path }
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let json = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let contents = try JSONDecoder().decode([Contents].self, from: json)
        #expect(contents.count == 1 + shards.count)
        #expect(contents.allSatisfy { $0.metadata == ["format": "pt"] })
        let whole = try #require(contents.first).tensors
        let parts = contents.dropFirst().flatMap(\.tensors)
        #expect(whole.count == tensors.count && parts.count == tensors.count)
        for (name, value) in tensors {
            for read in [whole[name], parts.first { $0.key == name }?.value] {
                let read = try #require(read)
                #expect(read.dtype == value.dtype.safeTensorsName && read.shape == value.shape)
                #expect(try read.values == value.array(Double.self))
            }
        }
    }

    // MARK: A full disk

    #if os(Linux)
        @Test @Engine func aFullDiskLeavesTheOldFile() throws {
            let folder = try ScratchFolder()
            let url = folder.url.appending(path: "model.safetensors")
            try writeSafeTensors([("a", try Tensor([1, 2, 3] as [Float]))], to: url)
            let before = try Data(contentsOf: url)
            // What is written to the temporary name goes to a device that is always full.
            try FileManager.default.createSymbolicLink(atPath: url.path + ".tmp", withDestinationPath: "/dev/full")
            let large = try Tensor.zeros([1000])
            #expect(
                sentence { try writeSafeTensors([("a", large)], to: url) }
                    == "cannot write \(url.path), which takes 4128 bytes: No space left on device")
            #expect(try Data(contentsOf: url) == before)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["model.safetensors"])
            try writeSafeTensors([("a", large)], to: url)
            #expect(try SafeTensorsFile(url).entry("a")?.shape == [1000])
        }
    #endif

    @Test @Engine func aFolderThatIsNotThere() throws {
        let folder = try ScratchFolder()
        let url = folder.url.appending(path: "none/a.safetensors")
        let a = try Tensor(1)
        #expect(sentence { try writeSafeTensors([("a", a)], to: url) } == "cannot write \(url.path): No such file or directory")
        #expect(sentence { _ = try SafeTensorsFile(url) } == "cannot open \(url.path): No such file or directory")
        #expect(sentence { _ = try SafeTensorsFile(folder.url) }.hasPrefix("cannot map \(folder.url.path): "))
    }
}
