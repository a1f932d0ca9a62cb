internal import Foundation
public import YuyanTensor

/// What a safetensors file says about one tensor.
public struct SafeTensorsEntry: Sendable, Hashable {
    public let dtype: DType
    public let shape: [Int]
    /// Where its elements lie, in bytes from the start of the file, row-major and little-endian.
    public let bytes: Range<Int>
}

/// The head of a safetensors file: the length of the JSON (8 bytes, little-endian), the JSON, padding with spaces.
///
///     {"__metadata__": {"format": "pt"}, "wte.weight": {"dtype": "F32", "shape": [8, 4], "data_offsets": [0, 128]}, ...}
///
/// The data follow; offsets count from their start. Files come from anywhere, so everything is checked once, here: what is in
/// `entries` has a known dtype, a shape whose size matches its bytes, and lies inside the file; together the tensors cover the data
/// without a hole or an overlap (https://huggingface.co/docs/safetensors).
struct SafeTensorsHeader: Sendable, Hashable {
    /// In the order of the data.
    let names: [String]
    let entries: [String: SafeTensorsEntry]
    let metadata: [String: String]

    static let metadataKey = "__metadata__"
    /// The limit of the format.
    static let maximumLength = 100_000_000
    /// The limit of libtorch's iterators.
    static let maximumRank = 64

    /// Reads the head of a whole file; `file` is for the error's sentence.
    init(_ bytes: UnsafeRawBufferPointer, file: String) throws {
        guard bytes.count >= 8 else { throw WeightsError("\(file): a safetensors file has at least 8 bytes, this one has \(bytes.count)") }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(Self.maximumLength) else {
            throw WeightsError("\(file): not a safetensors file: its header would be \(length) bytes, and \(Self.maximumLength) are the limit")
        }
        let dataStart = 8 + Int(length)
        guard dataStart <= bytes.count else {
            throw WeightsError("\(file): truncated, or not a safetensors file: the header should be \(length) bytes, \(bytes.count - 8) are there")
        }
        var reader = HeaderReader(UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart]), file: file)
        try reader.read(data: dataStart..<bytes.count)
        let tensors = reader.tensors.sorted {
            ($0.entry.bytes.lowerBound, $0.entry.bytes.upperBound) < ($1.entry.bytes.lowerBound, $1.entry.bytes.upperBound)
        }
        try Self.checkCoverage(of: dataStart..<bytes.count, by: tensors, file: file)
        names = tensors.map(\.name)
        entries = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.entry) })
        metadata = reader.metadata
    }

    private static func checkCoverage(of data: Range<Int>, by tensors: [(name: String, entry: SafeTensorsEntry)], file: String) throws {
        var end = data.lowerBound
        var previous = ""
        for (name, entry) in tensors {
            let start = entry.bytes.lowerBound
            guard start >= end else { throw WeightsError("\(file): the data of tensor \(name.quoted) overlap those of \(previous.quoted)") }
            guard start == end else { throw WeightsError("\(file): the \(start - end) bytes before tensor \(name.quoted) belong to no tensor") }
            (end, previous) = (entry.bytes.upperBound, name)
        }
        guard end == data.upperBound else { throw WeightsError("\(file): the last \(data.upperBound - end) bytes belong to no tensor") }
    }

    /// The head of a file of these tensors, laid out one after the other in this order, with its length and padding.
    ///
    /// Padded so that the data begin at a multiple of 64: what is then read in place lies on cache lines. (The format asks for 8.)
    static func encode(_ tensors: [(name: String, dtype: DType, shape: [Int])], metadata: [String: String]) -> Data {
        var members =
            metadata.isEmpty
            ? [] : ["\(metadataKey.json):{\(metadata.sorted { $0.key < $1.key }.map { "\($0.key.json):\($0.value.json)" }.joined(separator: ","))}"]
        var offset = 0
        for tensor in tensors {
            let end = offset + tensor.shape.reduce(tensor.dtype.size, *)
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            members.append(
                "\(tensor.name.json):{\"dtype\":\"\(tensor.dtype.safeTensorsName)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        var header = Data("{\(members.joined(separator: ","))}".utf8)
        header.append(Data(repeating: UInt8(ascii: " "), count: (64 - (8 + header.count) % 64) % 64))
        return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) } + header
    }
}

extension DType {
    /// The name in a safetensors header.
    var safeTensorsName: String {
        switch self {
        case .uint8: "U8"
        case .int8: "I8"
        case .int16: "I16"
        case .int32: "I32"
        case .int64: "I64"
        case .float16: "F16"
        case .float32: "F32"
        case .float64: "F64"
        case .bool: "BOOL"
        case .bfloat16: "BF16"
        }
    }

    init?(safeTensorsName name: String) {
        guard let found = Self.allCases.first(where: { $0.safeTensorsName == name }) else { return nil }
        self = found
    }
}

extension String {
    /// As a JSON string.
    fileprivate var json: String {
        var out = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case _ where scalar.value < 0x20: out += "\\u00" + (scalar.value < 0x10 ? "0" : "") + String(scalar.value, radix: 16)
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
