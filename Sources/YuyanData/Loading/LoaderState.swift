/// Where a loader stands, in rows of the global batch: it means the same whatever the batch size and the number of ranks.
public struct LoaderState: Sendable, Codable, Hashable {
    /// What the order depends on.
    public var seed: UInt64
    /// Rows that all ranks together have taken since the beginning.
    public var position: Int
    /// Rows in one epoch.
    public var rowsPerEpoch: Int
    /// A number that tells this data from other data.
    public var dataIdentity: UInt64

    /// Full passes over the data so far.
    public var epoch: Int { position / rowsPerEpoch }
}

/// Deals the rows of all epochs out to ranks: row `position` of the run is row `position % rowsPerEpoch` of an epoch's order, a
/// global batch is the next `batchSize · worldSize` rows, and each rank takes its stretch of them.
struct RowCursor: Sendable {
    struct Row: Hashable {
        var epoch: Int
        /// The place in the epoch's order.
        var index: Int
    }

    var state: LoaderState
    private let expected: LoaderState
    private let epochs: Int?
    private let rank: Int
    private let worldSize: Int

    init(seed: UInt64, rowsPerEpoch: Int, dataIdentity: UInt64, epochs: Int?, rank: Int, worldSize: Int) {
        precondition(rowsPerEpoch > 0, "there are no rows to deal")
        precondition(worldSize > 0 && (0..<worldSize).contains(rank), "rank \(rank) of \(worldSize)")
        state = LoaderState(seed: seed, position: 0, rowsPerEpoch: rowsPerEpoch, dataIdentity: dataIdentity)
        expected = state
        self.epochs = epochs
        self.rank = rank
        self.worldSize = worldSize
    }

    /// This rank's rows of the next global batch, none where the last batch is too small to reach it; nil at the end.
    mutating func next(_ batchSize: Int) throws -> [Row]? {
        precondition(batchSize > 0, "a batch has at least one row")
        guard state.rowsPerEpoch == expected.rowsPerEpoch, state.dataIdentity == expected.dataIdentity, state.seed == expected.seed else {
            throw DataError(
                "the run to resume was made with other data, another sequence length or another seed "
                    + "(\(state.rowsPerEpoch) rows and seed \(state.seed), now \(expected.rowsPerEpoch) and \(expected.seed)); "
                    + "resume it with what it began with, or begin a new run")
        }
        let end = epochs.map { $0 * expected.rowsPerEpoch } ?? .max
        guard state.position < end else { return nil }
        let (start, stop) = (state.position + rank * batchSize, state.position + (rank + 1) * batchSize)
        state.position = min(end, state.position + batchSize * worldSize)
        return (min(start, end)..<min(stop, end)).map { Row(epoch: $0 / expected.rowsPerEpoch, index: $0 % expected.rowsPerEpoch) }
    }
}
