/// Rows of tokens for one forward pass, flat and row by row.
public struct Batch: Sendable, Hashable {
    /// The label of a position that is not learnt from.
    public static let ignored: Int32 = -100

    /// Sequences.
    public var rows: Int
    /// Positions in each.
    public var columns: Int
    /// [rows × columns] token ids.
    public var inputs: [Int32]
    /// [rows × columns] the id to predict at each position, or `Batch.ignored`.
    public var labels: [Int32]
    /// [rows × columns] which document of its row a position belongs to, counted from 0; -1 on padding. Nil where a row is one stream.
    public var documents: [Int32]?
    /// [rows × columns] the position within its document. Nil where positions simply count along the row.
    public var positions: [Int32]?
    /// What an encoder-decoder reads before it writes; nil for other models.
    public var source: Source?
    /// How many labels are not ignored: what the summed loss of a step is divided by.
    public var labelCount: Int
    /// What a task head reads and decides in this batch.
    public var examples: [Example] = []

    /// An example of a task head.
    public struct Example: Sendable, Hashable {
        /// Which one of the loader's it is.
        public var number: Int
        /// The last position of each of its sequences, counted through all rows.
        public var reads: [Int]
        /// The right class, or sequence.
        public var label: Int
    }

    /// Tokens read: the source's among them.
    public var tokenCount: Int { inputs.count + (source?.tokens.count ?? 0) }

    /// Sources of an encoder-decoder, one for each row.
    public struct Source: Sendable, Hashable {
        /// Positions in each row.
        public var columns: Int
        /// [rows × columns] token ids.
        public var tokens: [Int32]
        /// How many of each row count; the rest is padding.
        public var lengths: [Int]

        /// Padding, one token of which counts in each row: attention needs something to look at.
        init(rows: Int, columns: Int, padding: Int32) {
            self.columns = columns
            (tokens, lengths) = ([Int32](repeating: padding, count: rows * columns), [Int](repeating: 1, count: rows))
        }

        mutating func fill(_ row: Int, _ ids: ArraySlice<Int32>) {
            tokens.replaceSubrange(row * columns..<row * columns + ids.count, with: ids)
            lengths[row] = ids.count
        }
    }

    /// A batch of padding: no document and no label anywhere.
    init(rows: Int, columns: Int, padding: Int32, separatesDocuments: Bool) {
        self.rows = rows
        self.columns = columns
        inputs = [Int32](repeating: padding, count: rows * columns)
        labels = [Int32](repeating: Batch.ignored, count: rows * columns)
        documents = separatesDocuments ? [Int32](repeating: -1, count: rows * columns) : nil
        positions = separatesDocuments ? [Int32](repeating: 0, count: rows * columns) : nil
        labelCount = 0
    }
}

/// Batches without end or until the epochs are over, the same ones in the same order for the same seed.
public protocol BatchSource {
    /// The next batch, or nil at the end of the last epoch. Throws where `state` was set to that of other data.
    mutating func next() throws -> Batch?

    /// Where the source stands. Setting a state that was taken earlier goes on from there exactly.
    var state: LoaderState { get set }
}
