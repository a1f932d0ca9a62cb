import Foundation

/// The layout of a token shard (`*.yyt`), little-endian:
///
///     header, 256 bytes       magic, version, bytes per token, counts, checksum, tokenizer fingerprint
///     token ids               UInt16 or UInt32 each, padded with zeros to a multiple of 8 bytes
///     document index          UInt64 each: where each document ends, in tokens
struct TokenShardHeader: Equatable {
    static let byteCount = 256
    static let magic = Array("YUYANTOK".utf8)
    static let version: UInt32 = 1
    static let fileExtension = "yyt"
    private static let fingerprintCapacity = 128

    /// 2 where every id fits 16 bits, else 4.
    var bytesPerToken: Int
    var tokenCount: Int
    var documentCount: Int
    /// Of the tokenizer: its largest id + 1.
    var vocabularySize: Int
    /// Of everything behind the header.
    var checksum: UInt64
    var tokenizerFingerprint: String

    static func bytesPerToken(vocabularySize: Int) -> Int { vocabularySize <= 1 << 16 ? 2 : 4 }

    /// Where the document index begins in the file.
    var indexOffset: Int { Self.byteCount + (tokenCount * bytesPerToken + 7) / 8 * 8 }
    var fileSize: Int { indexOffset + documentCount * 8 }

    func encoded() -> [UInt8] {
        var bytes = Self.magic
        func append(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
        append(Self.version)
        append(UInt32(bytesPerToken))
        for count in [tokenCount, documentCount, vocabularySize] { append(UInt64(count)) }
        append(checksum)
        let fingerprint = Array(tokenizerFingerprint.utf8.prefix(Self.fingerprintCapacity))
        append(UInt64(fingerprint.count))
        bytes += fingerprint
        bytes += [UInt8](repeating: 0, count: Self.byteCount - 8 - bytes.count)
        append(Self.checksum(of: bytes))
        return bytes
    }

    /// The header at the start of `file`'s bytes. Throws where the file is no shard, of another version, damaged or cut short.
    init(_ bytes: UnsafeRawBufferPointer, of file: URL) throws {
        guard bytes.count >= Self.magic.count, bytes.prefix(Self.magic.count).elementsEqual(Self.magic) else {
            throw DataError("\(file.path): not a token shard (its first bytes are not \"YUYANTOK\")")
        }
        guard bytes.count >= Self.byteCount else {
            throw DataError("\(file.path): the token shard is cut short, at \(bytes.count) bytes within its header; pack it again")
        }
        func load<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type) -> Value {
            Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
        }
        let version = load(8, as: UInt32.self)
        guard version == Self.version else {
            throw DataError("\(file.path): a token shard of version \(version), and this program reads version \(Self.version); pack it again")
        }
        let fingerprintLength = load(48, as: UInt64.self)
        let counts = [16, 24, 32].map { load($0, as: UInt64.self) }
        guard load(Self.byteCount - 8, as: UInt64.self) == Self.checksum(of: Array(bytes.prefix(Self.byteCount - 8))),
            fingerprintLength <= Self.fingerprintCapacity, counts.allSatisfy({ $0 < 1 << 48 }), [2, 4].contains(load(12, as: UInt32.self))
        else { throw DataError("\(file.path): the header of the token shard is damaged; pack it again") }
        bytesPerToken = Int(load(12, as: UInt32.self))
        (tokenCount, documentCount, vocabularySize) = (Int(counts[0]), Int(counts[1]), Int(counts[2]))
        checksum = load(40, as: UInt64.self)
        tokenizerFingerprint = String(decoding: bytes[56..<56 + Int(fingerprintLength)], as: UTF8.self)
    }

    init(bytesPerToken: Int, tokenCount: Int, documentCount: Int, vocabularySize: Int, checksum: UInt64, tokenizerFingerprint: String) {
        self.bytesPerToken = bytesPerToken
        self.tokenCount = tokenCount
        self.documentCount = documentCount
        self.vocabularySize = vocabularySize
        self.checksum = checksum
        self.tokenizerFingerprint = tokenizerFingerprint
    }

    private static func checksum(of bytes: [UInt8]) -> UInt64 {
        var checksum = Checksum()
        bytes.withUnsafeBytes { checksum.update($0) }
        return checksum.value
    }
}

/// A 64-bit checksum over whole 8-byte words: a multiplication and a rotation each, so that it keeps up with the disk. It finds
/// damage, not malice.
struct Checksum {
    private(set) var value: UInt64 = 0x9E37_79B9_7F4A_7C15

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count % 8 == 0, "a checksum is taken over whole words")
        for offset in stride(from: 0, to: bytes.count, by: 8) {
            update(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
        }
    }

    mutating func update(_ word: UInt64) {
        let mixed = (value ^ word) &* 0xD6E8_FEB8_6659_FD93
        value = mixed ^ (mixed >> 32)
    }
}

/// A stable 64-bit hash of a text's UTF-8 bytes (FNV-1a with a final mix), for decisions that must come out the same for ever.
func stableHash(_ text: String) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return mix(hash)
}
