import YuyanText

extension Adapter {
    /// Instructions with what should be answered to them.
    static let instructions = [belle, dolly, alpaca, gpTeacher, pCLUE, gpt4All]

    /// BELLE's files have several layouts; its instruction files have Alpaca's fields and are guessed as such, to the same effect.
    private static let belle = Adapter(
        "belle", "BELLE: evaluation set, seed tasks (instances), instructions, \"Human: … Assistant:\" and conversations",
        [["question", "std_answer"], ["instruction", "instances"]], readsToo: [["instruction", "output"], ["conversations"]]
    ) { fields in
        if fields.names.contains("conversations") { return try sharedTurns(fields) }
        if fields.names.contains("instances") { return try instances(fields) }
        if fields.names.contains("output") { return try instruction(fields, input: "input", output: "output") }
        let (question, answer) = (try fields.requiredText("question"), try fields.requiredText("std_answer"))
        return [try fields.exchange(question, answer, used: ["question", "std_answer"])]
    }

    private static let alpaca = Adapter(
        "alpaca", "Alpaca and its kin (AlpacaDataCleaned, BELLE, GPT-4-LLM): instruction, input, output, with system and history",
        [["instruction", "output"]]
    ) { try instruction($0, input: "input", output: "output") }

    private static let dolly = Adapter(
        "dolly", "databricks-dolly-15k: instruction, context, response, category", [["instruction", "context", "response"]]
    ) { try instruction($0, input: "context", output: "response") }

    private static let gpTeacher = Adapter("gpteacher", "GPTeacher: instruction, input, response", [["instruction", "response"]]) {
        try instruction($0, input: "input", output: "response")
    }

    private static let pCLUE = Adapter(
        "pclue", "pCLUE and PromptCLUE: input (the whole prompt), target, type, answer_choices", [["input", "target"]]
    ) { fields in
        [try fields.exchange(try fields.requiredText("input"), try fields.requiredText("target"), used: ["input", "target"])]
    }

    private static let gpt4All = Adapter("gpt4all", "GPT4All: prompt, response, source", [["prompt", "response", "source"]]) { fields in
        [try fields.exchange(try fields.requiredText("prompt"), try fields.requiredText("response"), used: ["prompt", "response"])]
    }

    /// An instruction, perhaps with an input to it, and the output; or the "Human: … Assistant:" that BELLE's multi-turn set writes into the instruction.
    static func instruction(_ fields: Fields, input: String, output: String) throws -> [Record] {
        let used: Set = ["instruction", input, output]
        let task = try fields.requiredText("instruction")
        let answer = try fields.requiredText(output)
        let addition = try fields.text(input) ?? ""
        guard let earlier = labelledTurns(task), isBlank(addition) else {
            return [try fields.exchange(joined(task, isNoInput(addition) ? "" : addition), answer, used: used)]
        }
        var messages = try fields.opening() + earlier
        if let last = messages.last, last.role == "assistant" {
            messages[messages.count - 1] = Message(role: "assistant", content: last.content + answer)
        } else {
            messages.append(Message(role: "assistant", content: answer))
        }
        messages.removeAll { isBlank($0.content) }
        return [fields.conversation(messages, metadata: fields.rest(except: used.union(["system", "history"])))]
    }

    /// What some of Alpaca's generated records write in the place of an empty input.
    private static func isNoInput(_ text: String) -> Bool { ["<noinput>", "<no input>", "noinput", "<无输入>"].contains(text.lowercased()) }

    /// One instruction with several inputs and outputs.
    private static func instances(_ fields: Fields) throws -> [Record] {
        let task = try fields.requiredText("instruction")
        return try fields.objects("instances").enumerated().map { index, instance in
            let question = joined(task, try instance.text("input") ?? "")
            return try fields.exchange(
                question, try instance.requiredText("output"), used: ["instruction", "instances"], suffix: "#\(index + 1)")
        }
    }
}

/// The turns of a text whose lines begin with "Human:" and "Assistant:"; nil where it does not begin with the one or lacks the other. The last turn may be blank.
func labelledTurns(_ text: String) -> [Message]? {
    let labels = [("Human:", "user"), ("Assistant:", "assistant")]
    guard text.hasPrefix("Human:") else { return nil }
    var turns: [(role: String, lines: [Substring])] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
        if let (label, role) = labels.first(where: { line.hasPrefix($0.0) }) {
            turns.append((role, [line.dropFirst(label.count)]))
        } else {
            turns[turns.count - 1].lines.append(line)
        }
    }
    guard turns.contains(where: { $0.role == "assistant" }) else { return nil }
    return turns.map { Message(role: $0.role, content: trimmed($0.lines.joined(separator: "\n"))) }
}

/// Without white space at both ends.
private func trimmed(_ text: String) -> String {
    var scalars = text.unicodeScalars[...]
    while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
    while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
    return String(scalars)
}
