public import Foundation

/// Writes a token shard, one document after the other. The file appears under its name only when `finish` has written and
/// synced all of it; a writer that is dropped before leaves nothing behind.
public final class TokenShardWriter {
    /// The file to be.
    public let file: URL
    /// Tokens appended so far.
    public private(set) var tokenCount = 0
    /// Documents appended so far.
    public var documentCount: Int { documentEnds.count }

    private let temporary: URL
    private let descriptor: Int32
    private let tokenizerFingerprint: String
    private let vocabularySize: Int
    private let bytesPerToken: Int
    private var documentEnds: [UInt64] = []
    private var buffer: [UInt8] = []
    private var checksum = Checksum()
    private var isFinished = false

    private static let blockSize = 1 << 20

    /// A writer of `file`, for ids below `vocabularySize` of the tokenizer with this fingerprint. Ids take 16 bits each where all
    /// fit, else 32.
    public init(_ file: URL, tokenizerFingerprint: String, vocabularySize: Int) throws {
        self.file = file
        self.tokenizerFingerprint = tokenizerFingerprint
        self.vocabularySize = vocabularySize
        bytesPerToken = TokenShardHeader.bytesPerToken(vocabularySize: vocabularySize)
        temporary = file.appendingPathExtension("tmp")
        descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard descriptor >= 0 else { throw DataError.system("write it", temporary) }
        try write([UInt8](repeating: 0, count: TokenShardHeader.byteCount))
    }

    deinit {
        close(descriptor)
        if !isFinished { unlink(temporary.path) }
    }

    /// Appends the ids of one document, its end-of-document token included.
    public func append(_ document: [Int32]) throws {
        for id in document {
            precondition(id >= 0 && id < vocabularySize, "token id \(id) is outside the vocabulary of \(vocabularySize)")
            if bytesPerToken == 2 {
                withUnsafeBytes(of: UInt16(truncatingIfNeeded: id).littleEndian) { buffer.append(contentsOf: $0) }
            } else {
                withUnsafeBytes(of: UInt32(bitPattern: id).littleEndian) { buffer.append(contentsOf: $0) }
            }
            if buffer.count >= Self.blockSize { try flush() }  // a whole number of words
        }
        tokenCount += document.count
        documentEnds.append(UInt64(tokenCount))
    }

    /// Writes the index and the header, syncs, and gives the file its name.
    public func finish() throws {
        precondition(!isFinished, "a shard is finished once")
        buffer += [UInt8](repeating: 0, count: (8 - buffer.count % 8) % 8)
        try flush()
        for end in documentEnds {
            withUnsafeBytes(of: end.littleEndian) { buffer.append(contentsOf: $0) }
            if buffer.count >= Self.blockSize { try flush() }
        }
        try flush()
        let header = TokenShardHeader(
            bytesPerToken: bytesPerToken, tokenCount: tokenCount, documentCount: documentCount, vocabularySize: vocabularySize,
            checksum: checksum.value, tokenizerFingerprint: tokenizerFingerprint)
        guard lseek(descriptor, 0, SEEK_SET) == 0 else { throw DataError.system("write it", temporary) }
        try write(header.encoded())
        guard fsync(descriptor) == 0 else { throw DataError.system("write it", temporary) }
        guard rename(temporary.path, file.path) == 0 else { throw DataError.system("rename it to \(file.lastPathComponent)", temporary) }
        isFinished = true
    }

    private func flush() throws {
        buffer.withUnsafeBytes { checksum.update($0) }
        try write(buffer)
        buffer.removeAll(keepingCapacity: true)
    }

    private func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let count = Foundation.write(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw DataError.system("write it", temporary) }
                written += count
            }
        }
    }
}
