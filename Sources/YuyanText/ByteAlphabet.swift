/// GPT-2's printable stand-ins for bytes, in which byte-level vocabularies are written.
enum ByteAlphabet {
    /// The scalar for each byte: printable bytes stand for themselves, the others for U+0100 and on.
    static let scalars: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (0..<256).map { (byte: UInt32) in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(UInt8(byte))
            default:
                defer { next += 1 }
                return Unicode.Scalar(next) ?? "?"
            }
        }
    }()

    /// By the scalar's value; -1 for those that stand for no byte.
    private static let bytes: [Int16] = {
        var bytes = [Int16](repeating: -1, count: 0x180)
        for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = Int16(byte) }
        return bytes
    }()

    /// The bytes that a token stands for; nil when some character of it stands for none.
    static func bytes(of token: some Sequence<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        for scalar in String(decoding: Array(token), as: UTF8.self).unicodeScalars {
            guard scalar.value < 0x180, bytes[Int(scalar.value)] >= 0 else { return nil }
            result.append(UInt8(bytes[Int(scalar.value)]))
        }
        return result
    }

    static func text(of bytes: some Sequence<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        for byte in bytes { text.append(scalars[Int(byte)]) }
        return String(text)
    }
}
