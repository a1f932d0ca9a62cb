import Foundation

/// The shards of one split: `train-00000.yyt`, `train-00001.yyt`, …
struct ShardSeries {
    /// Where a series stands, to go on from there.
    struct State: Codable {
        var names: [String]
        /// Of the last shard, where it is not full yet.
        var partial: TokenShardWriter.State?
    }

    let folder: URL
    let split: PackSplit
    let tokensPerShard: Int
    let tokenizerFingerprint: String
    let vocabularySize: Int
    private var writer: TokenShardWriter?
    private var names: [String] = []

    /// A new series, or one that goes on from `state`. Throws where a file of it is missing or damaged.
    init(folder: URL, split: PackSplit, tokensPerShard: Int, tokenizerFingerprint: String, vocabularySize: Int, from state: State? = nil) throws {
        self.folder = folder
        self.split = split
        self.tokensPerShard = tokensPerShard
        self.tokenizerFingerprint = tokenizerFingerprint
        self.vocabularySize = vocabularySize
        guard let state else { return }
        names = state.names
        let whole = state.partial == nil ? names : names.dropLast()
        _ = try parallelMap(whole.map { folder.appendingPathComponent($0) }) { _ = try TokenShard($0) }
        if let partial = state.partial, let name = names.last {
            writer = try TokenShardWriter(
                folder.appendingPathComponent(name), tokenizerFingerprint: tokenizerFingerprint, vocabularySize: vocabularySize, from: partial)
        }
    }

    mutating func append(_ document: EncodedDocument, to part: inout PackReport.Part) throws {
        if let full = writer, full.tokenCount + document.ids.count > tokensPerShard {
            try full.finish()
            writer = nil
        }
        let current = try writer ?? begin()
        writer = current
        try current.append(document.ids)
        part.documents += 1
        part.tokens += document.ids.count
        part.characters += document.characters
        part.bytes += document.bytes
    }

    private mutating func begin() throws -> TokenShardWriter {
        let name = "\(split.rawValue)-" + PartFile.name(names.count, TokenShardHeader.fileExtension)
        names.append(name)
        return try TokenShardWriter(folder.appendingPathComponent(name), tokenizerFingerprint: tokenizerFingerprint, vocabularySize: vocabularySize)
    }

    /// Hands all that was appended to the system, so that a killed run can go on from here.
    func checkpoint() throws -> State {
        State(names: names, partial: try writer?.checkpoint())
    }

    mutating func finish() throws -> [String] {
        try writer?.finish()
        writer = nil
        return names
    }
}
