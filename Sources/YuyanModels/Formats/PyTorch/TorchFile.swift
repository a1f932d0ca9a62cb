public import Foundation
public import YuyanTensor

/// The tensors of a file that `torch.save` wrote (`pytorch_model.bin`, `.pt`), mapped into memory.
///
/// Such a file is a pickle, a program for a stack machine, that may call anything in Python. Here a machine reads it that knows tensors, numbers, texts,
/// lists and dictionaries only; a file that asks for more is refused with the name of what it asks for.
///
/// Both layouts can be read: the zip archive of PyTorch 1.6 and later, and the older run of pickles. Tensors of nested dictionaries get their keys joined
/// with dots; a dictionary under `state_dict`, `model` or `module` is entered where there is no tensor beside it.
public struct TorchFile {
    /// A tensor that lies inside the file.
    struct Entry {
        var dtype: DType
        var shape: [Int]
        /// Elements from one to the next, for each dimension.
        var strides: [Int]
        /// Where its first element lies, in bytes from the start of the file.
        var start: Int
    }

    private let file: MappedFile
    /// In the order of the dictionary.
    public let names: [String]
    private let entries: [String: Entry]

    /// Throws `WeightsError` when the file cannot be read, is not sound, or holds more than tensors and plain values.
    public init(_ url: URL) throws {
        do { file = try MappedFile(url) } catch let error as TensorError { throw WeightsError(error.description) }
        let (bytes, path) = (file.bytes, url.path)
        var pickle: Pickle
        let storages: [Range<Int>]
        if ZipArchive.isZip(bytes) {
            (pickle, storages) = try Self.readArchive(bytes, path)
        } else if bytes.starts(with: Self.magic) {
            (pickle, storages) = try Self.readOldLayout(bytes, path)
        } else {
            throw WeightsError("\(path): not a file of torch.save: neither the zip archive nor the older layout of PyTorch begins like this")
        }
        let found = try Self.tensors(of: pickle, path)
        names = found.map(\.name)
        var entries: [String: Entry] = [:]
        for (name, number) in found {
            let entry = try Self.entry(pickle.tensors[number], pickle, storages, name: "\(path): tensor \(name.quoted)")
            guard entries.updateValue(entry, forKey: name) == nil else { throw WeightsError("\(path): the name \(name.quoted) is there twice") }
        }
        self.entries = entries
    }

    public var url: URL { file.url }

    /// Dtype and shape of a tensor; nil when the file has none of this name.
    public func description(of name: String) -> TensorDescription? {
        entries[name].map { TensorDescription(dtype: $0.dtype, shape: $0.shape) }
    }

    /// The tensor on the CPU: over the file's own pages where it lies there in row-major order, else a copy. Writing into it never changes the file.
    public func tensor(_ name: String) throws -> Tensor {
        guard let entry = entries[name] else { throw WeightsError("\(url.path): there is no tensor \(name.quoted)") }
        guard !entry.shape.contains(0) else { return try .empty(entry.shape, dtype: entry.dtype) }
        let start = file.bytes.baseAddress.map { Int(bitPattern: $0) + entry.start } ?? 0
        var result: Tensor
        if entry.isContiguous, start % entry.dtype.size == 0 {
            result = try Tensor(over: file, offset: entry.start, shape: entry.shape, dtype: entry.dtype)
        } else {
            result = try .empty(entry.shape, dtype: entry.dtype)
            result.withBytes { target in
                var written = 0
                gather(entry, from: entry.start, dimension: 0, into: target, &written)
            }
        }
        // Any other value of a Bool is undefined behaviour, here and in libtorch.
        if entry.dtype == .bool, let value = result.withBytes({ bytes in bytes.first { $0 > 1 } }) {
            throw WeightsError("\(url.path): tensor \(name.quoted): a bool is 0 or 1, not \(value)")
        }
        return result
    }

    /// Gives a tensor's pages back to the system; they are read again when they are wanted. Nothing may have been written into it.
    func release(_ name: String) {
        guard let entry = entries[name], entry.isContiguous, !entry.shape.contains(0) else { return }
        file.release(entry.start..<entry.start + entry.shape.reduce(entry.dtype.size, *))
    }

    /// Copies the elements from byte `place` on along this dimension and those after it.
    private func gather(_ entry: Entry, from place: Int, dimension: Int, into target: UnsafeMutableRawBufferPointer, _ written: inout Int) {
        guard dimension < entry.shape.count else {
            for byte in 0..<entry.dtype.size { target[written + byte] = file.bytes[place + byte] }
            written += entry.dtype.size
            return
        }
        for index in 0..<entry.shape[dimension] {
            gather(entry, from: place + index * entry.strides[dimension] * entry.dtype.size, dimension: dimension + 1, into: target, &written)
        }
    }
}

extension TorchFile: TensorFile {}

extension TorchFile.Entry {
    var isContiguous: Bool {
        var expected = 1
        for (size, stride) in zip(shape, strides).reversed() where size != 1 {
            guard stride == expected else { return false }
            expected *= size
        }
        return true
    }
}

// MARK: - Layouts

extension TorchFile {
    /// PyTorch 1.6 and later: `NAME/data.pkl`, and storages as `NAME/data/KEY`.
    private static func readArchive(_ bytes: UnsafeRawBufferPointer, _ path: String) throws -> (Pickle, [Range<Int>]) {
        let archive = try ZipArchive(bytes, file: path)
        guard let name = archive.names.first(where: { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }), let place = archive.entries[name] else {
            throw WeightsError("\(path): a zip archive, but not of torch.save: there is no data.pkl in it")
        }
        let folder = name.dropLast("data.pkl".count)
        if let order = archive.entries["\(folder)byteorder"], !bytes[order].elementsEqual("little".utf8) {
            throw WeightsError("\(path): the file's numbers are big-endian; save it again on a little-endian machine")
        }
        var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[..<place.upperBound]), file: path, at: place.lowerBound)
        let pickle = try Pickle(&reader)
        let storages = try pickle.storages.map { storage in
            guard let place = archive.entries["\(folder)data/\(storage.key)"] else {
                throw WeightsError("\(path): the data of storage \(storage.key.quoted) are missing")
            }
            let (size, overflow) = storage.count.multipliedReportingOverflow(by: storage.dtype.size)
            guard !overflow, size <= place.count else {
                throw WeightsError("\(path): storage \(storage.key.quoted) should hold \(storage.count) elements, its data are \(place.count) bytes")
            }
            return place.lowerBound..<place.lowerBound + size
        }
        return (pickle, storages)
    }

    /// The number 0x1950a86a20f9469cfc6c as a pickle of protocol 2.
    private static let magic: [UInt8] = [0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]

    /// Before PyTorch 1.6: pickles of a magic number, a version, facts about the machine, the object and the keys of its storages, then the number
    /// of elements (int64) and the elements of each.
    private static func readOldLayout(_ bytes: UnsafeRawBufferPointer, _ path: String) throws -> (Pickle, [Range<Int>]) {
        var reader = ByteReader(bytes, file: path, at: magic.count)
        let version = try Pickle(&reader)
        let machine = try Pickle(&reader)
        guard case .integer(1001) = version.root else {
            throw WeightsError("\(path): a layout of PyTorch that is not known: its version is not 1001")
        }
        let isBigEndian = machine.members(machine.root).contains { key, value in
            if case (.text("little_endian"), .bool(false)) = (key, value) { true } else { false }
        }
        guard !isBigEndian else { throw WeightsError("\(path): the file's numbers are big-endian; save it again on a little-endian machine") }
        let pickle = try Pickle(&reader)
        let keys = try Pickle(&reader)
        guard case .sequence(let list) = keys.root else { throw WeightsError("\(path): the list of storages is missing") }
        let numbers = Dictionary(pickle.storages.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
        var places: [String: Range<Int>] = [:]
        for item in keys.sequences[list] {
            guard case .text(let key) = item, let number = numbers[key] else {
                throw WeightsError("\(path): the list of storages names one that is not used")
            }
            let storage = pickle.storages[number]
            let count = try reader.size(Int64.self, "the size of storage \(key.quoted)")
            let (size, overflow) = count.multipliedReportingOverflow(by: storage.dtype.size)
            guard !overflow, count == storage.count else {
                throw WeightsError("\(path): storage \(key.quoted) should hold \(storage.count) elements, \(count) are said to be there")
            }
            let start = reader.position
            _ = try reader.take(size, "the data of storage \(key.quoted)")
            places[key] = start..<start + size
        }
        let storages = try pickle.storages.map { storage in
            // Two views of one storage must agree on what it is.
            guard let place = places[storage.key], place.count == storage.count * storage.dtype.size else {
                throw WeightsError("\(path): the data of storage \(storage.key.quoted) are missing")
            }
            return place
        }
        return (pickle, storages)
    }
}

// MARK: - Tensors

extension Pickle {
    /// Keys and values of a dictionary; nothing of anything else.
    fileprivate func members(_ value: Value) -> [(key: Value, value: Value)] {
        if case .dictionary(let number) = value { dictionaries[number] } else { [] }
    }
}

extension TorchFile {
    /// Names and numbers of the tensors, in order.
    private static func tensors(of pickle: Pickle, _ path: String) throws -> [(name: String, number: Int)] {
        var root = pickle.root
        guard case .dictionary = root else {
            throw WeightsError("\(path): there is no dictionary of tensors in this file; torch.save(model.state_dict(), …) would write one")
        }
        for _ in 0..<3 {
            let members = pickle.members(root)
            let hasTensors = members.contains { if case .tensor = $0.value { true } else { false } }
            let wrapped = ["state_dict", "model", "module"].lazy.compactMap { wrapper in
                members.last { key, value in
                    if case (.text(wrapper), .dictionary) = (key, value) { true } else { false }
                }
            }
            guard !hasTensors, let inner = wrapped.first else { break }
            root = inner.value
        }
        var found: [(name: String, number: Int)] = []
        var visited: Set<Int> = []
        /// Every dictionary once: one that holds itself does not end, one that is held many times could become any number of names.
        func visit(_ value: Pickle.Value, _ prefix: String, depth: Int) throws {
            guard case .dictionary(let number) = value else { return }
            guard visited.insert(number).inserted, depth < 16 else { return }
            for (key, value) in pickle.dictionaries[number] {
                guard case .text(let key) = key else { continue }
                guard prefix.utf8.count + key.utf8.count <= 512 else { throw WeightsError("\(path): the name \(key.quoted) is too long to be true") }
                if case .tensor(let number) = value {
                    found.append((prefix + key, number))
                } else {
                    try visit(value, "\(prefix)\(key).", depth: depth + 1)
                }
            }
        }
        try visit(root, "", depth: 0)
        guard !found.isEmpty else { throw WeightsError("\(path): there are no tensors in this file") }
        return found
    }

    /// A tensor all of whose elements lie in its storage.
    private static func entry(_ tensor: Pickle.Tensor, _ pickle: Pickle, _ storages: [Range<Int>], name: String) throws -> Entry {
        let storage = pickle.storages[tensor.storage]
        let (shape, strides) = (tensor.shape, tensor.strides)
        guard shape.count == strides.count, shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }), tensor.offset >= 0 else {
            throw WeightsError("\(name): shape \(shape) with strides \(strides) from element \(tensor.offset) on cannot be")
        }
        // Empty dimensions count as 1 here: libtorch multiplies the others for its strides.
        guard let count = ([storage.dtype.size] + shape).checkedProduct(emptyAs: 1) else {
            throw WeightsError("\(name): its shape \(shape) is too large to be true")
        }
        if !shape.contains(0) {
            var last = tensor.offset
            var fits = true
            for (size, stride) in zip(shape, strides) {
                let (step, overflow) = (size - 1).multipliedReportingOverflow(by: stride)
                let (next, carry) = last.addingReportingOverflow(step)
                (last, fits) = (next, fits && !overflow && !carry)
            }
            guard fits, last < storage.count else {
                throw WeightsError("\(name): shape \(shape) with strides \(strides) leaves its storage of \(storage.count) elements")
            }
            // An expanded view could stand for any amount of memory.
            guard count / storage.dtype.size <= storage.count else {
                throw WeightsError(
                    "\(name): shape \(shape) with strides \(strides) repeats elements of its storage; save a copy of it (tensor.clone())")
            }
        }
        let start = shape.contains(0) ? 0 : storages[tensor.storage].lowerBound + tensor.offset * storage.dtype.size
        return Entry(dtype: storage.dtype, shape: shape, strides: strides, start: start)
    }
}
