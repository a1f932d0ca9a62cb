public import YuyanTensor

/// What the matrices of a GGUF file are stored in.
public enum GGUFType: String, Sendable, CaseIterable {
    case f32, f16, bf16
    /// Blocks of 32 numbers: a float16 scale and 8 bits each.
    case q8 = "q8_0"
    /// Blocks of 32 numbers: a float16 scale and 4 bits each.
    case q4 = "q4_0"

    /// What holds these numbers without loss; float32 for all that are not 16 bits wide.
    public init(_ dtype: DType) { self = dtype == .float16 ? .f16 : dtype == .bfloat16 ? .bf16 : .f32 }

    /// The number of the type in a file (ggml's documentation of the format).
    var code: UInt32 {
        switch self {
        case .f32: 0
        case .f16: 1
        case .q4: 2
        case .q8: 8
        case .bf16: 30
        }
    }

    /// What ggml calls the types that are not read.
    static let unread: [UInt32: String] = [
        3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS",
        17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32",
        27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
    ]

    /// The number of `general.file_type`: most tensors of the file are of this type.
    var fileType: UInt32 {
        switch self {
        case .f32: 0
        case .f16: 1
        case .q4: 2
        case .q8: 7
        case .bf16: 32
        }
    }

    /// Numbers in a block.
    var blockLength: Int { dtype == nil ? 32 : 1 }

    /// Bytes of a block.
    var blockSize: Int {
        switch self {
        case .f32: 4
        case .f16, .bf16: 2
        case .q8: 34
        case .q4: 18
        }
    }

    /// The tensor's own type; nil for blocks.
    var dtype: DType? {
        switch self {
        case .f32: .float32
        case .f16: .float16
        case .bf16: .bfloat16
        case .q8, .q4: nil
        }
    }

    /// Bytes of so many numbers.
    func byteCount(_ count: Int) -> Int { count / blockLength * blockSize }
}

/// Blocks of ggml: a scale d in float16, and integers q with x ≈ d·q.
enum GGUFBlocks {
    static let length = 32

    /// Quantises float32 numbers, 32 to a block.
    static func encode(_ source: UnsafeBufferPointer<Float>, as type: GGUFType, into target: UnsafeMutableRawBufferPointer) {
        for block in 0..<source.count / length {
            let values = UnsafeBufferPointer(rebasing: source[block * length..<(block + 1) * length])
            let bytes = UnsafeMutableRawBufferPointer(rebasing: target[block * type.blockSize..<(block + 1) * type.blockSize])
            if type == .q8 { encode8(values, bytes) } else { encode4(values, bytes) }
        }
    }

    /// The largest number becomes ±127.
    private static func encode8(_ values: UnsafeBufferPointer<Float>, _ bytes: UnsafeMutableRawBufferPointer) {
        let scale = (values.map(\.magnitude).max() ?? 0) / 127
        let inverse = scale == 0 ? 0 : 1 / scale
        bytes.storeBytes(of: half(scale).littleEndian, as: UInt16.self)
        for (index, value) in values.enumerated() { bytes[2 + index] = UInt8(bitPattern: Int8(clamping: Int((value * inverse).rounded()))) }
    }

    /// The number of the largest magnitude becomes −8; the first 16 numbers are low halves of bytes, the others high halves.
    private static func encode4(_ values: UnsafeBufferPointer<Float>, _ bytes: UnsafeMutableRawBufferPointer) {
        var extreme: Float = 0
        for value in values where value.magnitude > extreme.magnitude { extreme = value }
        let scale = extreme / -8
        let inverse = scale == 0 ? 0 : 1 / scale
        bytes.storeBytes(of: half(scale).littleEndian, as: UInt16.self)
        func quantised(_ value: Float) -> UInt8 { UInt8(max(0, min(15, Int(value * inverse + 8.5)))) }
        for index in 0..<16 { bytes[2 + index] = quantised(values[index]) | quantised(values[index + 16]) << 4 }
    }

    static func decode(_ source: UnsafeRawBufferPointer, of type: GGUFType, into target: UnsafeMutableBufferPointer<Float>) {
        for block in 0..<target.count / length {
            let place = block * type.blockSize
            let scale = float(half: UInt16(littleEndian: source.loadUnaligned(fromByteOffset: place, as: UInt16.self)))
            let start = block * length
            if type == .q8 {
                for index in 0..<length { target[start + index] = scale * Float(Int8(bitPattern: source[place + 2 + index])) }
            } else {
                for index in 0..<16 {
                    let byte = source[place + 2 + index]
                    target[start + index] = scale * Float(Int(byte & 15) - 8)
                    target[start + index + 16] = scale * Float(Int(byte >> 4) - 8)
                }
            }
        }
    }

    // Float16 is no type of Swift on every platform.

    /// To the nearest float16, ties to even.
    static func half(_ value: Float) -> UInt16 {
        let sign = UInt16(value.bitPattern >> 16 & 0x8000)
        let magnitude = value.magnitude
        if magnitude.isNaN { return sign | 0x7E00 }
        if magnitude >= 65520 { return sign | 0x7C00 }
        // Below 2⁻¹⁴ steps of 2⁻²⁴; above, what follows the first 11 bits is rounded away.
        if magnitude < 0x1p-14 { return sign | UInt16((magnitude * 0x1p24).rounded(.toNearestOrEven)) }
        let bits = magnitude.bitPattern
        return sign | UInt16((bits + 0xFFF + (bits >> 13 & 1) - (112 << 23)) >> 13)
    }

    static func float(half bits: UInt16) -> Float {
        let (exponent, fraction) = (Int(bits >> 10 & 31), Float(bits & 1023))
        let magnitude =
            exponent == 0
            ? fraction * 0x1p-24
            : exponent == 31
                ? (fraction == 0 ? .infinity : .nan) : (1 + fraction * 0x1p-10) * Float(sign: .plus, exponent: exponent - 15, significand: 1)
        return bits >> 15 == 1 ? -magnitude : magnitude
    }
}
