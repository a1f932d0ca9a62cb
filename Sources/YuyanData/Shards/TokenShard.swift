public import Foundation

/// A token shard, memory-mapped: only what is read is brought in. Opening it verifies its checksum, at the speed of the disk.
public struct TokenShard: Sendable {
    /// The file.
    public let file: URL
    private let mapping: Mapping
    private let header: TokenShardHeader

    /// All tokens, end-of-document tokens included.
    public var tokenCount: Int { header.tokenCount }
    /// All documents.
    public var documentCount: Int { header.documentCount }
    /// Of the tokenizer that made it: its largest id + 1.
    public var vocabularySize: Int { header.vocabularySize }
    /// Of the tokenizer that made it.
    public var tokenizerFingerprint: String { header.tokenizerFingerprint }
    /// 2 or 4.
    public var bytesPerToken: Int { header.bytesPerToken }
    /// Of the ids and the index, as the header has it.
    public var checksum: UInt64 { header.checksum }

    /// Opens a shard. Throws where it is missing, no shard, of another version, cut short, or where a byte has changed; without
    /// `verifyingChecksum`, which reads all of it, the last goes unseen.
    public init(_ file: URL, verifyingChecksum: Bool = true) throws {
        self.file = file
        mapping = try Mapping(file)
        header = try TokenShardHeader(mapping.bytes, of: file)
        guard mapping.bytes.count == header.fileSize else {
            throw DataError("\(file.path): the token shard has \(mapping.bytes.count) bytes where its header says \(header.fileSize); pack it again")
        }
        if verifyingChecksum { try verify() }
    }

    /// Throws where the contents differ from the checksum in the header.
    public func verify() throws {
        var computed = Checksum()
        computed.update(UnsafeRawBufferPointer(rebasing: mapping.bytes[TokenShardHeader.byteCount...]))
        guard computed.value == header.checksum else {
            throw DataError("\(file.path): the token shard is damaged (its checksum does not match); pack it again")
        }
    }

    /// Appends the ids at `range` (in tokens from the start of the shard) to `ids`.
    public func appendTokens(in range: Range<Int>, to ids: inout [Int32]) {
        precondition(range.lowerBound >= 0 && range.upperBound <= tokenCount, "tokens \(range) of a shard of \(tokenCount)")
        let start = TokenShardHeader.byteCount + range.lowerBound * bytesPerToken
        let bytes = UnsafeRawBufferPointer(rebasing: mapping.bytes[start..<start + range.count * bytesPerToken])
        if bytesPerToken == 2 {
            ids += bytes.bindMemory(to: UInt16.self).lazy.map { Int32(UInt16(littleEndian: $0)) }
        } else {
            ids += bytes.bindMemory(to: UInt32.self).lazy.map { Int32(truncatingIfNeeded: UInt32(littleEndian: $0)) }
        }
    }

    /// Where document `index` begins and ends, in tokens.
    public func document(_ index: Int) -> Range<Int> {
        precondition(index >= 0 && index < documentCount, "document \(index) of \(documentCount)")
        return (index == 0 ? 0 : documentEnd(index - 1))..<documentEnd(index)
    }

    /// Which document the token at `position` belongs to: a binary search in the index.
    public func documentIndex(at position: Int) -> Int {
        precondition(position >= 0 && position < tokenCount, "token \(position) of \(tokenCount)")
        var (low, high) = (0, documentCount - 1)
        while low < high {
            let middle = (low + high) / 2
            if documentEnd(middle) > position { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private func documentEnd(_ index: Int) -> Int {
        Int(UInt64(littleEndian: mapping.bytes.loadUnaligned(fromByteOffset: header.indexOffset + index * 8, as: UInt64.self)))
    }
}

/// A file's bytes in memory, read-only, until the last copy is gone.
final class Mapping: @unchecked Sendable {  // the bytes are never written
    let bytes: UnsafeRawBufferPointer

    init(_ file: URL) throws {
        let descriptor = open(file.path, O_RDONLY)
        guard descriptor >= 0 else { throw DataError.system("read it", file) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw DataError.system("read it", file) }
        guard status.st_size > 0 else { throw DataError("\(file.path): not a token shard (it is empty)") }
        guard let address = mmap(nil, Int(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
            throw DataError.system("map it into memory", file)
        }
        bytes = UnsafeRawBufferPointer(start: address, count: Int(status.st_size))
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    }
}
