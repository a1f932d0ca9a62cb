public import Foundation
public import YuyanTensor

/// A GGUF file (version 2 or 3 of ggml's documentation of the format), mapped into memory: facts about the model, then tensors.
///
/// Opening it checks the whole head; nothing of the data is read before a tensor is used.
public struct GGUFFile {
    /// A fact of the head.
    enum Value: Hashable {
        case integer(Int)
        case number(Double)
        case bool(Bool)
        case text(String)
        case texts([String])
        case numbers([Double])
        /// Arrays of other things: not needed.
        case other
    }

    struct Entry {
        var type: GGUFType
        var shape: [Int]
        /// From the start of the file.
        var bytes: Range<Int>
    }

    private let file: MappedFile
    /// In the order of the head.
    public let names: [String]
    let metadata: [String: Value]
    private let entries: [String: Entry]

    /// Throws `WeightsError` when the file cannot be read, is not sound, or holds tensors of a type that is not known here.
    public init(_ url: URL) throws {
        do { file = try MappedFile(url) } catch let error as TensorError { throw WeightsError(error.description) }
        let path = url.path
        var reader = ByteReader(file.bytes, file: path)
        guard file.bytes.starts(with: "GGUF".utf8) else { throw WeightsError("\(path): not a GGUF file: it does not begin with GGUF") }
        _ = try reader.take(4, "the head")
        let version = try reader.integer(UInt32.self, "the version")
        guard version == 2 || version == 3 else { throw WeightsError("\(path): version \(version) of GGUF is not known; 2 and 3 are") }
        let tensorCount = try reader.size(UInt64.self, "the number of tensors")
        let factCount = try reader.size(UInt64.self, "the number of facts")

        var metadata: [String: Value] = [:]
        for _ in 0..<factCount {
            let key = try reader.text(try reader.size(UInt64.self, "a key"), "a key")
            let type = try reader.integer(UInt32.self, "the type of \(key.quoted)")
            guard metadata.updateValue(try Self.value(of: type, &reader, key, depth: 0), forKey: key) == nil else {
                throw WeightsError("\(path): the key \(key.quoted) is there twice")
            }
        }
        var alignment = 32
        if case .integer(let value)? = metadata["general.alignment"] {
            guard value > 0, value % 8 == 0, value <= 1 << 20 else { throw WeightsError("\(path): data cannot be aligned to \(value) bytes") }
            alignment = value
        }
        var found: [(name: String, type: GGUFType, shape: [Int], offset: Int)] = []
        for _ in 0..<tensorCount { found.append(try Self.tensor(&reader)) }

        let start = (reader.position + alignment - 1) / alignment * alignment
        var entries: [String: Entry] = [:]
        for (name, type, shape, offset) in found {
            guard let count = shape.checkedProduct(emptyAs: 1), count <= Int.max / 4 else {
                throw WeightsError("\(path): tensor \(name.quoted): its shape \(shape) is too large to be true")
            }
            guard (shape.last ?? 1) % type.blockLength == 0 else {
                throw WeightsError("\(path): tensor \(name.quoted): rows of \(shape.last ?? 1) are no blocks of \(type.blockLength)")
            }
            let size = shape.contains(0) ? 0 : type.byteCount(count)
            let (first, overflow) = start.addingReportingOverflow(offset)
            guard !overflow, offset % 8 == 0, first <= file.bytes.count, size <= file.bytes.count - first else {
                throw WeightsError("\(path): tensor \(name.quoted): its \(size) bytes go on past the end: the file is cut off or the head is wrong")
            }
            guard entries.updateValue(Entry(type: type, shape: shape, bytes: first..<first + size), forKey: name) == nil else {
                throw WeightsError("\(path): the tensor \(name.quoted) is there twice")
            }
        }
        (self.metadata, self.entries, names) = (metadata, entries, found.map(\.name))
    }

    public var url: URL { file.url }

    /// The type and shape of a tensor, row-major; nil when the file has none of this name.
    public func entry(_ name: String) -> (type: GGUFType, shape: [Int])? { entries[name].map { ($0.type, $0.shape) } }

    /// The tensor on the CPU; blocks become float32, other types lie over the file's own pages.
    public func tensor(_ name: String) throws -> Tensor {
        guard let entry = entries[name] else { throw WeightsError("\(url.path): there is no tensor \(name.quoted)") }
        let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[entry.bytes])
        guard let dtype = entry.type.dtype else {
            let values = try Tensor.empty(entry.shape)
            values.withBytes { GGUFBlocks.decode(bytes, of: entry.type, into: $0.bindMemory(to: Float.self)) }
            return values
        }
        if !bytes.isEmpty, Int(bitPattern: bytes.baseAddress) % dtype.size == 0 {
            return try Tensor(over: file, offset: entry.bytes.lowerBound, shape: entry.shape, dtype: dtype)
        }
        let copy = try Tensor.empty(entry.shape, dtype: dtype)
        if !bytes.isEmpty { copy.withBytes { $0.copyMemory(from: bytes) } }
        return copy
    }

    // MARK: The head

    /// Dimensions stand with the innermost first.
    private static func tensor(_ reader: inout ByteReader) throws -> (name: String, type: GGUFType, shape: [Int], offset: Int) {
        let name = try reader.text(try reader.size(UInt64.self, "a tensor's name"), "a tensor's name")
        let rank = try reader.integer(UInt32.self, "the shape of \(name.quoted)")
        guard rank <= 4 else { throw WeightsError("\(reader.file): tensor \(name.quoted): \(rank) dimensions; 4 are the most") }
        let shape = try (0..<rank).map { _ in try reader.size(UInt64.self, "the shape of \(name.quoted)") }
        let code = try reader.integer(UInt32.self, "the type of \(name.quoted)")
        guard let type = GGUFType.allCases.first(where: { $0.code == code }) else {
            let known = GGUFType.allCases.map { $0.rawValue.uppercased() }.joined(separator: ", ")
            throw WeightsError(
                "\(reader.file): tensor \(name.quoted) is stored as \(GGUFType.unread[code] ?? "type \(code)"), which is not supported; \(known) are: "
                    + "take the model's file in F16, BF16 or Q8_0")
        }
        return (name, type, shape.reversed(), try reader.size(UInt64.self, "the place of \(name.quoted)"))
    }

    private static func value(of type: UInt32, _ reader: inout ByteReader, _ key: String, depth: Int) throws -> Value {
        func what() -> String { "the value of \(key.quoted)" }
        switch type {
        case 0: return .integer(Int(try reader.integer(UInt8.self, what())))
        case 1: return .integer(Int(try reader.integer(Int8.self, what())))
        case 2: return .integer(Int(try reader.integer(UInt16.self, what())))
        case 3: return .integer(Int(try reader.integer(Int16.self, what())))
        case 4: return .integer(Int(try reader.integer(UInt32.self, what())))
        case 5: return .integer(Int(try reader.integer(Int32.self, what())))
        case 6: return .number(Double(Float(bitPattern: try reader.integer(UInt32.self, what()))))
        case 7: return .bool(try reader.integer(UInt8.self, what()) != 0)
        case 8: return .text(try reader.text(try reader.size(UInt64.self, what()), what()))
        case 9: return try array(&reader, key, depth: depth)
        case 10: return .integer(Int(clamping: try reader.integer(UInt64.self, what())))
        case 11: return .integer(Int(try reader.integer(Int64.self, what())))
        case 12: return .number(Double(bitPattern: try reader.integer(UInt64.self, what())))
        default: throw WeightsError("\(reader.file): \(what()) has the type \(type), which is not known")
        }
    }

    /// Elements are read one by one, so that no memory is taken for elements that are not there.
    private static func array(_ reader: inout ByteReader, _ key: String, depth: Int) throws -> Value {
        let type = try reader.integer(UInt32.self, "the value of \(key.quoted)")
        let count = try reader.size(UInt64.self, "the value of \(key.quoted)")
        guard depth < 4 else { throw WeightsError("\(reader.file): \(key.quoted) holds arrays in arrays in arrays") }
        var texts: [String] = []
        var numbers: [Double] = []
        for _ in 0..<count {
            switch try value(of: type, &reader, key, depth: depth + 1) {
            case .text(let text): texts.append(text)
            case .integer(let integer): numbers.append(Double(integer))
            case .number(let number): numbers.append(number)
            default: break
            }
        }
        return type == 8 ? .texts(texts) : type == 7 || type == 9 ? .other : .numbers(numbers)
    }
}

extension GGUFFile {
    func integer(_ key: String) throws -> Int {
        guard case .integer(let value)? = metadata[key] else { throw WeightsError("\(url.path): \(key) is missing") }
        return value
    }

    func number(_ key: String) throws -> Double {
        guard case .number(let value)? = metadata[key] else { throw WeightsError("\(url.path): \(key) is missing") }
        return value
    }

    func text(_ key: String) throws -> String {
        guard case .text(let value)? = metadata[key] else { throw WeightsError("\(url.path): \(key) is missing") }
        return value
    }
}
