/// One turn of a conversation.
public struct Message: Codable, Sendable, Hashable {
    /// `system`, `user` or `assistant`.
    public var role: String
    public var content: String

    public init(role: String, content: String) {
        self.role = role
        self.content = content
    }
}

/// How a conversation is written for a model: what stands around each turn. `{role}` stands for the role, `{bos}` and `{eos}` for the tokenizer's tokens for the
/// beginning and the end of a text.
public struct ChatTemplate: Codable, Sendable, Hashable {
    /// What stands before and behind a turn's content.
    public struct Turn: Codable, Sendable, Hashable {
        public var open: String
        public var close: String

        public init(_ open: String, _ close: String) { (self.open, self.close) = (open, close) }
    }

    /// How it is called: `yuyan`, `chatml`.
    public var name: String
    /// What stands before everything else.
    public var opening = ""
    public var system: Turn
    public var user: Turn
    public var assistant: Turn
    /// A question right behind the system's message, where that is written differently (Llama 2 puts the two into one).
    public var userAfterSystem: Turn?
    /// The question to be answered, where earlier ones are written differently.
    public var lastUser: Turn?
    /// What the assistant is given to go on from, where that is less than all that stands before an answer.
    public var cue: String?
    /// What the system says where a conversation has no system message; nil: nothing.
    public var standardSystem: String?
    /// The most earlier questions that are shown; nil: all.
    public var turns: Int?
    /// What stands around the passages that a question is to be answered from.
    public var knowledge = Turn("参考资料：\n", "\n\n")
    /// Whether the passages stand before the question's opening instead of at the head of its content.
    public var knowledgeStandsBefore = false
    /// Whether white space around a message is taken away.
    public var trims = false
    /// What a line end is written as, for models whose vocabulary has none (PromptCLUE: `_`); nil: as it is.
    public var lineEnd: String?
    /// What ends the assistant's answer: tokens where the tokenizer has them, else texts.
    public var stop: [String]

    /// A template that writes all roles alike: `open` with `{role}` in it, the content, `close`.
    public init(name: String = "custom", open: String, close: String, stop: [String]) {
        self.init(name: name, system: Turn(open, close), user: Turn(open, close), assistant: Turn(open, close), stop: stop)
    }

    /// A template with a way of writing for each role.
    public init(name: String, system: Turn, user: Turn, assistant: Turn, stop: [String]) {
        (self.name, self.system, self.user, self.assistant, self.stop) = (name, system, user, assistant, stop)
    }

    /// A text as the model reads and writes it.
    public func written(_ text: String) -> String { lineEnd.map { text.replacing("\n", with: $0) } ?? text }

    /// What the model wrote, as a person reads it.
    public func read(_ text: String) -> String { lineEnd.map { text.replacing($0, with: "\n") } ?? text }

    /// The conversation as one text; with the assistant's cue at the end when a reply is to be generated.
    ///
    /// - Parameters:
    ///   - knowledge: passages that the last question is to be answered from.
    ///   - special: what `{bos}` and `{eos}` become.
    public func render(
        _ messages: [Message], knowledge: [String] = [], addingGenerationPrompt: Bool, bos: String = "", eos: String = ""
    ) -> String {
        pieces(messages, knowledge, addingGenerationPrompt).map { piece in
            piece.isContent ? piece.text : piece.text.replacing("{bos}", with: bos).replacing("{eos}", with: eos)
        }.joined()
    }

    /// The conversation as ids. Markers are added by id and contents are plain text: a marker that someone writes into a message stays text.
    /// `answer` is true on what the assistant says and on the marker that ends it; where the last question is written in a way of its own, on the last
    /// answer only.
    /// Throws `TokenizerError` when a marker is not one token of the tokenizer's vocabulary.
    public func encode(
        _ messages: [Message], knowledge: [String] = [], with tokenizer: Tokenizer, addingGenerationPrompt: Bool
    ) throws -> (ids: [Int32], answer: [Bool]) {
        var encoding = Encoding(tokenizer: tokenizer)
        for var piece in pieces(messages, knowledge, addingGenerationPrompt) {
            piece.text = written(piece.text)
            if piece.isContent {
                encoding.append(piece.text, isAnswer: piece.isAnswer)
            } else {
                for (text, isMarker) in markers(in: piece.text) {
                    if isMarker {
                        try encoding.append(marker: text, isAnswer: piece.isAnswer)
                    } else {
                        encoding.append(text, isAnswer: piece.isAnswer)
                    }
                }
            }
        }
        return encoding.finish()
    }

    // MARK: The parts of a conversation

    /// A part of a conversation's text: written by the template, or by who speaks.
    private struct Piece {
        var text: String
        var isContent: Bool
        var isAnswer = false
    }

    private func pieces(_ messages: [Message], _ knowledge: [String], _ addingGenerationPrompt: Bool) -> [Piece] {
        var messages = shown(messages)
        if trims { for index in messages.indices { messages[index].content = messages[index].content.trimmed } }
        let last = messages.lastIndex { $0.role == "user" }
        let lastAnswer = messages.lastIndex { $0.role == "assistant" }
        var pieces: [Piece] = []
        func write(_ text: String, isContent: Bool = false, isAnswer: Bool = false) {
            if !text.isEmpty { pieces.append(Piece(text: text, isContent: isContent, isAnswer: isAnswer)) }
        }
        write(opening)
        for (index, message) in messages.enumerated() {
            let turn = self.turn(index, in: messages, isLast: index == last)
            let passages = index == last ? knowledge : []
            if !passages.isEmpty, knowledgeStandsBefore {
                write(self.knowledge.open)
                write(passages.joined(separator: "\n"), isContent: true)
                write(self.knowledge.close)
            }
            guard message.role == "assistant" else {
                write(turn.open)
                if !passages.isEmpty, !knowledgeStandsBefore {
                    write(self.knowledge.open + passages.joined(separator: "\n") + self.knowledge.close, isContent: true)
                }
                // A question that ends with what an answer begins with, as pCLUE's do, is not given it twice.
                let ending = turn.close + assistant.open
                let isComplete = message.role == "user" && !assistant.open.isEmpty && message.content.hasSuffix(ending)
                write(isComplete ? String(message.content.dropLast(ending.count)) : message.content, isContent: true)
                write(turn.close)
                continue
            }
            let isLearnt = lastUser == nil || index == lastAnswer
            // What the model is given to go on from is not its answer.
            let given = cue ?? turn.open
            write(given)
            write(String(turn.open.dropFirst(given.count)), isAnswer: isLearnt)
            write(message.content, isContent: true, isAnswer: isLearnt)
            write(turn.close, isAnswer: isLearnt)
        }
        if addingGenerationPrompt { write(cue ?? turn(of: "assistant").open) }
        return pieces
    }

    /// The messages that the model sees: with what the system says by default, and without the questions that are too long ago.
    private func shown(_ messages: [Message]) -> [Message] {
        var messages = messages
        if let turns {
            let questions = messages.indices.filter { messages[$0].role == "user" }
            if questions.count > turns + 1 {
                let first = questions[questions.count - turns - 1]
                messages = messages[..<first].filter { $0.role == "system" } + messages[first...]
            }
        }
        if let standardSystem, messages.first?.role != "system" { messages.insert(Message(role: "system", content: standardSystem), at: 0) }
        return messages
    }

    private func turn(_ index: Int, in messages: [Message], isLast: Bool) -> Turn {
        let role = messages[index].role
        guard role == "user" else { return turn(of: role) }
        if isLast, let lastUser { return lastUser }
        if index > 0, messages[index - 1].role == "system", let userAfterSystem { return userAfterSystem }
        return turn(of: role)
    }

    private func turn(of role: String) -> Turn {
        let turn = role == "system" ? system : role == "assistant" ? assistant : user
        return Turn(turn.open.replacing("{role}", with: role), turn.close.replacing("{role}", with: role))
    }

    /// Cuts what the template writes into markers (`<|…|>`, `{bos}`, `{eos}`) and text between.
    private func markers(in text: String) -> [(text: String, isMarker: Bool)] {
        var parts: [(text: String, isMarker: Bool)] = []
        var start = text.startIndex
        for match in text.matches(of: /<\|[^|<>]*\|>|<\/s>|\{bos\}|\{eos\}/) {
            if start < match.range.lowerBound { parts.append((String(text[start..<match.range.lowerBound]), false)) }
            parts.append((String(match.output), true))
            start = match.range.upperBound
        }
        if start < text.endIndex { parts.append((String(text[start...]), false)) }
        return parts
    }
}

extension String {
    /// Without white space at both ends, as Python's `strip`.
    fileprivate var trimmed: String {
        let scalars = unicodeScalars
        guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(scalars[first...last])
    }
}

/// Ids under construction. Text between two markers is encoded as a whole, as a tokenizer encodes the rendered conversation; where an answer begins in the
/// middle of it, the answer begins with the first token that the text before it does not have alone.
private struct Encoding {
    let tokenizer: Tokenizer
    private var ids: [Int32] = []
    private var answer: [Bool] = []
    /// Text since the last marker, and where in it (in UTF-8) answers begin and end.
    private var run = ""
    private var changes: [(offset: Int, isAnswer: Bool)] = []

    init(tokenizer: Tokenizer) { self.tokenizer = tokenizer }

    mutating func append(_ text: String, isAnswer: Bool) {
        if changes.last?.isAnswer != isAnswer { changes.append((run.utf8.count, isAnswer)) }
        run += text
    }

    mutating func append(marker: String, isAnswer: Bool) throws {
        let id: Int32?
        switch marker {
        case "{bos}":
            // Some tokenizers have none: then nothing stands there.
            guard let bos = tokenizer.special.bos ?? tokenizer.special.cls else { return }
            id = bos
        case "{eos}": id = tokenizer.special.eos ?? tokenizer.special.sep
        case "</s>":
            // A text like another where it is not a token.
            guard let end = tokenizer.id(of: marker) else { return append(marker, isAnswer: isAnswer) }
            id = end
        default: id = tokenizer.id(of: marker)
        }
        guard let id else {
            throw TokenizerError("The tokenizer has no token \(marker), which the chat template needs; use a tokenizer that has it.")
        }
        flush()
        ids.append(id)
        answer.append(isAnswer)
    }

    mutating func finish() -> (ids: [Int32], answer: [Bool]) {
        flush()
        return (ids, answer)
    }

    private mutating func flush() {
        guard !run.isEmpty else { return }
        let new = tokenizer.encode(plain: run)
        var mask = [Bool](repeating: changes[0].isAnswer, count: new.count)
        for (offset, isAnswer) in changes.dropFirst() {
            let before = tokenizer.encode(plain: String(run.utf8.prefix(offset)) ?? "")
            let common = zip(before, new).prefix { $0 == $1 }.count
            for index in common..<new.count { mask[index] = isAnswer }
        }
        ids += new
        answer += mask
        run = ""
        changes = []
    }
}
