import Foundation
import YuyanText

@testable import YuyanData

/// The fields of a JSON object, as if it stood on a line of a file.
func fields(_ json: String, line: Int = 1) throws -> Fields {
    let file = URL(fileURLWithPath: "/数据/a.jsonl")
    let value = try parseJSON(Data(json.utf8), of: file, line: line)
    guard let object = value.object else { throw DataError("the sample is not an object") }
    return Fields(object, file: file, line: line)
}

/// The records of a JSON object, and the name of the adapter that was guessed.
func adapted(_ json: String, by name: String? = nil) throws -> (adapter: String?, records: [Record]) {
    var reader = AdapterReader(try name.map(Adapter.named))
    let records = try reader.records(fields(json)) + (reader.last() ?? [])
    return (reader.adapter?.name, records)
}

extension Record {
    var pair: Pair? { if case .pair(let pair) = self { pair } else { nil } }
    var comparison: Comparison? { if case .comparison(let comparison) = self { comparison } else { nil } }
}

extension Comparison {
    /// The prompt's turns, then the answers with their scores.
    var transcript: [String] { prompt.map { "\($0.role): \($0.content)" } + answers.map { "\($0.score): \($0.text)" } }
}

/// A record of each adapter in its true layout; the fuzzers start from them.
let adapterSamples: [(adapter: String, json: String)] = [
    (
        "wiki2019zh",
        #"{"id": "53", "url": "https://zh.wikipedia.org/wiki?curid=53", "title": "雨燕", "text": "雨燕\n\n雨燕是飞得最快的鸟之一。\n\n它们在飞行中睡觉。"}"#
    ),
    (
        "news2016zh",
        #"{"news_id": "610130831", "keywords": "图书馆，夜读", "title": "市图书馆延长开放时间", "desc": "自下月起开放到晚上十点。", "source": "本地晚报", "time": "03-22 12:00", "content": "市图书馆昨日宣布，自下月起开放到晚上十点。\n读者表示欢迎。"}"#
    ),
    (
        "redpajama",
        #"{"text": "一段网页文字。", "meta": {"url": "https://example.org/a", "timestamp": "2020-01-02", "language": "zh"}, "red_pajama_subset": "c4"}"#
    ),
    (
        "baike2018qa",
        #"{"qid": "qid_2540946131115409959", "category": "生活知识", "title": "冬天怎样养花？ ", "desc": "", "answer": "放在向阳的窗台上。\r\r少浇水。\r\n"}"#
    ),
    (
        "webtext2019zh",
        #"{"qid": 65618973, "title": "怎样学会早起？", "desc": "闹钟对我没有用。<br>怎么办？", "topic": "习惯", "star": 3, "content": "早睡。", "answer_id": 545576062, "answerer_tags": "教师@园艺"}"#
    ),
    ("translation2019zh", #"{"english": "The swift sleeps on the wing.", "chinese": "雨燕在飞行中睡觉。"}"#),
    ("alpaca", #"{"instruction": "把这句话译成英文", "input": "雨燕飞得很快。", "output": "Swifts fly fast."}"#),
    ("alpaca", #"{"instruction": "再短一些", "input": "", "output": "好。", "system": "简短回答", "history": [["介绍雨燕", "雨燕是一种鸟。"]]}"#),
    ("alpaca", #"{"instruction": "Human:你好\nAssistant:你好，有什么事？\nHuman:写一句诗，\n要五个字\nAssistant:", "input": "", "output": "微雨燕双飞"}"#),
    ("belle", #"{"question": "一年有几个季节？", "std_answer": "四个。", "class": "open qa"}"#),
    (
        "belle",
        #"{"id": "seed_task_38", "name": "synonym", "instruction": "给出同义词", "instances": [{"input": "快", "output": "迅速"}, {"input": "大", "output": "巨大"}], "is_classification": false}"#
    ),
    ("dolly", #"{"instruction": "雨燕有多长？", "context": "普通雨燕身长约十六厘米。", "response": "约十六厘米。", "category": "closed_qa"}"#),
    ("gpteacher", #"{"instruction": "用一句话解释光合作用", "input": "", "response": "植物用光把水和二氧化碳变成糖。"}"#),
    ("gpt4all", #"{"prompt": "什么是雨燕？", "response": "一种鸟。", "source": "unified_chip2"}"#),
    ("pclue", #"{"input": "这是关于哪方面的新闻？\n选项：体育，财经\n答案：", "target": "财经", "answer_choices": ["体育", "财经"], "type": "classify"}"#),
    ("messages", #"{"messages": [{"role": "system", "content": "简短"}, {"role": "user", "content": "问"}, {"role": "assistant", "content": "答"}]}"#),
    ("sharegpt", #"{"id": "QWJhYvA_0", "conversations": [{"from": "human", "value": "问"}, {"from": "gpt", "value": "答"}]}"#),
    ("sharegpt", #"{"id": "x", "items": [{"from": "human", "value": "问"}, {"from": "gpt", "value": "答"}]}"#),
    (
        "sharegpt",
        #"{"conversation_id": 1, "category": "生活", "conversation": [{"human": "问", "assistant": "答"}, {"human": "再问", "assistant": "再答"}]}"#
    ),
    (
        "squad",
        #"{"version": "v1.0", "data": [{"paragraphs": [{"id": "T_1", "context": "雨燕身长约十六厘米。", "qas": [{"question": "雨燕有多长？", "id": "T_1_Q_0", "answers": [{"text": "十六厘米", "answer_start": 5}, {"text": "约十六厘米", "answer_start": 4}]}, {"question": "雨燕有多重？", "id": "T_1_Q_1", "answers": []}]}], "id": "T_1", "title": "雨燕"}]}"#
    ),
    (
        "squad",
        #"{"context_id": "T_1", "context_text": "雨燕身长约十六厘米。", "qas": [{"query_text": "雨燕有多长？", "query_id": "T_1_Q_0", "answers": ["十六厘米", "十六厘米"]}], "title": "雨燕"}"#
    ),
    (
        "squad",
        #"{"id": "1", "title": "", "context": "雨燕身长约十六厘米。", "question": "雨燕有多长？", "answers": {"text": ["十六厘米"], "answer_start": [5]}}"#
    ),
    ("dureader-qg", #"{"text1": "十六厘米[SEP]雨燕身长约十六厘米。", "text2": "雨燕有多长"}"#),
    ("pairs", #"{"src_txt": "十六厘米[SEP]雨燕身长约十六厘米。", "tgt_txt": "雨燕有多长"}"#),
    ("gpt-4-llm", #"{"user_input": "介绍雨燕", "completion_a": "雨燕是一种飞得很快的鸟。", "completion_b": "鸟。"}"#),
    (
        "gpt-4-llm",
        #"{"user_input": "介绍雨燕", "responses_and_scores": [{"response": "鸟。", "source": "opt-iml", "score": 3.5}, {"response": "雨燕是鸟。", "source": "gpt4", "score": 9.0}]}"#
    ),
    (
        "preference",
        #"{"conversations": [{"from": "system", "value": "简短"}, {"from": "human", "value": "问"}], "chosen": {"from": "gpt", "value": "好答案"}, "rejected": {"from": "gpt", "value": "坏答案"}}"#
    ),
    ("preference", #"{"prompt": "问", "chosen": "好答案", "rejected": "坏答案"}"#),
    (
        "oasst1",
        #"""
        {"message_tree_id": "t1", "tree_state": "ready_for_export", "prompt": {"message_id": "t1", "text": "介绍雨燕", "role": "prompter", "lang": "zh", "replies": [
          {"message_id": "b", "text": "次答", "role": "assistant", "rank": 1, "replies": []},
          {"message_id": "a", "text": "首答", "role": "assistant", "rank": 0, "replies": [
            {"message_id": "c", "text": "再说说", "role": "prompter", "replies": [{"message_id": "d", "text": "它睡在空中", "role": "assistant", "replies": []}]},
            {"message_id": "e", "text": "没人回答的追问", "role": "prompter", "replies": []}]},
          {"message_id": "f", "text": "删了的", "role": "assistant", "rank": 2, "deleted": true, "replies": []},
          {"message_id": "g", "text": "不合格的", "role": "assistant", "review_result": false, "replies": []}]}}
        """#
    ),
    (
        "oasst1-messages",
        #"{"message_id": "t1", "parent_id": null, "user_id": "u", "text": "介绍雨燕", "role": "prompter", "lang": "zh", "review_result": true, "deleted": false, "rank": null, "message_tree_id": "t1", "labels": {"name": ["spam"], "value": [0.0]}}"#
    ),
    ("dialogue", #"{"turns": ["在吗", "在", "吃了吗", "吃了"]}"#),
    ("qa", #"{"问题": "几点开门？", "答案": "九点。"}"#),
    ("text", #"{"title": "靜夜思", "author": "李白", "text": "床前明月光\n疑是地上霜", "source": "全唐诗"}"#),
    ("content", #"{"content": "正文。", "label": 1}"#),
    ("review", #"{"label": 1, "review": "很快，好吃"}"#),
    ("yuyan", #"{"id": "b.txt", "source": "书", "text": "　正文。\n", "metadata": {"日期": "1921", "空": ""}}"#),
    ("yuyan", #"{"id": "c:1", "source": "书", "messages": [{"role": "user", "content": "问"}, {"role": "assistant", "content": "答"}]}"#),
    ("yuyan", #"{"id": "d:1", "source": "书", "src_txt": "入", "tgt_txt": "出", "metadata": {}}"#),
    (
        "yuyan",
        #"{"id": "e:1", "source": "书", "prompt": [{"role": "user", "content": "问"}], "answers": [{"text": "甲", "score": 2.5}, {"text": "乙", "score": 3}]}"#
    ),
]
