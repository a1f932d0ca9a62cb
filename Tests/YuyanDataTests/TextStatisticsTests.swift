import Foundation
import Testing

@testable import YuyanData

/// The definitions of datatrove's repetition filter and of Data-Juicer's character repetition, written down plainly.
private struct RepetitionReference {
    let text: [UInt32]
    let words: [[UInt32]]

    init(_ text: String) throws {
        self.text = text.unicodeScalars.map(\.value)
        let kinds = try ScalarKind.table()
        var words: [[UInt32]] = []
        var isOpen = false
        for value in self.text {
            let kind = value < ScalarKind.limit ? kinds[Int(value)] : 0
            if kind & ScalarKind.inWord != 0 {
                if isOpen { words[words.count - 1].append(value) } else { words.append([value]) }
                isOpen = true
            } else {
                isOpen = false
                if kind & ScalarKind.mask != ScalarKind.space && kind & ScalarKind.mask != ScalarKind.lineEnd { words.append([value]) }
            }
        }
        self.words = words
    }

    static func duplicates(_ list: [[UInt32]]) -> (Int, Int) {
        var seen: Set<[UInt32]> = []
        var (elements, characters) = (0, 0)
        for element in list where !seen.insert(element).inserted {
            elements += 1
            characters += element.count
        }
        return (elements, characters)
    }

    var lines: [[UInt32]] { blocks(text, 1) }

    var paragraphs: [[UInt32]] {
        func isSpace(_ value: UInt32) -> Bool { Unicode.Scalar(value)?.properties.isWhitespace ?? false || (0x1C...0x1F).contains(value) }
        return blocks(Array(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed()), 2)
    }

    private func blocks(_ text: [UInt32], _ gap: Int) -> [[UInt32]] {
        var blocks: [[UInt32]] = [[]]
        var index = 0
        while index < text.count {
            var run = 0
            while index + run < text.count, text[index + run] == 10 { run += 1 }
            if run >= gap {
                blocks.append([])
            } else if run > 0 {
                blocks[blocks.count - 1] += Array(repeating: 10, count: run)
            } else {
                blocks[blocks.count - 1].append(text[index])
                run = 1
            }
            index += run
        }
        return blocks
    }

    func top(_ n: Int) -> Int {
        guard words.count >= n else { return 0 }
        let grams = (0...words.count - n).map { Array(words[$0..<$0 + n].joined(separator: [32])) }
        var counts: [[UInt32]: Int] = [:]
        for gram in grams { counts[gram, default: 0] += 1 }
        let best = counts.values.max() ?? 0
        // The first to have been met, of those that are equally frequent.
        return (grams.first { counts[$0] == best }?.count ?? 0) * best
    }

    func duplicate(_ n: Int) -> Int {
        var seen: Set<[[UInt32]]> = []
        var (characters, index) = (0, 0)
        while index + n <= words.count {
            let gram = Array(words[index..<index + n])
            if seen.insert(gram).inserted {
                index += 1
            } else {
                characters += gram.joined().count
                index += n
            }
        }
        return characters
    }

    var characterRepetition: Float {
        guard text.count >= 10 else { return 0 }
        var counts: [[UInt32]: Int] = [:]
        for index in 0...text.count - 10 { counts[Array(text[index..<index + 10]), default: 0] += 1 }
        let sorted = counts.values.sorted(by: >)
        let frequent = min(Int(Double(counts.count).squareRoot()), sorted.count { $0 > 1 })
        return Float(sorted.prefix(frequent).reduce(0, +)) / Float(text.count - 9)
    }
}

@Suite struct TextStatisticsTests {
    private let samples: [String] = {
        var samples = [
            "", "天", "哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈", "甲乙丙丁", "第一行\n第一行\n\n第二段\n\n第一行\n第一行\n\n\n第二段\n", "\n\n头\n尾\n\n",
            "I like tea, I like tea, I like coffee and tea. 我喜欢喝茶，我喜欢喝茶，我喜欢咖啡。", " \n 白 \n\n 白 \n\n白", "a1b2 a1b2 ab a b",
        ]
        var random = SeededRandom(seed: 11)
        for length in 0..<250 {
            // A few phrases over and over, so that rows of all lengths repeat.
            let alphabet = Array(length % 2 == 0 ? "天地人。\n" : "天地玄黄宇宙洪荒ab cd，。\n\n")
            let phrases = (0..<4).map { _ in String((0..<random.number(in: 1...16)).map { _ in random.element(of: alphabet) }) }
            samples.append(
                (0..<length % 40).map { _ in random.number(in: 0...2) == 0 ? String(random.element(of: alphabet)) : random.element(of: phrases) }
                    .joined())
        }
        return samples
    }()

    @Test func repetitionIsThatOfTheReference() throws {
        let meter = try TextMeter()
        for text in samples + realSamples.map({ String($0.prefix(6000)) }) {
            let statistics = meter.measure(text)
            let reference = try RepetitionReference(text)
            let count = Float(max(1, reference.text.count))
            #expect(statistics[.words] == Float(reference.words.count))
            for (n, statistic) in zip(2...4, [Statistic.top2GramShare, .top3GramShare, .top4GramShare]) {
                #expect(statistics[statistic] == Float(reference.top(n)) / count, "\(n): \(text.debugDescription)")
            }
            let rows: [(Int, Statistic)] = [
                (5, .duplicate5GramShare), (6, .duplicate6GramShare), (7, .duplicate7GramShare), (8, .duplicate8GramShare), (9, .duplicate9GramShare),
                (10, .duplicate10GramShare), (13, .duplicate13GramShare),
            ]
            for (n, statistic) in rows { #expect(statistics[statistic] == Float(reference.duplicate(n)) / count, "\(n): \(text.debugDescription)") }
            #expect(statistics[.characterRepetition] == reference.characterRepetition, "\(text.debugDescription)")
            let lines = RepetitionReference.duplicates(reference.lines)
            #expect(statistics[.duplicateLineCharacterShare] == Float(lines.1) / count)
            let paragraphs = RepetitionReference.duplicates(reference.paragraphs)
            #expect(statistics[.duplicateParagraphCharacterShare] == Float(paragraphs.1) / count)
            if !text.isEmpty {
                #expect(statistics[.duplicateLineShare] == Float(lines.0) / Float(reference.lines.count), "\(text.debugDescription)")
                #expect(statistics[.duplicateParagraphShare] == Float(paragraphs.0) / Float(reference.paragraphs.count), "\(text.debugDescription)")
            }
        }
    }

    @Test func plainNumbersAreThoseOfAPlainCount() throws {
        let meter = try TextMeter()
        for text in samples + cleaningSamples + realSamples.prefix(4) {
            let statistics = meter.measure(text)
            let scalars = Array(text.unicodeScalars)
            let count = Float(max(1, scalars.count))
            #expect(statistics[.characters] == Float(scalars.count))
            #expect(statistics[.uniqueCharacters] == Float(Set(scalars).count))
            #expect(statistics[.hanShare] == Float(scalars.count { isHan($0.value) }) / count)
            let white = scalars.count { $0.properties.isWhitespace }
            #expect(statistics[.whitespaceShare] == Float(white) / count)
            let lines = scalars.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.allSatisfy(\.properties.isWhitespace) }
            #expect(statistics[.lines] == Float(lines.count))
            #expect(statistics[.maximumLineLength] == Float(lines.map(\.count).max() ?? 0))
            #expect(statistics[.shortLineShare] == Float(lines.count { $0.count < 10 }) / Float(max(1, lines.count)))
            var frequencies: [Unicode.Scalar: Double] = [:]
            for scalar in scalars { frequencies[scalar, default: 0] += 1 }
            let entropy = frequencies.values.reduce(0) { $0 - $1 / Double(count) * log2($1 / Double(count)) }
            #expect(abs(Double(statistics[.entropy] ?? -1) - entropy) < 1e-4)
            for statistic in Statistic.allCases where statistic.unit == .share && !statistic.rawValue.hasPrefix("top_") {
                #expect((0...1).contains(statistics[statistic] ?? -1), "\(statistic) \(text.debugDescription)")
            }
            #expect(statistics[.perplexity] == nil)
        }
    }

    @Test func linesAreTakenForWhatTheyAre() throws {
        let meter = try TextMeter()
        let statistics = meter.measure("• 第一项\n2、第二项。\n（三）第三项……\n④ 第四项！\n- 五\n3.14是圆周率”\n正文一行，\n一点...  \n\n他说\n")
        #expect(statistics[.lines] == 9)
        #expect(statistics[.listLineShare] == Float(5.0) / 9)
        #expect(statistics[.ellipsisLineShare] == Float(2.0) / 9)
        #expect(statistics[.endPunctuationShare] == Float(5.0) / 9)
        for (line, isItem) in [
            ("1. 一", true), ("一、二", true), ("十二、", true), ("(1)甲", true), ("1)甲", true), ("1984年", false), ("-1", false), ("一个", false),
            ("(甲)", false), ("·点", true),
        ] {
            let scalars = line.unicodeScalars.map(\.value)
            #expect(scalars.withUnsafeBufferPointer { LineStatistics.isListItem($0) } == isItem, "\(line)")
        }
    }

    @Test func wordsOfListsAreCounted() throws {
        let folder = try TemporaryFolder()
        var configuration = StatisticsConfiguration()
        configuration.stopWords = try folder.write("stop.txt", "的\n我们\n们的\n")
        configuration.keywords = [try folder.write("bad.txt", "赌博\n")]
        configuration.allowed = [try folder.write("good.txt", "反对赌博\n")]
        let statistics = try TextMeter(configuration).measure("我们的事，反对赌博，赌博。")
        #expect(statistics[.stopWordShare] == Float(3.0) / 10)
        #expect(statistics[.keywordRate] == Float(1.0) / 13)
        #expect(try #require(TextMeter().measure("他在这里，因为我们都来了。")[.stopWordShare]) > 0.8)
        configuration.keywords = [folder.file("none").path]
        #expect(errorSentence { _ = try TextMeter(configuration) }.contains("none"))
    }

    @Test func garbledTextIsSeen() throws {
        let meter = try TextMeter()
        #expect(meter.measure("ä¸­æ–‡锟斤拷烫烫烫烫\u{FFFD}")[.mojibakeShare] == Float(13.0) / 14)
        #expect(meter.measure("ä¸­æ–‡锟斤拷烫烫烫烫\u{FFFD}")[.replacementShare] == Float(1.0) / 14)
        #expect(meter.measure("屯门，烫手。étude à Genève")[.mojibakeShare] == 0)
    }

    @Test func severalThreadsMeasureAlike() throws {
        let meter = try TextMeter()
        let texts = Array((samples + realSamples.prefix(3)).shuffled())
        let alone = texts.map { meter.measure($0) }
        #expect(try parallelMap(texts) { meter.measure($0) } == alone)
    }

    @Test func namesAreFoundInBothSpellings() throws {
        for (index, statistic) in Statistic.allCases.enumerated() {
            #expect(statistic.index == index)
            #expect(!statistic.help.isEmpty)
            #expect(try Statistic(named: statistic.rawValue) == statistic)
            #expect(try Statistic(named: "\(statistic)") == statistic)
        }
        #expect(errorSentence { _ = try Statistic(named: "han_shares") } == "there is no statistic \"han_shares\"; the nearest name is \"han_share\"")
    }
}

@Suite struct FilterConfigurationTests {
    /// The first statistic of a text that lies outside its bounds.
    private func reason(_ bounds: [String: Bounds], _ statistics: TextStatistics) -> String? {
        Statistic.allCases.first { statistic in
            guard let value = statistics[statistic].map(Double.init), let bounds = bounds[statistic.rawValue] else { return false }
            return Threshold(min: bounds.minimum, max: bounds.maximum).violation(value) != nil
        }?.rawValue
    }

    @Test func wrongSettingsAreRefused() throws {
        func sentence(_ bounds: [String: Bounds]) -> String {
            var configuration = FilterConfiguration()
            configuration.bounds = bounds
            return errorSentence { _ = try configuration.allBounds() }
        }
        #expect(sentence(["entropi": Bounds(minimum: 1)]).contains("nearest name is \"entropy\""))
        #expect(sentence(["entropy": Bounds(minimum: 2, maximum: 1)]) == "the minimum of entropy, 2, is above its maximum, 1")
        #expect(sentence(["entropy": Bounds(minimumPercentile: 120)]).contains("from 0 to 100"))
        #expect(sentence(["entropy": Bounds(minimum: .nan)]).contains("a finite number"))
    }

    @Test func aRuleOfTheRecipeTakesThePlaceOfThePreset() throws {
        var configuration = FilterConfiguration()
        configuration.preset = .fineweb2Chinese
        configuration.bounds = ["top2GramShare": Bounds(maximum: 0.5)]
        let bounds = try configuration.allBounds()
        #expect(bounds["top_2_gram_share"] == Bounds(maximum: 0.5))
        #expect(bounds["chinese_score"]?.minimum == 0.692)
    }

    @Test(.enabled(if: testData != nil, needsTestData)) func goodProsePassesEveryPresetOnceItIsClean() throws {
        let meter = try TextMeter()
        var cleaning = CleaningConfiguration()
        (cleaning.control, cleaning.normalize, cleaning.html, cleaning.links, cleaning.whitespace) = (.init(), .init(), .init(), .init(), .init())
        cleaning.html?.markdown = true
        let cleaners = try cleaning.cleaners()
        for preset in FilterConfiguration.Preset.allCases where preset != .fineweb2Chinese {
            var configuration = FilterConfiguration()
            configuration.preset = preset
            let bounds = try configuration.allBounds()
            // Lu Xun and the weekly; a novel may be longer than Gopher's limit.
            for text in realSamples.prefix(24) {
                var record = Record.document(Document(id: "", text: String(text.prefix(20_000)), source: ""))
                _ = record.clean(with: cleaners)
                #expect(reason(bounds, meter.measure(record)) == nil, "\(preset): \(text.prefix(40))")
            }
        }
    }

    @Test func rubbishFailsTheWebPreset() throws {
        let meter = try TextMeter()
        var configuration = FilterConfiguration()
        configuration.preset = .web
        configuration.bounds = ["han_share": Bounds()]  // it would be the first to see that a text is not Chinese
        let bounds = try configuration.allBounds()
        let rows = [
            (String(repeating: "这是我们的。", count: 60), "top_2_gram_share"), (String(repeating: "首页\n新闻\n体育\n财经\n", count: 40), "mean_line_length"),
            (String(repeating: "The quick brown fox jumps over the lazy dog. ", count: 20), "chinese_score"), ("短文。", "characters"),
        ]
        for (text, name) in rows { #expect(reason(bounds, meter.measure(text)) == name) }
    }
}
