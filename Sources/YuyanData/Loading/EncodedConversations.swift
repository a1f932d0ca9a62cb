import YuyanText

/// What became of the conversations given to a `ConversationLoader`.
public struct ConversationReport: Sendable, Codable, Hashable {
    /// Conversations given.
    public var conversations = 0
    /// Of them, cut after their last whole answer that fits.
    public var truncated = 0
    /// Of them, left out because even the first answer does not end within the sequence length.
    public var tooLong = 0
    /// Of them, left out because the assistant says nothing.
    public var withoutAnswer = 0
    /// Positions filled in one epoch.
    public var tokens = 0
    /// Of them, with a label.
    public var answerTokens = 0
    /// Rows in one epoch, of the sequence length each.
    public var rows = 0
}

/// Conversations as ids in one flat array, 4 bytes per token: the top bit marks the assistant's tokens.
struct EncodedConversations: Sendable {
    private(set) var report = ConversationReport()
    private var tokens: [UInt32] = []
    private var starts: [Int] = [0]

    private static let answerBit: UInt32 = 1 << 31

    /// Encodes on all cores and cuts each conversation to `limit` tokens, after an answer.
    init(_ conversations: [Conversation], tokenizer: Tokenizer, template: ChatTemplate, limit: Int) throws {
        let batchSize = 4096
        for start in stride(from: 0, to: conversations.count, by: batchSize) {
            let batch = Array(conversations[start..<min(start + batchSize, conversations.count)])
            let encoded = try parallelMap(batch) { conversation in
                do {
                    return try template.encode(conversation.messages, with: tokenizer, addingGenerationPrompt: false)
                } catch {
                    throw DataError("\(conversation.id): the conversation cannot be encoded: \(error)")
                }
            }
            for (ids, answer) in encoded { append(ids, answer, limit: limit) }
        }
    }

    private mutating func append(_ ids: [Int32], _ answer: [Bool], limit: Int) {
        report.conversations += 1
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
        if end < lastEnd { report.truncated += 1 }
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

    /// Calls `body` with position, input and label (`Batch.ignored` outside the answers) for each position of a conversation.
    func forEachPosition(of index: Int, _ body: (_ position: Int, _ input: Int32, _ label: Int32) -> Void) {
        let tokens = tokens[starts[index]..<starts[index + 1]]
        for (position, (token, next)) in zip(tokens, tokens.dropFirst()).enumerated() {
            let isLearnt = next & Self.answerBit != 0
            body(position, Int32(token & ~Self.answerBit), isLearnt ? Int32(next & ~Self.answerBit) : Batch.ignored)
        }
    }
}
