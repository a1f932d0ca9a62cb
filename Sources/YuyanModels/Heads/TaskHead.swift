/// What a head decides, and the tokens that its inputs are built with.
public struct TaskHead: Sendable, Hashable {
    /// The tasks of GPT-1 (Radford et al. 2018, section 3.3 and figure 1). Each sequence ends with the extract token, where the head reads.
    public enum Task: String, Codable, Sendable, CaseIterable {
        /// `start text extract`.
        case classification
        /// `start premise delimiter hypothesis extract`.
        case entailment
        /// Two texts in both orders, `start one delimiter other extract`; what is read at both ends is added.
        case similarity
        /// `start context delimiter answer extract` for each answer, and a softmax over their scores.
        case choice
    }

    public var task: Task
    /// The names of the classes; none for multiple choice, whose answers come with each example.
    public var labels: [String]
    public var start: Int32
    public var delimiter: Int32
    public var extract: Int32
    /// Tokens that the sequences of one example may have together.
    public var limit: Int

    public init(task: Task, labels: [String], start: Int32, delimiter: Int32, extract: Int32, limit: Int) {
        (self.task, self.labels, self.limit) = (task, labels, limit)
        (self.start, self.delimiter, self.extract) = (start, delimiter, extract)
    }

    /// Numbers that the head reads at one extract token.
    public var outputs: Int { task == .choice ? 1 : labels.count }

    /// The sequences of one example, each with what the head reads it by.
    ///
    /// - Parameter texts: tokens of the one text; of the two texts; or of the context and then of each answer. The longest text of a sequence is cut at its
    ///   end until all fit.
    public func sequences(of texts: [[Int32]]) -> [[Int32]] {
        func sequence(_ parts: [[Int32]], _ limit: Int) -> [Int32] {
            var lengths = parts.map(\.count)
            let room = max(0, limit - parts.count - 1)
            while lengths.reduce(0, +) > room, let longest = lengths.max(), let place = lengths.lastIndex(of: longest) {
                let second = lengths.enumerated().filter { $0.offset != place }.map(\.element).max() ?? 0
                lengths[place] -= min(lengths.reduce(0, +) - room, max(1, longest - second))
            }
            let cut = zip(parts, lengths).map { Array($0.prefix($1)) }
            return [start] + cut.joined(separator: [delimiter]) + [extract]
        }
        switch task {
        case .classification, .entailment: return [sequence(texts, limit)]
        case .similarity: return [sequence(texts, limit / 2), sequence(texts.reversed(), limit / 2)]
        case .choice: return texts.dropFirst().map { sequence([texts[0], $0], limit / max(1, texts.count - 1)) }
        }
    }
}

/// The head in a Hugging Face `config.json`: labels where transformers' sequence classification has them, the rest under `task_head`.
struct TaskHeadFile: Decodable {
    private struct Rest: Decodable {
        var task: TaskHead.Task
        var start: Int32
        var delimiter: Int32
        var extract: Int32
        var limit: Int
    }

    /// Nil where the configuration is of a model without one.
    var head: TaskHead?

    private enum CodingKeys: String, CodingKey {
        case rest = "task_head"
        case labels = "id2label"
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        guard let rest = try values.decodeIfPresent(Rest.self, forKey: .rest) else { return }
        var labels: [String] = []
        if rest.task != .choice {
            let byNumber = try values.decode([String: String].self, forKey: .labels)
            labels = try (0..<byNumber.count).map { number in
                guard let label = byNumber["\(number)"] else {
                    throw WeightsError("id2label: the labels should be numbered from 0 on, and \(number) is missing")
                }
                return label
            }
        }
        head = TaskHead(task: rest.task, labels: labels, start: rest.start, delimiter: rest.delimiter, extract: rest.extract, limit: rest.limit)
    }
}

extension TaskHead {
    /// What is added to the configuration of the model that has it.
    var configurationJSON: [String: any Sendable] {
        let names = task == .choice ? ["LABEL_0"] : labels
        let numbered = names.enumerated().map { ("\($0)", $1) }
        return [
            "id2label": Dictionary(uniqueKeysWithValues: numbered),
            "label2id": Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) }),
            "problem_type": "single_label_classification",
            "task_head": [
                "task": task.rawValue, "start": Int(start), "delimiter": Int(delimiter), "extract": Int(extract), "limit": limit,
            ] as [String: any Sendable],
        ]
    }
}
