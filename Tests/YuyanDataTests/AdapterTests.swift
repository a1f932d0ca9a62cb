import Foundation
import Testing
import YuyanText

@testable import YuyanData

/// Samples in the layouts of the public sets, as they are documented by those who publish them.
@Suite struct AdapterTests {
    @Test func everyAdapterIsGuessedFromItsSample() throws {
        for sample in adapterSamples {
            let names = try fields(sample.json).names
            #expect(Adapter.first(matching: names)?.name == sample.adapter, "\(sample.json)")
            #expect(try adapted(sample.json).adapter == sample.adapter)
            #expect(try adapted(sample.json, by: sample.adapter).records == adapted(sample.json).records)
            #expect(try !adapted(sample.json).records.isEmpty)
        }
        #expect(Set(adapterSamples.map(\.adapter)) == Set(Adapter.all.map(\.name)))
        #expect(Adapter.all.allSatisfy { !$0.summary.isEmpty && !$0.summary.contains("\n") })
        #expect(Set(Adapter.all.map(\.name)).count == Adapter.all.count)
    }

    /// The only record of the `index`th sample of an adapter.
    private func record(_ adapter: String, _ index: Int = 0) throws -> Record {
        let samples = adapterSamples.filter { $0.adapter == adapter }
        let records = try adapted(samples[index].json).records
        #expect(records.count == 1)
        return records[0]
    }

    // MARK: - Documents

    @Test func anEncyclopediasTitleIsNotDoubled() throws {
        let article = try #require(record("wiki2019zh").document)
        #expect(article.text == "雨燕\n\n雨燕是飞得最快的鸟之一。\n\n它们在飞行中睡觉。")
        #expect(article.metadata == ["id": "53", "url": "https://zh.wikipedia.org/wiki?curid=53", "title": "雨燕"])
        #expect(article.id == "a.jsonl:1" && article.source == "/数据/a.jsonl")
        let without = try adapted(#"{"id": "1", "url": "u", "title": "春", "text": "春眠不觉晓"}"#).records
        #expect(without.first?.document?.text == "春\n\n春眠不觉晓")
        let empty = try adapted(#"{"id": "1", "url": "u", "title": "春", "text": ""}"#).records
        #expect(empty.first?.isEmpty == true)
    }

    @Test func newsBeginsWithItsHeadline() throws {
        let report = try #require(record("news2016zh").document)
        #expect(report.text == "市图书馆延长开放时间\n市图书馆昨日宣布，自下月起开放到晚上十点。\n读者表示欢迎。")
        #expect(report.metadata.keys.sorted() == ["desc", "keywords", "news_id", "source", "time", "title"])
    }

    @Test func theSourcesOfRedPajamaBecomeMetadata() throws {
        let document = try #require(record("redpajama").document)
        #expect(document.text == "一段网页文字。")
        #expect(
            document.metadata == ["url": "https://example.org/a", "timestamp": "2020-01-02", "language": "zh", "red_pajama_subset": "c4"])
        let sample = try adapted(#"{"text": "文", "meta": "{\"url\": \"u\"}"}"#).records
        #expect(sample.first?.metadata == ["meta": #"{"url": "u"}"#])
    }

    @Test func plainTextKeepsWhatStandsBesideIt() throws {
        let poem = try #require(record("text").document)
        #expect(poem.text == "靜夜思\n李白\n床前明月光\n疑是地上霜")
        #expect(poem.metadata == ["title": "靜夜思", "author": "李白", "source": "全唐诗"])
        #expect(try record("content").document?.metadata == ["label": "1"])
        #expect(try record("review").document?.text == "很快，好吃")
        let nested = try adapted(#"{"text": "文", "标签": ["甲", {"乙": true}], "分": 2.5, "空": null}"#).records
        #expect(nested.first?.metadata == ["标签": #"["甲",{"乙":true}]"#, "分": "2.5"])
    }

    // MARK: - Questions and answers

    @Test func aQuestionIsTitleAndDescription() throws {
        let first = try #require(record("baike2018qa").conversation)
        #expect(first.transcript == ["user: 冬天怎样养花？ ", "assistant: 放在向阳的窗台上。\r\r少浇水。\r\n"])
        #expect(first.metadata == ["qid": "qid_2540946131115409959", "category": "生活知识"])
        let second = try #require(record("webtext2019zh").conversation)
        #expect(second.transcript == ["user: 怎样学会早起？\n闹钟对我没有用。<br>怎么办？", "assistant: 早睡。"])
        #expect(
            second.metadata
                == ["qid": "65618973", "topic": "习惯", "star": "3", "answer_id": "545576062", "answerer_tags": "教师@园艺"])
        let doubled = try adapted(#"{"qid": 1, "title": "问？", "desc": "问？", "content": "答", "star": 3}"#).records
        #expect(doubled.first?.conversation?.transcript == ["user: 问？", "assistant: 答"])
    }

    @Test(arguments: [
        ("question", "answer"), ("q", "a"), ("query", "response"), ("prompt", "response"), ("prompt", "completion"), ("问题", "答案"), ("问题", "回答"),
        ("提问", "回答"), ("问", "答"), ("Question", "Answer"), ("source", "target"), ("input", "output"), ("ask", "answer"),
    ])
    func tablesOfQuestionsHaveManyNames(question: String, answer: String) throws {
        let (adapter, records) = try adapted(#"{"序号": 7, "\#(question)": "几点开门？", "\#(answer)": "九点。"}"#)
        #expect(adapter == "qa")
        #expect(records.map { $0.conversation?.transcript } == [["user: 几点开门？", "assistant: 九点。"]])
        #expect(records[0].metadata == ["序号": "7"])
    }

    @Test func aDialogueGoesBackAndForth() throws {
        #expect(try record("dialogue").conversation?.transcript == ["user: 在吗", "assistant: 在", "user: 吃了吗", "assistant: 吃了"])
        let ragged = try adapted(#"{"turns": ["在吗", "在", "", ""]}"#).records
        #expect(ragged.first?.conversation?.messages.count == 2)
        #expect(
            errorSentence { _ = try adapted(#"{"turns": ["在吗", ""]}"#) }
                == "/数据/a.jsonl:1: a dialogue needs a question and an answer, with a tab between them")
    }

    @Test func tablesWithoutColumnNamesMayHoldManyTurns() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("a.tsv", "在吗\t在\n吃了吗\t吃了\t吃的什么\t面\n早\t早\t\n")
        #expect(
            try readRecords(file).compactMap { $0.conversation?.transcript }
                == [["user: 在吗", "assistant: 在"], ["user: 吃了吗", "assistant: 吃了", "user: 吃的什么", "assistant: 面"], ["user: 早", "assistant: 早"]])
    }

    // MARK: - Instructions

    @Test func instructionsMayHaveAnInputAndAHistory() throws {
        #expect(try record("alpaca", 0).conversation?.transcript == ["user: 把这句话译成英文\n雨燕飞得很快。", "assistant: Swifts fly fast."])
        #expect(
            try record("alpaca", 1).conversation?.transcript
                == ["system: 简短回答", "user: 介绍雨燕", "assistant: 雨燕是一种鸟。", "user: 再短一些", "assistant: 好。"])
        #expect(try record("alpaca", 1).metadata.isEmpty)
        let none = try adapted(#"{"instruction": "写一首诗", "input": "<noinput>", "output": "诗", "text": "Below is…"}"#).records
        #expect(none.first?.conversation?.transcript == ["user: 写一首诗", "assistant: 诗"])
        #expect(none.first?.metadata == ["text": "Below is…"])
        #expect(try record("dolly").conversation?.transcript == ["user: 雨燕有多长？\n普通雨燕身长约十六厘米。", "assistant: 约十六厘米。"])
        #expect(try record("dolly").metadata == ["category": "closed_qa"])
        #expect(try record("gpteacher").conversation?.transcript == ["user: 用一句话解释光合作用", "assistant: 植物用光把水和二氧化碳变成糖。"])
        #expect(try record("gpt4all").conversation?.transcript == ["user: 什么是雨燕？", "assistant: 一种鸟。"])
        #expect(try record("gpt4all").metadata == ["source": "unified_chip2"])
        #expect(try record("pclue").conversation?.transcript == ["user: 这是关于哪方面的新闻？\n选项：体育，财经\n答案：", "assistant: 财经"])
        #expect(try record("pclue").metadata == ["answer_choices": #"["体育","财经"]"#, "type": "classify"])
    }

    @Test func bellesTurnsAreTakenOutOfTheInstruction() throws {
        let turns = ["user: 你好", "assistant: 你好，有什么事？", "user: 写一句诗，\n要五个字", "assistant: 微雨燕双飞"]
        #expect(try record("alpaca", 2).conversation?.transcript == turns)
        let json = adapterSamples.filter { $0.adapter == "alpaca" }[2].json
        #expect(try adapted(json, by: "belle").records.first?.conversation?.transcript == turns)
        // Only a label at the beginning of a line begins a turn, and a text without answers is a text.
        let open = try adapted(#"{"instruction": "Human: 甲 Assistant: 乙\nAssistant: 丙\nHuman: 丁", "output": "戊"}"#).records
        #expect(
            open.first?.conversation?.transcript == ["user: 甲 Assistant: 乙", "assistant: 丙", "user: 丁", "assistant: 戊"])
        let plain = try adapted(#"{"instruction": "Human: 这个词什么意思？", "output": "人。"}"#).records
        #expect(plain.first?.conversation?.transcript == ["user: Human: 这个词什么意思？", "assistant: 人。"])
    }

    @Test func bellesOtherFiles() throws {
        #expect(try record("belle").conversation?.transcript == ["user: 一年有几个季节？", "assistant: 四个。"])
        #expect(try record("belle").metadata == ["class": "open qa"])
        let seeds = try adapted(adapterSamples.filter { $0.adapter == "belle" }[1].json).records
        #expect(seeds.map(\.id) == ["a.jsonl:1#1", "a.jsonl:1#2"])
        #expect(seeds.map { $0.conversation?.transcript } == [["user: 给出同义词\n快", "assistant: 迅速"], ["user: 给出同义词\n大", "assistant: 巨大"]])
        #expect(seeds[0].metadata == ["id": "seed_task_38", "name": "synonym", "is_classification": "false"])
        let chat = #"{"id": "66182880", "conversations": [{"from": "human", "value": "问"}, {"from": "assistant", "value": "答"}]}"#
        #expect(try adapted(chat, by: "belle").records.first?.conversation?.transcript == ["user: 问", "assistant: 答"])
        #expect(try adapted(chat).adapter == "sharegpt")
    }

    // MARK: - Conversations

    @Test func listsOfTurns() throws {
        #expect(try record("messages").conversation?.transcript == ["system: 简短", "user: 问", "assistant: 答"])
        #expect(try record("sharegpt", 0).conversation?.transcript == ["user: 问", "assistant: 答"])
        #expect(try record("sharegpt", 0).metadata == ["id": "QWJhYvA_0"])
        #expect(try record("sharegpt", 1).conversation?.transcript == ["user: 问", "assistant: 答"])
        #expect(try record("sharegpt", 2).conversation?.transcript == ["user: 问", "assistant: 答", "user: 再问", "assistant: 再答"])
        let mixed = try adapted(#"{"system": "简短", "conversations": [{"role": "user", "content": "问"}, {"from": "bing", "value": "答"}]}"#).records
        #expect(mixed.first?.conversation?.transcript == ["system: 简短", "user: 问", "assistant: 答"])
    }

    @Test func everyBranchOfAMessageTreeIsAConversation() throws {
        let (_, records) = try adapted(adapterSamples.first { $0.adapter == "oasst1" }?.json ?? "")
        #expect(
            records.map { $0.conversation?.transcript }
                == [["user: 介绍雨燕", "assistant: 首答", "user: 再说说", "assistant: 它睡在空中"], ["user: 介绍雨燕", "assistant: 次答"]])
        #expect(records.map(\.id) == ["a.jsonl:1#1", "a.jsonl:1#2"])
        #expect(records.allSatisfy { $0.metadata == ["lang": "zh", "message_tree_id": "t1", "tree_state": "ready_for_export"] })
        let unanswered = try adapted(#"{"message_tree_id": "t", "prompt": {"text": "问", "role": "prompter", "replies": []}}"#).records
        #expect(unanswered.map(\.isEmpty) == [true])
        let gone = try adapted(#"{"message_tree_id": "t", "prompt": {"text": "问", "role": "prompter", "deleted": true}}"#).records
        #expect(gone.map { $0.conversation?.messages.count } == [0])
    }

    /// The same tree as a table, two trees one after the other; parents may come after their replies.
    @Test func aTableOfMessagesGivesTheSame() throws {
        let rows = [
            ("x1", "null", "x", "prompter", "甲", "null", "false"), ("x2", "\"x1\"", "x", "assistant", "乙", "null", "false"),
            ("d", "\"c\"", "t1", "assistant", "它睡在空中", "null", "false"), ("b", "\"t1\"", "t1", "assistant", "次答", "1", "false"),
            ("t1", "null", "t1", "prompter", "介绍雨燕", "null", "false"), ("a", "\"t1\"", "t1", "assistant", "首答", "0", "false"),
            ("c", "\"a\"", "t1", "prompter", "再说说", "null", "false"), ("e", "\"a\"", "t1", "prompter", "没人回答的追问", "null", "false"),
            ("f", "\"t1\"", "t1", "assistant", "删了的", "2", "true"),
        ].map {
            #"{"message_id": "\#($0.0)", "parent_id": \#($0.1), "message_tree_id": "\#($0.2)", "role": "\#($0.3)", "text": "\#($0.4)", "rank": \#($0.5), "deleted": \#($0.6), "lang": "zh"}"#
        }
        let folder = try TemporaryFolder()
        let records = try readRecords(folder.write("messages.jsonl", rows.joined(separator: "\n")))
        #expect(
            records.map { $0.conversation?.transcript }
                == [
                    ["user: 甲", "assistant: 乙"], ["user: 介绍雨燕", "assistant: 首答", "user: 再说说", "assistant: 它睡在空中"],
                    ["user: 介绍雨燕", "assistant: 次答"],
                ])
        #expect(records.map(\.id) == ["messages.jsonl:2", "messages.jsonl:3", "messages.jsonl:4"])
        #expect(records[1].metadata == ["lang": "zh", "message_tree_id": "t1"])
        let table = "message_id,parent_id,message_tree_id,role,text,rank,deleted,review_result\nr,,r,prompter,问,,False,True\n"
        let csv = try folder.write(
            "a.csv", table + "s,r,r,assistant,次,1.0,False,True\nt,r,r,assistant,首,0.0,False,True\nu,r,r,assistant,坏,,False,False\n")
        #expect(try readRecords(csv).map { $0.conversation?.transcript.last } == ["assistant: 首", "assistant: 次"])

        let scattered = try folder.write("b.jsonl", [rows[4], rows[0], rows[5]].joined(separator: "\n"))
        #expect(
            errorSentence { _ = try readRecords(scattered) }
                == "\(scattered):3: the message answers \"t1\", which is not among its neighbours; sort the file by message_tree_id")
        let double = try folder.write("c.jsonl", [rows[4], rows[5], rows[5]].joined(separator: "\n"))
        #expect(errorSentence { _ = try readRecords(double) } == "\(double):3: the message \"a\" is there twice")
    }

    /// A plain recursive reading of random trees.
    @Test func branchesAgreeWithARecursiveReading() throws {
        var random = SeededRandom(seed: 5)
        struct Node {
            var role: String, rank: Int?, isLeftOut: Bool, replies: [Int]
        }
        for _ in 0..<300 {
            var nodes = [Node(role: "prompter", rank: nil, isLeftOut: false, replies: [])]
            for index in 1...random.number(in: 1...20) {
                let parent = random.number(in: 0...index - 1)
                nodes[parent].replies.append(index)
                let role = nodes[parent].role == "prompter" ? "assistant" : "prompter"
                let rank = random.number(in: 0...2) == 0 ? nil : random.number(in: 0...3)
                nodes.append(Node(role: role, rank: rank, isLeftOut: random.number(in: 0...7) == 0, replies: []))
            }
            func json(_ index: Int) -> String {
                let rank = nodes[index].rank.map { "\($0)" } ?? "null"
                let replies = nodes[index].replies.map(json).joined(separator: ",")
                return
                    #"{"text": "\#(index)", "role": "\#(nodes[index].role)", "rank": \#(rank), "deleted": \#(nodes[index].isLeftOut), "replies": [\#(replies)]}"#
            }
            func branches(_ index: Int) -> [[Int]] {
                if nodes[index].isLeftOut { return [] }
                let ordered = nodes[index].replies.sorted { (nodes[$0].rank ?? 9, $0) < (nodes[$1].rank ?? 9, $1) }
                let longer = ordered.flatMap(branches).map { [index] + $0 }
                return longer.isEmpty && nodes[index].role == "assistant" ? [[index]] : longer
            }
            let records = try adapted(#"{"message_tree_id": "t", "prompt": \#(json(0))}"#).records
            let expected = branches(0)
            #expect(records.map { $0.conversation?.messages.map(\.content) } == (expected.isEmpty ? [[0]] : expected).map { $0.map { "\($0)" } })
        }
    }

    // MARK: - Pairs

    @Test func questionsAreGeneratedFromAnswerAndPassage() throws {
        let pairs = try adapted(adapterSamples.first { $0.adapter == "squad" }?.json ?? "").records
        #expect(pairs.map(\.id) == ["a.jsonl:1#1", "a.jsonl:1#2"])
        #expect(pairs[0].pair?.input == "十六厘米[SEP]雨燕身长约十六厘米。")
        #expect(pairs[0].pair?.target == "雨燕有多长？")
        #expect(
            pairs[0].metadata == ["title": "雨燕", "question_id": "T_1_Q_0", "answer": "十六厘米", "answers": #"["十六厘米","约十六厘米"]"#])
        #expect(pairs.map(\.isEmpty) == [false, true])
        #expect(pairs[1].pair?.target == "雨燕有多重？")

        let first = try record("squad", 1)
        #expect(first.pair?.input == pairs[0].pair?.input && first.pair?.target == pairs[0].pair?.target)
        #expect(first.metadata == ["title": "雨燕", "question_id": "T_1_Q_0", "answer": "十六厘米"])
        let flat = try record("squad", 2)
        #expect(flat.id == "a.jsonl:1")
        #expect(flat.pair?.input == pairs[0].pair?.input)
        #expect(flat.metadata == ["question_id": "1", "answer": "十六厘米"])
        let article = #"{"title": "雨燕", "paragraphs": [{"context": "文", "qas": [{"question": "问", "answers": [{"text": "答"}]}]}]}"#
        #expect(try adapted(article).records.first?.pair?.input == "答[SEP]文")
        let texts = #"{"context": "文", "question": "问", "answers": ["答"], "answer_starts": [0]}"#
        #expect(try adapted(texts).records.first?.pair?.input == "答[SEP]文")
        let single = #"{"context": "文", "question": "问", "answer": "答"}"#
        #expect(try adapted(single).records.first?.pair?.input == "答[SEP]文")
    }

    @Test func pairsStayAsTheyAre() throws {
        let translation = try record("translation2019zh")
        #expect(translation.pair?.input == "The swift sleeps on the wing." && translation.pair?.target == "雨燕在飞行中睡觉。")
        #expect(translation.metadata == ["direction": "en-zh"])
        for adapter in ["dureader-qg", "pairs"] {
            let pair = try #require(record(adapter).pair)
            #expect(pair.input == "十六厘米[SEP]雨燕身长约十六厘米。" && pair.target == "雨燕有多长")
        }
        #expect(try adapted(#"{"src_txt": "续写我"}"#).records.first?.document?.text == "续写我")
    }

    // MARK: - Comparisons

    @Test func comparisonsPutTheBestFirst() throws {
        #expect(try record("gpt-4-llm", 0).comparison?.transcript == ["user: 介绍雨燕", "1.0: 雨燕是一种飞得很快的鸟。", "0.0: 鸟。"])
        #expect(try record("gpt-4-llm", 1).comparison?.transcript == ["user: 介绍雨燕", "9.0: 雨燕是鸟。", "3.5: 鸟。"])
        #expect(try record("gpt-4-llm", 1).metadata == ["sources": #"["gpt4","opt-iml"]"#])
        #expect(try adapted(adapterSamples.first { $0.adapter == "alpaca" }?.json ?? "", by: "gpt-4-llm").records.first?.conversation != nil)
        let layouts = [
            adapterSamples.filter { $0.adapter == "preference" }[0].json,
            #"{"prompt": [{"role": "system", "content": "简短"}, {"role": "user", "content": "问"}], "chosen": [{"role": "assistant", "content": "好答案"}], "rejected": [{"role": "assistant", "content": "坏答案"}]}"#,
            #"{"system": "简短", "instruction": "问", "input": "", "chosen": "好答案", "rejected": "坏答案"}"#,
            #"{"system": "简短", "question": "问", "chosen": "好答案", "rejected": "坏答案", "分": 1}"#,
            #"{"chosen": [{"role": "system", "content": "简短"}, {"role": "user", "content": "问"}, {"role": "assistant", "content": "好答案"}], "rejected": [{"role": "user", "content": "问"}, {"role": "assistant", "content": "坏答案"}]}"#,
        ]
        for layout in layouts {
            let (adapter, records) = try adapted(layout)
            #expect(adapter == "preference")
            #expect(records.map { $0.comparison?.transcript } == [["system: 简短", "user: 问", "1.0: 好答案", "0.0: 坏答案"]])
        }
        #expect(try record("preference", 1).comparison?.transcript == ["user: 问", "1.0: 好答案", "0.0: 坏答案"])
        #expect(errorSentence { _ = try adapted(#"{"chosen": "好", "rejected": "坏"}"#) }.contains("but no field \"prompt\""))
    }

    // MARK: - Our own

    @Test func whatIsWrittenComesBackAsItWas() throws {
        let metadata = ["题": "一", "空": "", "表": #"["甲",1]"#]
        let turns = [Message(role: "system", content: "\u{3000}"), Message(role: "user", content: "问\n"), Message(role: "assistant", content: "答")]
        let records: [Record] = [
            .document(Document(id: "甲.txt", text: "题\n正文\r\n\u{0}", source: "书/甲.txt", metadata: metadata)),
            .document(Document(id: "", text: "文", source: "")), .conversation(Conversation(id: "b:1#2", messages: turns, source: "书")),
            .conversation(Conversation(id: "b:2", messages: turns, source: "书", metadata: metadata)),
            .pair(Pair(id: "c:1", input: "入", target: "出", source: "书", metadata: metadata)),
            .comparison(
                Comparison(
                    id: "d:1", prompt: turns, answers: [.init(text: "低", score: -0.1), .init(text: "高", score: 0.3333333333333333)], source: "书",
                    metadata: metadata)),
        ]
        let folder = try TemporaryFolder()
        let writer = try RecordWriter(folder.file("a.jsonl"))
        for record in records { try writer.append(record) }
        try writer.finish()
        #expect(try readRecords(folder.file("a.jsonl").path) == records)
        #expect(try record("yuyan").document?.metadata == ["日期": "1921", "空": ""])
        // A field more, and it is another's record.
        #expect(try adapted(#"{"id": "1", "source": "报", "text": "文", "title": "题"}"#).adapter == "text")
    }

    // MARK: - Names and errors

    @Test func adaptersAreFoundByName() throws {
        #expect(try Adapter.named("belle").name == "belle")
        #expect(errorSentence { _ = try Adapter.named("wiki2018zh") } == #"there is no adapter "wiki2018zh"; did you mean "wiki2019zh"?"#)
        #expect(errorSentence { _ = try Adapter.named("Alpaca") } == #"there is no adapter "Alpaca"; did you mean "alpaca"?"#)
        #expect(errorSentence { _ = try Adapter.named("某某某某某某某某某某") }.hasSuffix("there are \(Adapter.all.map(\.name).joined(separator: ", "))"))
    }

    @Test func anAdapterThatDoesNotFitNamesWhatIsMissing() throws {
        #expect(
            errorSentence { _ = try adapted(#"{"id": "1", "title": "题", "text": "文"}"#, by: "wiki2019zh") }
                == #"/数据/a.jsonl:1: the adapter "wiki2019zh" needs the field "url"; the record has "id", "text", "title""#)
        #expect(
            errorSentence { _ = try Adapter.records(fields(#"{"文": "1"}"#, line: 9), adapter: .named("translation2019zh")) }
                == #"/数据/a.jsonl:9: the adapter "translation2019zh" needs the fields "english", "chinese"; the record has "文""#)
        #expect(
            errorSentence { _ = try adapted(#"{"id": "1", "source": "报", "text": "文", "title": "题"}"#, by: "yuyan") }
                .contains(#"reads records of exactly "id", "source", "text"; the record has"#))
        #expect(try adapted(#"{"text": "文", "content": "正文"}"#, by: "content").records.first?.document?.text == "正文")
        #expect(
            errorSentence { _ = try adapted(#"{"甲": 1}"#) }.hasPrefix(
                "/数据/a.jsonl:1: a record with the fields \"甲\" is of no known layout; known are yuyan ("))
    }

    @Test func aReaderKnowsTheAdapterOfItsFile() throws {
        var reader = AdapterReader()
        #expect(reader.adapter == nil)
        _ = try reader.records(fields(#"{"input": "问", "target": "答", "type": "x"}"#))
        _ = try reader.records(fields(#"{"input": "问", "target": "答", "type": "x", "answer_choices": []}"#))
        _ = try reader.records(fields(#"{"text": "文"}"#))
        #expect(reader.adapter?.name == "pclue")
    }
}
