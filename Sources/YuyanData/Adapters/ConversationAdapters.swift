import YuyanText

extension Adapter {
    /// Lists of turns.
    static let conversations = [messages, shareGPT]

    private static let messages = Adapter("messages", "OpenAI's messages: role, content; roles of counselling sets too", [["messages"]]) { fields in
        [fields.conversation(try fields.opening() + fields.messages("messages"), metadata: fields.rest(except: ["messages", "system", "history"]))]
    }

    private static let shareGPT = Adapter(
        "sharegpt", "ShareGPT: conversations or items with from, value; conversation with human, assistant",
        [["conversations"], ["items"], ["conversation"]],
        sharedTurns)

    static func sharedTurns(_ fields: Fields) throws -> [Record] {
        let list = ["conversations", "items", "conversation"].first { fields.names.contains($0) } ?? "conversations"
        var messages = try fields.opening()
        for turn in try fields.objects(list) {
            // The Chinese–English set writes one object for a question and its answer.
            if turn.has("human") || turn.has("assistant") {
                messages.append(Message(role: "user", content: try turn.requiredText("human")))
                messages.append(Message(role: "assistant", content: try turn.requiredText("assistant")))
            } else {
                messages.append(try turn.message())
            }
        }
        return [fields.conversation(messages, metadata: fields.rest(except: [list, "system", "history"]))]
    }
}
