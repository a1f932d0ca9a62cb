import YuyanText

extension Adapter {
    private static let beside: Set<String> = ["metadata"]

    /// What `RecordWriter` writes comes back as it was: with its own id and source.
    static let canonical = Adapter(
        "yuyan", "this program's own records: id, source, metadata, and text, messages, src_txt with tgt_txt, or prompt with answers",
        [["text"], ["messages"], ["src_txt", "tgt_txt"], ["prompt", "answers"]].map { Signature(["id", "source"] + $0, optional: beside) },
        .each { fields in
            let id = try fields.requiredText("id")
            let source = try fields.requiredText("source")
            let metadata = try fields.object("metadata")?.rest(except: []) ?? [:]
            if fields.has("text") {
                return [.document(Document(id: id, text: try fields.requiredText("text"), source: source, metadata: metadata))]
            }
            if fields.has("messages") {
                return [.conversation(Conversation(id: id, messages: try fields.messages("messages"), source: source, metadata: metadata))]
            }
            if fields.has("src_txt") {
                let (input, target) = (try fields.requiredText("src_txt"), try fields.requiredText("tgt_txt"))
                return [.pair(Pair(id: id, input: input, target: target, source: source, metadata: metadata))]
            }
            let answers = try fields.objects("answers").map { Comparison.Answer(text: try $0.requiredText("text"), score: try $0.score("score")) }
            let prompt = try fields.messages("prompt")
            return [.comparison(Comparison(id: id, prompt: prompt, answers: answers, source: source, metadata: metadata))]
        })
}
