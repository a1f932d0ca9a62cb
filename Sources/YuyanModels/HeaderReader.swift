internal import YuyanTensor

/// Reads the JSON of a safetensors header.
///
/// Not Foundation's parser: that one keeps the last of two equal keys without a word, turns whole numbers into floating point, and
/// takes many times the header's size in memory. The grammar has no nesting to speak of, so this reader has no recursion.
struct HeaderReader {
    private(set) var tensors: [(name: String, entry: SafeTensorsEntry)] = []
    private(set) var metadata: [String: String] = [:]

    private let bytes: UnsafeRawBufferPointer
    private let file: String
    private var position = 0
    /// The tensor being read, for errors.
    private var tensor: String?

    init(_ bytes: UnsafeRawBufferPointer, file: String) {
        self.bytes = bytes
        self.file = file
    }

    /// Reads all of it. `data` is where the tensors' elements lie in the file.
    mutating func read(data: Range<Int>) throws {
        guard bytes.first == UInt8(ascii: "{") else { throw WeightsError("\(file): not a safetensors file: its header does not begin with {") }
        try object { reader, key in
            if key == SafeTensorsHeader.metadataKey {
                try reader.object { reader, key in reader.metadata[key] = try reader.string() }
            } else {
                reader.tensor = key
                reader.tensors.append((key, try reader.entry(data: data)))
                reader.tensor = nil
            }
        }
        skipSpace()
        guard position == bytes.count else { throw fault("there is more after its closing brace") }
    }

    private mutating func entry(data: Range<Int>) throws -> SafeTensorsEntry {
        var dtype: DType?
        var shape: [Int]?
        var offsets: [Int]?
        try object { reader, key in
            switch key {
            case "dtype":
                let name = try reader.string()
                dtype = DType(safeTensorsName: name)
                if dtype == nil {
                    let known = DType.allCases.map(\.safeTensorsName).sorted().joined(separator: ", ")
                    throw reader.wrong("its dtype \(name.quoted) is unknown: \(known) can be read")
                }
            case "shape": shape = try reader.integers("a dimension", limit: SafeTensorsHeader.maximumRank)
            case "data_offsets": offsets = try reader.integers("an offset", limit: 2)
            default: throw reader.wrong("\(key.quoted) is not a key of a tensor: dtype, shape and data_offsets are")
            }
        }
        guard let dtype else { throw wrong("its dtype is missing") }
        guard let shape else { throw wrong("its shape is missing") }
        guard let offsets, offsets.count == 2 else { throw wrong("its data_offsets are missing: [begin, end] would be right") }
        // Empty dimensions count as 1 here: libtorch multiplies the others for its strides.
        guard let size = ([dtype.size] + shape).checkedProduct(emptyAs: 1) else { throw wrong("its shape \(shape) is too large to be true") }
        let count = shape.contains(0) ? 0 : size
        guard offsets[0] <= offsets[1] else { throw wrong("its data_offsets \(offsets) end before they begin") }
        guard offsets[1] <= data.count else {
            throw wrong("its data end at byte \(offsets[1]) of \(data.count): the file is truncated or the header is wrong")
        }
        guard offsets[1] - offsets[0] == count else {
            throw wrong("shape \(shape) of \(dtype.safeTensorsName) takes \(count) bytes, data_offsets \(offsets) are \(offsets[1] - offsets[0])")
        }
        return SafeTensorsEntry(dtype: dtype, shape: shape, bytes: data.lowerBound + offsets[0]..<data.lowerBound + offsets[1])
    }

    // MARK: JSON

    /// `{"key": value, ...}`; `member` reads the value. Keys are all different.
    private mutating func object(_ member: (inout Self, String) throws -> Void) throws {
        var keys: Set<String> = []
        try expect("{")
        if skip("}") { return }
        repeat {
            let key = try string()
            guard keys.insert(key).inserted else { throw wrong("the key \(key.quoted) is there twice") }
            try expect(":")
            try member(&self, key)
        } while skip(",")
        try expect("}")
    }

    /// `[1, 2, ...]`, at most `limit` of them.
    private mutating func integers(_ what: String, limit: Int) throws -> [Int] {
        var values: [Int] = []
        try expect("[")
        if skip("]") { return values }
        repeat {
            guard values.count < limit else { throw wrong("more than \(limit) numbers stand where \(what) belongs") }
            values.append(try integer(what))
        } while skip(",")
        try expect("]")
        return values
    }

    /// A whole number that is not negative.
    private mutating func integer(_ what: String) throws -> Int {
        skipSpace()
        guard peek != UInt8(ascii: "-") else { throw wrong("\(what) is negative") }
        let start = position
        var value = 0
        while let digit = peek.map({ Int($0) - 0x30 }), (0...9).contains(digit) {
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (next, carry) = tens.addingReportingOverflow(digit)
            guard !overflow, !carry else { throw wrong("\(what) is too large to be true") }
            value = next
            position += 1
        }
        guard position > start else { throw fault("a number is expected at byte \(position)") }
        guard position == start + 1 || bytes[start] != UInt8(ascii: "0") else { throw fault("the number at byte \(start) begins with 0") }
        if let next = peek, [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(next) { throw wrong("\(what) is not a whole number") }
        return value
    }

    private mutating func string() throws -> String {
        try expect("\"")
        var utf8: [UInt8] = []
        let start = position
        while let byte = peek {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: utf8, as: UTF8.self) else { throw fault("the string at byte \(start) is not UTF-8") }
                return string
            case UInt8(ascii: "\\"): utf8 += Array(String(try escape()).utf8)
            case 0..<0x20: throw fault("a control character stands in the string at byte \(start)")
            default: utf8.append(byte)
            }
        }
        throw fault("the string at byte \(start) is not closed")
    }

    /// What follows a backslash.
    private mutating func escape() throws -> Unicode.Scalar {
        let start = position
        let byte = peek
        position += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            var value = try hexadecimal()
            if (0xD800..<0xDC00).contains(value), peek == UInt8(ascii: "\\") {  // the first half of a surrogate pair
                position += 1
                guard peek == UInt8(ascii: "u") else { break }
                position += 1
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else { break }
                value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
            }
            if let scalar = Unicode.Scalar(value) { return scalar }
        default: break
        }
        throw fault("the escape at byte \(start) is unknown")
    }

    private mutating func hexadecimal() throws -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = peek.flatMap({ Character(Unicode.Scalar($0)).hexDigitValue }) else {
                throw fault("the escape at byte \(position) is cut off")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard peek == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws {
        guard skip(character) else { throw fault("\(character) is expected at byte \(position)") }
    }

    // MARK: Errors

    private func fault(_ text: String) -> WeightsError { wrong("the header is not valid JSON: \(text)") }

    private func wrong(_ text: String) -> WeightsError { WeightsError("\(file): \(tensor.map { "tensor \($0.quoted): " } ?? "")\(text)") }
}

extension [Int] {
    /// The product of numbers that are not negative, with 0 taken as `emptyAs`; nil when it does not fit.
    func checkedProduct(emptyAs: Int) -> Int? {
        var product = 1
        for value in self {
            let (next, overflow) = product.multipliedReportingOverflow(by: value == 0 ? emptyAs : value)
            guard !overflow else { return nil }
            product = next
        }
        return product
    }
}
