public import YuyanText

/// What a model reads of a record, and what of it it learns to write:
///
/// - a conversation as the chat template writes it, the assistant's turns with what ends them;
/// - a pair (`src_txt`, `tgt_txt`) as its input, its target and the end of the text, the last two (input-output training);
/// - a text (`src_txt` alone) as it stands with the end of the text, all of it (continuation), in several pieces where it is long.
public struct ExampleEncoder: Sendable {
    /// For a model that goes on with a text.
    struct Example: Sendable {
        var ids: [Int32]
        var isLearnt: [Bool]
        /// Whether something is missing for want of room.
        var isShortened = false
    }

    /// For a model that reads a source and writes a target.
    struct Exchange: Sendable {
        var source: [Int32]
        var target: [Int32]
        var isShortened = false
    }

    private let tokenizer: Tokenizer
    private let template: ChatTemplate
    private let end: Int32
    private let beginning: [Int32]

    /// Throws `DataError` where the tokenizer has no token that ends a text.
    public init(tokenizer: Tokenizer, template: ChatTemplate) throws {
        guard let end = tokenizer.special.eos ?? tokenizer.special.sep else {
            throw DataError("the tokenizer has no token that ends a text, which fine-tuning needs")
        }
        (self.tokenizer, self.template, self.end) = (tokenizer, template, end)
        beginning = [tokenizer.leadingBOS].compactMap { $0 }
    }

    /// At most `limit` tokens each; conversations longer than that come whole, to be cut after an answer.
    func examples(of record: Record, limit: Int) throws -> [Example] {
        switch record {
        case .conversation(let conversation):
            let (ids, isAnswer) = try encoded(conversation.messages, of: conversation.id, asking: false)
            return [Example(ids: ids, isLearnt: isAnswer)]
        case .pair(let pair):
            let (input, target) = (ids(of: pair.input), ids(of: pair.target) + [end])
            let room = limit - beginning.count - target.count
            let kept = Array(input.prefix(max(room, 0)))
            let learnt = [Bool](repeating: false, count: beginning.count + kept.count) + target.map { _ in true }
            return [Example(ids: beginning + kept + target, isLearnt: learnt, isShortened: kept.count < input.count)]
        case .document(let document):
            let whole = ids(of: document.text) + [end]
            let room = max(limit - beginning.count, 1)
            return stride(from: 0, to: whole.count, by: room).map { start in
                let piece = beginning + whole[start..<min(start + room, whole.count)]
                return Example(ids: piece, isLearnt: piece.map { _ in true })
            }
        case .comparison(let comparison):
            throw DataError("\(comparison.source): \(comparison.id) is a comparison of answers, and fine-tuning needs conversations, pairs or texts")
        }
    }

    /// Source and target, each with the end of the text, of at most so many tokens: of a source the end is cut, as every T5 was trained, and of a target too.
    /// Each answer of a conversation is a target, and what was said before it its source.
    func exchanges(of record: Record, sourceLimit: Int, targetLimit: Int) throws -> [Exchange] {
        func exchange(_ source: [Int32], _ target: [Int32]) -> Exchange {
            let isShortened = source.count >= sourceLimit || target.count >= targetLimit
            return Exchange(
                source: source.prefix(sourceLimit - 1) + [end], target: target.prefix(targetLimit - 1) + [end], isShortened: isShortened)
        }
        switch record {
        case .conversation(let conversation):
            return try conversation.messages.indices.filter { conversation.messages[$0].role == "assistant" }.map { turn in
                let (source, _) = try encoded(Array(conversation.messages[..<turn]), of: conversation.id, asking: true)
                return exchange(source, ids(of: conversation.messages[turn].content))
            }
        case .pair(let pair): return [exchange(ids(of: pair.input), ids(of: pair.target))]
        case .document(let document):
            throw DataError(
                "\(document.source): \(document.id) is running text, and a model that reads a source and writes a target needs pairs; make some with yuyan data shape"
            )
        case .comparison(let comparison):
            throw DataError("\(comparison.source): \(comparison.id) is a comparison of answers, and fine-tuning needs conversations or pairs")
        }
    }

    /// What a model is asked by a record, and what it should answer: a pair's halves, a conversation up to its last answer; nil where nothing is asked.
    ///
    /// - Parameter endsSource: whether the end of the text stands behind what is asked, as an encoder-decoder reads it.
    public func question(of record: Record, endsSource: Bool) throws -> (ids: [Int32], answer: String)? {
        switch record {
        case .conversation(let conversation):
            guard let last = conversation.messages.lastIndex(where: { $0.role == "assistant" }) else { return nil }
            let ids = try encoded(Array(conversation.messages[..<last]), of: conversation.id, asking: true).ids
            return (ids + (endsSource ? [end] : []), conversation.messages[last].content)
        case .pair(let pair): return (endsSource ? ids(of: pair.input) + [end] : beginning + ids(of: pair.input), pair.target)
        case .document, .comparison: return nil
        }
    }

    private func ids(of text: String) -> [Int32] { tokenizer.encode(plain: template.written(text)) }

    private func encoded(_ messages: [Message], of id: String, asking: Bool) throws -> (ids: [Int32], answer: [Bool]) {
        do {
            return try template.encode(messages, with: tokenizer, addingGenerationPrompt: asking)
        } catch {
            throw DataError("\(id): the conversation cannot be encoded: \(error)")
        }
    }
}
