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

    @Test func linesAreReadBackExactly() throws {
        let meter = try TextMeter()
        for (index, text) in (samples + realSamples.prefix(4)).enumerated() {
            var statistics = meter.measure(text)
            if index % 3 == 0 { statistics[.perplexity] = 1 / Float(index + 3) * 1e-12 }
            let id = index % 5 == 0 ? "文件\"\\\n\u{1}/\(index)" : "a.jsonl:\(index)"
            let line = statistics.line(id: id)
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
            #expect(object["id"] as? String == id)
            let read = try TextStatistics.read(line: line)
            #expect(read.id == id)
            #expect(Statistic.allCases.allSatisfy { read.statistics[$0] == statistics[$0] } && read.statistics.language == statistics.language)
        }
        var random = SeededRandom(seed: 5)
        for _ in 0..<20_000 {
            var statistics = TextStatistics()
            let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
            guard value.isFinite else { continue }
            statistics[.entropy] = value
            #expect(try TextStatistics.read(line: statistics.line(id: "x")).statistics[.entropy] == value)
        }
        #expect(try TextStatistics.read(line: Array(#"{"characters":5,"new":1,"id":"a","lines":2}"#.utf8)).statistics[.lines] == 2)
        for broken in [
            "", "{", #"{"id":"a""#, #"{"id":"a","lines":}"#, #"{"lines":1}"#, #"{"id":"a"}x"#, #"{"id":"a","lines":1.2.3}"#, #"{"id":"\u12"}"#,
        ] {
            #expect(errorSentence { _ = try TextStatistics.read(line: Array(broken.utf8)) }.hasPrefix("not a line of statistics"), "\(broken)")
        }
        // Damaged lines are refused or read, never more.
        let line = meter.measure("雨燕归来。").line(id: "文:1")
        for _ in 0..<4000 {
            var damaged = line
            for _ in 0..<random.number(in: 1...3) { damaged[random.number(in: 0...damaged.count - 1)] = UInt8(truncatingIfNeeded: random.next()) }
            if random.number(in: 0...3) == 0 { damaged.removeLast(random.number(in: 0...damaged.count)) }
            _ = try? TextStatistics.read(line: damaged)
        }
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

@Suite struct FilterTests {
    @Test func theFirstBoundThatFailsIsNamed() throws {
        var configuration = FilterConfiguration()
        configuration.bounds = ["hanShare": Bounds(minimum: 0.5), "characters": Bounds(minimum: 2, maximum: 10), "perplexity": Bounds(maximum: 3)]
        let filter = try configuration.resolve()
        let meter = try TextMeter()
        #expect(filter.reason(for: meter.measure("雨燕归来")) == nil)
        let short = try #require(filter.reason(for: meter.measure("a")))
        #expect(short == ("characters", "1 < 2"))
        let latin = try #require(filter.reason(for: meter.measure("abc雨")))
        #expect(latin == ("han_share", "0.25 < 0.5"))
        let long = try #require(filter.reason(for: meter.measure("雨燕归来雨燕归来雨燕归来")))
        #expect(long == ("characters", "12 > 10"))
        configuration.languages = ["ja"]
        let language = try #require(try configuration.resolve().reason(for: meter.measure("雨燕归来")))
        #expect(language == ("language", "zh"))
    }

    @Test func percentilesBecomeNumbers() throws {
        var configuration = FilterConfiguration()
        configuration.bounds = ["entropy": Bounds(minimumPercentile: 10, maximumPercentile: 95)]
        #expect(try configuration.statisticsByPercentile() == [.entropy])
        let filter = try configuration.resolve { _ in (0...100).map { Float($0) / 10 }.reversed() }
        #expect(filter.bounds == [.init(statistic: .entropy, minimum: 1, maximum: 9.5)])
        #expect(FilterConfiguration.percentile(50, of: [1, 2, 4, 8]) == 3)
        #expect(FilterConfiguration.percentile(100, of: [1, 2]) == 2)
        #expect(FilterConfiguration.percentile(0, of: [7]) == 7)
        #expect(errorSentence { _ = try configuration.resolve() }.contains("no text has a entropy"))
    }

    @Test func wrongSettingsAreRefused() throws {
        var configuration = FilterConfiguration()
        configuration.bounds = ["entropi": Bounds(minimum: 1)]
        #expect(errorSentence { _ = try configuration.resolve() }.contains("nearest name is \"entropy\""))
        configuration.bounds = ["entropy": Bounds(minimum: 2, maximum: 1)]
        #expect(errorSentence { _ = try configuration.resolve() }.contains("above the maximum"))
        configuration.bounds = ["entropy": Bounds(minimumPercentile: 120)]
        #expect(errorSentence { _ = try configuration.resolve() }.contains("between 0 and 100"))
        configuration.bounds = [:]
        configuration.languages = ["klingon"]
        #expect(errorSentence { _ = try configuration.resolve() }.contains("there are \"zh\", \"ja\""))
    }

    @Test func aRuleOfTheRecipeTakesThePlaceOfThePreset() throws {
        var configuration = FilterConfiguration()
        configuration.preset = .fineweb2Chinese
        configuration.bounds = ["top_2_gram_share": Bounds(maximum: 0.5)]
        let filter = try configuration.resolve()
        #expect(filter.bounds.first { $0.statistic == .top2GramShare }?.maximum == 0.5)
        #expect(filter.bounds.first { $0.statistic == .languageScore }?.minimum == 0.692)
        #expect(filter.bounds.map(\.statistic.index) == filter.bounds.map(\.statistic.index).sorted())
        #expect(filter.languages == [.zh])
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
            let filter = try configuration.resolve()
            // Lu Xun and the weekly; a novel may be longer than Gopher's limit.
            for text in realSamples.prefix(24) {
                var record = Record.document(Document(id: "", text: String(text.prefix(20_000)), source: ""))
                _ = record.clean(with: cleaners)
                #expect(filter.reason(for: meter.measure(record)) == nil, "\(preset): \(text.prefix(40))")
            }
        }
    }

    @Test func rubbishFailsTheWebPreset() throws {
        let meter = try TextMeter()
        var configuration = FilterConfiguration()
        configuration.preset = .web
        let filter = try configuration.resolve()
        let rows = [
            (String(repeating: "这是我们的。", count: 60), "top_2_gram_share"), (String(repeating: "首页\n新闻\n体育\n财经\n", count: 40), "mean_line_length"),
            (String(repeating: "The quick brown fox jumps over the lazy dog. ", count: 20), "language"), ("短文。", "characters"),
        ]
        for (text, reason) in rows { #expect(filter.reason(for: meter.measure(text))?.name == reason) }
    }
}
