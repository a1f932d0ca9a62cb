internal import Foundation
internal import YuyanTensor

/// Facts and tensors of a GGUF file to be written (version 3).
struct GGUFWriter {
    /// A fact of the head, with its type in the file.
    enum Value {
        case integer(Int)
        case number(Double)
        case bool(Bool)
        case text(String)
        case texts([String])
        case numbers([Float])
        case integers([Int32])
        case bytes([UInt8])
    }

    var metadata: [(key: String, value: Value)] = []
    private var tensors: [(name: String, value: Tensor, type: GGUFType)] = []
    private static let alignment = 32

    /// A tensor that is stored as `type`, or where its rows are no whole blocks, as float16.
    mutating func add(_ name: String, _ value: Tensor, as type: GGUFType) {
        tensors.append((name, value, value.rank > 0 && value.size(-1) % type.blockLength == 0 ? type : .f16))
    }

    func pendingFile(_ url: URL) throws -> PendingFile {
        var head = Data("GGUF".utf8)
        head.append(UInt32(3))
        head.append(UInt64(tensors.count))
        head.append(UInt64(metadata.count))
        for (key, value) in metadata {
            head.append(text: key)
            Self.append(value, to: &head)
        }
        var offset = 0
        for tensor in tensors {
            head.append(text: tensor.name)
            head.append(UInt32(tensor.value.rank))
            for size in tensor.value.shape.reversed() { head.append(UInt64(size)) }
            head.append(tensor.type.code)
            head.append(UInt64(offset))
            offset += Self.padded(tensor.type.byteCount(tensor.value.count))
        }
        head.append(Data(repeating: 0, count: Self.padded(head.count) - head.count))
        return try PendingFile(url, byteCount: head.count + offset) { write in
            try head.withUnsafeBytes(write)
            for tensor in tensors { try Self.write(tensor.value, as: tensor.type, write) }
        }
    }

    private static func padded(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

    private static func write(_ tensor: Tensor, as type: GGUFType, _ write: (UnsafeRawBufferPointer) throws -> Void) throws {
        let values = try withoutGradient { try tensor.to(type.dtype ?? .float32, device: .cpu).contiguous() }
        let count = type.byteCount(values.count)
        if type.dtype != nil {
            try values.withBytes { try write(UnsafeRawBufferPointer($0)) }
        } else {
            let blocks = try Tensor.empty([count], dtype: .uint8)
            try blocks.withBytes { target in
                values.withBytes { GGUFBlocks.encode(UnsafeBufferPointer($0.bindMemory(to: Float.self)), as: type, into: target) }
                try write(UnsafeRawBufferPointer(target))
            }
        }
        try Data(repeating: 0, count: padded(count) - count).withUnsafeBytes(write)
    }

    private static func append(_ value: Value, to head: inout Data) {
        switch value {
        case .integer(let value):
            head.append(UInt32(4))
            head.append(UInt32(clamping: value))
        case .number(let value):
            head.append(UInt32(6))
            head.append(Float(value).bitPattern)
        case .bool(let value):
            head.append(UInt32(7))
            head.append(UInt8(value ? 1 : 0))
        case .text(let value):
            head.append(UInt32(8))
            head.append(text: value)
        case .texts(let values):
            appendArray(8, values.count, to: &head)
            for value in values { head.append(text: value) }
        case .numbers(let values):
            appendArray(6, values.count, to: &head)
            for value in values { head.append(value.bitPattern) }
        case .integers(let values):
            appendArray(5, values.count, to: &head)
            for value in values { head.append(value) }
        case .bytes(let values):
            appendArray(0, values.count, to: &head)
            head.append(contentsOf: values)
        }
    }

    private static func appendArray(_ type: UInt32, _ count: Int, to head: inout Data) {
        head.append(UInt32(9))
        head.append(type)
        head.append(UInt64(count))
    }
}

extension Data {
    /// Its length in bytes (64 bits), then its UTF-8.
    fileprivate mutating func append(text: String) {
        append(UInt64(text.utf8.count))
        append(contentsOf: Array(text.utf8))
    }
}
