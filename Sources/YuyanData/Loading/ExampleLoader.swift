public import YuyanText

/// Examples for fine-tuning a model that goes on with a text: whole ones packed into rows of `sequenceLength` positions, with labels on what the model should
/// write only (`ExampleEncoder`) and never from one example to the next. `documents` tells them apart, `positions` restart.
///
/// They are encoded once; each epoch packs and orders them anew from the seed. `report` counts what was shortened and left out.
public struct ExampleLoader: BatchSource, Sendable {
    /// Rows that this rank takes in a step; it may change during a run.
    public var batchSize: Int
    /// Positions in a row.
    public let sequenceLength: Int
    /// Rows in one epoch, the same in all.
    public var rowsPerEpoch: Int { report.rows }
    /// What became of the records.
    public let report: ExampleReport

    private let examples: EncodedExamples
    private let padding: Int32
    private var rows: PackedEpochs

    /// A loader of `records`.
    ///
    /// - Parameters:
    ///   - template: of conversations: the tokenizer's own by default, else Yuyan's.
    ///   - batchSize: rows per rank and step.
    ///   - seed: what packing and order depend on.
    ///   - shuffled: false for one fixed order, for measuring.
    ///   - epochs: nil to go on for ever. The last batch of a limited run may have fewer rows.
    ///   - rank: which of `worldSize` equal shares of each global batch to take. A share that gets no row of the last batch is a row of padding.
    /// - Throws: `DataError` where nothing is left to learn from, or a marker of the template is not in the vocabulary.
    public init(
        _ records: [Record], tokenizer: Tokenizer, template: ChatTemplate? = nil, sequenceLength: Int, batchSize: Int, seed: UInt64,
        shuffled: Bool = true, epochs: Int? = nil, rank: Int = 0, worldSize: Int = 1
    ) throws {
        precondition(sequenceLength > 0, "a sequence has at least one position")
        let encoder = try ExampleEncoder(tokenizer: tokenizer, template: template ?? tokenizer.chatTemplate ?? .standard(isEncoderDecoder: false))
        examples = try EncodedExamples(records, encoder: encoder, limit: sequenceLength + 1)
        var report = examples.report
        guard examples.count > 0 else { throw DataError("\(report.nothingLeft) within \(sequenceLength) tokens") }
        rows = PackedEpochs(
            examples.lengths, capacity: sequenceLength, identity: examples.identity, seed: seed, shuffled: shuffled, epochs: epochs, rank: rank,
            worldSize: worldSize)
        report.rows = rows.rowsPerEpoch
        padding = tokenizer.special.pad ?? tokenizer.special.eos ?? 0
        (self.report, self.sequenceLength, self.batchSize) = (report, sequenceLength, batchSize)
    }

    public var state: LoaderState {
        get { rows.state }
        set { rows.state = newValue }
    }

    public mutating func next() throws -> Batch? {
        guard let packed = try rows.next(batchSize) else { return nil }
        var batch = Batch(rows: max(packed.count, 1), columns: sequenceLength, padding: padding, separatesDocuments: true)
        for (row, items) in packed.enumerated() { fill(&batch, row: row, items: items) }
        return batch
    }

    private func fill(_ batch: inout Batch, row: Int, items: ArraySlice<Int32>) {
        var start = row * sequenceLength
        for (number, item) in items.enumerated() {
            examples.forEachPosition(of: Int(item)) { position, input, label in
                batch.inputs[start + position] = input
                batch.labels[start + position] = label
                batch.documents?[start + position] = Int32(number)
                batch.positions?[start + position] = Int32(position)
                if label != Batch.ignored { batch.labelCount += 1 }
            }
            start += rows.lengths[Int(item)]
        }
    }
}
