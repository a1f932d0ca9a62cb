import YuyanText

extension Adapter {
    /// Several answers to one question, ranked.
    static let comparisons = [gpt4LLM, preference]

    private static let gpt4LLM = Adapter(
        "gpt-4-llm", "GPT-4-LLM: user_input, completion_a (the better), completion_b, or responses_and_scores; its instructions as Alpaca's",
        [["user_input", "completion_a", "completion_b"], ["user_input", "responses_and_scores"]], readsToo: [["instruction", "output"]]
    ) { fields in
        guard fields.names.contains("user_input") else { return try instruction(fields, input: "input", output: "output") }
        let prompt = [Message(role: "user", content: try fields.requiredText("user_input"))]
        var metadata = fields.rest(except: ["user_input", "completion_a", "completion_b", "responses_and_scores"])
        guard fields.names.contains("responses_and_scores") else {
            return [
                try fields.preferred(prompt, chosen: fields.requiredText("completion_a"), rejected: fields.requiredText("completion_b"), metadata)
            ]
        }
        let responses = bestFirst(
            try fields.objects("responses_and_scores").map { entry in
                let answer = Comparison.Answer(text: try entry.requiredText("response"), score: try entry.score("score"))
                return (answer: answer, source: try entry.text("source") ?? "")
            }, by: \.answer.score)
        if responses.contains(where: { !$0.source.isEmpty }) { metadata["sources"] = jsonText(responses.map(\.source)) }
        return [fields.comparison(prompt, responses.map(\.answer), metadata: metadata)]
    }

    private static let preference = Adapter(
        "preference", "chosen, rejected (text, a turn or a list of turns) after prompt, question, instruction, conversations or messages",
        [["chosen", "rejected"]]
    ) { fields in
        let names = ["prompt", "instruction", "input", "question", "query", "conversations", "messages", "chosen", "rejected", "system", "history"]
        let prompt = try prompt(fields)
        let metadata = fields.rest(except: Set(names))
        return [try fields.preferred(prompt, chosen: fields.answer("chosen"), rejected: fields.answer("rejected"), metadata)]
    }

    /// The turns that are answered.
    private static func prompt(_ fields: Fields) throws -> [Message] {
        let opening = try fields.opening()
        for list in ["conversations", "messages", "prompt"] where fields.kind(list) == .list { return try opening + fields.messages(list) }
        if fields.has("instruction") {
            let question = joined(try fields.requiredText("instruction"), try fields.text("input") ?? "")
            return opening + [Message(role: "user", content: question)]
        }
        for name in ["prompt", "question", "query"] where fields.has(name) {
            return opening + [Message(role: "user", content: try fields.requiredText(name))]
        }
        // Lists of turns that begin alike hold the prompt themselves.
        if fields.kind("chosen") == .list { return try opening + fields.messages("chosen").dropLast() }
        throw fields.error(
            "the record has chosen and rejected answers, but no field \"prompt\", \"conversations\" or \"instruction\" that they answer")
    }
}

extension Fields {
    fileprivate func preferred(_ prompt: [Message], chosen: String, rejected: String, _ metadata: [String: String]) throws -> Record {
        comparison(prompt, [Comparison.Answer(text: chosen, score: 1), Comparison.Answer(text: rejected, score: 0)], metadata: metadata)
    }

    /// An answer: text, a turn, or a list of turns that ends with it.
    fileprivate func answer(_ name: String) throws -> String {
        switch kind(name) {
        case .object: return try object(name)?.message().content ?? ""
        case .list:
            guard let last = try messages(name).last, last.role == "assistant" else {
                throw error("the list \"\(name)\" should end with an assistant's turn")
            }
            return last.content
        default: return try requiredText(name)
        }
    }

    /// A number that must be there.
    func score(_ name: String) throws -> Double {
        guard let score = try number(name) else { throw error("the field \"\(name)\" should be a number, not null") }
        return score
    }
}
