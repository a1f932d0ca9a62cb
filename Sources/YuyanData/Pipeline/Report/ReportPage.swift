public import Foundation

/// Writes `report.html` into the folder of a run and gives it back: one page that needs nothing else, no network and no script.
///
/// It shows the funnel of documents and characters by stage, what was dropped for which reason with samples, what was changed, the distributions of the
/// statistics with the thresholds in them, the duplicates found, and sources and lengths before and after. The same run gives the same page.
/// - Throws: `DataError` for a folder without stages, damaged files, a full disk.
@discardableResult
public func report(_ run: URL) throws -> String {
    let page = ReportPage(summary: try RunSummary(run)).html
    try PartFile.write([Array(page.utf8)], to: run.appendingPathComponent("report.html"))
    return page
}

struct ReportPage {
    let summary: RunSummary

    private var input: Amount { summary.stages.first?.report.input ?? Amount() }
    private var output: Amount { summary.stages.last?.report.kept ?? Amount() }

    var html: String {
        """
        <!DOCTYPE html>
        <html lang="zh-Hans">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <title>\(escaped(summary.name)) · 数据报告</title>
        <style>
        \(ReportStyle.css)
        </style>
        </head>
        <body>
        <main>
        \(header)
        \(funnel)
        \(reasons)
        \(distributions)
        \(duplicates)
        \(mix)
        \(changes)
        \(keptSamples)
        \(problems)
        <footer>雨燕 Yuyan</footer>
        </main>
        </body>
        </html>

        """
    }

    private func section(_ chinese: String, _ english: String, _ body: String, note: String = "") -> String {
        guard !body.isEmpty else { return "" }
        let note = note.isEmpty ? "" : "<p class=\"note\">\(note)</p>\n"
        return "<section>\n<h2>\(chinese) <span>\(english)</span></h2>\n\(note)\(body)\n</section>"
    }

    // MARK: - Header and funnel

    private var header: String {
        let unfinished = summary.stages.filter { !$0.isFinished }.map(\.name)
        let warning = unfinished.isEmpty ? "" : "<p class=\"warning\">尚未完成 not finished: \(escaped(unfinished.joined(separator: ", ")))</p>"
        let seconds = summary.stages.reduce(0) { $0 + $1.report.seconds }
        func figure(_ chinese: String, _ english: String, _ before: Int, _ after: Int) -> String {
            """
            <div class="figure"><div class="label">\(chinese) <span>\(english)</span></div>
            <div class="value">\(compact(after))<small>\(percent(after, of: before))</small></div>
            <div class="before">原有 \(compact(before)) <span>before</span></div></div>
            """
        }
        return """
            <header>
            <p class="kicker">雨燕 Yuyan <span>数据报告 Data report</span></p>
            <h1>\(escaped(summary.name))</h1>
            \(warning)
            <div class="figures">
            \(figure("篇数", "records", input.records, output.records))
            \(figure("字数", "characters", input.characters, output.characters))
            <div class="figure"><div class="label">步骤 <span>stages</span></div>
            <div class="value">\(summary.stages.count)</div>
            <div class="before">用时 \(duration(seconds)) <span>computing</span></div></div>
            </div>
            </header>
            """
    }

    private var funnel: String {
        func bar(_ kept: Int, _ before: Int, _ first: Int) -> String {
            let scale = { (count: Int) -> String in "\(shortNumber(first > 0 ? Double(count) / Double(first) * 100 : 0))%" }
            return
                "<div class=\"track\"><i class=\"lost\" style=\"width:\(scale(before))\"></i><i class=\"left\" style=\"width:\(scale(kept))\"></i></div>"
        }
        func cells(_ kept: Int, _ before: Int, _ first: Int) -> String {
            let lost = kept < before ? "<em>−\(grouped(before - kept))</em>" : kept > before ? "+\(grouped(kept - before))" : ""
            return "<div class=\"cell\">\(bar(kept, before, first))<div class=\"numbers\"><b>\(grouped(kept))</b> \(lost)"
                + "<span>\(percent(kept, of: first))</span></div></div>"
        }
        let widest = (
            max(input.records, summary.stages.map { max($0.report.kept.records, $0.report.input.records) }.max() ?? 0),
            max(input.characters, summary.stages.map { max($0.report.kept.characters, $0.report.input.characters) }.max() ?? 0)
        )
        var rows = [
            "<div class=\"name\"></div><div class=\"head\">篇 <span>records</span></div><div class=\"head\">字 <span>characters</span></div>",
            "<div class=\"name\">原始 <span>input</span></div>" + cells(input.records, input.records, widest.0)
                + cells(input.characters, input.characters, widest.1),
        ]
        for stage in summary.stages where stage.isFinished {
            let report = stage.report
            rows.append(
                "<div class=\"name\">\(escaped(stage.name))</div>" + cells(report.kept.records, report.input.records, widest.0)
                    + cells(report.kept.characters, report.input.characters, widest.1))
        }
        return section(
            "漏斗", "Funnel", "<div class=\"funnel\">\n\(rows.joined(separator: "\n"))\n</div>",
            note: "每一步之后还剩多少；浅色是这一步去掉的。 <span>What is left after each stage; the light part is what that stage took away.</span>")
    }

    // MARK: - Reasons

    private var reasons: String {
        var blocks: [String] = []
        for stage in summary.stages where !stage.report.dropped.isEmpty {
            let sorted = stage.report.dropped.sorted { ($1.value.records, $0.key) < ($0.value.records, $1.key) }
            let most = sorted.first?.value.records ?? 1
            let total = stage.report.droppedTotal
            let rows = sorted.map { reason, amount in
                let width = shortNumber(Double(amount.records) / Double(max(1, most)) * 100)
                let samples = stage.dropped[reason, default: []].map(card).joined(separator: "\n")
                return """
                    <details class="reason">
                    <summary><span class="what">\(ReportWords.label(reason))</span>\
                    <span class="track"><i class="drop" style="width:\(width)%"></i></span>\
                    <span class="count">\(grouped(amount.records))</span><span class="share">\(percent(amount.records, of: stage.report.input.records))</span>\
                    <span class="share">\(compact(amount.characters)) 字</span></summary>
                    \(samples.isEmpty ? "<p class=\"note\">没有样例 no samples</p>" : samples)
                    </details>
                    """
            }
            blocks.append(
                "<h3>\(escaped(stage.name)) <span>\(grouped(total.records)) 篇 records, \(compact(total.characters)) 字 characters</span></h3>\n"
                    + rows.joined(separator: "\n"))
        }
        return section(
            "去掉了什么", "Dropped, by reason", blocks.joined(separator: "\n"),
            note: "点开一行，看被去掉的样例。 <span>Open a row to see samples of what was dropped.</span>")
    }

    private func card(_ sample: RunSummary.Sample) -> String {
        let value = sample.value.map { $0.isEmpty ? "" : "<span class=\"chip\">\(escaped($0))</span>" } ?? ""
        return """
            <article><div class="meta"><code>\(escaped(sample.id))</code>\(value)</div>
            <p>\(escaped(sample.text))\(sample.isCut ? "<span class=\"cut\">…</span>" : "")</p></article>
            """
    }

    private var keptSamples: String {
        section(
            "留下的样例", "Samples of what was kept",
            summary.kept.isEmpty ? "" : "<div class=\"cards\">\(summary.kept.map(card).joined(separator: "\n"))</div>")
    }

    // MARK: - Statistics

    private var distributions: String {
        let all = summary.stages.flatMap(\.distributions)
        let judged = all.filter { $0.threshold != nil }
        let others = all.filter { $0.threshold == nil && ($0.values.first ?? 0) < ($0.values.last ?? 0) }
        func figures(_ list: [RunSummary.Distribution]) -> String {
            "<div class=\"charts\">\n"
                + list.map { distribution in
                    let lost = distribution.dropped.map { $0 > 0 ? "<span class=\"lost\">−\(grouped($0))</span>" : "" } ?? ""
                    return
                        "<figure><figcaption>\(ReportWords.label(distribution.name)) \(lost)</figcaption>\n\(Histogram(distribution).svg)\n</figure>"
                }.joined(separator: "\n") + "\n</div>"
        }
        var body = judged.isEmpty ? "" : figures(judged)
        if !others.isEmpty {
            body +=
                judged.isEmpty
                ? figures(others)
                : "\n<details class=\"more\"><summary>其余统计量 <span>other statistics</span> (\(others.count))</summary>\n\(figures(others))\n</details>"
        }
        return section(
            "统计量与阈值", "Statistics and thresholds", body,
            note: judged.isEmpty
                ? "" : "虚线是阈值，红色是阈值之外；右上角是因此去掉的篇数。 <span>Dashed: the threshold; red: outside it; at the right, the records it cost.</span>")
    }

    // MARK: - Duplicates

    private var duplicates: String {
        var blocks: [String] = []
        for stage in summary.stages {
            guard let found = stage.duplicates, found.summary.clusters > 0 else { continue }
            let bounds = [2, 3, 4, 5, 10, 20, 50, 100, 1000, Int.max]
            let rows = zip(bounds, bounds.dropFirst()).compactMap { low, high -> Bars.Row? in
                let count = found.summary.sizes.filter { (low..<high).contains($0.key) }.reduce(0) { $0 + $1.value }
                let name = high == low + 1 ? "\(low)" : high == .max ? "≥ \(low)" : "\(low)–\(high - 1)"
                return count > 0 ? Bars.Row(name: name, values: [Double(count)], label: grouped(count)) : nil
            }
            let clusters = found.clusters.prefix(8).map { cluster in
                let members = cluster.members.enumerated().map { index, member in
                    "<li><code>\(escaped(member.id))</code>\(index == 0 ? "<span class=\"chip stays\">留下 stays</span>" : "")<p>\(escaped(member.opening))</p></li>"
                }
                return
                    "<details class=\"cluster\"><summary><b>\(grouped(cluster.size))</b> \(escaped(cluster.members.first?.opening ?? ""))</summary>"
                    + "<ul>\(members.joined(separator: "\n"))</ul></details>"
            }
            blocks.append(
                """
                <h3>\(escaped(stage.name)) <span>\(grouped(found.summary.records)) 篇在 \(grouped(found.summary.clusters)) 组 \
                records in \(grouped(found.summary.clusters)) clusters</span></h3>
                <div class="pair"><div><h4>每组篇数 <span>size of a cluster</span></h4>\(Bars(rows: rows, classes: ["left"]).html)</div>
                <div><h4>最大的组 <span>largest clusters</span></h4>\(clusters.joined(separator: "\n"))</div></div>
                """)
        }
        return section("重复", "Duplicates", blocks.joined(separator: "\n"))
    }

    // MARK: - Mix

    private var mix: String {
        let (before, after) = (summary.before, summary.after)
        guard before.lengths.total > 0 else { return "" }
        let groups = SourceGroups(before.sources.keys.sorted())
        func shares(_ mix: RunSummary.Mix) -> [String: Amount] {
            mix.sources.reduce(into: [:]) { $0[groups.name(of: $1.key), default: Amount()] += $1.value }
        }
        let (first, last) = (shares(before), shares(after))
        let (firstTotal, lastTotal) = (before.sources.values.map(\.characters).reduce(0, +), after.sources.values.map(\.characters).reduce(0, +))
        let names = Set(first.keys).union(last.keys).sorted { (-(first[$0]?.characters ?? 0), $0) < (-(first[$1]?.characters ?? 0), $1) }
        let sources = names.map { name -> Bars.Row in
            let (one, other) = (first[name]?.characters ?? 0, last[name]?.characters ?? 0)
            return Bars.Row(
                name: escaped(name),
                values: [Double(one) / Double(max(1, firstTotal)), Double(other) / Double(max(1, lastTotal))],
                label: "\(percent(one, of: firstTotal)) → \(percent(other, of: lastTotal))")
        }
        var both = before.lengths
        both += after.lengths
        let lengths = both.decades.map { range -> Bars.Row in
            let (one, other) = (before.lengths.count(in: range), after.lengths.count(in: range))
            return Bars.Row(
                name: range.count == 1 ? "\(range.lowerBound)" : "\(grouped(range.lowerBound))–\(grouped(range.upperBound - 1))",
                values: [Double(one), Double(other)], label: "\(grouped(one)) → \(grouped(other))")
        }
        return section(
            "来源与长度", "Sources and lengths",
            """
            <div class="pair"><div><h4>来源 <span>share of the characters</span></h4>\(Bars(rows: sources, classes: ["ghost", "left"]).html)</div>
            <div><h4>长度 <span>records by characters</span></h4>\(Bars(rows: lengths, classes: ["ghost", "left"]).html)</div></div>
            """,
            note: "<i class=\"key ghost\"></i>之前 <span>before</span> <i class=\"key left\"></i>之后 <span>after</span>")
    }

    // MARK: - Changes, problems

    private var changes: String {
        let rows = summary.stages.flatMap { stage in
            stage.report.changes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { name, count in
                Bars.Row(name: "<span>\(escaped(stage.name))</span> \(ReportWords.label(name))", values: [Double(count)], label: grouped(count))
            }
        }
        return section(
            "改动", "Changes", rows.isEmpty ? "" : Bars(rows: rows, classes: ["left"]).html, note: "改动了多少处。 <span>How many places were changed.</span>")
    }

    private var problems: String {
        let sentences = summary.stages.flatMap { stage in stage.report.problems.map { (stage.name, $0) } }
        let empty = summary.stages.reduce(0) { $0 + $1.report.emptyRecords }
        guard !sentences.isEmpty || empty > 0 else { return "" }
        let items = sentences.prefix(50).map { "<li><span>\(escaped($0.0))</span> \(escaped($0.1))</li>" }.joined(separator: "\n")
        let more = summary.stages.reduce(0) { $0 + $1.report.problemCount } - min(sentences.count, 50)
        let rest = more > 0 ? "<p class=\"note\">另有 and \(grouped(more)) more</p>" : ""
        let passed =
            empty > 0 ? "<p>\(grouped(empty)) 篇没有内容，读入时跳过。 <span>records had nothing in them and were passed over in reading.</span></p>" : ""
        return section("读入时的问题", "Problems in reading", passed + (items.isEmpty ? "" : "<ul class=\"problems\">\(items)</ul>") + rest)
    }
}

/// Text that cannot be taken for markup: the five signs of HTML, and control characters that a page must not hold.
func escaped(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result.append(contentsOf: "&amp;".unicodeScalars)
        case "<": result.append(contentsOf: "&lt;".unicodeScalars)
        case ">": result.append(contentsOf: "&gt;".unicodeScalars)
        case "\"": result.append(contentsOf: "&quot;".unicodeScalars)
        case "'": result.append(contentsOf: "&#39;".unicodeScalars)
        case "\n", "\t": result.append(scalar)
        case _ where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value): result.append("\u{FFFD}")
        default: result.append(scalar)
        }
    }
    return String(result)
}

/// 1234567 as 1.23 M.
func compact(_ number: Int) -> String {
    guard number >= 10000 else { return grouped(number) }
    var (value, unit) = (Double(number) / 1000, 0)
    while value >= 999.5, unit < 3 {
        value /= 1000
        unit += 1
    }
    let scale = value < 10 ? 100.0 : value < 100 ? 10.0 : 1.0
    return "\(shortNumber((value * scale).rounded() / scale)) \(["k", "M", "G", "T"][unit])"
}

private func duration(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded())
    if seconds < 10 { return "\(shortNumber((seconds * 10).rounded() / 10)) s" }
    if whole < 120 { return "\(whole) s" }
    return whole < 7200 ? "\(whole / 60) min \(whole % 60) s" : "\(whole / 3600) h \(whole % 3600 / 60) min"
}
