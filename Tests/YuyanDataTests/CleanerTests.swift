import COpenCC
import CUTF8Proc
import Foundation
import Testing

@testable import YuyanData

/// Cleans a copy.
func cleaned(_ text: String, by cleaner: any TextCleaner) -> String {
    var text = text
    let before = text
    let count = cleaner.clean(&text)
    // Counts and changes go together.
    if Array(text.utf8) == Array(before.utf8) { #expect(count == 0, "\(cleaner.name) counts what it did not change in \(before)") }
    return text
}

/// Texts of every kind, for properties that hold for all.
let cleaningSamples: [String] = {
    var samples = [
        "", " ", "\n", "\n\n\n", "　", "天", "你好，世界！\r\n第二行\r第三行\u{2028}第四行\u{85}完", "a\u{0301}e\u{0327}\u{0301} Å ﬁ ㎏ ① ｱｲｳ　ＡＢＣ！",
        "見https://a.cn/b，謝謝 www.baidu.com。（http://x.org/a_(b)）ftp://f.cn/1.txt; HTTP://A.B/C?d=e&f#g",
        "<p>第一段</p><p>第二段<br>换行</p><script>if (a<b) {}</script>",
        "👨‍👩‍👧 ❤️ 1️⃣ 🏴\u{E0067}\u{E0062}\u{E007F} 中\u{FE0F}文\u{200B}字\u{FEFF}", "[雨燕](https://a.cn) ![图](b.png) [[内](x)](y)", "中 文 之 间 有 空 格\t制表\u{00A0}符",
        "首页\n新闻\n体育\n财经\n科技\n娱乐\n\n正文从这里开始，一直写到句号。\n……\n版权所有 不得转载\n", "打坏了，乾隆皇帝說：「乾淨」", "Ã©tÃ© cafÃ© ä¸­æ–‡ é", "锟斤拷锟斤拷烫烫烫",
        "\u{1112}\u{1161}\u{11AB}\u{AC00}\u{11A8} \u{0344} \u{0958} \u{2126}", "１２３，４．５",
    ]
    var random = SeededRandom(seed: 7)
    let alphabet = Array("天地人，。！？ 　\t\n\nabcXYZ<>&;/[]()!:.wwwhttp://\u{0301}\u{3099}\u{FEFF}\u{200D}❤️ﬁ①Ａ！Ã©ä¸­ée\r國語乾".unicodeScalars)
    for length in 0..<400 {
        var text = String.UnicodeScalarView()
        for _ in 0..<length % 60 { text.append(random.element(of: alphabet)) }
        samples.append(String(text))
    }
    for _ in 0..<400 {
        var text = String.UnicodeScalarView()
        for _ in 0..<random.number(in: 1...40) {
            let plane = random.element(of: [0...0x7F, 0x80...0x2FF, 0x300...0x36F, 0x1100...0x2FFF, 0x3000...0xFFFF, 0x10000...0x10FFFF])
            if let scalar = Unicode.Scalar(UInt32(random.number(in: plane))) { text.append(scalar) }
        }
        samples.append(String(text))
    }
    return samples
}()

/// A few real texts.
let realSamples: [String] = {
    guard let testData else { return [] }
    let files = ["text/luxun", "text/weekly", "text/d2l"].flatMap { folder -> [URL] in
        let url = testData.appendingPathComponent(folder)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
        return names.sorted().prefix(12).map { url.appendingPathComponent($0) }
    }
    return files.compactMap { try? String(contentsOf: $0, encoding: .utf8) }
}()

func allCleaners() throws -> [any TextCleaner] {
    var html = MarkupConfiguration()
    html.markdown = true
    var joined = WhitespaceConfiguration()
    joined.joinHan = true
    var kept = WhitespaceConfiguration()
    kept.tabs = .keep
    kept.removeIndent = false
    kept.maximumBlankLines = 0
    var compatible = NormalizeConfiguration()
    compatible.form = .nfkc
    var folded = NormalizeConfiguration()
    folded.fullWidth = .letters
    return [
        NormalizeCleaner(), NormalizeCleaner(compatible), NormalizeCleaner(folded), ControlCleaner(), MarkupCleaner(html), LinksCleaner(),
        WhitespaceCleaner(), WhitespaceCleaner(joined), WhitespaceCleaner(kept), LinesCleaner(), try SimplifyCleaner(),
    ]
}

@Suite struct CleanerTests {
    @Test func normalizationComposesAndKeepsFullWidthForms() {
        var configuration = NormalizeConfiguration()
        #expect(cleaned("e\u{0301}，ＡＢ１　①㎏…\r\n行\r尾", by: NormalizeCleaner()).unicodeScalars.elementsEqual("é，ＡＢ１　①㎏…\n行\n尾".unicodeScalars))
        configuration.form = .nfkc
        #expect(cleaned("，ＡＢ１　①㎏……ｱ", by: NormalizeCleaner(configuration)) == "，ＡＢ１　1kg……ア")
        configuration.fullWidth = .letters
        #expect(cleaned("，ＡＢ１　①！", by: NormalizeCleaner(configuration)) == "，AB1　1！")
        configuration.fullWidth = .fold
        #expect(cleaned("，ＡＢ１　①！", by: NormalizeCleaner(configuration)) == ",AB1 1!")
        configuration.form = .none
        #expect(cleaned("①Ａ\u{2029}e\u{0301}", by: NormalizeCleaner(configuration)).unicodeScalars.elementsEqual("①A\ne\u{0301}".unicodeScalars))
    }

    /// utf8proc over the whole text, with nothing passed over.
    private func reference(_ text: String, _ options: UInt32) -> [UInt8] {
        var result: UnsafeMutablePointer<UInt8>?
        let bytes = Array(text.utf8)
        let length = utf8proc_map(bytes, bytes.count, &result, utf8proc_option_t(rawValue: options))
        defer { free(result) }
        return Array(UnsafeBufferPointer(start: result, count: max(0, length)))
    }

    @Test func quickPassAgreesWithUTF8Proc() {
        let nfc = UTF8PROC_STABLE.rawValue | UTF8PROC_COMPOSE.rawValue
        var fold = NormalizeConfiguration()
        (fold.form, fold.fullWidth) = (.nfkc, .fold)
        let ends = NormalizeConfiguration.ends
        for text in cleaningSamples + realSamples {
            let mended = cleaned(text, by: NormalizeCleaner(ends))
            #expect(Array(cleaned(mended, by: NormalizeCleaner()).utf8) == reference(mended, nfc), "\(text)")
            // Where the ellipsis is absent, folding all forms is NFKC itself.
            if !text.unicodeScalars.contains(where: { $0 == "…" || $0 == "‥" }) {
                #expect(Array(cleaned(mended, by: NormalizeCleaner(fold)).utf8) == reference(mended, nfc | UTF8PROC_COMPAT.rawValue), "\(text)")
            }
        }
    }

    @Test func everyScalarBetweenNeighboursIsNormalised() {
        let nfc = UTF8PROC_STABLE.rawValue | UTF8PROC_COMPOSE.rawValue
        for value in (UInt32(0x80)..<0x32400).filter({ $0 != 0x85 && $0 != 0x2028 && $0 != 0x2029 }) where value % 3 == 0 || value < 0x3200 {
            guard let scalar = Unicode.Scalar(value) else { continue }
            var text = "人a"
            text.unicodeScalars.append(scalar)
            text.unicodeScalars.append("\u{0338}")
            text += "\u{1161}"
            #expect(Array(cleaned(text, by: NormalizeCleaner()).utf8) == reference(text, nfc), "U+\(String(value, radix: 16))")
        }
    }

    @Test func simplifies() throws {
        let cleaner = try SimplifyCleaner()
        #expect(cleaned("漢語與國語\n简体不变", by: cleaner) == "汉语与国语\n简体不变")
        #expect(cleaned("乾隆皇帝說：「乾淨」", by: cleaner) == "乾隆皇帝说：「干净」")
        #expect(cleaned("打坏了一坏土", by: cleaner) == "打坏了一坏土")
        // 乾 is a character of simplified text too; in a traditional text it is one of those to be changed.
        #expect(cleaned("男禀乾刚，女占坤顺。於梨华", by: cleaner) == "男禀乾刚，女占坤顺。於梨华")
        #expect(cleaned("於此人何不可\n漢語與國語", by: cleaner) == "于此人何不可\n汉语与国语")
        var text = "國\n家\n愛國"
        #expect(cleaner.clean(&text) == 3)
        #expect(text == "国\n家\n爱国")
        var taiwan = SimplifyConfiguration()
        taiwan.from = .tw2sp
        #expect(cleaned("滑鼠與軟體", by: try SimplifyCleaner(taiwan)) == "鼠标与软件")
    }

    @Test func simplifiesByLineAsOpenCCDoes() throws {
        let handle = opencc_open("t2s.json")
        defer { opencc_close(handle) }
        let converter = try ChineseConverter.shared("t2s")
        let cleaner = try SimplifyCleaner()
        for text in cleaningSamples + realSamples.prefix(6) where !text.utf8.contains(0) {
            let sure = text.unicodeScalars.count { converter.changes($0.value) && !ChineseConverter.ambiguous.contains($0.value) }
            let isTraditional = sure > 0 && 20 * sure >= text.unicodeScalars.count { isHan($0.value) }
            let expected = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
                guard line.contains(where: { converter.changes($0.value) && (isTraditional || !ChineseConverter.ambiguous.contains($0.value)) })
                else {
                    return String(line)
                }
                let line = String(line)
                guard let result = opencc_convert_utf8(handle, line, line.utf8.count) else { return line }
                defer { opencc_convert_utf8_free(result) }
                return String(cString: result)
            }
            #expect(Array(cleaned(text, by: cleaner).utf8) == Array(expected.joined(separator: "\n").utf8))
        }
    }

    @Test func convertsOnManyThreadsAtOnce() throws {
        let cleaner = try SimplifyCleaner()
        let texts = (0..<400).map { "第\($0)行：漢語與國語，乾隆皇帝說乾淨。" }
        let converted = try parallelMap(texts) { cleaned($0, by: cleaner) }
        for (index, text) in converted.enumerated() { #expect(text == "第\(index)行：汉语与国语，乾隆皇帝说干净。") }
    }

    @Test func removesControls() {
        let cleaner = ControlCleaner()
        #expect(cleaned("\u{FEFF}中\u{200B}文\u{0}字\u{7}\u{AD}，\u{E000}\u{FFFE}\u{FFFD}\u{202A}x\u{85}y\tz\r\n", by: cleaner) == "中文字，x\ny\tz\n")
        for kept in ["👨‍👩‍👧‍👦", "❤️", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏳️‍🌈", "👍🏽", "中文，ＡＢ「」…——é\n\t"] {
            #expect(cleaned(kept, by: cleaner).unicodeScalars.elementsEqual(kept.unicodeScalars), "\(kept)")
        }
        #expect(cleaned("中\u{200D}文\u{FE0F}a\u{FE0F}", by: cleaner) == "中文a")
        // Nothing of what is to go is left, whatever the text.
        for text in cleaningSamples {
            for scalar in cleaned(text, by: cleaner).unicodeScalars {
                #expect(ControlCleaner.verdict(scalar.value) == .keep || ControlCleaner.verdict(scalar.value) == .emojiPart)
            }
        }
    }

    /// What a program makes of UTF-8 when it takes it for GBK; nil where a byte has no partner.
    private func readAsGBK(_ text: String) -> String? {
        String(data: Data(text.utf8), encoding: String.Encoding(rawValue: 0x8000_0632))
    }

    @Test func mendsMojibake() throws {
        let cleaner = ControlCleaner()
        #expect(cleaned("ä¸­æ–‡ç½‘ç«™", by: cleaner) == "中文网站")
        #expect(cleaned("cafÃ© Â· â€œä½\u{A0}å¥½â€\u{9D}", by: cleaner) == "café · “你好”")
        for text in ["中文", "我们都是好人，今天天气很好", "人民日报记者在北京报道。"] {
            if let garbled = readAsGBK(text), garbled != text, !garbled.unicodeScalars.contains("\u{FFFD}") {
                #expect(cleaned("\(garbled)\nabc", by: cleaner) == "\(text)\nabc")
            }
            let latin = String(String.UnicodeScalarView(text.utf8.map { Unicode.Scalar($0) }))
            #expect(cleaned(latin, by: cleaner) == text)
        }
        #expect(try #require(readAsGBK("中文")) == "涓\u{E15F}枃")
        #expect(cleaned("涓\u{E15F}枃", by: cleaner) == "中文")
        #expect(cleaned("前锟斤拷锟斤拷后，烫烫烫", by: cleaner) == "前后，烫烫烫")
        // Right text is left alone.
        for text in ["“你好”——他说……", "étude à Genève, naïve façade", "涓涓细流", "Ã", "绔欓", "联通"] {
            #expect(cleaned(text, by: cleaner).unicodeScalars.elementsEqual(text.unicodeScalars), "\(text)")
        }
        for text in realSamples.prefix(20) {
            var copy = text
            #expect(Mojibake.mend(&copy) == 0)
        }
    }

    @Test func removesHTML() {
        let cleaner = MarkupCleaner()
        let table = [
            ("<p>第一段</p><p>第二段</p>", "第一段\n第二段\n"), ("a<br/>b<BR>\nc", "a\nb\nc"), ("x<!-- 注 > 释 -->y", "xy"),
            ("<script>if (a<b) { x() }</script>正文<style>p{}</style>", "正文"), ("1<2 且 a<b，c>d", "1<2 且 a<b，c>d"), ("<三体>与<b>黑体</b>", "<三体>与黑体"),
            ("<a href=\"x>y\" title='z'>链接</a>", "链接"),
            ("&lt;p&gt; &amp;amp; &nbsp;&quot;&#20013;&#x6587;&hellip;&#150;&unknown; & &;", "<p> &amp;  \"中文…–&unknown; & &;"),
            ("<td>甲</td><td>乙</td>", "甲 乙"), ("<div", "<div"), ("&shy;&#8203;&#0;", ""), ("<!DOCTYPE html><?xml version=\"1\"?>文", "文"),
            ("a < b > c", "a < b > c"),
        ]
        for (text, expected) in table { #expect(cleaned(text, by: cleaner) == expected, "\(text)") }
        var configuration = MarkupConfiguration()
        configuration.markdown = true
        let markdown = MarkupCleaner(configuration)
        for (text, expected) in [
            ("见[雨燕](https://a.cn/b_(c) \"题\")。", "见雨燕。"), ("![图](a.png)", "图"), ("[![图](a.png)](b)尾", "图尾"), ("[甲][1]\n[1]: http://x.cn\n乙", "甲\n乙"),
            ("数组a[0](x)与[注]", "数组a0与[注]"), ("\\[x](y)", "\\[x](y)"), ("[未完](a\nb)", "[未完](a\nb)"),
        ] {
            #expect(cleaned(text, by: markdown) == expected, "\(text)")
        }
    }

    @Test func removesLinks() {
        let cleaner = LinksCleaner()
        for (text, expected) in [
            ("见https://a.cn/b，谢谢", "见，谢谢"), ("（http://x.org/a_(b)）", "（）"), ("(see http://x.org/a).", "(see )."), ("www.baidu.com。", "。"),
            ("HTTPS://A.B/c?d=e&f#g 尾", " 尾"),
            ("ftp://f.cn/1.txt;", ";"), ("awww.x wwww http:// www. ://x", "awww.x wwww http:// www. ://x"),
            ("https://zh.wikipedia.org/wiki/中文", "中文"), ("“http://a.cn”", "“”"),
            ("[x](http://a.cn)", "[x]()"), ("http://a.cn/\"x\"", "\"x\""),
        ] {
            #expect(cleaned(text, by: cleaner) == expected, "\(text)")
        }
        var configuration = LinksConfiguration()
        configuration.replacement = "〈链接〉"
        #expect(cleaned("见http://a.cn/。", by: LinksCleaner(configuration)) == "见〈链接〉。")
    }

    @Test func mendsWhiteSpace() {
        var configuration = WhitespaceConfiguration()
        let cleaner = WhitespaceCleaner()
        for (text, expected) in [
            ("　　从前  有\t座　　山　庙 \n\n\n\n  - 项\n\n", "从前 有 座 山　庙\n\n  - 项\n"), ("\n\n甲", "甲"), ("  \n \n", ""), ("a\u{00A0}b\u{2003}\u{2003}c", "a b c"),
            ("甲\n乙", "甲\n乙"),
            ("甲\n", "甲\n"), ("\u{00A0}\u{00A0}x", "  x"),
        ] {
            #expect(cleaned(text, by: cleaner) == expected, "\(text)")
        }
        configuration.joinHan = true
        #expect(cleaned("中 文 之　间 ，有 ABC 字 “好” 1", by: WhitespaceCleaner(configuration)) == "中文之间，有 ABC 字“好” 1")
        configuration = .init()
        configuration.tabs = .keep
        configuration.removeIndent = false
        configuration.maximumBlankLines = 2
        #expect(cleaned("　　a\tb  c \n\n\n\n\nd", by: WhitespaceCleaner(configuration)) == "　　a\tb c\n\n\nd")
    }

    @Test func removesLines() {
        let cleaner = LinesCleaner()
        let page = """
            首页 > 新闻 > 国内
            雨燕归来

            今年的雨燕比往年早到了三天，城楼上已经能听见它们的叫声。
            ……
            责任编辑：王小明
            今年的雨燕比往年早到了三天，城楼上已经能听见它们的叫声。
            他说：“扫描二维码的时代，人们不再抬头看天，也就看不见雨燕，只看见手里的屏幕，看见屏幕里的雨燕，这大概是我们这一代人最平常也最容易忘记的损失。”

            体育
            财经
            科技

            娱乐
            汽车
            房产
            © 2024 版权所有
            """
        #expect(
            cleaned(page, by: cleaner) == """
                雨燕归来

                今年的雨燕比往年早到了三天，城楼上已经能听见它们的叫声。
                他说：“扫描二维码的时代，人们不再抬头看天，也就看不见雨燕，只看见手里的屏幕，看见屏幕里的雨燕，这大概是我们这一代人最平常也最容易忘记的损失。”

                """)
        // Verse ends in punctuation; five short lines are no row; tables and quotations are no navigation.
        for kept in [
            "床前明月光，\n疑是地上霜。\n举头望明月，\n低头思故乡。", "一\n二\n三\n四\n五", "| 甲 | 乙 | 丙 |", "中国 | 国家 | 首都", "> 引 > 文 > 字", "登录系统之后，请先修改密码。",
            "- 甲\n- 乙\n- 丙\n- 丁\n- 戊\n- 己",
            "```\nreturn\n首页\na\nb\nc\nd\n```\n文",
        ] {
            #expect(cleaned(kept, by: cleaner) == kept)
        }
        var configuration = LinesConfiguration()
        (configuration.boilerplate, configuration.ellipsis, configuration.repeatedLineLength, configuration.shortLineLength) = (false, false, 0, 0)
        #expect(cleaned(page, by: LinesCleaner(configuration)) == page)
        configuration.phrases = ["雨燕归来"]
        #expect(!cleaned(page, by: LinesCleaner(configuration)).contains("雨燕归来"))
    }

    @Test func cleaningTwiceIsCleaningOnce() throws {
        for cleaner in try allCleaners() {
            for text in cleaningSamples + realSamples {
                // An entity becomes text that may look like markup, and simplified names may hold traditional characters: once is meant there.
                if cleaner.name == "html", text.contains("&") || text.contains("[[") || text.contains("<<") { continue }
                if cleaner.name == "html" || cleaner.name == "simplify", !realSamples.contains(text) { continue }
                let once = cleaned(text, by: cleaner)
                let twice = cleaned(once, by: cleaner)
                #expect(
                    Array(once.utf8) == Array(twice.utf8),
                    "\(cleaner.name): \(text.prefix(300).debugDescription) → \(once.prefix(300).debugDescription)")
            }
        }
    }

    @Test func anyTextIsCleanedToText() throws {
        let cleaners = try allCleaners()
        for text in cleaningSamples {
            var record = Record.document(Document(id: "1", text: text, source: "s"))
            _ = record.clean(with: cleaners)
            // Swift mends broken UTF-8 with U+FFFD, so none may appear.
            #expect(!record.text.unicodeScalars.contains("\u{FFFD}"))
        }
    }

    @Test func configurationGivesCleanersInOrder() throws {
        var configuration = CleaningConfiguration()
        #expect(try configuration.cleaners().isEmpty)
        configuration.lines = .init()
        configuration.links = .init()
        configuration.normalize = .init()
        configuration.control = .init()
        let cleaners = try configuration.cleaners()
        #expect(cleaners.map(\.name) == ["control", "normalize", "links", "lines"])
        var record = Record.pair(Pair(id: "1", input: "见http://a.cn\r\n", target: "\u{FEFF}好http://b.cn", source: "s"))
        #expect(record.clean(with: cleaners) == ["control": 2, "links": 2])
        #expect(record.text == "见\n\n好")
    }
}

extension NormalizeConfiguration {
    /// Line ends only.
    static var ends: NormalizeConfiguration {
        var configuration = NormalizeConfiguration()
        configuration.form = .none
        return configuration
    }
}
