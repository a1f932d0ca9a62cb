/// Items packed into rows, epoch after epoch, and dealt out to ranks (`RowCursor`). Each epoch packs and orders them anew from the seed; where nothing is
/// shuffled all epochs are alike, packed and dealt in the order of the items.
struct PackedEpochs: Sendable {
    /// Positions that each item takes.
    let lengths: [Int]
    /// Rows in one epoch, the same in all.
    let rowsPerEpoch: Int

    private let capacity: Int
    private let isShuffled: Bool
    private var cursor: RowCursor
    private var plan: (epoch: Int, rows: PackedRows)

    /// Rows of `capacity` positions.
    ///
    /// - Parameters:
    ///   - identity: a number that tells the items from others.
    ///   - epochs: nil to go on for ever.
    ///   - rank: which of `worldSize` equal shares of each global batch to take.
    init(
        _ lengths: [Int], capacity: Int, identity: UInt64, seed: UInt64, shuffled: Bool, epochs: Int?, rank: Int = 0, worldSize: Int = 1
    ) {
        plan = (0, Self.packed(lengths, capacity, seed: seed, epoch: shuffled ? 0 : nil))
        (self.lengths, self.capacity, isShuffled, rowsPerEpoch) = (lengths, capacity, shuffled, plan.rows.count)
        cursor = RowCursor(
            seed: seed, rowsPerEpoch: rowsPerEpoch, dataIdentity: mix(identity ^ UInt64(capacity)), epochs: epochs, rank: rank, worldSize: worldSize)
    }

    /// Where this stands; one that was taken earlier goes on from there.
    var state: LoaderState {
        get { cursor.state }
        set { cursor.state = newValue }
    }

    /// The items of each of this rank's next `batchSize` rows, no row where the last batch is too small to reach it; nil at the end.
    mutating func next(_ batchSize: Int) throws -> [ArraySlice<Int32>]? {
        guard let places = try cursor.next(batchSize) else { return nil }
        return places.map { place in
            guard isShuffled else { return plan.rows[place.index] }
            if plan.epoch != place.epoch { plan = (place.epoch, Self.packed(lengths, capacity, seed: state.seed, epoch: place.epoch)) }
            return plan.rows[Permutation(count: rowsPerEpoch, seed: state.seed, epoch: place.epoch)[place.index]]
        }
    }

    /// The rows of one epoch; nil: those of items in their order.
    private static func packed(_ lengths: [Int], _ capacity: Int, seed: UInt64, epoch: Int?) -> PackedRows {
        var order = lengths.indices.map { Int32($0) }
        if let epoch {
            // Not the numbers that order the rows.
            var random = SeededRandom(seed: seed, UInt64(epoch), 1)
            random.shuffle(&order)
        }
        return PackedRows(lengths: lengths, capacity: capacity, order: order)
    }
}
