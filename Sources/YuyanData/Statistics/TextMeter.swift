import Foundation
import Synchronization

/// What the statistics of a text need besides the text.
public struct StatisticsConfiguration: Codable, Sendable, Hashable {
    /// A file of stop words, one on each line; without one, the common function words of Chinese.
    public var stopWords: String?
    /// Files of keywords, one on each line, whose hits are counted.
    public var keywords: [String] = []
    /// Files of phrases in which keywords do not count.
    public var allowed: [String] = []
    /// A fastText model of languages (lid.176.bin, lid.176.ftz); without one, the scripts of the text decide.
    public var languageModel: String?

    /// Built-in stop words, no keywords, language by script.
    public init() {}
}

/// Measures texts: all of `Statistic` but the perplexity. May be used by several threads at once.
public struct TextMeter: Sendable {
    /// The words whose hits are counted; nil where there are none.
    public let keywords: KeywordMatcher?
    private let stopWords: KeywordMatcher
    private let model: LanguageDetector?
    private let kinds: KindTable
    private let pool = ScratchPool()

    private struct KindTable: @unchecked Sendable { let pointer: UnsafePointer<UInt8> }  // written once, before it is seen

    /// Reads the lists and the model.
    public init(_ configuration: StatisticsConfiguration = .init()) throws {
        kinds = KindTable(pointer: try ScalarKind.table())
        stopWords = KeywordMatcher(try configuration.stopWords.map { try KeywordMatcher.readWords($0) } ?? StopWords.common)
        keywords = configuration.keywords.isEmpty ? nil : try KeywordMatcher(files: configuration.keywords, allowed: configuration.allowed)
        model = try configuration.languageModel.map { try LanguageDetector(contentsOf: $0) }
    }

    /// The numbers of a record's texts.
    public func measure(_ record: Record) -> TextStatistics { measure(record.text) }

    /// The numbers of a text.
    public func measure(_ text: String) -> TextStatistics {
        pool.borrow { scratch in
            var text = text
            let count = text.withUTF8 { Self.decode($0, scratch) }
            var statistics = TextStatistics()
            let scalars = UnsafeBufferPointer(start: UnsafePointer(scratch.scalars.pointer), count: count)
            var (language, score) = measure(scalars, scratch, into: &statistics)
            if let model { (language, score) = model.predict(text).map { (LanguageDetector.language(of: $0.label), $0.probability) } ?? (.other, 0) }
            statistics[.chineseScore] = language == .zh ? Float(score) : 0
            return statistics
        }
    }

    private static func decode(_ bytes: UnsafeBufferPointer<UInt8>, _ scratch: StatisticsScratch) -> Int {
        let scalars = scratch.scalars.reserve(bytes.count + 1)
        guard let base = bytes.baseAddress else { return 0 }
        var (index, count) = (0, 0)
        while index < bytes.count {
            let first = base[index]
            if first &- 0xE0 < 0x10 {
                scalars[count] = UInt32(first & 0x0F) << 12 | UInt32(base[index + 1] & 0x3F) << 6 | UInt32(base[index + 2] & 0x3F)
                index += 3
            } else {
                let (value, length) = scalar(in: bytes, at: index)
                scalars[count] = value
                index += length
            }
            count += 1
        }
        return count
    }

    /// Everything but the language model's part; gives the language by scripts.
    private func measure(
        _ scalars: UnsafeBufferPointer<UInt32>, _ scratch: StatisticsScratch, into statistics: inout TextStatistics
    ) -> (Language, Double) {
        let kinds = kinds.pointer
        let count = scalars.count
        let frequencies = scratch.frequencies.pointer
        let touched = scratch.touched.reserve(min(count, 0x110000) + 1)
        var different = 0
        var mojibake = 0
        let kindCounts = withUnsafeTemporaryAllocation(of: Int.self, capacity: 256) { counts -> [Int] in
            counts.initialize(repeating: 0)
            for index in 0..<count {
                let value = scalars[index]
                let kind = value < ScalarKind.limit ? kinds[Int(value)] : 0
                counts[Int(kind)] += 1
                let frequency = frequencies[Int(value)]
                if frequency == 0 {
                    touched[different] = value
                    different += 1
                }
                frequencies[Int(value)] = frequency + 1
                if kind & ScalarKind.suspect != 0 { mojibake += Mojibake.length(in: scalars, at: index) }
            }
            return Array(counts)
        }
        let replacements = Int(frequencies[0xFFFD])
        var entropy = 0.0
        for index in 0..<different {
            let frequency = Double(frequencies[Int(touched[index])])
            entropy -= frequency * log2(frequency / Double(count))
            frequencies[Int(touched[index])] = 0
        }
        func total(_ wanted: UInt8...) -> Int {
            kindCounts.enumerated().reduce(0) { $0 + (wanted.contains(UInt8($1.offset) & ScalarKind.mask) ? $1.element : 0) }
        }
        let scripts = ScriptCounts(kinds: kindCounts)
        let lines = LineStatistics(scalars, kinds)
        let blocks = DuplicateBlocks(scalars, kinds, scratch)
        let wordCount = Self.split(scalars, kinds, scratch)
        let alphabets: Int = scripts.latin + scripts.accented + scripts.cyrillic + scripts.otherLetters
        let letters: Int = scripts.han + scripts.kana + scripts.hangul + alphabets
        let stopped = stopWords.coveredCount(in: scalars)
        let hits = keywords?.matches(in: scalars).count ?? 0
        let grams = Repetition(words: scratch.words.pointer, starts: scratch.starts.pointer, count: wordCount, scratch)
        let repetition = scalars.baseAddress.map { Repetition.ofCharacters($0, count, scratch) } ?? 0
        let lineEnds = kindCounts[Int(ScalarKind.lineEnd)]

        statistics.fill { values in
            func share(_ statistic: Statistic, _ part: Int, of whole: Int) {
                values[statistic.index] = whole == 0 ? 0 : Float(part) / Float(whole)
            }
            func number(_ statistic: Statistic, _ value: Int) { values[statistic.index] = Float(value) }
            number(.characters, count)
            number(.words, wordCount)
            number(.lines, lines.count)
            share(.hanShare, scripts.han, of: count)
            share(.latinShare, scripts.latin + scripts.accented, of: count)
            share(.digitShare, scripts.digits, of: count)
            share(.symbolShare, total(ScalarKind.symbol), of: count)
            share(.punctuationShare, total(ScalarKind.punctuation), of: count)
            share(.whitespaceShare, total(ScalarKind.space, ScalarKind.lineEnd), of: count)
            share(.traditionalShare, scripts.traditional, of: scripts.han)
            share(.simplifiedShare, scripts.simplified, of: scripts.han)
            share(.replacementShare, replacements, of: count)
            share(.mojibakeShare, mojibake, of: count)
            share(.meanLineLength, lines.characters, of: lines.count)
            number(.maximumLineLength, lines.longest)
            share(.shortLineShare, lines.short, of: lines.count)
            share(.listLineShare, lines.list, of: lines.count)
            share(.ellipsisLineShare, lines.ellipsis, of: lines.count)
            share(.endPunctuationShare, lines.ended, of: lines.count)
            share(.newlineRatio, lineEnds, of: wordCount)
            share(.stopWordShare, stopped, of: letters)
            share(.keywordRate, hits, of: count)
            number(.uniqueCharacters, different)
            values[Statistic.entropy.index] = count == 0 ? 0 : Float(entropy / Double(count))
            share(.duplicateLineShare, blocks.duplicateLines, of: blocks.lines)
            share(.duplicateLineCharacterShare, blocks.duplicateLineCharacters, of: count)
            share(.duplicateParagraphShare, blocks.duplicateParagraphs, of: blocks.paragraphs)
            share(.duplicateParagraphCharacterShare, blocks.duplicateParagraphCharacters, of: count)
            for (length, statistic) in zip(2...4, [Statistic.top2GramShare, .top3GramShare, .top4GramShare]) {
                share(statistic, grams.top[length - 2], of: count)
            }
            let rows: [(Int, Statistic)] = [
                (5, .duplicate5GramShare), (6, .duplicate6GramShare), (7, .duplicate7GramShare), (8, .duplicate8GramShare), (9, .duplicate9GramShare),
                (10, .duplicate10GramShare), (13, .duplicate13GramShare),
            ]
            for (length, statistic) in rows { share(statistic, grams.duplicate[length] ?? 0, of: count) }
            values[Statistic.characterRepetition.index] = repetition
        }
        scratch.trim()
        return scripts.language
    }

    /// Cuts the text into words: runs of letters, digits and marks of alphabets, and every other character that is not white space alone.
    private static func split(_ scalars: UnsafeBufferPointer<UInt32>, _ kinds: UnsafePointer<UInt8>, _ scratch: StatisticsScratch) -> Int {
        let words = scratch.words.reserve(scalars.count + 1)
        let starts = scratch.starts.reserve(scalars.count + 2)
        var (count, characters, index) = (0, Int32(0), 0)
        var runs = 0
        while index < scalars.count {
            let value = scalars[index]
            let kind = value < ScalarKind.limit ? kinds[Int(value)] : 0
            index += 1
            if kind & ScalarKind.inWord == 0 {
                let plain = kind & ScalarKind.mask
                if plain == ScalarKind.space || plain == ScalarKind.lineEnd { continue }
                words[count] = value
                starts[count] = characters
                count += 1
                characters += 1
                continue
            }
            var hash = UInt64(value)
            let start = index - 1
            while index < scalars.count, scalars[index] < ScalarKind.limit, kinds[Int(scalars[index])] & ScalarKind.inWord != 0 {
                hash = (hash &* 0xD134_2543_DE82_EF95) ^ UInt64(scalars[index])
                hash ^= hash >> 31
                index += 1
            }
            words[count] = value
            starts[count] = characters
            if index - start > 1 {
                // Numbers from beyond Unicode; a word is known by its 64-bit hash.
                if runs == 0 { scratch.wordNumbers.prepare(min(scalars.count / 2 + 1, 1 << 10)) }
                words[count] = scratch.wordNumbers.number(hash, &runs)
            }
            count += 1
            characters += Int32(index - start)
        }
        starts[count] = characters
        return count
    }
}

extension HashTable {
    /// The running number of a key, from 0x110000 on; the table grows as keys come.
    func number(_ key: UInt64, _ count: inout Int) -> UInt32 {
        var place = place(key)
        if entries[place].count == 0 {
            if isHalfFull(count) {
                grow()
                place = self.place(key)
            }
            entries[place] = Entry(key: key, count: 1, mark: UInt32(0x110000 + count))
            count += 1
        }
        return entries[place].mark
    }
}

/// Spare working memory, one piece for each thread that is measuring.
private final class ScratchPool: Sendable {
    private let spare = Mutex<[StatisticsScratch]>([])

    func borrow<Result>(_ body: (StatisticsScratch) -> Result) -> Result {
        let scratch = spare.withLock { $0.popLast() } ?? StatisticsScratch()
        defer { spare.withLock { $0.append(scratch) } }
        return body(scratch)
    }
}

/// The function words and everyday words of modern Chinese prose.
enum StopWords {
    static let common = [
        "的", "了", "是", "在", "和", "与", "有", "也", "就", "都", "而", "及", "或", "被", "把", "对", "从", "向", "到", "以", "于", "为", "之", "其", "所", "着", "过", "地",
        "得",
        "不", "没", "很", "又", "再", "还", "只", "才", "便", "却", "但", "如", "若", "因", "这", "那", "哪", "此", "该", "各", "每", "某", "我", "你", "他", "她", "它", "您",
        "咱",
        "们", "吗", "呢", "吧", "啊", "呀", "么", "一个", "一些", "一样", "我们", "你们", "他们", "她们", "它们", "自己", "这个", "那个", "这些", "那些", "这样", "那样", "这里", "那里",
        "什么", "怎么", "为什么", "因为", "所以", "但是", "可是", "不过", "然而", "虽然", "如果", "于是", "并且", "而且", "或者", "还是", "就是", "只是", "不是", "没有", "已经", "可以", "能够",
        "应该", "这么", "那么", "其中", "以及", "由于", "关于", "对于", "通过", "根据", "除了", "之后", "之前", "以后", "以前", "时候",
    ]
}
