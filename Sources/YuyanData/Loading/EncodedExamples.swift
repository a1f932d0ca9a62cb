import YuyanText

/// What became of the records given to a loader of examples.
public struct ExampleReport: Sendable, Codable, Hashable {
    /// Examples made of the records given.
    public var examples = 0
    /// Of them, shortened: a conversation ends after its last whole answer that fits, an input or a source loses its end.
    public var truncated = 0
    /// Of them, left out because not even the first answer ends within the sequence length.
    public var tooLong = 0
    /// Of them, left out because there is nothing to write.
    public var withoutAnswer = 0
    /// Positions filled in one epoch.
    public var tokens = 0
    /// Of them, with a label.
    public var answerTokens = 0
    /// Rows in one epoch, of the sequence length each.
    public var rows = 0

    var nothingLeft: String {
        "none of the \(examples) examples can be learnt from: \(withoutAnswer) have no answer, and \(tooLong) have none that ends"
    }
}

/// Examples as ids in one flat array, 4 bytes per token: the top bit marks what is learnt.
struct EncodedExamples: Sendable {
    private(set) var report = ExampleReport()
    private var tokens: [UInt32] = []
    private var starts: [Int] = [0]

    private static let answerBit: UInt32 = 1 << 31

    /// Encodes on all cores and cuts each example to `limit` tokens.
    init(_ records: [Record], encoder: ExampleEncoder, limit: Int) throws {
        let batchSize = 4096
        for start in stride(from: 0, to: records.count, by: batchSize) {
            let batch = Array(records[start..<min(start + batchSize, records.count)])
            for examples in try parallelMap(batch, { try encoder.examples(of: $0, limit: limit) }) {
                for example in examples { append(example, limit: limit) }
            }
        }
    }

    private mutating func append(_ example: ExampleEncoder.Example, limit: Int) {
        report.examples += 1
        let (ids, answer) = (example.ids, example.isLearnt)
        // An answer ends at its last token; what follows the last one that fits teaches nothing.
        let ends = ids.indices.dropFirst().filter { answer[$0] && ($0 + 1 == ids.count || !answer[$0 + 1]) }
        guard let lastEnd = ends.last else {
            report.withoutAnswer += 1
            return
        }
        guard let end = ends.last(where: { $0 < limit }) else {
            report.tooLong += 1
            return
        }
        if end < lastEnd || example.isShortened { report.truncated += 1 }
        tokens += zip(ids, answer).prefix(end + 1).map { id, isAnswer in UInt32(bitPattern: id) | (isAnswer ? Self.answerBit : 0) }
        starts.append(tokens.count)
        report.tokens += end
        report.answerTokens += answer[1...end].count { $0 }
    }

    /// How many there are.
    var count: Int { starts.count - 1 }

    /// How many positions of a row each takes: the last token is only a label.
    var lengths: [Int] { (0..<count).map { starts[$0 + 1] - starts[$0] - 1 } }

    /// A number that tells these from others.
    var identity: UInt64 {
        var checksum = Checksum()
        for token in tokens { checksum.update(UInt64(token)) }
        for start in starts { checksum.update(UInt64(start)) }
        return checksum.value
    }

    /// Calls `body` with position, input and label (`Batch.ignored` outside the answers) for each position of an example.
    func forEachPosition(of index: Int, _ body: (_ position: Int, _ input: Int32, _ label: Int32) -> Void) {
        let tokens = tokens[starts[index]..<starts[index + 1]]
        for (position, (token, next)) in zip(tokens, tokens.dropFirst()).enumerated() {
            let isLearnt = next & Self.answerBit != 0
            body(position, Int32(token & ~Self.answerBit), isLearnt ? Int32(next & ~Self.answerBit) : Batch.ignored)
        }
    }
}
