import YuyanText

/// How conversations become pairs of an input, with as much of what was said before as fits, and an answer.
public struct WindowConfiguration: Codable, Sendable, Hashable {
    /// The most that an input may hold; answers are not counted.
    public var budget = 230
    /// What the budget is measured in.
    public var unit = BudgetUnit.characters
    /// The most earlier turns (a question with its answer) to keep; by default as many as fit.
    public var turns: Int?
    /// How an earlier turn is written.
    public var turn = "用户：{question}\n助手：{answer}\n"
    /// How the question is written that is to be answered.
    public var current = "用户：{question}\n助手："

    /// The last turns within 230 characters.
    public init() {}
}

/// Cuts conversations into windows.
struct Windows: Sendable {
    private let budget: TextBudget
    private let turns: Int
    private let turn: FactTemplate
    private let current: FactTemplate

    init(_ configuration: WindowConfiguration, tokenizer: Tokenizer?) throws {
        budget = try TextBudget(configuration.budget, configuration.unit, tokenizer: tokenizer)
        turns = configuration.turns ?? .max
        guard turns >= 0 else { throw DataError("a window keeps \(turns) earlier turns, and should keep 0 or more") }
        turn = try FactTemplate(configuration.turn, columns: ["question", "answer"], place: "windows.turn")
        current = try FactTemplate(configuration.current, columns: ["question"], place: "windows.current")
        guard budget.longestPrefix(of: "", in: written) != nil else {
            throw DataError(
                "a window of \(configuration.budget) \(configuration.unit) has no room for a question written as \"\(configuration.current)\"")
        }
    }

    private func written(_ question: String) -> String { current.filled([question]) ?? "" }

    /// A pair for each answer of the conversation: the opening system message and then the last turns, each while it fits whole, and the question.
    /// A question that does not fit alone keeps its beginning, and is counted as `windows.cut`.
    func pairs(_ conversation: Conversation, changes: inout [String: Int]) -> [Pair] {
        let (system, exchanges) = Self.exchanges(conversation.messages)
        var pairs: [Pair] = []
        for (number, exchange) in exchanges.enumerated() {
            guard let question = budget.longestPrefix(of: exchange.question, in: written) else { continue }
            if question.utf8.count < exchange.question.utf8.count { changes["windows.cut", default: 0] += 1 }
            var input = written(question)
            let opening = system.map { $0 + "\n" } ?? ""
            let head = budget.holds(opening + input) ? opening : ""
            for earlier in exchanges[..<number].suffix(min(turns, number)).reversed() {
                let longer = (turn.filled([earlier.question, earlier.answer]) ?? "") + input
                guard budget.holds(head + longer) else { break }
                input = longer
            }
            let id = exchanges.count > 1 ? "\(conversation.id)#\(number + 1)" : conversation.id
            pairs.append(
                Pair(id: id, input: head + input, target: exchange.answer, source: conversation.source, metadata: conversation.metadata))
        }
        return pairs
    }

    /// Questions with their answers: turns of one side in a row are joined, and what has no question or no answer falls away.
    private static func exchanges(_ messages: [Message]) -> (system: String?, exchanges: [(question: String, answer: String)]) {
        var system: [String] = []
        var exchanges: [(question: [String], answer: [String])] = []
        for message in messages where !isBlank(message.content) {
            switch message.role {
            case "system": system.append(message.content)
            case "user":
                if exchanges.last?.answer.isEmpty == true {
                    exchanges[exchanges.count - 1].question.append(message.content)
                } else {
                    exchanges.append(([message.content], []))
                }
            default:
                if !exchanges.isEmpty { exchanges[exchanges.count - 1].answer.append(message.content) }
            }
        }
        if exchanges.last?.answer.isEmpty == true { exchanges.removeLast() }
        return (
            system.isEmpty ? nil : system.joined(separator: "\n"),
            exchanges.map { ($0.question.joined(separator: "\n"), $0.answer.joined(separator: "\n")) }
        )
    }
}

/// How a title and a description become a question.
public struct TitleConfiguration: Codable, Sendable, Hashable {
    /// The name of the title in the metadata.
    public var title = "title"
    /// The names that a description may have in the metadata; the first that is there counts.
    public var description = ["description", "desc"]
    /// What stands between the two.
    public var separator = "\n"
    /// The most that the question may hold.
    public var budget = 230
    /// What the budget is measured in.
    public var unit = BudgetUnit.characters

    /// Title, line break, description, within 230 characters.
    public init() {}
}

/// Makes questions of titles.
struct TitleQuestions: Sendable {
    private let configuration: TitleConfiguration
    private let budget: TextBudget

    init(_ configuration: TitleConfiguration, tokenizer: Tokenizer?) throws {
        self.configuration = configuration
        budget = try TextBudget(configuration.budget, configuration.unit, tokenizer: tokenizer)
    }

    /// The record with title and description as its question: in the place of an earlier one, and before a document, which becomes the answer.
    /// A record without a title stays as it is. A question over the budget keeps its beginning, counted as `title.cut`.
    func question(_ record: Record, changes: inout [String: Int]) -> Record {
        let metadata = record.metadata
        guard let title = metadata[configuration.title], !isBlank(title) else { return record }
        let description = configuration.description.lazy.compactMap { metadata[$0] }.first { !isBlank($0) }
        // Data sets repeat the title where there is no description.
        let whole = description.map { $0.hasPrefix(title) ? $0 : title + configuration.separator + $0 } ?? title
        let question = budget.longestPrefix(of: whole, in: \.self) ?? ""
        if question.utf8.count < whole.utf8.count { changes["title.cut", default: 0] += 1 }
        changes["title.questions", default: 0] += 1
        return record.asking(question)
    }
}

extension Record {
    /// The first thing that is asked: a pair's input, the first turn of the user; nil in running text.
    var question: String? {
        switch self {
        case .document: nil
        case .conversation(let conversation): conversation.messages.first { $0.role == "user" }?.content
        case .pair(let pair): pair.input
        case .comparison(let comparison): comparison.prompt.first { $0.role == "user" }?.content
        }
    }

    /// The record with another question; running text becomes the answer to it.
    func asking(_ question: String) -> Record {
        switch self {
        case .document(let document):
            return .pair(Pair(id: document.id, input: question, target: document.text, source: document.source, metadata: document.metadata))
        case .conversation(var conversation):
            if let first = conversation.messages.firstIndex(where: { $0.role == "user" }) { conversation.messages[first].content = question }
            return .conversation(conversation)
        case .pair(var pair):
            pair.input = question
            return .pair(pair)
        case .comparison(var comparison):
            if let first = comparison.prompt.firstIndex(where: { $0.role == "user" }) { comparison.prompt[first].content = question }
            return .comparison(comparison)
        }
    }
}
