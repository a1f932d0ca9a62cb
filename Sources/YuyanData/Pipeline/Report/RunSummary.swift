import Foundation

/// What the report of a run shows, gathered from the files of its stages.
struct RunSummary: Sendable {
    /// A record of `documents/` or `dropped/` that is shown.
    struct Sample: Sendable {
        var id: String
        var text: String
        var isCut: Bool
        /// What was found where it was dropped.
        var value: String?
    }

    /// How the values of one statistic lie.
    struct Distribution: Sendable {
        var name: String
        /// The measured values of some of the rows, evenly drawn.
        var values: [Double]
        /// The limits that a stage held them against.
        var threshold: Threshold?
        /// How many records that cost.
        var dropped: Int?
    }

    /// Where records come from and how long they are.
    struct Mix: Sendable {
        var sources: [String: Amount] = [:]
        var lengths = LengthCounts()

        mutating func add(source: String, characters: Int) {
            sources[source, default: Amount()] += Amount(records: 1, characters: characters)
            lengths.add(characters)
        }

        static func += (sum: inout Mix, other: Mix) {
            for (source, amount) in other.sources { sum.sources[source, default: Amount()] += amount }
            sum.lengths += other.lengths
        }
    }

    /// One stage.
    struct Stage: Sendable {
        var name: String
        var report: StepReport
        var isFinished: Bool
        /// Some of what it dropped, by reason.
        var dropped: [String: [Sample]] = [:]
        var distributions: [Distribution] = []
        var duplicates: Duplicates?
    }

    /// Copies that a stage found (`duplicates.jsonl`): the counts, then the largest clusters.
    struct Duplicates: Sendable {
        struct Summary: Decodable {
            var clusters: Int
            var records: Int
            var sizes: [Int: Int]
        }
        struct Cluster: Decodable {
            struct Member: Decodable {
                var id: String
                var opening: String
            }
            var size: Int
            var members: [Member]
        }
        var summary: Summary
        var clusters: [Cluster]
    }

    var name: String
    var stages: [Stage]
    /// Some of what the last stage kept.
    var kept: [Sample] = []
    /// What the first stage was given, as far as it still stands in its folder, and what the last one kept.
    var before = Mix()
    var after = Mix()

    private static let samplesPerReason = 3
    private static let keptSamples = 6
    private static let sampleLength = 320
    /// Rows that a distribution is drawn from.
    private static let rowLimit = 200_000

    init(_ url: URL) throws {
        let run = try RunFolder(url)
        name = run.url.standardizedFileURL.lastPathComponent
        var stages: [Stage] = []
        for (index, stage) in run.stages.enumerated() {
            let isLast = index == run.stages.count - 1
            var summary = Stage(name: stage.name, report: stage.report ?? StepReport(step: stage.name), isFinished: stage.report != nil)
            let dropped = try Self.scan(stage.files("dropped"), samples: Self.samplesPerReason, countsMix: index == 0)
            summary.dropped = dropped.samples.mapValues(\.kept)
            if index == 0 { before += dropped.mix }
            if index == 0 || isLast {
                let documents = try Self.scan(stage.files("documents"), samples: isLast ? Self.keptSamples : 0, countsMix: true)
                if index == 0 { before += documents.mix }
                if isLast {
                    after = documents.mix
                    kept = documents.samples.values.flatMap(\.kept)
                }
            }
            summary.distributions = try Self.distributions(of: stage)
            summary.duplicates = Self.duplicates(of: stage)
            stages.append(summary)
        }
        // The limits stand in the report of a later stage, beside what they cost.
        for index in stages.indices {
            for place in stages[index].distributions.indices {
                let name = stages[index].distributions[place].name
                guard let judge = stages[index...].first(where: { $0.report.thresholds[name] != nil }) else { continue }
                stages[index].distributions[place].threshold = judge.report.thresholds[name]
                stages[index].distributions[place].dropped = judge.report.dropped[name]?.records ?? 0
            }
        }
        self.stages = stages
    }

    /// What lines of records say, by reason; kept ones stand under "".
    private struct Scan: Sendable {
        var mix = Mix()
        var samples: [String: LowestKeys<Sample>] = [:]
    }

    private static func scan(_ files: [URL], samples: Int, countsMix: Bool) throws -> Scan {
        let scans = try parallelMap(files) { file in
            var scan = Scan()
            try PartFile.forEachLine(of: file) { line in
                let stored = StoredLine(line)
                if countsMix { scan.mix.add(source: StoredLine.text(stored.source) ?? "", characters: stored.characters) }
                guard samples > 0, let id = stored.id else { return true }
                let reason = StoredLine.text(stored.reason) ?? ""
                scan.samples[reason, default: LowestKeys(samples)].add(stableHash(String(decoding: id, as: UTF8.self))) {
                    let text = (StoredLine.record(stored.record)?.transcript ?? "").unicodeScalars
                    return Sample(
                        id: StoredLine.text(id) ?? "", text: String(text.prefix(sampleLength)), isCut: text.dropFirst(sampleLength).first != nil,
                        value: StoredLine.text(stored.value))
                }
                return true
            }
            return scan
        }
        return scans.reduce(into: Scan()) { sum, scan in
            sum.mix += scan.mix
            for (reason, kept) in scan.samples { sum.samples[reason, default: LowestKeys(samples)] += kept }
        }
    }

    private static func distributions(of stage: RunFolder.Stage) throws -> [Distribution] {
        let files = stage.files("documents")
        let stride = max(1, ((stage.report?.kept.records ?? 0) + rowLimit - 1) / rowLimit)
        var columns: [String: [Double]] = [:]
        var names: [String] = []
        var row = 0
        for file in files {
            guard let table = try stage.table(beside: file) else { return [] }
            if names.isEmpty { names = table.names.filter { $0 != recordCharacters } }
            for name in names {
                guard let column = table.column(name) else { continue }
                let first = (stride - row % stride) % stride
                columns[name, default: []] += Swift.stride(from: first, to: column.count, by: stride).map { column[$0] }.filter(\.isFinite)
            }
            row += table.rowCount
        }
        return names.compactMap { name in columns[name].flatMap { $0.isEmpty ? nil : Distribution(name: name, values: $0.sorted()) } }
    }

    private static func duplicates(of stage: RunFolder.Stage) -> Duplicates? {
        var lines: [Data] = []
        try? PartFile.forEachLine(of: stage.folder.appendingPathComponent("duplicates.jsonl")) { line in
            lines.append(Data(line))
            return lines.count < 50
        }
        guard let first = lines.first, let summary = try? JSONDecoder().decode(Duplicates.Summary.self, from: first) else { return nil }
        return Duplicates(summary: summary, clusters: lines.dropFirst().compactMap { try? JSONDecoder().decode(Duplicates.Cluster.self, from: $0) })
    }
}
