import Foundation
import Synchronization
import Testing
import YuyanText

@testable import YuyanData

private struct Swap: TextCleaner {
    let name: String
    let from: String
    let to: String
    func clean(_ text: inout String) -> Int {
        let pieces = text.components(separatedBy: from)
        if pieces.count > 1 { text = pieces.joined(separator: to) }
        return pieces.count - 1
    }
}

@Suite(.enabled(if: ProcessInfo.processInfo.environment["YUYAN_DEMO"] != nil)) struct ZDemoTests {
    @Test func demo() throws {
        let run = URL(fileURLWithPath: try #require(ProcessInfo.processInfo.environment["YUYAN_DEMO"]))
        let data = try #require(testData)
        let inputs = ["text", "noisy", "dialog"].map { data.appendingPathComponent($0).path }
        let names = ["characters", "han_share", "punctuation_share", "digit_share", "mean_line_length", "newline_ratio", "unique_characters"]
        var clock = ContinuousClock().now
        func lap(_ what: String) {
            var usage = rusage()
            getrusage(__rusage_who_t(0), &usage)
            print(
                what, clock.duration(to: ContinuousClock().now), "maxrss \(usage.ru_maxrss / 1024) MB",
                "user \(usage.ru_utime.tv_sec).\(usage.ru_utime.tv_usec / 1000)")
            clock = ContinuousClock().now
        }
        let identity = try processRecords(inputs, step: "copy", to: run.appendingPathExtension("copy")) { record, _ in [.kept(record)] }
        lap("copy \(identity.kept)")
        let cleaned = try clean(
            inputs, to: run.appendingPathComponent("clean"), fingerprint: "demo",
            cleaners: [
                Swap(name: "links", from: "https://", to: ""), Swap(name: "whitespace", from: "  ", to: " "),
                Swap(name: "control", from: "\u{FEFF}", to: ""),
            ], statistics: names
        ) { record in
            let scalars = Array(record.text.unicodeScalars.map(\.value))
            var (han, punctuation, digits, lines) = (0, 0, 0, 1)
            for value in scalars {
                if (0x4E00...0x9FFF).contains(value) { han += 1 }
                if (0x3000...0x303F).contains(value) || (0xFF01...0xFF20).contains(value)
                    || "\"!?.,;:()[]#*-".unicodeScalars.contains(where: { $0.value == value })
                {
                    punctuation += 1
                }
                if (0x30...0x39).contains(value) { digits += 1 }
                if value == 10 { lines += 1 }
            }
            let count = Double(scalars.count)
            return [
                count, Double(han) / count, Double(punctuation) / count, Double(digits) / count, count / Double(lines), Double(lines - 1) / count,
                Double(Set(scalars).count),
            ]
        }
        lap("clean \(cleaned.kept)")
        let filtered = try filter(
            run.appendingPathComponent("clean"), to: run.appendingPathComponent("filter"),
            bounds: [
                "characters": StatisticBounds(min: 20), "han_share": StatisticBounds(min: 0.3), "punctuation_share": StatisticBounds(max: 0.25),
                "digit_share": StatisticBounds(max: 0.2), "newline_ratio": StatisticBounds(max: 0.178),
            ])
        lap("filter \(filtered.kept)")
        let seen = Mutex<[UInt64: String]>([:])
        let clusters = Mutex<[String: [(String, String)]]>([:])
        try processRecords([run.appendingPathComponent("filter").path], step: "dedup", to: run.appendingPathComponent("dedup")) { record, _ in
            let han = String(String.UnicodeScalarView(record.text.unicodeScalars.filter { (0x4E00...0x9FFF).contains($0.value) }.prefix(30)))
            let first = seen.withLock { seen -> String? in
                if let first = seen[stableHash(han)] { return first }
                seen[stableHash(han)] = record.id
                return nil
            }
            guard let first else { return [.kept(record)] }
            clusters.withLock { $0[first, default: [(first, record.text)]].append((record.id, record.text)) }
            return [.dropped(record, Drop(step: "dedup", reason: "near_duplicate", value: first))]
        }
        let found = clusters.withLock { $0 }
        var sizes: [Int: Int] = [:]
        for value in found.values { sizes[value.count, default: 0] += 1 }
        struct Summary: Encodable { var clusters: Int, records: Int, sizes: [Int: Int] }
        struct Member: Encodable { var id: String, opening: String }
        struct Cluster: Encodable { var size: Int, members: [Member] }
        var lines =
            try JSONEncoder().encode(Summary(clusters: found.count, records: found.values.map(\.count).reduce(0, +), sizes: sizes)) + Data("\n".utf8)
        for cluster in found.values.sorted(by: { ($0.count, $1[0].0) > ($1.count, $0[0].0) }).prefix(20) {
            lines +=
                try JSONEncoder().encode(
                    Cluster(size: cluster.count, members: cluster.prefix(5).map { Member(id: $0.0, opening: String($0.1.prefix(60))) }))
                + Data("\n".utf8)
        }
        try lines.write(to: run.appendingPathComponent("dedup/duplicates.jsonl"))
        lap("dedup")
        try "stages:\n- name: clean\n- name: filter\n- name: dedup\n".write(
            to: run.appendingPathComponent("recipe.yaml"), atomically: true, encoding: .utf8)
        _ = try report(run)
        lap("report")
        let id = try #require(readRecords(run.appendingPathComponent("dedup/dropped").path).isEmpty ? nil : "pt.txt")
        print(try why(id, in: run))
        lap("why")
        print(try inspect(inputs))
        lap("inspect")
    }
}
