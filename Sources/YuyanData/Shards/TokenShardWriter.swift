public import Foundation

/// Writes a token shard, one document after the other. The file appears under its name only when `finish` has written and
/// synced all of it; a writer that is dropped before leaves nothing behind.
public final class TokenShardWriter {
    /// What is needed to go on after an interruption, beside the bytes written so far.
    struct State: Codable {
        var tokenCount: Int
        var documentCount: Int
        var checksum: UInt64
        /// Of the document ends.
        var indexChecksum: UInt64
        /// Bytes after the last whole word, not in the file yet.
        var tail: [UInt8]
    }

    /// The file to be.
    public let file: URL
    /// Tokens appended so far.
    public private(set) var tokenCount = 0
    /// Documents appended so far.
    public var documentCount: Int { documentEnds.count }

    private let temporary: ByteFile
    /// The document ends that are saved for an interruption; nil until the first checkpoint.
    private var savedEnds: ByteFile?
    private let tokenizerFingerprint: String
    private let vocabularySize: Int
    private let bytesPerToken: Int
    private var documentEnds: [UInt64] = []
    private var buffer: [UInt8] = []
    private var checksum = Checksum()
    private var indexChecksum = Checksum()
    private var isFinished = false

    private static let blockSize = 1 << 20

    /// A writer of `file`, for ids below `vocabularySize` of the tokenizer with this fingerprint. Ids take 16 bits each where all
    /// fit, else 32.
    public init(_ file: URL, tokenizerFingerprint: String, vocabularySize: Int) throws {
        self.file = file
        self.tokenizerFingerprint = tokenizerFingerprint
        self.vocabularySize = vocabularySize
        bytesPerToken = TokenShardHeader.bytesPerToken(vocabularySize: vocabularySize)
        temporary = try ByteFile(file.appendingPathExtension("tmp"))
        try temporary.append([UInt8](repeating: 0, count: TokenShardHeader.byteCount))
    }

    /// A writer that goes on from a checkpoint: what was written after it is cut off. Throws where the bytes are not those of the checkpoint.
    init(_ file: URL, tokenizerFingerprint: String, vocabularySize: Int, from state: State) throws {
        self.file = file
        self.tokenizerFingerprint = tokenizerFingerprint
        self.vocabularySize = vocabularySize
        bytesPerToken = TokenShardHeader.bytesPerToken(vocabularySize: vocabularySize)
        let partial = file.appendingPathExtension("tmp")
        // It may have been finished after the checkpoint.
        if !FileManager.default.fileExists(atPath: partial.path) { rename(file.path, partial.path) }
        let tokenBytes = state.tokenCount * bytesPerToken - state.tail.count
        func checksum(_ file: URL, from start: Int, to end: Int) throws -> (Checksum, UnsafeRawBufferPointer, Mapping) {
            let mapping = try Mapping(file)
            guard mapping.bytes.count >= end, tokenBytes >= 0, tokenBytes % 8 == 0 else { throw DataError("\(file.path): is cut short") }
            var checksum = Checksum()
            let bytes = UnsafeRawBufferPointer(rebasing: mapping.bytes[start..<end])
            checksum.update(bytes)
            return (checksum, bytes, mapping)
        }
        let end = TokenShardHeader.byteCount + tokenBytes
        let tokens = try checksum(partial, from: TokenShardHeader.byteCount, to: end)
        let endsFile = Self.endsFile(of: file)
        let ends = try checksum(endsFile, from: 0, to: state.documentCount * 8)
        guard tokens.0.value == state.checksum, ends.0.value == state.indexChecksum else { throw DataError("\(partial.path): is damaged") }
        (self.checksum, indexChecksum) = (tokens.0, ends.0)
        documentEnds = withExtendedLifetime(ends.2) {
            (0..<state.documentCount).map { UInt64(littleEndian: ends.1.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)) }
        }
        tokenCount = state.tokenCount
        buffer = state.tail
        temporary = try ByteFile(partial, keeping: end)
        savedEnds = try ByteFile(endsFile, keeping: state.documentCount * 8)
    }

    deinit {
        // Where there is a checkpoint, another run goes on from it.
        if !isFinished, savedEnds == nil { unlink(temporary.file.path) }
    }

    private static func endsFile(of file: URL) -> URL { file.appendingPathExtension("ends.tmp") }

    /// Appends the ids of one document, its end-of-document token included.
    public func append(_ document: [Int32]) throws {
        let highest = document.reduce(UInt32(0)) { max($0, UInt32(bitPattern: $1)) }
        precondition(highest < vocabularySize, "token id \(Int32(bitPattern: highest)) is outside the vocabulary of \(vocabularySize)")
        let start = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: document.count * bytesPerToken))
        buffer.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            if bytesPerToken == 2 {
                for index in document.indices {
                    (base + (start + index * 2)).storeBytes(of: UInt16(truncatingIfNeeded: document[index]).littleEndian, as: UInt16.self)
                }
            } else {
                for index in document.indices { (base + (start + index * 4)).storeBytes(of: document[index].littleEndian, as: Int32.self) }
            }
        }
        tokenCount += document.count
        documentEnds.append(UInt64(tokenCount))
        if buffer.count >= Self.blockSize { try flushWords() }
    }

    /// Hands all that was appended to the system, and says how to go on from here.
    func checkpoint() throws -> State {
        try flushWords()
        try temporary.flush()
        let ends = try savedEnds ?? ByteFile(Self.endsFile(of: file))
        savedEnds = ends
        for end in documentEnds[(ends.count / 8)...] {
            try ends.append(end)
            indexChecksum.update(end)
        }
        try ends.flush()
        return State(
            tokenCount: tokenCount, documentCount: documentCount, checksum: checksum.value, indexChecksum: indexChecksum.value, tail: buffer)
    }

    /// Writes the index and the header, syncs, and gives the file its name.
    public func finish() throws {
        precondition(!isFinished, "a shard is finished once")
        buffer += [UInt8](repeating: 0, count: (8 - buffer.count % 8) % 8)
        try flushWords()
        for end in documentEnds {
            try temporary.append(end)
            checksum.update(end)
        }
        let header = TokenShardHeader(
            bytesPerToken: bytesPerToken, tokenCount: tokenCount, documentCount: documentCount, vocabularySize: vocabularySize,
            checksum: checksum.value, tokenizerFingerprint: tokenizerFingerprint)
        try temporary.overwrite(header.encoded(), at: 0)
        try temporary.synchronize()
        guard rename(temporary.file.path, file.path) == 0 else { throw DataError.system("rename it to \(file.lastPathComponent)", temporary.file) }
        isFinished = true
    }

    /// Writes the whole words of the buffer.
    private func flushWords() throws {
        let count = buffer.count & ~7
        try buffer.withUnsafeBytes { bytes in
            let words = UnsafeRawBufferPointer(rebasing: bytes[..<count])
            checksum.update(words)
            try temporary.append(words)
        }
        buffer.removeFirst(count)
    }
}
