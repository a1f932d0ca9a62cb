public import YuyanText

/// Sources and targets for fine-tuning an encoder-decoder: a row of a batch is one pair, padded to the longest of the batch. The decoder reads the target moved on
/// by one, behind its start token (teacher forcing), and padding has no label.
///
/// Each epoch has an order of its own from the seed, in which rows of similar length come near each other, so that little is padded.
public struct ExchangeLoader: BatchSource, Sendable {
    /// Rows that this rank takes in a step; it may change during a run.
    public var batchSize: Int
    /// Pairs in one epoch.
    public var rowsPerEpoch: Int { report.rows }
    /// What became of the records.
    public let report: ExampleReport

    /// Sources and targets one behind the other, and where each begins.
    private var tokens: [Int32] = []
    private var starts: [Int] = [0]
    private let padding: Int32
    private let decoderStart: Int32
    private let isShuffled: Bool
    private var cursor: RowCursor
    private var order: (epoch: Int, rows: [Int32])

    /// Rows that are shuffled together before neighbours are chosen by length, and rows of a neighbourhood.
    private static let (pool, neighbourhood) = (2048, 32)

    /// A loader of `records`: pairs, and conversations, each answer of which is a target.
    ///
    /// - Parameters:
    ///   - template: of conversations: the tokenizer's own by default, else PromptCLUE's.
    ///   - sourceLength: the most tokens of a source, its end among them; longer ones lose their end.
    ///   - targetLength: the same of a target.
    ///   - decoderStart: what the decoder reads first.
    ///   - batchSize: rows per rank and step.
    ///   - shuffled: false for one fixed order, for measuring.
    ///   - epochs: nil to go on for ever. The last batch of a limited run may have fewer rows.
    /// - Throws: `DataError` where nothing is left to learn from, or a marker of the template is not in the vocabulary.
    public init(
        _ records: [Record], tokenizer: Tokenizer, template: ChatTemplate? = nil, sourceLength: Int, targetLength: Int, decoderStart: Int32,
        batchSize: Int, seed: UInt64, shuffled: Bool = true, epochs: Int? = nil, rank: Int = 0, worldSize: Int = 1
    ) throws {
        precondition(sourceLength > 0 && targetLength > 0, "a source and a target have at least one position")
        let encoder = try ExampleEncoder(
            tokenizer: tokenizer, template: template ?? tokenizer.chatTemplate ?? .standard(isEncoderDecoder: true))
        var report = ExampleReport()
        var checksum = Checksum()
        for exchanges in try parallelMap(records, { try encoder.exchanges(of: $0, sourceLimit: sourceLength, targetLimit: targetLength) }) {
            for exchange in exchanges {
                report.examples += 1
                guard exchange.source.count > 1, exchange.target.count > 1 else {
                    report.withoutAnswer += 1
                    continue
                }
                report.truncated += exchange.isShortened ? 1 : 0
                report.tokens += exchange.source.count + exchange.target.count
                report.answerTokens += exchange.target.count
                tokens += exchange.source
                starts.append(tokens.count)
                tokens += exchange.target
                starts.append(tokens.count)
            }
        }
        report.rows = (starts.count - 1) / 2
        guard report.rows > 0 else { throw DataError("\(report.nothingLeft) within \(targetLength) tokens") }
        for token in tokens { checksum.update(UInt64(UInt32(bitPattern: token))) }
        for start in starts { checksum.update(UInt64(start)) }
        padding = tokenizer.special.pad ?? tokenizer.special.eos ?? 0
        (self.report, self.decoderStart, self.batchSize, isShuffled) = (report, decoderStart, batchSize, shuffled)
        cursor = RowCursor(
            seed: seed, rowsPerEpoch: report.rows, dataIdentity: checksum.value, epochs: epochs, rank: rank, worldSize: worldSize)
        order = (0, [])
        order.rows = rows(ofEpoch: shuffled ? 0 : nil)
    }

    public var state: LoaderState {
        get { cursor.state }
        set { cursor.state = newValue }
    }

    public mutating func next() throws -> Batch? {
        guard let places = try cursor.next(batchSize) else { return nil }
        let rows = places.map { place in
            if isShuffled, order.epoch != place.epoch { order = (place.epoch, self.rows(ofEpoch: place.epoch)) }
            return Int(order.rows[place.index])
        }
        let (sources, targets) = (rows.map(source), rows.map(target))
        var batch = Batch(rows: max(rows.count, 1), columns: targets.map(\.count).max() ?? 1, padding: padding, separatesDocuments: false)
        var source = Batch.Source(rows: batch.rows, columns: sources.map(\.count).max() ?? 1, padding: padding)
        for (row, (from, to)) in zip(sources, targets).enumerated() {
            source.fill(row, from)
            let start = row * batch.columns
            batch.inputs.replaceSubrange(start..<start + to.count, with: [decoderStart] + to.dropLast())
            batch.labels.replaceSubrange(start..<start + to.count, with: to)
            batch.labelCount += to.count
        }
        batch.source = source
        return batch
    }

    private func source(_ row: Int) -> ArraySlice<Int32> { tokens[starts[2 * row]..<starts[2 * row + 1]] }
    private func target(_ row: Int) -> ArraySlice<Int32> { tokens[starts[2 * row + 1]..<starts[2 * row + 2]] }

    /// The order of an epoch; nil: by length alone.
    private func rows(ofEpoch epoch: Int?) -> [Int32] {
        var rows = (0..<report.rows).map(Int32.init)
        func isShorter(_ a: Int32, _ b: Int32) -> Bool {
            let (left, right) = (Int(a), Int(b))
            return (source(left).count + target(left).count, a) < (source(right).count + target(right).count, b)
        }
        guard let epoch else { return rows.sorted(by: isShorter) }
        var random = SeededRandom(seed: state.seed, UInt64(epoch), 2)
        random.shuffle(&rows)
        var neighbourhoods: [ArraySlice<Int32>] = []
        for start in stride(from: 0, to: rows.count, by: Self.pool) {
            let sorted = rows[start..<min(start + Self.pool, rows.count)].sorted(by: isShorter)
            for first in stride(from: 0, to: sorted.count, by: Self.neighbourhood) {
                neighbourhoods.append(sorted[first..<min(first + Self.neighbourhood, sorted.count)])
            }
        }
        random.shuffle(&neighbourhoods)
        return neighbourhoods.flatMap(\.self)
    }
}
