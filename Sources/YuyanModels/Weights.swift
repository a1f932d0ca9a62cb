public import Foundation
public import YuyanTensor

/// What a file says about one of its tensors.
public struct TensorDescription: Sendable, Hashable {
    public let dtype: DType
    public let shape: [Int]
}

/// A file of named tensors.
protocol TensorFile {
    var url: URL { get }
    var names: [String] { get }
    func description(of name: String) -> TensorDescription?
    func tensor(_ name: String) throws -> Tensor
    /// Gives a tensor's pages back to the system; nothing may have been written into it.
    func release(_ name: String)
}

extension SafeTensorsFile: TensorFile {
    func description(of name: String) -> TensorDescription? { entry(name).map { TensorDescription(dtype: $0.dtype, shape: $0.shape) } }
}

/// The tensors of a Hugging Face folder: `model.safetensors`, or the shards that `model.safetensors.index.json` lists; where there are neither, those
/// of `pytorch_model.bin`, read without executing anything (`TorchFile`).
public struct Weights {
    /// Where they are.
    public let folder: URL
    /// In the order of the files and of their data.
    public let names: [String]
    private let files: [String: any TensorFile]

    static let fileName = "model.safetensors"
    static let indexName = "model.safetensors.index.json"
    static let torchName = "pytorch_model.bin"
    static let torchIndexName = "pytorch_model.bin.index.json"

    /// Opens and checks every file. Throws `WeightsError` when one is missing, is not sound, or does not hold what the index says.
    public init(folder: URL) throws {
        self.folder = folder
        for (single, index) in [(Self.fileName, Self.indexName), (Self.torchName, Self.torchIndexName)].map({
            (folder.appending(path: $0), folder.appending(path: $1))
        }) {
            if FileManager.default.fileExists(atPath: single.path) {
                let file = try Self.open(single)
                names = file.names
                files = Dictionary(uniqueKeysWithValues: file.names.map { ($0, file) })
                return
            }
            if FileManager.default.fileExists(atPath: index.path) {
                (names, files) = try Self.openShards(of: try WeightsIndex(contentsOf: index), index, in: folder)
                return
            }
        }
        throw WeightsError("\(folder.path): there is neither \(Self.fileName) nor \(Self.torchName), nor an index of shards of either")
    }

    private static func open(_ url: URL) throws -> any TensorFile {
        ["bin", "pt", "pth"].contains(url.pathExtension) ? try TorchFile(url) : try SafeTensorsFile(url)
    }

    private static func openShards(of index: WeightsIndex, _ url: URL, in folder: URL) throws -> (names: [String], files: [String: any TensorFile]) {
        var names: [String] = []
        var files: [String: any TensorFile] = [:]
        for (shard, listed) in Dictionary(grouping: index.shards.keys, by: { index.shards[$0] ?? "" }).sorted(by: { $0.key < $1.key }) {
            let example = (listed.min() ?? "").quoted
            // A path out of the folder is not a name that any exporter writes.
            guard !shard.isEmpty, !shard.contains("/"), !shard.contains("\0"), shard != "..", shard != "." else {
                throw WeightsError("\(url.path): tensor \(example): \(shard.quoted) is not a file name")
            }
            let path = folder.appending(path: shard)
            guard FileManager.default.fileExists(atPath: path.path) else {
                throw WeightsError("\(url.path): the shard \(shard.quoted) of tensor \(example) is missing from the folder")
            }
            let file = try open(path)
            if let missing = listed.filter({ file.description(of: $0) == nil }).min() {
                throw WeightsError("\(path.path): there is no tensor \(missing.quoted), though \(url.lastPathComponent) says so")
            }
            if let extra = file.names.first(where: { index.shards[$0] != shard }) {
                throw WeightsError("\(path.path): tensor \(extra.quoted) should not be here by \(url.lastPathComponent)")
            }
            names += file.names
            for name in file.names { files[name] = file }
        }
        return (names, files)
    }

    /// Dtype and shape of a tensor; nil when there is none of this name.
    public func entry(_ name: String) -> TensorDescription? { files[name]?.description(of: name) }

    /// Names and shapes of all, as they are stored.
    public var shapes: [(name: String, shape: [Int])] { names.map { ($0, entry($0)?.shape ?? []) } }

    /// The tensor on the CPU, over the file's own pages (`SafeTensorsFile.tensor`, `TorchFile.tensor`).
    public func tensor(_ name: String) throws -> Tensor {
        guard let file = files[name] else { throw WeightsError("\(folder.path): there is no tensor \(name.quoted)") }
        return try file.tensor(name)
    }

    /// Gives a tensor's pages back to the system (`SafeTensorsFile.release`).
    func release(_ name: String) { files[name]?.release(name) }

    // MARK: Saving

    /// Writes `model.safetensors`; or, when the elements take more than `maximumShardBytes`, shards of at most that (a tensor is never
    /// divided) and their index, in Hugging Face's names. Weights that were in the folder before are replaced: they are touched only
    /// when all new files are on the disk under temporary names.
    public static func save(_ tensors: [(name: String, value: Tensor)], to folder: URL, maximumShardBytes: Int = 5_000_000_000) throws {
        do { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) } catch {
            throw WeightsError("cannot make the folder \(folder.path): \(error.localizedDescription)")
        }
        let shards = shardRanges(tensors.map(\.value.byteCount), maximum: maximumShardBytes)
        let fileNames = shards.count == 1 ? [fileName] : shards.indices.map { shardName($0, of: shards.count) }
        var pending: [PendingFile] = []
        do {
            for (range, name) in zip(shards, fileNames) {
                pending.append(try PendingFile(safeTensors: Array(tensors[range]), folder.appending(path: name)))
            }
            if shards.count > 1 {
                let owners = zip(shards, fileNames).flatMap { range, name in tensors[range].map { ($0.name, name) } }
                let index = WeightsIndex(
                    totalSize: tensors.reduce(0) { $0 + $1.value.byteCount }, shards: Dictionary(uniqueKeysWithValues: owners))
                pending.append(try index.pendingFile(folder.appending(path: indexName)))
            }
            // An older index must not be found beside newer shards of the same names.
            if shards.count > 1 { unlink(folder.appending(path: indexName).path) }
            for file in pending { try file.commit() }
        } catch {
            for file in pending { file.discard() }
            throw error
        }
        try removeWeights(in: folder, except: Set(pending.map(\.url.lastPathComponent)))
        try synchronizeFolder(folder)
    }

    /// Neighbours together as long as their sizes, in bytes, add up to no more than `maximum`.
    static func shardRanges(_ sizes: [Int], maximum: Int) -> [Range<Int>] {
        precondition(maximum > 0, "a shard of \(maximum) bytes holds nothing")
        var ranges: [Range<Int>] = []
        var (start, bytes) = (0, 0)
        for (index, size) in sizes.enumerated() {
            if index > start, bytes + size > maximum {
                ranges.append(start..<index)
                (start, bytes) = (index, 0)
            }
            bytes += size
        }
        return ranges + [start..<sizes.count]
    }

    static func shardName(_ index: Int, of count: Int) -> String {
        func digits(_ number: Int) -> String { String(repeating: "0", count: max(0, 5 - String(number).count)) + String(number) }
        return "model-\(digits(index + 1))-of-\(digits(count)).safetensors"
    }

    /// Deletes weights of an earlier save, which would be read before or beside the new ones, and what a crash left of one.
    private static func removeWeights(in folder: URL, except kept: Set<String>) throws {
        let pattern = /model(-\d{5,}-of-\d{5,})?\.safetensors(\.index\.json)?(\.tmp)?/
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] {
            guard !kept.contains(name), name.wholeMatch(of: pattern) != nil else { continue }
            let file = folder.appending(path: name)
            guard unlink(file.path) == 0 else { throw WeightsError.system("remove the older", file) }
        }
    }
}

/// `model.safetensors.index.json`: which shard holds which tensor.
private struct WeightsIndex: Codable {
    var metadata: Metadata?
    /// The shard's file name for every tensor.
    var shards: [String: String]

    struct Metadata: Codable {
        /// Bytes of all elements. Written, but not believed: converted repositories keep the figure of another dtype.
        var totalSize: Int

        enum CodingKeys: String, CodingKey {
            case totalSize = "total_size"
        }
    }

    enum CodingKeys: String, CodingKey {
        case metadata
        case shards = "weight_map"
    }

    init(totalSize: Int, shards: [String: String]) {
        metadata = Metadata(totalSize: totalSize)
        self.shards = shards
    }

    init(contentsOf url: URL) throws {
        let data: Data
        do { data = try Data(contentsOf: url) } catch { throw WeightsError("cannot read \(url.path): \(error.localizedDescription)") }
        do { self = try JSONDecoder().decode(Self.self, from: data) } catch {
            throw WeightsError("\(url.path): not an index of shards: {\"weight_map\": {\"tensor\": \"file\", ...}} in JSON would be right")
        }
        guard !shards.isEmpty else { throw WeightsError("\(url.path): its weight_map lists no tensor") }
    }

    init(from decoder: any Decoder) throws {
        shards = try decoder.container(keyedBy: CodingKeys.self).decode([String: String].self, forKey: .shards)
    }

    func pendingFile(_ url: URL) throws -> PendingFile {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(self)
        return try PendingFile(url, byteCount: data.count) { write in try data.withUnsafeBytes(write) }
    }
}
