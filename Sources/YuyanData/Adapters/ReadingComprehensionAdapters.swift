import Foundation

extension Adapter {
    /// Passages with questions whose answers stand in them; read for question generation: from answer and passage to the question.
    static let readingComprehension = [squad]

    private static let squad = Adapter(
        "squad", "SQuAD, CMRC 2018, DuReader_robust, DRCD: a file, an article, a passage or a question → pairs for question generation",
        [
            Signature(["data"], optional: ["version"]), Signature(["paragraphs"]), Signature(["context", "qas"]), Signature(["context_text", "qas"]),
            Signature(["context", "question", "answers"]), Signature(["context", "question", "answer"]),
        ],
        .each { fields in
            var records: [Record] = []
            func passage(_ fields: Fields, title: String?) throws {
                let context = try fields.firstText("context", "context_text")
                for entry in try fields.objects("qas") {
                    records.append(try questionGeneration(entry, context: context, title: title, suffix: "#\(records.count + 1)"))
                }
            }
            func article(_ fields: Fields) throws {
                let title = try fields.text("title")
                guard fields.names.contains("paragraphs") else { return try passage(fields, title: title) }
                for paragraph in try fields.objects("paragraphs") { try passage(paragraph, title: title) }
            }
            if fields.names.contains("data") {
                for entry in try fields.objects("data") { try article(entry) }
            } else if fields.names.contains("question") {
                let (context, title) = (try fields.requiredText("context"), try fields.text("title"))
                records.append(try questionGeneration(fields, context: context, title: title, suffix: ""))
            } else {
                try article(fields)
            }
            return records
        })

    /// `answer[SEP]passage` → question, as ModelScope's DuReader_robust-QG has it. Of several answers the first is asked for; a question without one
    /// gives a pair with nothing on its left, which readers count as empty.
    private static func questionGeneration(_ fields: Fields, context: String, title: String?, suffix: String) throws -> Record {
        let answers = try answers(fields)
        var metadata: [String: String] = [:]
        metadata["title"] = title.flatMap { isBlank($0) ? nil : $0 }
        metadata["question_id"] = try fields.has("id") ? fields.text("id") : fields.text("query_id")
        metadata["answer"] = answers.first
        if answers.count > 1 { metadata["answers"] = jsonText(answers) }
        let question = try fields.firstText("question", "query_text")
        return fields.pair(answers.first.map { "\($0)[SEP]\(context)" } ?? "", question, metadata: metadata, suffix: suffix)
    }

    /// The different answers in their order: objects with a text (SQuAD), texts (CMRC's first release), an object of lists (Hugging Face), or one text.
    private static func answers(_ fields: Fields) throws -> [String] {
        let all: [String]
        switch (fields.kind("answers"), fields.kind("answer")) {
        case (.object, _): all = try fields.object("answers")?.texts("text") ?? []
        case (.list, _):
            all = try (try? fields.texts("answers")) ?? fields.objects("answers").map { try $0.requiredText("text") }
        case (.nothing, .nothing): all = []
        case (.nothing, _): all = [try fields.requiredText("answer")]
        default: all = [try fields.requiredText("answers")]
        }
        var seen: Set<String> = []
        return all.filter { !isBlank($0) && seen.insert($0).inserted }
    }
}

/// A list of texts as JSON.
func jsonText(_ texts: [String]) -> String? {
    (try? JSONSerialization.data(withJSONObject: texts, options: .withoutEscapingSlashes)).map { String(decoding: $0, as: UTF8.self) }
}
