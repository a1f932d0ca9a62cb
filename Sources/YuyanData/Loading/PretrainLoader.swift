import Foundation

/// Windows of a token stream for pre-training: `sequenceLength` inputs and, one further on, as many labels. Windows stand end to end, so
/// each token but the first is a label once per epoch; the last window is padded, without labels, where the stream ends inside.
public struct PretrainLoader: BatchSource, Sendable {
    /// Rows that this rank takes in a step; it may grow during a run.
    public var batchSize: Int
    /// Positions in a row.
    public let sequenceLength: Int
    /// Windows in one epoch.
    public let rowsPerEpoch: Int

    private let shards: ShardSet
    private let isShuffled: Bool
    private let separatesDocuments: Bool
    private var cursor: RowCursor

    /// A loader over `shards`.
    ///
    /// - Parameters:
    ///   - batchSize: rows per rank and step.
    ///   - seed: what the order depends on; each epoch has another.
    ///   - shuffled: false for the order of the stream.
    ///   - epochs: nil to go on for ever. The last batch of a limited run may have fewer rows.
    ///   - separateDocuments: fills `documents` and `positions`, and leaves out the labels that would cross from one document to the next.
    ///   - rank: which of `worldSize` equal shares of each global batch to take. A share that gets no row of the last batch is a row of padding.
    public init(
        _ shards: ShardSet, sequenceLength: Int, batchSize: Int, seed: UInt64, shuffled: Bool = true, epochs: Int? = nil,
        separateDocuments: Bool = false, rank: Int = 0, worldSize: Int = 1
    ) throws {
        precondition(sequenceLength > 0, "a sequence has at least one position")
        guard shards.tokenCount >= 2 else {
            throw DataError("\(shards.shards[0].file.path): one token is too little to train on; pack more text")
        }
        self.shards = shards
        self.sequenceLength = sequenceLength
        self.batchSize = batchSize
        isShuffled = shuffled
        separatesDocuments = separateDocuments
        rowsPerEpoch = (shards.tokenCount - 1 + sequenceLength - 1) / sequenceLength
        cursor = RowCursor(
            seed: seed, rowsPerEpoch: rowsPerEpoch, dataIdentity: mix(shards.identity ^ UInt64(sequenceLength)), epochs: epochs, rank: rank,
            worldSize: worldSize)
    }

    /// A loader that goes once through `shards` in order, for measuring.
    public static func validation(
        _ shards: ShardSet, sequenceLength: Int, batchSize: Int, separateDocuments: Bool = false, rank: Int = 0, worldSize: Int = 1
    ) throws -> PretrainLoader {
        try PretrainLoader(
            shards, sequenceLength: sequenceLength, batchSize: batchSize, seed: 0, shuffled: false, epochs: 1, separateDocuments: separateDocuments,
            rank: rank, worldSize: worldSize)
    }

    public var state: LoaderState {
        get { cursor.state }
        set { cursor.state = newValue }
    }

    public mutating func next() throws -> Batch? {
        guard let rows = try cursor.next(batchSize) else { return nil }
        var batch = Batch(rows: max(rows.count, 1), columns: sequenceLength, padding: 0, separatesDocuments: separatesDocuments)
        for (index, row) in rows.enumerated() {
            let window = isShuffled ? Permutation(count: rowsPerEpoch, seed: state.seed, epoch: row.epoch)[row.index] : row.index
            fill(&batch, row: index, window: window)
        }
        return batch
    }

    private func fill(_ batch: inout Batch, row: Int, window: Int) {
        let start = window * sequenceLength
        let tokens = shards.tokens(in: start..<min(start + sequenceLength + 1, shards.tokenCount))
        let base = row * sequenceLength
        batch.inputs.replaceSubrange(base..<base + tokens.count - 1, with: tokens.dropLast())
        batch.labels.replaceSubrange(base..<base + tokens.count - 1, with: tokens.dropFirst())
        batch.labelCount += tokens.count - 1
        guard separatesDocuments else { return }
        for (number, document) in shards.documents(in: start..<start + tokens.count - 1).enumerated() {
            for (position, token) in document.enumerated() {
                batch.documents?[base + token - start] = Int32(number)
                batch.positions?[base + token - start] = Int32(position)
            }
            // The last token of a document would predict the first of the next one.
            let next = document.upperBound
            if shards.documents(in: next - 1..<next + 1).count > 1 {
                batch.labels[base + next - 1 - start] = Batch.ignored
                batch.labelCount -= 1
            }
        }
    }
}
