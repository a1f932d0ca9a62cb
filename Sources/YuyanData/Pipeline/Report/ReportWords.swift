/// What statistics, reasons and cleaners are called in Chinese; their own names are the field's and stand beside.
enum ReportWords {
    /// HTML: the Chinese name where there is one, and the name in recipes.
    static func label(_ name: String) -> String {
        guard let chinese = chinese[name] else { return "<b>\(escaped(name))</b>" }
        return "<b>\(chinese)</b> <code>\(escaped(name))</code>"
    }

    private static let chinese = [
        "characters": "字数", "words": "词数", "lines": "行数", "han_share": "汉字占比", "latin_share": "拉丁字母占比", "digit_share": "数字占比",
        "symbol_share": "符号占比", "punctuation_share": "标点占比", "whitespace_share": "空白占比", "chinese_score": "中文得分", "traditional_share": "繁体占比",
        "simplified_share": "简体占比", "replacement_share": "替换符占比", "mojibake_share": "乱码占比", "mean_line_length": "平均行长",
        "maximum_line_length": "最长行", "short_line_share": "短行占比", "list_line_share": "列表行占比", "ellipsis_line_share": "省略号行占比",
        "end_punctuation_share": "句末标点行占比", "newline_ratio": "换行比", "stop_word_share": "停用词占比", "keyword_rate": "关键词率",
        "unique_characters": "不同字数", "entropy": "熵", "duplicate_line_share": "重复行占比", "duplicate_line_character_share": "重复行字占比",
        "duplicate_paragraph_share": "重复段占比", "duplicate_paragraph_character_share": "重复段字占比", "top_2_gram_share": "最高频二元占比",
        "top_3_gram_share": "最高频三元占比", "top_4_gram_share": "最高频四元占比", "duplicate_5_gram_share": "重复五元占比", "duplicate_6_gram_share": "重复六元占比",
        "duplicate_7_gram_share": "重复七元占比", "duplicate_8_gram_share": "重复八元占比", "duplicate_9_gram_share": "重复九元占比",
        "duplicate_10_gram_share": "重复十元占比", "duplicate_13_gram_share": "重复十三元占比", "character_repetition": "字串重复", "perplexity": "困惑度",
        "empty": "无内容", "exact_duplicate": "完全重复", "near_duplicate": "近似重复", "duplicate_sentences": "句子重复", "duplicate_lines": "行重复",
        "contaminated": "与测试集重叠", "language": "语言", "keywords": "关键词", "normalize": "规范化", "simplify": "繁转简", "control": "控制字符",
        "mojibake": "乱码", "html": "网页标记", "markup": "标记", "links": "链接", "whitespace": "空白", "privacy": "隐私",
    ]
}
