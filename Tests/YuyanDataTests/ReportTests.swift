import Foundation
import Testing
import YuyanText

@testable import YuyanData

@Suite struct ReportTests {
    private let hostile = "</p></script><script>alert('x')</script><img src=x onerror=alert(1)> & \"引\" \u{1B}[31m\u{202E}反\u{0}"

    /// Cleaned, filtered and compared, with a hostile text in every place that a page shows.
    private func makeRun(_ folder: TemporaryFolder) throws -> URL {
        let hostile = self.hostile
        let records = (0..<200).map { number -> String in
            let text = number % 3 == 0 ? "短\(number)" : String(repeating: "白日依山尽，黄河入海流。", count: number) + hostile
            var line: [UInt8] = []
            line.append(json: .document(Document(id: "", text: text, source: "")))
            return String(decoding: line, as: UTF8.self).replacing(#""id":"","#, with: "").replacing(#""source":"","#, with: "")
        }
        let input = try folder.write("<b>in/a.jsonl", records.joined(separator: "\n"))
        let run = folder.file("<i>run")
        let cleaned = run.appendingPathComponent("clean")
        try clean([input], to: cleaned, cleaners: [], statistics: ["characters", "<u>"]) { record in
            [Double(record.text.unicodeScalars.count), Double(stableHash(record.text) % 100) / 100]
        }
        try filter(
            cleaned, to: run.appendingPathComponent("filter"),
            bounds: ["characters": Bounds(minimum: 20, maximum: 2000), "<u>": Bounds(minimum: 0.1)])
        try processRecords([run.appendingPathComponent("filter").path], step: "z", to: run.appendingPathComponent("z")) { record, ordinal in
            ordinal % 4 == 0 ? [.dropped(record, Drop(step: "z", reason: hostile, value: hostile))] : [.kept(record, changes: [hostile: 2])]
        }
        let summary = #"{"clusters":2,"records":5,"sizes":{"2":1,"3":1}}"#
        let cluster = try JSONSerialization.data(withJSONObject: ["size": 3, "members": [["id": hostile, "opening": hostile]]])
        try Data((summary + "\n" + String(decoding: cluster, as: UTF8.self) + "\n").utf8).write(to: run.appendingPathComponent("z/duplicates.jsonl"))
        return run
    }

    @Test func pageIsWholeAndHarmless() throws {
        let folder = try TemporaryFolder()
        let run = try makeRun(folder)
        let page = try report(run)
        #expect(try String(contentsOf: run.appendingPathComponent("report.html"), encoding: .utf8) == page)
        #expect(temporaryFiles(folder.url).isEmpty)
        // Texts are texts: no element that they name, no address but the standard's, no control characters.
        for markup in ["<script", "<img", "onerror=alert(1)>", "http:", "https:", "url(", "@import", "<b>in", "<i>run", "<u>", "<link"] {
            #expect(!page.contains(markup), "\(markup)")
        }
        #expect(page.contains("&lt;script&gt;alert(&#39;x&#39;)"))
        #expect(!page.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" && $0 != "\t" })
        // Well-formed as far as elements go: each that is opened is closed, in order.
        var open: [Substring] = []
        var rest = page[...]
        while let start = rest.firstIndex(of: "<") {
            rest = rest[rest.index(after: start)...]
            guard let end = rest.firstIndex(of: ">") else { break }
            let tag = rest[..<end]
            rest = rest[rest.index(after: end)...]
            let name = tag.drop { $0 == "/" }.prefix { !$0.isWhitespace && $0 != "/" }
            if tag.hasPrefix("!") || tag.hasSuffix("/") || name == "meta" { continue }
            if tag.hasPrefix("/") { #expect(open.popLast() == name) } else { open.append(name) }
        }
        #expect(open.isEmpty)
        for part in ["漏斗", "去掉了什么", "统计量与阈值", "重复", "来源与长度", "改动", "留下的样例", "<svg", "prefers-color-scheme: dark"] { #expect(page.contains(part)) }
        #expect(try report(run) == page)
    }

    @Test func countsOnThePage() throws {
        let folder = try TemporaryFolder()
        let run = try makeRun(folder)
        let summary = try RunSummary(run)
        #expect(summary.stages.map(\.name) == ["clean", "filter", "z"])
        #expect(summary.before.lengths.total == 200)
        let kept = try readRecords(run.appendingPathComponent("z/documents").path)
        #expect(summary.after.lengths.total == kept.count)
        #expect(summary.after.sources.values.reduce(0) { $0 + $1.records } == kept.count)
        let length = try #require(summary.stages[0].distributions.first { $0.name == "characters" })
        #expect(length.threshold == Threshold(min: 20, max: 2000) && length.values.count == 200)
        #expect(length.dropped == summary.stages[1].report.dropped["characters"]?.records)
        #expect(summary.stages[2].dropped.values.map(\.count) == [3])
        #expect(summary.kept.count == 6)
    }

    @Test func unfinishedAndEmptyRuns() throws {
        let folder = try TemporaryFolder()
        let input = try sampleCorpus(folder, count: 20)
        let run = folder.file("run")
        try processRecords([input], step: "a", to: run.appendingPathComponent("a")) { record, _ in
            [.dropped(record, Drop(step: "a", reason: "all", value: ""))]
        }
        try processRecords([run.appendingPathComponent("a").path], step: "b", to: run.appendingPathComponent("b")) { record, _ in [.kept(record)] }
        unlink(run.appendingPathComponent("b/report.json").path)
        let page = try report(run)
        #expect(page.contains("not finished: b"))
        #expect(!page.contains("nan") && !page.contains("inf%"))
        #expect(errorSentence { try report(folder.file("nowhere")) }.contains("no such folder"))
    }

    @Test func sourcesAreGathered() {
        let few = SourceGroups(["/a/b/x.txt", "/a/b/y.txt", "/a/c/z.txt"])
        #expect(["/a/b/x.txt", "/a/c/z.txt"].map(few.name(of:)) == ["b/x.txt", "c/z.txt"])
        let many = SourceGroups((0..<50).map { "/a/\($0 % 3)/\($0).txt" })
        #expect(many.name(of: "/a/2/5.txt") == "2/")
        #expect(SourceGroups(["made here"]).name(of: "made here") == "made here")
        #expect(SourceGroups([]).name(of: "") == "—")
        #expect(SourceGroups(["/x/a.txt"]).name(of: "/x/a.txt") == "a.txt")
    }

    @Test func numbersForPeople() {
        #expect(grouped(0) == "0" && grouped(999) == "999" && grouped(1000) == "1,000" && grouped(-1_234_567) == "−1,234,567")
        #expect(compact(9999) == "9,999" && compact(12345) == "12.3 k" && compact(1_234_567) == "1.23 M" && compact(999_999) == "1 M")
        #expect(percent(1, of: 3) == "33 %" && percent(999_999, of: 1_000_000) == "99.99 %" && percent(1, of: 1_000_000) == "< 0.01 %")
        #expect(percent(5, of: 5) == "100 %" && percent(0, of: 5) == "0 %" && percent(1, of: 0) == "0 %")
        #expect(byteText(999) == "999 B" && byteText(3_400_000) == "3.4 MB")
        #expect(escaped("a<b>&\"'\u{7}\n") == "a&lt;b&gt;&amp;&quot;&#39;\u{FFFD}\n")
    }
}
