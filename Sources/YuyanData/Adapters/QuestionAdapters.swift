import YuyanText

extension Adapter {
    /// Question-and-answer sets with a layout of their own, and dialogues in tables.
    static let questions = [baike2018qa, webtext2019zh, dialogue]

    private static let baike2018qa = Adapter(
        "baike2018qa", "baike2018qa: qid, category, title, desc, answer → question (title and description) and answer",
        [["qid", "title", "desc", "answer"]]
    ) { fields in
        let question = joined(try fields.text("title") ?? "", try fields.text("desc") ?? "")
        return [try fields.exchange(question, try fields.text("answer") ?? "", used: ["title", "desc", "answer"])]
    }

    /// `desc` may repeat the title; the stars are likes, at least three.
    private static let webtext2019zh = Adapter(
        "webtext2019zh", "webtext2019zh: qid, title, desc, topic, star, content, answer_id, answerer_tags → question and answer",
        [["qid", "title", "desc", "content"]]
    ) { fields in
        let question = joined(try fields.text("title") ?? "", try fields.text("desc") ?? "")
        return [try fields.exchange(question, try fields.text("content") ?? "", used: ["title", "desc", "content"])]
    }

    /// A row of a table without column names; the reader names its columns together `turns`.
    private static let dialogue = Adapter(
        "dialogue", "rows without column names, or lists named turns: the two sides by turns, the user first → conversation", [["turns"]]
    ) { fields in
        var turns = try fields.texts("turns") ?? []
        while let last = turns.last, isBlank(last) { turns.removeLast() }
        guard turns.count != 1 else { throw fields.error("a dialogue needs a question and an answer, with a tab between them") }
        let messages = turns.enumerated().map { Message(role: $0.offset % 2 == 0 ? "user" : "assistant", content: $0.element) }
        return [fields.conversation(messages, metadata: fields.rest(except: ["turns"]))]
    }
}

extension Adapter {
    /// Tables of questions and answers under any of the usual names.
    static let plainQuestions = [
        Adapter("qa", "questions and answers: question/answer, q/a, query/response, 问题/答案 … → conversation", columns.map { [$0, $1] }) { fields in
            guard let (question, answer) = columns.first(where: { fields.has($0.0) && fields.has($0.1) }) ?? columns.first(where: fields.hasNames)
            else {
                return []
            }
            return [try fields.exchange(try fields.requiredText(question), try fields.requiredText(answer), used: [question, answer])]
        }
    ]

    private static let columns = [
        ("prompt", "response"), ("prompt", "completion"), ("prompt", "output"), ("prompt", "answer"), ("question", "answer"),
        ("question", "response"),
        ("query", "response"), ("query", "answer"), ("ask", "answer"), ("q", "a"), ("input", "output"), ("source", "target"), ("Question", "Answer"),
        ("Query", "Response"), ("Q", "A"), ("问题", "答案"), ("问题", "回答"), ("提问", "回答"), ("问", "答"),
    ]
}

extension Fields {
    fileprivate func hasNames(_ pair: (String, String)) -> Bool { names.contains(pair.0) && names.contains(pair.1) }
}
