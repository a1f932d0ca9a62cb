extension Adapter {
    /// Encyclopedias, news and web text.
    static let documents = [wiki2019zh, news2016zh, redPajama]

    /// Its texts begin with the title and an empty line.
    private static let wiki2019zh = Adapter(
        "wiki2019zh", "wiki2019zh: id, url, title, text → the article, its title on top", [["id", "url", "title", "text"]]
    ) { fields in
        let text = headed(try fields.text("text") ?? "", by: [try fields.text("title") ?? ""], gap: "\n\n")
        return [fields.document(text, except: ["text"])]
    }

    private static let news2016zh = Adapter(
        "news2016zh", "news2016zh: news_id, keywords, title, desc, source, time, content → the headline and the report",
        [["news_id", "title", "content"]]
    ) { fields in
        let text = headed(try fields.text("content") ?? "", by: [try fields.text("title") ?? ""])
        return [fields.document(text, except: ["content"])]
    }

    /// `meta` is an object or, in the sample, the text of one.
    private static let redPajama = Adapter(
        "redpajama", "RedPajama: text, meta{url, timestamp, source, language …}, red_pajama_subset → the text", [["text", "meta"]]
    ) { fields in
        let isObject = fields.kind("meta") == .object
        var record = fields.document(try fields.text("text") ?? "", except: isObject ? ["text", "meta"] : ["text"])
        if isObject, let meta = try fields.object("meta") { record.metadata.merge(meta.rest(except: [])) { outer, _ in outer } }
        return [record]
    }
}

extension Adapter {
    /// Any text with any fields beside it.
    static let plain = [
        plain("text", "a text; title and author go on top of it", body: "text"),
        plain("content", "like text, from the field content", body: "content"),
        plain("review", "like text, from the field review", body: "review"),
    ]

    private static func plain(_ name: String, _ summary: String, body: String) -> Adapter {
        Adapter(name, summary, [[body]]) { fields in
            let heading = try ["title", "author"].map { try fields.text($0) ?? "" }
            return [fields.document(headed(try fields.text(body) ?? "", by: heading), except: [body])]
        }
    }
}
