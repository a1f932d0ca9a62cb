public import Foundation
public import YuyanText

/// Token shards read as one stream of tokens, in the order of their names.
public struct ShardSet: Sendable {
    /// The shards, none of them empty.
    public let shards: [TokenShard]
    /// All tokens.
    public let tokenCount: Int
    /// All documents.
    public let documentCount: Int
    /// Where each shard begins in the stream.
    private let starts: [Int]

    /// These shard files, verified unless `verifyingChecksums` is false. Throws where one cannot be opened or is damaged, where two are of different
    /// tokenizers, or where there is no token in any.
    public init(_ files: [URL], verifyingChecksums: Bool = true) throws {
        shards = try parallelMap(files) { try TokenShard($0, verifyingChecksum: verifyingChecksums) }.filter { $0.tokenCount > 0 }
        guard let first = shards.first else {
            throw DataError("\(files.first?.deletingLastPathComponent().path ?? "token shards"): there are no tokens to read; pack some text first")
        }
        if let other = shards.first(where: { $0.tokenizerFingerprint != first.tokenizerFingerprint }) {
            throw DataError("\(other.file.path): packed with another tokenizer than \(first.file.lastPathComponent); pack both with one")
        }
        var total = 0
        starts = shards.map { shard in
            defer { total += shard.tokenCount }
            return total
        }
        tokenCount = total
        documentCount = shards.reduce(0) { $0 + $1.documentCount }
    }

    /// The shards of one split in a folder that `pack` filled.
    public init(_ folder: URL, split: PackSplit, verifyingChecksums: Bool = true) throws {
        let report = try PackReport(contentsOf: folder)
        let files = (split == .train ? report.train : report.validation).shards.map { folder.appendingPathComponent($0) }
        guard !files.isEmpty else {
            throw DataError("\(folder.path): no \(split.rawValue) documents were packed; give more documents or another validation fraction")
        }
        try self.init(files, verifyingChecksums: verifyingChecksums)
    }

    /// Of the tokenizer that made the shards: its largest id + 1.
    public var vocabularySize: Int { shards.map(\.vocabularySize).max() ?? 0 }
    /// Of the tokenizer that made the shards.
    public var tokenizerFingerprint: String { shards[0].tokenizerFingerprint }

    /// Throws where the shards were not made with this tokenizer.
    public func check(_ tokenizer: Tokenizer) throws {
        guard tokenizer.fingerprint == tokenizerFingerprint else {
            throw DataError(
                "\(shards[0].file.deletingLastPathComponent().path): the token shards were packed with another tokenizer "
                    + "(vocabulary of \(vocabularySize), this one has \(tokenizer.vocabularySize)); pack the text again with this one")
        }
    }

    /// A number that tells this stream from others: it changes with any token.
    var identity: UInt64 {
        var checksum = Checksum()
        for shard in shards { checksum.update(shard.checksum ^ UInt64(shard.tokenCount)) }
        return checksum.value
    }

    /// The ids at `range` of the stream, across shards.
    public func tokens(in range: Range<Int>) -> [Int32] {
        var ids: [Int32] = []
        ids.reserveCapacity(range.count)
        var position = range.lowerBound
        while position < range.upperBound {
            let index = shardIndex(at: position)
            let end = min(range.upperBound, starts[index] + shards[index].tokenCount)
            shards[index].appendTokens(in: position - starts[index]..<end - starts[index], to: &ids)
            position = end
        }
        return ids
    }

    /// The documents that overlap `range` of the stream, each cut to it; together they cover it.
    public func documents(in range: Range<Int>) -> [Range<Int>] {
        var parts: [Range<Int>] = []
        var position = range.lowerBound
        while position < range.upperBound {
            let index = shardIndex(at: position)
            let shard = shards[index]
            let document = shard.document(shard.documentIndex(at: position - starts[index]))
            let end = min(range.upperBound, starts[index] + document.upperBound)
            parts.append(position..<end)
            position = end
        }
        return parts
    }

    private func shardIndex(at position: Int) -> Int {
        precondition(position >= 0 && position < tokenCount, "token \(position) of \(tokenCount)")
        var (low, high) = (0, starts.count - 1)
        while low < high {
            let middle = (low + high + 1) / 2
            if starts[middle] <= position { low = middle } else { high = middle - 1 }
        }
        return low
    }
}
