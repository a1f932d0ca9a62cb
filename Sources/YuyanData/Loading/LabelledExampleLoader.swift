/// Examples for a model with a task head: packed into rows of `sequenceLength` positions, all sequences of one example in the same row. Each sequence is a
/// document of its own, whose positions restart and whose every token but the last has the next one as label; `Batch.examples` says where the head reads.
///
/// Each epoch packs and orders the examples anew from the seed.
public struct LabelledExampleLoader: BatchSource, Sendable {
    /// An example in tokens.
    public struct Example: Sendable, Hashable {
        /// One, or as many as the head compares; each ends with the token that the head reads at.
        public var sequences: [[Int32]]
        /// The right class, or sequence.
        public var label: Int

        /// An example.
        public init(sequences: [[Int32]], label: Int) { (self.sequences, self.label) = (sequences, label) }
    }

    /// Rows of a batch.
    public let batchSize: Int
    /// Positions in a row.
    public let sequenceLength: Int
    /// Rows in one epoch, the same in all.
    public var rowsPerEpoch: Int { rows.rowsPerEpoch }
    /// Examples in one epoch.
    public var count: Int { examples.count }

    private let examples: [Example]
    private let padding: Int32
    private var rows: PackedEpochs

    /// A loader of `examples`.
    ///
    /// - Parameters:
    ///   - padding: the token that fills rows up.
    ///   - seed: what packing and order depend on.
    ///   - shuffled: false for one fixed order, for measuring.
    ///   - epochs: nil to go on for ever.
    /// - Throws: `DataError` where there is no example, or one is longer than a row.
    public init(
        _ examples: [Example], sequenceLength: Int, batchSize: Int, padding: Int32, seed: UInt64, shuffled: Bool = true, epochs: Int? = nil
    ) throws {
        guard !examples.isEmpty else { throw DataError("there are no examples to learn from") }
        let lengths = examples.map { $0.sequences.reduce(0) { $0 + $1.count } }
        if let longest = lengths.max(), longest > sequenceLength {
            throw DataError("an example takes \(longest) tokens, and a row has only \(sequenceLength); raise sequence_length")
        }
        (self.examples, self.sequenceLength, self.batchSize, self.padding) = (examples, sequenceLength, batchSize, padding)
        var identity = Checksum()
        for example in examples {
            identity.update(UInt64(example.label))
            for sequence in example.sequences {
                identity.update(UInt64(sequence.count))
                for token in sequence { identity.update(UInt64(UInt32(bitPattern: token))) }
            }
        }
        rows = PackedEpochs(lengths, capacity: sequenceLength, identity: identity.value, seed: seed, shuffled: shuffled, epochs: epochs)
    }

    public var state: LoaderState {
        get { rows.state }
        set { rows.state = newValue }
    }

    public mutating func next() throws -> Batch? {
        guard let packed = try rows.next(batchSize) else { return nil }
        var batch = Batch(rows: packed.count, columns: sequenceLength, padding: padding, separatesDocuments: true)
        for (row, items) in packed.enumerated() { fill(&batch, row: row, items: items) }
        return batch
    }

    private func fill(_ batch: inout Batch, row: Int, items: ArraySlice<Int32>) {
        var start = row * sequenceLength
        var document: Int32 = 0
        for item in items {
            let example = examples[Int(item)]
            var reads: [Int] = []
            for sequence in example.sequences {
                for (position, token) in sequence.enumerated() {
                    batch.inputs[start + position] = token
                    if position + 1 < sequence.count { batch.labels[start + position] = sequence[position + 1] }
                    batch.documents?[start + position] = document
                    batch.positions?[start + position] = Int32(position)
                }
                batch.labelCount += sequence.count - 1
                start += sequence.count
                document += 1
                reads.append(start - 1)
            }
            batch.examples.append(Batch.Example(number: Int(item), reads: reads, label: example.label))
        }
    }
}
