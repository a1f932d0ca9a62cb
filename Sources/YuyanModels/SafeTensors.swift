public import Foundation
public import YuyanTensor

/// A safetensors file, mapped into memory. Opening it checks the whole header (`SafeTensorsHeader`); nothing of the data is read
/// before a tensor is used.
public struct SafeTensorsFile {
    private let file: MappedFile
    private let header: SafeTensorsHeader

    /// Throws `WeightsError` when the file cannot be read or is not sound.
    public init(_ url: URL) throws {
        do { file = try MappedFile(url) } catch let error as TensorError { throw WeightsError(error.description) }
        header = try SafeTensorsHeader(file.bytes, file: url.path)
    }

    public var url: URL { file.url }
    /// In the order of the data.
    public var names: [String] { header.names }
    /// What `__metadata__` holds.
    public var metadata: [String: String] { header.metadata }

    /// Dtype, shape and place of a tensor; nil when the file has none of this name.
    public func entry(_ name: String) -> SafeTensorsEntry? { header.entries[name] }

    /// Gives a tensor's pages back to the system; they are read again when they are wanted. Nothing may have been written into it.
    func release(_ name: String) {
        if let entry = entry(name) { file.release(entry.bytes) }
    }

    /// The tensor on the CPU, over the file's own pages. Writing into it changes this process's copy of a page, never the file.
    ///
    /// A copy when the file puts the data at an address that is not a multiple of the element's size.
    public func tensor(_ name: String) throws -> Tensor {
        guard let entry = entry(name) else { throw WeightsError("\(url.path): there is no tensor \(name.quoted)") }
        let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[entry.bytes])
        // Any other value of a Bool is undefined behaviour, here and in libtorch.
        if entry.dtype == .bool, let value = bytes.first(where: { $0 > 1 }) {
            throw WeightsError("\(url.path): tensor \(name.quoted): a BOOL is 0 or 1, not \(value)")
        }
        if !bytes.isEmpty, Int(bitPattern: bytes.baseAddress) % entry.dtype.size == 0 {
            return try Tensor(over: file, offset: entry.bytes.lowerBound, shape: entry.shape, dtype: entry.dtype)
        }
        let copy = try Tensor.empty(entry.shape, dtype: entry.dtype)
        if !bytes.isEmpty { copy.withBytes { $0.copyMemory(from: bytes) } }
        return copy
    }
}

/// Writes a safetensors file, one tensor at a time: those of a GPU or with strides are copied one by one, the others not at all.
///
/// The file appears under its name, or takes the place of an older one, when all of it is on the disk. Throws `WeightsError` with the
/// bytes it takes when the disk is full; the older file is then still there. `{"format": "pt"}` is what transformers looks for.
public func writeSafeTensors(_ tensors: [(name: String, value: Tensor)], to url: URL, metadata: [String: String] = ["format": "pt"]) throws {
    let file = try PendingFile(safeTensors: tensors, url, metadata: metadata)
    try file.commit()
    try synchronizeFolder(url.deletingLastPathComponent())
}

extension PendingFile {
    /// A safetensors file that has not got its name yet.
    init(safeTensors tensors: [(name: String, value: Tensor)], _ url: URL, metadata: [String: String] = ["format": "pt"]) throws {
        precondition(Set(tensors.map(\.name)).count == tensors.count, "two tensors of one name in \(url.path)")
        precondition(!tensors.contains { $0.name == SafeTensorsHeader.metadataKey }, "\(SafeTensorsHeader.metadataKey) cannot name a tensor")
        // Wider elements first: every tensor then begins at a multiple of its element's size.
        let ordered = DType.sizes.flatMap { size in tensors.filter { $0.value.dtype.size == size } }
        let header = SafeTensorsHeader.encode(ordered.map { ($0.name, $0.value.dtype, $0.value.shape) }, metadata: metadata)
        try self.init(url, byteCount: header.count + ordered.reduce(0) { $0 + $1.value.byteCount }) { write in
            try header.withUnsafeBytes(write)
            for tensor in ordered {
                try withoutGradient { try tensor.value.to(device: .cpu).contiguous() }.withBytes { try write(UnsafeRawBufferPointer($0)) }
            }
        }
    }
}

extension DType {
    /// The element sizes there are, largest first.
    fileprivate static var sizes: [Int] { Set(allCases.map(\.size)).sorted(by: >) }
}

extension Tensor {
    /// What its elements take in a file.
    var byteCount: Int { count * dtype.size }
}
