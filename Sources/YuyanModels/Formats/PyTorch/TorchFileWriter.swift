import CZlib
public import Foundation
public import YuyanTensor

/// Writes tensors as `torch.save` does, in the zip layout: `torch.load` gives an OrderedDict of them, also with `weights_only`.
///
/// The file appears under its name when all of it is on the disk.
///
/// - Parameter key: puts the tensors into a dictionary under this key, as trainers do (`module`); nil: the file holds nothing else.
public func writeTorchFile(_ tensors: [(name: String, value: Tensor)], to url: URL, under key: String? = nil) throws {
    let file = try PendingFile(torchFile: tensors, url, under: key)
    try file.commit()
    try synchronizeFolder(url.deletingLastPathComponent())
}

extension PendingFile {
    /// A file of torch.save that has not got its name yet.
    init(torchFile tensors: [(name: String, value: Tensor)], _ url: URL, under key: String? = nil) throws {
        precondition(Set(tensors.map(\.name)).count == tensors.count, "two tensors of one name in \(url.path)")
        let pickle = PickleWriter.dictionary(tensors.map { ($0.name, $0.value.dtype, $0.value.shape) }, under: key)
        try self.init(url, byteCount: pickle.count + tensors.reduce(0) { $0 + $1.value.byteCount }) { write in
            try withoutActuallyEscaping(write) { write in
                var archive = ZipWriter(write: write)
                try archive.add("archive/data.pkl", Data(pickle))
                try archive.add("archive/byteorder", Data("little".utf8))
                for (number, tensor) in tensors.enumerated() {
                    try withoutGradient { try tensor.value.to(device: .cpu).contiguous() }.withBytes {
                        try archive.add("archive/data/\(number)", UnsafeRawBufferPointer($0))
                    }
                }
                try archive.add("archive/version", Data("3\n".utf8))
                try archive.finish()
            }
        }
    }
}

/// The pickle of a dictionary of tensors, in protocol 2.
private struct PickleWriter {
    private var bytes: [UInt8] = [0x80, 2]

    static func dictionary(_ tensors: [(name: String, dtype: DType, shape: [Int])], under key: String?) -> [UInt8] {
        var writer = PickleWriter()
        if let key {
            writer.emit("}")
            writer.text(key)
        }
        writer.orderedDictionary()
        writer.emit("(")
        for (number, tensor) in tensors.enumerated() {
            writer.text(tensor.name)
            writer.tensor(String(number), tensor.dtype, tensor.shape)
        }
        writer.emit("u")
        if key != nil { writer.emit("s") }
        writer.emit(".")
        return writer.bytes
    }

    /// `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`, the storage named by its persistent identity.
    private mutating func tensor(_ key: String, _ dtype: DType, _ shape: [Int]) {
        global("torch._utils", "_rebuild_tensor_v2")
        emit("((")
        text("storage")
        global("torch", dtype.storageName)
        text(key)
        text("cpu")
        integer(shape.reduce(1, *))
        emit("tQ")
        integer(0)
        integers(shape)
        var strides = [Int](repeating: 1, count: shape.count)
        for index in shape.indices.dropLast().reversed() { strides[index] = strides[index + 1] * max(1, shape[index + 1]) }
        integers(strides)
        bytes.append(0x89)
        orderedDictionary()
        emit("tR")
    }

    private mutating func orderedDictionary() {
        global("collections", "OrderedDict")
        emit(")R")
    }

    private mutating func global(_ module: String, _ name: String) { emit("c\(module)\n\(name)\n") }

    private mutating func text(_ text: String) {
        emit("X")
        append(UInt32(text.utf8.count))
        bytes += Array(text.utf8)
    }

    private mutating func integers(_ values: [Int]) {
        emit("(")
        for value in values { integer(value) }
        emit("t")
    }

    private mutating func integer(_ value: Int) {
        if let small = Int32(exactly: value) {
            emit("J")
            append(small)
        } else {
            bytes += [0x8A, 8]
            append(value)
        }
    }

    /// Instructions, which are characters.
    private mutating func emit(_ instructions: String) { bytes += Array(instructions.utf8) }

    private mutating func append<Number: FixedWidthInteger>(_ number: Number) { bytes += withUnsafeBytes(of: number.littleEndian) { Array($0) } }
}

/// Writes the entries of a zip archive as they are, the data of each on a cache line, with 64-bit sizes where they are needed (APPNOTE 6.3.10).
private struct ZipWriter {
    let write: (UnsafeRawBufferPointer) throws -> Void
    private var position = 0
    private var directory = Data()
    private var count = 0

    init(write: @escaping (UnsafeRawBufferPointer) throws -> Void) { self.write = write }

    mutating func add(_ name: String, _ data: Data) throws { try data.withUnsafeBytes { try add(name, $0) } }

    mutating func add(_ name: String, _ bytes: UnsafeRawBufferPointer) throws {
        let isLarge = bytes.count >= 0xFFFF_FFFF
        let isFar = position >= 0xFFFF_FFFF
        var common = Data()
        common.append(UInt16(isLarge || isFar ? 45 : 20))  // the version that can read it
        common.append(UInt16(1 << 11))  // names are UTF-8
        common.append(UInt16(0))  // stored
        common.append(UInt32(0x0021_0000))  // 1980-01-01: the same file for the same tensors
        common.append(UInt32(crc32_z(0, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count)))
        for _ in 0..<2 { common.append(UInt32(clamping: isLarge ? 0xFFFF_FFFF : bytes.count)) }
        common.append(UInt16(name.utf8.count))
        var sizes = Data()
        if isLarge { for _ in 0..<2 { sizes.append(UInt64(bytes.count)) } }

        var local = Data()
        local.append(UInt32(0x0403_4B50))
        local += common
        let wide = sizes.isEmpty ? Data() : Self.extra(1, sizes)
        // A field of zeros ("FB", as PyTorch calls it) up to the next cache line.
        let start = position + local.count + 2 + name.utf8.count + wide.count + 4
        let padding = Self.extra(0x4246, Data(repeating: 0, count: (64 - start % 64) % 64))
        local.append(UInt16(wide.count + padding.count))
        local += Data(name.utf8) + wide + padding

        var far = sizes
        if isFar { far.append(UInt64(position)) }
        let wideEntry = far.isEmpty ? Data() : Self.extra(1, far)
        directory.append(UInt32(0x0201_4B50))
        directory.append(UInt16(isLarge || isFar ? 45 : 20))
        directory += common
        directory.append(UInt16(wideEntry.count))
        directory += Data(repeating: 0, count: 2 + 2 + 2 + 4)  // comment, disk, attributes
        directory.append(UInt32(clamping: isFar ? 0xFFFF_FFFF : position))
        directory += Data(name.utf8) + wideEntry
        count += 1

        try put(local)
        try write(bytes)
        position += bytes.count
    }

    /// The directory and what ends it.
    mutating func finish() throws {
        let start = position
        let size = directory.count
        var end = Data()
        if start >= 0xFFFF_FFFF || count >= 0xFFFF {
            end.append(UInt32(0x0606_4B50))
            end.append(UInt64(44))
            end.append(UInt16(45))
            end.append(UInt16(45))
            end.append(UInt64(0))  // disks
            for value in [count, count, size, start] { end.append(UInt64(value)) }
            end.append(UInt32(0x0706_4B50))
            end.append(UInt32(0))
            end.append(UInt64(start + size))
            end.append(UInt32(1))
        }
        end.append(UInt32(0x0605_4B50))
        end.append(UInt32(0))  // disks
        for _ in 0..<2 { end.append(UInt16(min(count, 0xFFFF))) }
        end.append(UInt32(min(size, 0xFFFF_FFFF)))
        end.append(UInt32(min(start, 0xFFFF_FFFF)))
        end.append(UInt16(0))
        try put(directory + end)
    }

    private mutating func put(_ data: Data) throws {
        try data.withUnsafeBytes(write)
        position += data.count
    }

    private static func extra(_ kind: UInt16, _ data: Data) -> Data {
        var field = Data()
        field.append(kind)
        field.append(UInt16(data.count))
        return field + data
    }
}

extension Data {
    /// Little-endian.
    mutating func append<Number: FixedWidthInteger>(_ number: Number) { Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) } }
}
