extension Adapter {
    /// An input and its output, with nothing of a conversation about them.
    static let pairs = [translation2019zh, duReaderQG, sourceAndTarget]

    private static let translation2019zh = Adapter(
        "translation2019zh", "translation2019zh: english, chinese → pair, from English to Chinese", [["english", "chinese"]]
    ) { fields in
        var metadata = fields.rest(except: ["english", "chinese"])
        metadata["direction"] = "en-zh"
        return [fields.pair(try fields.requiredText("english"), try fields.requiredText("chinese"), metadata: metadata)]
    }

    /// ModelScope's table: `text1` is the answer, [SEP] and the passage, `text2` the question to be written.
    private static let duReaderQG = Adapter(
        "dureader-qg", "DuReader_robust-QG: text1 (answer[SEP]passage), text2 (question) → pair for question generation", [["text1", "text2"]]
    ) { fields in
        [fields.pair(try fields.requiredText("text1"), try fields.requiredText("text2"), metadata: fields.rest(except: ["text1", "text2"]))]
    }

    private static let sourceAndTarget = Adapter(
        "pairs", "src_txt, tgt_txt → pair; src_txt alone → a text to be continued", [["src_txt"]]
    ) { fields in
        let metadata = fields.rest(except: ["src_txt", "tgt_txt"])
        let input = try fields.text("src_txt") ?? ""
        guard fields.names.contains("tgt_txt") else { return [fields.document(input, except: ["src_txt"])] }
        return [fields.pair(input, try fields.text("tgt_txt") ?? "", metadata: metadata)]
    }
}
