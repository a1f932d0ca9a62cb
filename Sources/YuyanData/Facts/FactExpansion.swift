import YuyanText

/// A question in a phrasing that was never learnt, with what a right answer must hold.
public struct HeldOutQuestion: Sendable, Codable, Hashable {
    /// As it is asked.
    public var question: String
    /// The text that a right answer holds.
    public var fact: String
    /// A right answer in full.
    public var answer: String
    /// The table it comes from.
    public var table: String

    /// A held-out question.
    public init(question: String, fact: String, answer: String, table: String) {
        self.question = question
        self.fact = fact
        self.answer = answer
        self.table = table
    }
}

/// What tables of facts become: sentences to pre-train on, questions to fine-tune on, and questions to be measured by.
public struct FactExpansion: Sendable {
    /// Each holds sentences on one row of one table, one for each relation; together they use every statement template on every row.
    public var statements: [Document] = []
    /// Every question template on every row, with its answer.
    public var questions: [Conversation] = []
    /// Every held-out template on every row; none of them is among `questions`.
    public var heldOut: [HeldOutQuestion] = []

    /// Expands tables; the order of each part depends on `seed` alone. Throws where one question has two different answers: no model
    /// could get both right.
    public init(_ tables: [FactTable], seed: UInt64) throws {
        for table in tables {
            for (number, row) in table.rows.enumerated() {
                add(
                    table.relations.map { ($0, row) }, id: "\(table.name)/\(number + 1)", source: table.name,
                    random: SeededRandom(seed: seed, stableHash(table.name), UInt64(number)))
            }
        }
        try checkConsistency()
        var random = SeededRandom(seed: seed, 0)
        random.shuffle(&statements)
        random.shuffle(&questions)
        random.shuffle(&heldOut)
    }

    /// Nothing yet.
    init() {}

    /// Adds what is known of one thing: relations, each with the row that fills its templates.
    mutating func add(_ facts: [(relation: FactTable.Relation, row: [String?])], id: String, source: String, random: SeededRandom) {
        var random = random
        var sentences: [[String]] = []
        for (relation, row) in facts {
            guard let fact = relation.fact.filled(row), let answer = relation.answer.filled(row) else { continue }
            var own = relation.statements.compactMap { $0.filled(row) }
            random.shuffle(&own)
            if !own.isEmpty { sentences.append(own) }
            for (number, question) in relation.questions.compactMap({ $0.filled(row) }).enumerated() {
                questions.append(Conversation(id: "\(id)/\(relation.name)/\(number + 1)", question: question, answer: answer, source: source))
            }
            heldOut += relation.heldOut.compactMap { template in
                template.filled(row).map { HeldOutQuestion(question: $0, fact: fact, answer: answer, table: source) }
            }
        }
        for number in 0..<(sentences.map(\.count).max() ?? 0) {
            random.shuffle(&sentences)
            let text = sentences.map { $0[number % $0.count] }.joined()
            statements.append(Document(id: "\(id)#\(number + 1)", text: text, source: source))
        }
    }

    private func checkConsistency() throws {
        var answers: [String: (answer: String, table: String)] = [:]
        for conversation in questions {
            let (question, answer) = (conversation.messages[0].content, conversation.messages[1].content)
            if let other = answers[question], other.answer != answer {
                throw DataError(
                    "the question \"\(question)\" has two answers: \"\(other.answer)\" in the table \(other.table) and \"\(answer)\" in \(conversation.source)"
                )
            }
            answers[question] = (answer, conversation.source)
        }
        var facts: [String: HeldOutQuestion] = [:]
        for question in heldOut {
            if let learnt = answers[question.question] {
                throw DataError(
                    "the held-out question \"\(question.question)\" of the table \(question.table) is learnt in the table \(learnt.table)")
            }
            if let other = facts[question.question], other.fact != question.fact {
                throw DataError(
                    "the held-out question \"\(question.question)\" has two answers: \"\(other.fact)\" in the table \(other.table) and \"\(question.fact)\" in "
                        + question.table)
            }
            facts[question.question] = question
        }
    }
}
