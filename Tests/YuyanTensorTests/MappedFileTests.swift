import Foundation
import Testing
import YuyanTensor

@Suite struct MappedFileTests {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "yuyan-mapped-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    func write(_ values: [Float], header: Int = 16) throws -> URL {
        let url = folder.appending(path: UUID().uuidString)
        try (Data(count: header) + values.withUnsafeBytes { Data($0) }).write(to: url)
        return url
    }

    @Test @Engine func aMappedTensorIsTheFile() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = try MappedFile(write([1, 2, 3, 4, 5, 6]))
        #expect(file.bytes.count == 40)
        let before = MemoryStatistics.current
        let tensor = try Tensor(over: file, offset: 16, shape: [2, 3], dtype: .float32)
        #expect(MemoryStatistics.current.live == before.live, "nothing is allocated")
        #expect(tensor.withBytes { UnsafeRawPointer($0.baseAddress) } == file.bytes.baseAddress.map { $0 + 16 }, "nothing is copied")
        #expect(try tensor.array(Float.self) == [1, 2, 3, 4, 5, 6])
        #expect(try tensor.matmul(tensor.transpose(0, 1)).array(Float.self) == [14, 32, 32, 77])
        #expect(try Tensor(over: file, offset: 36, shape: [1], dtype: .float32).item() == 6)
    }

    @Test @Engine func tensorsOutliveTheFile() throws {
        func view() throws -> (view: Tensor, file: () -> Bool) {
            let url = try write((0..<100_000).map(Float.init))
            let file = try MappedFile(url)
            try FileManager.default.removeItem(at: url)
            let view = try Tensor(over: file, offset: 16, shape: [100_000], dtype: .float32).narrow(0, start: 99_998, length: 2)
            return (view, { [weak file] in file != nil })
        }
        defer { try? FileManager.default.removeItem(at: folder) }
        var (last, isMapped): (Tensor?, () -> Bool) = try view()
        #expect(isMapped())
        #expect(try last?.array(Float.self) == [99_998, 99_999])
        last = nil
        #expect(!isMapped(), "the last view gives the mapping back")
    }

    @Test @Engine func writingDoesNotReachTheFile() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let url = try write([1, 2, 3])
        let before = try Data(contentsOf: url)
        let tensor = try Tensor(over: MappedFile(url), offset: 16, shape: [3], dtype: .float32)
        try tensor.fillInPlace(9)
        #expect(try tensor.array(Float.self) == [9, 9, 9])
        #expect(try Data(contentsOf: url) == before)
        #expect(try Tensor(over: MappedFile(url), offset: 16, shape: [3], dtype: .float32).array(Float.self) == [1, 2, 3])
    }

    @Test @Engine func emptyAndMissingFiles() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let empty = try MappedFile(write([], header: 0))
        #expect(empty.bytes.count == 0)
        #expect(try Tensor(over: empty, offset: 0, shape: [0, 4], dtype: .float32).array(Float.self) == [])
        let missing = folder.appending(path: "missing")
        let error = #expect(throws: TensorError.self) { try MappedFile(missing) }
        #expect(error?.description == "cannot open \(missing.path): No such file or directory")
        #expect(throws: TensorError.self) { try MappedFile(folder) }
    }
}
