/// One number that can be said of a text. The raw value is its name in recipes, reports and files.
///
/// Characters are Unicode scalars. A word is one character, but for letters and digits of alphabets, where it is a run of them. Lines are what stands
/// between line ends, those with white space only left out. Shares lie between 0 and 1.
public enum Statistic: String, CaseIterable, Codable, Sendable {
    case characters
    case words
    case lines
    case hanShare = "han_share"
    case latinShare = "latin_share"
    case digitShare = "digit_share"
    case symbolShare = "symbol_share"
    case punctuationShare = "punctuation_share"
    case whitespaceShare = "whitespace_share"
    case chineseScore = "chinese_score"
    case traditionalShare = "traditional_share"
    case simplifiedShare = "simplified_share"
    case replacementShare = "replacement_share"
    case mojibakeShare = "mojibake_share"
    case meanLineLength = "mean_line_length"
    case maximumLineLength = "maximum_line_length"
    case shortLineShare = "short_line_share"
    case listLineShare = "list_line_share"
    case ellipsisLineShare = "ellipsis_line_share"
    case endPunctuationShare = "end_punctuation_share"
    case newlineRatio = "newline_ratio"
    case stopWordShare = "stop_word_share"
    case keywordRate = "keyword_rate"
    case uniqueCharacters = "unique_characters"
    case entropy
    case duplicateLineShare = "duplicate_line_share"
    case duplicateLineCharacterShare = "duplicate_line_character_share"
    case duplicateParagraphShare = "duplicate_paragraph_share"
    case duplicateParagraphCharacterShare = "duplicate_paragraph_character_share"
    case top2GramShare = "top_2_gram_share"
    case top3GramShare = "top_3_gram_share"
    case top4GramShare = "top_4_gram_share"
    case duplicate5GramShare = "duplicate_5_gram_share"
    case duplicate6GramShare = "duplicate_6_gram_share"
    case duplicate7GramShare = "duplicate_7_gram_share"
    case duplicate8GramShare = "duplicate_8_gram_share"
    case duplicate9GramShare = "duplicate_9_gram_share"
    case duplicate10GramShare = "duplicate_10_gram_share"
    case duplicate13GramShare = "duplicate_13_gram_share"
    case characterRepetition = "character_repetition"
    case perplexity

    /// What a statistic is counted in.
    public enum Unit: String, Codable, Sendable {
        /// Characters, words or lines: a number of them.
        case count
        /// Characters of a line.
        case characters
        /// A part of the whole.
        case share
        /// Bits for each character.
        case bits
        /// A number without a unit.
        case ratio
    }

    /// What it is counted in.
    public var unit: Unit {
        switch self {
        case .characters, .words, .lines, .uniqueCharacters: .count
        case .meanLineLength, .maximumLineLength: .characters
        case .entropy: .bits
        case .newlineRatio, .keywordRate, .perplexity: .ratio
        default: .share
        }
    }

    /// One line on what it is.
    public var help: String {
        switch self {
        case .characters: "characters (Unicode scalars), white space included"
        case .words: "Han characters and signs, each alone, and words of letters and digits"
        case .lines: "lines that are not blank"
        case .hanShare: "Han characters among all characters"
        case .latinShare: "Latin letters among all characters"
        case .digitShare: "digits among all characters"
        case .symbolShare: "symbols (mathematical, currency, emoji, …) among all characters"
        case .punctuationShare: "punctuation among all characters"
        case .whitespaceShare: "white space and line ends among all characters"
        case .chineseScore:
            "how much of the text is Chinese, by its scripts or the language model's probability; 0 where another language has more"
        case .traditionalShare: "characters of traditional text only, among Han characters"
        case .simplifiedShare: "characters of simplified text only, among Han characters"
        case .replacementShare: "U+FFFD among all characters"
        case .mojibakeShare: "text read in the wrong encoding (锟斤拷, ä¸­, 烫烫烫) among all characters"
        case .meanLineLength: "mean length of a line"
        case .maximumLineLength: "length of the longest line"
        case .shortLineShare: "lines of fewer than ten characters among all lines"
        case .listLineShare: "lines that begin with a bullet or a number among all lines"
        case .ellipsisLineShare: "lines that end in an ellipsis among all lines"
        case .endPunctuationShare: "lines that end in punctuation (。！？…；：”』」 or ASCII) among all lines"
        case .newlineRatio: "line ends for each word"
        case .stopWordShare: "characters that belong to stop words among Han characters and letters"
        case .keywordRate: "hits of the keywords for each character"
        case .uniqueCharacters: "different characters"
        case .entropy: "entropy of the characters' distribution"
        case .duplicateLineShare: "lines that stood before in the text among all lines, empty ends included"
        case .duplicateLineCharacterShare: "characters of lines that stood before among all characters"
        case .duplicateParagraphShare: "paragraphs (parted by blank lines) that stood before among all paragraphs"
        case .duplicateParagraphCharacterShare: "characters of paragraphs that stood before among all characters"
        case .top2GramShare: "characters of the most frequent two words in a row, joined by a space, over all characters (may pass 1)"
        case .top3GramShare: "characters of the most frequent three words in a row, joined by spaces, over all characters (may pass 1)"
        case .top4GramShare: "characters of the most frequent four words in a row, joined by spaces, over all characters (may pass 1)"
        case .duplicate5GramShare: "characters in rows of 5 words that stood before among all characters"
        case .duplicate6GramShare: "characters in rows of 6 words that stood before among all characters"
        case .duplicate7GramShare: "characters in rows of 7 words that stood before among all characters"
        case .duplicate8GramShare: "characters in rows of 8 words that stood before among all characters"
        case .duplicate9GramShare: "characters in rows of 9 words that stood before among all characters"
        case .duplicate10GramShare: "characters in rows of 10 words that stood before among all characters"
        case .duplicate13GramShare: "characters in rows of 13 words that stood before among all characters"
        case .characterRepetition: "the most frequent rows of 10 characters (as many as the root of their number) among all rows of 10"
        case .perplexity: "perplexity under a language model; absent where none was asked for"
        }
    }

    /// The statistic of this name, `han_share` or `hanShare`; throws with the nearest name.
    public init(named name: String) throws {
        var snake = ""
        for character in name {
            if character.isUppercase || character.isNumber && snake.last?.isLetter == true { snake += "_" }
            snake += character.lowercased()
        }
        if let statistic = Statistic(rawValue: name) ?? Statistic(rawValue: snake) {
            self = statistic
            return
        }
        let nearest = Statistic.allCases.map(\.rawValue).min { (editDistance($0, name), $0) < (editDistance($1, name), $1) } ?? ""
        throw DataError("there is no statistic \"\(name)\"; the nearest name is \"\(nearest)\"")
    }
}

/// Insertions, deletions and substitutions between two words (Levenshtein).
private func editDistance(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.utf8), Array(right.utf8))
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
        var corner = row[0]
        row[0] = i + 1
        for (j, b) in right.enumerated() {
            let above = row[j + 1]
            row[j + 1] = min(above + 1, row[j] + 1, corner + (a == b ? 0 : 1))
            corner = above
        }
    }
    return row[right.count]
}
