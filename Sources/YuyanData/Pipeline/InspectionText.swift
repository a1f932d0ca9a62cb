import Foundation

/// The inspection as a terminal shows it.
extension Inspection: CustomStringConvertible {
    public var description: String {
        var lines = [
            "\(grouped(total.records)) records, \(grouped(total.characters)) characters in \(grouped(files.count)) \(files.count == 1 ? "file" : "files")"
        ]
        if kinds.count > 1 || kinds["document"] == nil, !kinds.isEmpty {
            lines.append(
                "  " + kinds.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\(grouped($0.value)) \($0.key)s" }.joined(separator: ", "))
        }
        if turns > 0, let conversations = kinds["conversation"] {
            lines.append("  \(shortNumber((Double(turns) / Double(conversations) * 10).rounded() / 10)) turns in a conversation on average")
        }
        lines += ["", "Files"] + table(fileRows)
        if total.records > 0 {
            let marks = [("shortest", 0), ("5 %", 0.05), ("median", 0.5), ("95 %", 0.95), ("longest", 1)]
            lines += ["", "Length in characters: " + marks.map { "\($0.0) \(grouped(lengths.quantile($0.1)))" }.joined(separator: ", ")]
            lines += bars(lengths.decades.map { ("\(grouped($0.lowerBound))–\(grouped($0.upperBound - 1))", lengths.count(in: $0)) })
            lines += ["", "Characters"]
            let found = ScriptHistogram.Script.allCases.map { ($0.rawValue, scripts[$0]) }.filter { $0.1 > 0 }
            lines += bars(found.sorted { $0.1 > $1.1 })
            lines += ["", "Repeated to the letter: \(grouped(duplicates)) records (\(percent(duplicates, of: total.records)))"]
        }
        if !metadata.isEmpty {
            let keys = metadata.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            lines += ["", "Metadata: " + keys.prefix(12).map { "\($0.key) (\(grouped($0.value)))" }.joined(separator: ", ")]
        }
        if !samples.isEmpty { lines += ["", "Samples"] }
        for sample in samples {
            lines.append("  \(sample.id) · \(sample.kind) · \(grouped(sample.characters)) characters")
            lines.append("    \(sample.opening)")
        }
        let problems = files.compactMap { file in
            file.problem.map { file.problemCount > 1 ? "\($0) (and \(grouped(file.problemCount - 1)) more in this file)" : $0 }
        }
        if !problems.isEmpty { lines += ["", "Problems"] + problems.prefix(20).map { "  \($0)" } }
        if problems.count > 20 { lines.append("  and \(problems.count - 20) more") }
        return lines.joined(separator: "\n")
    }

    /// A row for each file; for many, one for each folder and kind of file.
    private var fileRows: [[String]] {
        func row(_ name: String, _ files: [File]) -> [String] {
            let amount = files.reduce(into: Amount()) { $0 += $1.amount }
            let empty = files.reduce(0) { $0 + $1.emptyRecords }
            return [
                name, byteText(files.reduce(0) { $0 + $1.bytes }), "\(grouped(amount.records)) records", "\(grouped(amount.characters)) characters",
                empty > 0 ? "\(grouped(empty)) empty" : "",
            ]
        }
        guard files.count > 12 else { return files.map { row($0.path, [$0]) } }
        let groups = Dictionary(grouping: files) { file -> String in
            let url = URL(fileURLWithPath: file.path)
            return "\(url.deletingLastPathComponent().path)/*.\(url.pathExtension)"
        }
        let rows = groups.sorted { $0.key < $1.key }.map { row("\($0.key) (\($0.value.count))", $0.value) }
        return rows.count <= 24 ? rows : Array(rows.prefix(24)) + [["and \(rows.count - 24) more folders"]]
    }

    private func table(_ rows: [[String]]) -> [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { column < $0.count ? displayWidth($0[column]) : 0 }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell -> String in
                let space = String(repeating: " ", count: widths[column] - displayWidth(cell))
                return column == 0 ? cell + space : space + cell
            }
            var line = "  " + cells.joined(separator: "  ")
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }
    }

    private func bars(_ rows: [(String, Int)]) -> [String] {
        let greatest = rows.map(\.1).max() ?? 0
        let total = rows.reduce(0) { $0 + $1.1 }
        let names = rows.map { displayWidth($0.0) }.max() ?? 0
        return rows.map { name, count in
            let eighths = greatest > 0 ? (Double(count) / Double(greatest) * 40 * 8).rounded() : 0
            let (full, rest) = (Int(eighths) / 8, Int(eighths) % 8)
            let bar = String(repeating: "█", count: full) + (rest > 0 ? ["▏", "▎", "▍", "▌", "▋", "▊", "▉"][rest - 1] : "")
            return "  \(String(repeating: " ", count: names - displayWidth(name)))\(name) \(bar) \(grouped(count)) (\(percent(count, of: total)))"
        }
    }
}

/// 1234567 as 1,234,567.
func grouped(_ number: Int) -> String {
    var digits = Array(String(number.magnitude).utf8)
    for place in stride(from: digits.count - 3, to: 0, by: -3) { digits.insert(UInt8(ascii: ","), at: place) }
    return (number < 0 ? "−" : "") + String(decoding: digits, as: UTF8.self)
}

/// A share in per cent with as many decimals as it needs to be seen.
func percent(_ part: Int, of whole: Int) -> String {
    guard whole > 0 else { return "0 %" }
    let share = Double(part) / Double(whole) * 100
    if part > 0, share < 0.01 { return "< 0.01 %" }
    let scale = share < 1 ? 100.0 : share < 10 ? 10.0 : share > 99.9 && part < whole ? 100.0 : 1.0
    let rounded = part < whole ? min((share * scale).rounded(), (100 * scale) - 1) / scale : (share * scale).rounded() / scale
    return "\(shortNumber(rounded)) %"
}

/// 3.4 MB.
func byteText(_ bytes: Int) -> String {
    var (value, unit) = (Double(bytes), 0)
    while value >= 1000, unit < 4 {
        value /= 1000
        unit += 1
    }
    let rounded = value < 10 && unit > 0 ? (value * 10).rounded() / 10 : value.rounded()
    return "\(shortNumber(rounded)) \(["B", "kB", "MB", "GB", "TB"][unit])"
}

/// Columns of a terminal that a text takes: Han characters and full-width signs take two.
private func displayWidth(_ text: String) -> Int {
    text.unicodeScalars.reduce(0) { width, scalar in
        switch scalar.value {
        case 0x1100..<0x1160, 0x2E80..<0xA4D0, 0xAC00..<0xD7A4, 0xF900..<0xFB00, 0xFE30..<0xFE70, 0xFF01..<0xFF61, 0x1F300..<0x1FA00,
            0x20000..<0x40000:
            width + 2
        default: width + 1
        }
    }
}
