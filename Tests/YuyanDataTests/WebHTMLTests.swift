import Foundation
import Testing

@testable import YuyanData

@Suite struct WebHTMLTests {
    /// The layout of an encyclopedia's entry: lead, definition lists beside each other, sections, notes, recommendations.
    private static let entry = """
        <!DOCTYPE html>
        <html><head><meta charset="utf-8"><title>雨燕_某百科</title>
        <meta name="description" content="雨燕，雨燕科鸟类的通称…">
        <script>var a = "<p>脚本</p>";</script><style>p { color: red }</style></head>
        <body class="has-sidebar">
        <header><h2>某百科</h2><form><input value="搜索"><button>进入词条</button></form></header>
        <div class="nav-bar"><ul><li><a href="/">首页</a></li><li><a href="/user">用户</a></li></ul></div>
        <div class="mainContent_x1y2">
          <h1>雨燕</h1><a class="edit-lemma" href="/edit">编辑词条</a>
          <div class="lemmaSummary_k2 J-summary"><div class="para">雨燕是<a href="/item/雨燕科">雨燕科</a>鸟类的通称，
            飞行速度很快。<sup class="sup">[1]</sup></div></div>
          <div class="basic-info J-basic-info">
            <dl class="basicInfo-block basicInfo-left">
              <dt class="name">中文名</dt><dd class="value">雨燕</dd>
              <dt class="name">别&nbsp;&nbsp;&nbsp;&nbsp;名</dt><dd class="value">楼燕<br>麻燕<sup>[2]</sup></dd></dl>
            <dl class="basicInfo-block basicInfo-right">
              <dt class="name">学名：</dt><dd class="value"><i>Apus  apus</i></dd></dl></div>
          <h2>形态特征</h2>
          <div class="para">体长约<b>18</b>厘米，翅尖长，尾略叉开。&ldquo;镰刀&rdquo;般的翅膀&mdash;&mdash;适于疾飞。</div>
          <ul><li>喉部白色</li><li>通体黑褐</li></ul>
          <table><tr><th>亚种</th><th>分布</th></tr><tr><td>指名亚种</td><td>欧洲</td></tr><tr><td>北京亚种</td><td>中国北部</td></tr></table>
          <div class="recommend"><p>看了这一条的人还看了家燕、金丝燕与夜鹰，这些都是常见的鸟类词条。</p></div>
        </div>
        <aside><p>热点：今天的新闻很多。</p></aside>
        <footer><p>版权所有，翻版必究。</p></footer>
        </body></html>
        """

    @Test func encyclopediaEntry() {
        let page = HTMLPage(Self.entry, url: "https://baike.example.org/item/%E9%9B%A8%E7%87%95")
        #expect(page.title == "雨燕")
        #expect(page.summary == "雨燕是雨燕科鸟类的通称，飞行速度很快。")
        #expect(
            page.infobox == [
                InfoboxEntry(key: "中文名", value: "雨燕"), InfoboxEntry(key: "别名", value: "楼燕\n麻燕"), InfoboxEntry(key: "学名", value: "Apus apus"),
            ])
        #expect(
            page.body == """
                雨燕是雨燕科鸟类的通称，飞行速度很快。
                形态特征
                体长约18厘米，翅尖长，尾略叉开。“镰刀”般的翅膀——适于疾飞。
                喉部白色
                通体黑褐
                亚种\t分布
                指名亚种\t欧洲
                北京亚种\t中国北部
                """)
        #expect(
            page.links == [
                "https://baike.example.org/", "https://baike.example.org/user", "https://baike.example.org/edit",
                "https://baike.example.org/item/%E9%9B%A8%E7%87%95%E7%A7%91",
            ])
    }

    @Test func wikiPage() {
        let page = HTMLPage(
            """
            <html><head><title>京剧 - 某维基</title></head><body><div id="siteNotice">公告</div><h1 id="firstHeading">京剧</h1>
            <div id="toc" class="toc"><ul><li>1 历史</li></ul></div>
            <div class="mw-parser-output"><table class="infobox vevent"><tr><th colspan="2">京剧</th></tr><tr><th>起源</th><td>安徽</td></tr>
            <tr><th>时期：</th><td>清朝</td></tr></table><p>京剧，又称平剧、京戏，是中国影响最大的戏曲剧种。</p>
            <h2>历史<span class="mw-editsection">[<a href="/e">编辑</a>]</span></h2><p>清代乾隆五十五年起，四大徽班陆续进入北京。</p>
            <div class="navbox"><a href="/a">昆曲</a><a href="/b">越剧</a></div></div></body></html>
            """)
        #expect(page.title == "京剧")
        #expect(page.summary == "京剧，又称平剧、京戏，是中国影响最大的戏曲剧种。")
        #expect(page.infobox == [InfoboxEntry(key: "起源", value: "安徽"), InfoboxEntry(key: "时期", value: "清朝")])
        #expect(page.body == "京剧，又称平剧、京戏，是中国影响最大的戏曲剧种。\n历史\n清代乾隆五十五年起，四大徽班陆续进入北京。")
    }

    /// Nothing names the content: lengths and links decide.
    @Test func contentWithoutNames() {
        let links = (1...12).map { "<li><a href='/\($0)'>栏目第\($0)号</a></li>" }.joined()
        let page = HTMLPage(
            """
            <title>小城</title><table><tr><td><ul>\(links)</ul></td><td>
            <div><h3>旧事</h3><p>那年秋天，雨下了整整一个月，河水漫过了石桥，镇上的人都搬到山坡上去住。</p><p>“好。”</p>
            <p>后来水退了，人们回来修房子，日子又像从前一样慢慢地过下去，只是桥上多了一道水痕。</p></div>
            <h3>相关链接</h3><ul>\(links)</ul></td></tr></table><div>网站备案号</div>
            """)
        #expect(
            page.body == """
                旧事
                那年秋天，雨下了整整一个月，河水漫过了石桥，镇上的人都搬到山坡上去住。
                “好。”
                后来水退了，人们回来修房子，日子又像从前一样慢慢地过下去，只是桥上多了一道水痕。
                """)
        #expect(page.summary == "那年秋天，雨下了整整一个月，河水漫过了石桥，镇上的人都搬到山坡上去住。")
    }

    /// The paper's tree, written again over (words, link density) of three blocks.
    @Test func blocksAreJudgedByThePapersTree() {
        var random = SeededRandom(seed: 3)
        for _ in 0..<500 {
            var lines: [ContentExtraction.Line] = []
            var start = 0
            for block in 0..<random.number(in: 1...6) {
                let length = random.element(of: [5, 20, 21, 40, 75, 80, 85, 90, 200, 205, 300])
                lines.append(.init(text: start..<start + length, isHeading: false, linkBytes: random.number(in: 0...length), block: block))
                start += length
            }
            func words(_ index: Int) -> Double { lines.indices.contains(index) ? Double(lines[index].text.count) / 5 : 0 }
            func links(_ index: Int) -> Double {
                lines.indices.contains(index) ? Double(lines[index].linkBytes) / Double(lines[index].text.count) : 0
            }
            let expected = lines.indices.filter { index in
                if links(index) <= 0.333333 {
                    if links(index - 1) <= 0.555556 {
                        if words(index) <= 16 { return words(index + 1) <= 15 ? words(index - 1) > 4 : true }
                        return true
                    }
                    if words(index) <= 40 { return words(index + 1) > 17 }
                    return true
                }
                return false
            }
            #expect(ContentExtraction.content(of: lines).map(\.block) == expected)
        }
    }

    @Test func whiteSpaceIsLayout() {
        func body(_ html: String) -> String { HTMLPage("<main>\(html)</main>").body }
        #expect(body("<p>春眠不觉晓，\n   处处闻啼鸟。</p>") == "春眠不觉晓，处处闻啼鸟。")
        #expect(body("<p>春 眠&nbsp;不\n觉 a\nb 中\nc</p>") == "春 眠 不觉 a b 中 c")
        #expect(body("<p>　　段首<b>缩</b><i>进</i>　中间　</p>") == "段首缩进　中间")
        #expect(body("甲<br>乙<div>丙</div>丁<p>戊") == "甲\n乙\n丙\n丁\n戊")
        #expect(body("<pre>a\n  b  c\n</pre>d") == "a\n  b  c\nd")
        #expect(body("<ruby>漢<rp>(</rp><rt>hàn</rt><rp>)</rp></ruby>字") == "漢字")
        #expect(body("“引号”，全角！（括号）《书名》……") == "“引号”，全角！（括号）《书名》……")
        #expect(body("<form><p>整页都在表单里的旧网站，正文也在其中。</p></form>") == "整页都在表单里的旧网站，正文也在其中。")
        #expect(body("<p>看得见</p><p style='display: none'>看不见</p><p hidden>也看不见</p>") == "看得见")
    }

    @Test func factsWithoutAName() {
        let page = HTMLPage(
            """
            <main><dl><dt>作者<dd>鲁迅<dt>体裁<dd>小说<dd>散文诗</dl><table><tr><th>出版</th><td>1923年</td></tr><tr><th>语言</th><td>中文</td></tr></table>
            <table><tr><td>一</td><td>二</td></tr><tr><td>三</td><td>四</td></tr></table></main>
            """)
        #expect(page.infobox.map { "\($0.key)=\($0.value)" } == ["作者=鲁迅", "体裁=小说\n散文诗", "出版=1923年", "语言=中文"])
    }

    @Test func titles() {
        #expect(HTMLPage("<title>标题\n 甲</title><h1>别的</h1>").title == "标题甲")
        #expect(HTMLPage("<h1>只有标题</h1><p>正文</p>").title == "只有标题")
        #expect(HTMLPage("<meta property='og:title' content='分享标题'>").title == "分享标题")
        #expect(HTMLPage("").title.isEmpty && HTMLPage("").body.isEmpty && HTMLPage("").infobox.isEmpty && HTMLPage("").links.isEmpty)
        #expect(HTMLPage("<meta name=description content=' 说明 '><p>正文</p>").summary == "说明")
    }

    @Test func linksAreResolved() {
        let html =
            "<base href='/sub/'><a href='a#x'>1</a><a href='a'>2</a><a href='//h.example/b'>3</a><a href='javascript:void(0)'>4</a><a name=n>5</a>"
        #expect(HTMLPage(html, url: "https://example.org/x/y").links == ["https://example.org/sub/a", "https://h.example/b"])
        #expect(HTMLPage("<a href='a'>1</a>").links.isEmpty)
    }

    // MARK: Encodings

    private static let gbk: [UInt8] = [0xD3, 0xEA, 0xD1, 0xE0]  // 雨燕
    private static let big5: [UInt8] = [0xAB, 0x42, 0xBF, 0x50]  // 雨燕

    @Test func charsets() {
        func read(_ head: String, _ bytes: [UInt8], contentType: String? = nil) -> String {
            let page = HTMLPage(Array("\(head)<p>".utf8) + bytes, contentType: contentType)
            return "\(page.charset) \(page.body)"
        }
        #expect(read("", Self.gbk, contentType: "text/html; charset=\"gbk\"") == "GB18030 雨燕")
        #expect(read("<meta charset=GB2312>", Self.gbk) == "GB18030 雨燕")
        #expect(read("<meta http-equiv='Content-Type' content='text/html; charset=big5'>", Self.big5) == "BIG5-HKSCS 雨燕")
        #expect(read("<meta charset=big5>", Self.gbk, contentType: "text/html;charset=GBK") == "GB18030 雨燕")
        #expect(read("", Self.gbk) == "GB18030 雨燕")
        #expect(read("", Array("雨燕".utf8)) == "UTF-8 雨燕")
        #expect(read("<meta charset=no-such-charset>", Array("雨燕".utf8)) == "UTF-8 雨燕")
        #expect(read("<meta charset=gbk>", Self.gbk + [0x80, 0xFF, 0x31] + Self.gbk + [0xD3]).hasPrefix("GB18030 雨燕"))
        #expect(HTMLPage([0xEF, 0xBB, 0xBF] + Array("<meta charset=gbk>雨燕".utf8)).body == "雨燕")
        #expect(HTMLPage([0xFF, 0xFE, 0x3C, 0x00, 0x62, 0x00, 0x3E, 0x00, 0xE8, 0x96, 0xD5, 0x71]).body == "雨燕")
        // A character of four bytes, which GBK does not have.
        #expect(read("<meta charset=gb2312>", [0x95, 0x34, 0xB2, 0x35]) == "GB18030 𠮷")
    }

    // MARK: Text with markup

    @Test(arguments: [
        ("没有标记，a < b && c > d。", "没有标记，a < b && c > d。"),
        ("a<b 且 c>d；vector<int> x; <|end|> <3 <unk>", "a<b 且 c>d；vector<int> x; <|end|> <3 <unk>"),
        ("第一行<br>第二行<br/>\n第三行\n  第四行", "第一行\n第二行\n第三行\n  第四行"),
        ("<p>一</p>\n<p>二</p>", "一\n二"),
        ("<P CLASS=\"a>b\">一<B>二</B>三</P>四", "一二三\n四"),
        ("<ul>\n  <li>甲</li>\n  <li>乙</li>\n</ul>", "甲\n乙"),
        ("<table><tr><td>年</td><td>月</td></tr><tr><td>1</td><td>2</td></tr></table>", "年\t月\n1\t2"),
        ("&lt;标签&gt;&amp;&quot;&hellip;&#20013;&#x6587;&#151;&apos;", "<标签>&\"…中文—'"),
        ("a&nbsp;b&nbspc AT&T ?a=1&copy=2 &nosuch; &#; &#xZ; &", "a b c AT&T ?a=1&copy=2 &nosuch; &#; &#xZ; &"),
        ("&#0;&#1114112;&#xD800;", "\u{FFFD}\u{FFFD}\u{FFFD}"),
        ("前<script>if (a<b) { x = '</p>' }</script>后<style>p{}</style><!-- 注 <p> -->。", "前后。"),
        ("前<!-- 没完", "前 没完"),
        ("<script>没完", "没完"),
        ("<a href=\"没有引号的结尾>文</a>", "文"),
        ("<my-element data-x='1'>内容</my-element><o:p></o:p>", "内容"),
        ("<![CDATA[x]]><?xml version='1.0'?><!DOCTYPE>文", "文"),
        ("    code\n\ttab <b>粗</b>  空格", "    code\n\ttab 粗  空格"),
        ("<div>只有一行</div>", "只有一行"),
        ("`<input>` 和 `&lt;`，<b>粗</b> `", "`<input>` 和 `&lt;`，粗 `"),
        ("甲<br>\n```html\n<p>码</p>\n```\n<b>乙</b>", "甲\n```html\n<p>码</p>\n```\n乙"),
        ("```<b>一行</b>```<i>丙</i>", "```<b>一行</b>```丙"),
        ("尾<", "尾<"), ("<a", "<a"), ("</", "</"), ("<p", "<p"), ("<!", "<!"), ("&#x", "&#x"), ("", ""),
    ]) func fragments(html: String, text: String) {
        #expect(htmlText(html) == text)
    }

    @Test func wholePages() {
        let text = htmlText(Self.entry)
        #expect(text.hasPrefix("雨燕_某百科\n某百科\n"))
        #expect(text.contains("\n雨燕是雨燕科鸟类的通称，飞行速度很快。[1]\n"))
        #expect(text.contains("\n指名亚种\t欧洲\n"))
        #expect(!text.contains("脚本") && !text.contains("color") && !text.contains("\n\n") && !text.contains("<"))
        #expect(htmlText("<html><pre>a\n  b</pre><p>c\nd") == "a\n  b\nc d")
    }

    /// Of a page in tags that both know, both ways of reading find the same text.
    @Test func scannerAndParserAgree() {
        var random = SeededRandom(seed: 4)
        let words = ["雨燕", "飞。", "a", "b c", "&lt;", "，\n", " ", "&#20013;", "　"]
        for _ in 0..<400 {
            var open: [String] = []
            var html = ""
            for _ in 0..<random.number(in: 1...30) {
                switch random.number(in: 0...3) {
                case 0:
                    open.append(random.element(of: ["div", "section", "b", "span", "em"]))
                    html += "<\(open[open.count - 1])>"
                case 1: html += open.popLast().map { "</\($0)>" } ?? "<br>"
                default: html += random.element(of: words)
                }
            }
            html += open.reversed().map { "</\($0)>" }.joined()
            let tree = HTMLTree(Array(html.utf8))
            #expect(htmlText("<html><body>\(html)</body></html>") == ContentExtraction(tree).text(of: 0), "\(html)")
        }
    }

    // MARK: Hostile pages

    @Test(arguments: ["<div>", "<b>", "<table><tr><td>", "<ul><li>", "<a href='x'>", "<article>", "<dl><dt>", "<x-y>", "<p><b></p>"])
    func deepNesting(tag: String) {
        let page = HTMLPage(
            "<main><p>开头</p>" + String(repeating: tag, count: 100_000) + "深处" + String(repeating: "</b></div>", count: 1000) + "<p>结尾</p>")
        #expect(page.body.contains("深处") || page.infobox.contains { $0.key.contains("深处") || $0.value.contains("深处") } || tag.contains("a "))
        #expect(htmlText(String(repeating: tag, count: 100_000) + "深处").contains("深处"))
    }

    @Test(arguments: [
        "<a =\"", "<a ", "<!--", "<!-- ", "<script>", "<a href='", "&#", "&amp", "</i>", "<b></i>", "<", "<p", "<?xml ", "<![", "\"", "<title>",
        "<svg>",
    ]) func repeatedPiecesTakeLinearTime(piece: String) {
        let html = String(repeating: piece, count: 400_000 / piece.utf8.count)
        _ = htmlText(html)
        _ = htmlText("<html>" + html)
        _ = HTMLPage(html)
        _ = HTMLPage(String(repeating: "<b>", count: 50_000) + html)
    }

    @Test func damagedPagesDoNoHarm() {
        let bytes = Array(Self.entry.utf8)
        var random = SeededRandom(seed: 5)
        let pieces = ["<", ">", "&", "\"", "</", "<!--", "<table>", "<td>", "</p>", "<script>", "\0", "&#", "<dl class=infobox>", "\u{3000}"].map {
            Array($0.utf8)
        }
        for _ in 0..<3000 {
            var damaged = bytes
            for _ in 0..<random.number(in: 1...10) {
                let place = random.number(in: 0...damaged.count - 1)
                switch random.number(in: 0...2) {
                case 0: damaged[place] = UInt8(random.number(in: 0...255))
                case 1: damaged.removeSubrange(place..<min(place + random.number(in: 0...200), damaged.count - 1))
                default: damaged.insert(contentsOf: random.element(of: pieces), at: place)
                }
            }
            let page = HTMLPage(damaged, contentType: random.element(of: [nil, "text/html; charset=gbk", "text/html; charset=utf-8"]))
            _ = (page.links, htmlText(String(decoding: damaged, as: UTF8.self)))
        }
        // What stands before the damage is still read.
        let page = HTMLPage(Array(bytes.prefix(bytes.count * 3 / 4)))
        #expect(page.title == "雨燕" && page.infobox.count == 3 && page.body.hasPrefix("雨燕是雨燕科鸟类的通称"))
    }
}
