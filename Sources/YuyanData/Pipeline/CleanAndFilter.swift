import Dispatch
public import Foundation

/// The first of two phases: mends the texts, and finds the numbers of each record once.
///
/// Beside `documents/` there is `statistics/` with a row for each record that was kept, in the same order, so that `filter` can apply thresholds without
/// the texts. A record of which nothing is left is dropped (`empty`), as it was before. Parts, interruption and memory are those of `processRecords`.
///
/// - Parameters:
///   - cleaners: applied in their order to every text of a record; the report counts the places that each changed.
///   - names: the names of the statistics.
///   - remembered: of them, those that each record also keeps in its metadata, for steps that order by them or choose among copies.
///   - measure: the statistics of one record, a value for each name; NaN where there is none.
@discardableResult
public func clean(
    _ inputs: [String], to folder: URL, fingerprint: String? = nil, cleaners: [any TextCleaner], statistics names: [String],
    remembered: [String] = [], isCancelled: @Sendable () -> Bool = { false }, progress: (StepReport) -> Void = { _ in },
    measure: @Sendable (Record) -> [Double]
) throws -> StepReport {
    try PartRun(inputs: inputs, step: "clean", folder: folder, fingerprint: fingerprint, statistics: names + [recordCharacters])
        .run(isCancelled: isCancelled, progress: progress) { record, _ in
            var cleaned = record
            var changes: [String: Int] = [:]
            for cleaner in cleaners {
                var count = 0
                cleaned.changeTexts { count += cleaner.clean(&$0) }
                if count > 0 { changes[cleaner.name, default: 0] += count }
            }
            guard !cleaned.isEmpty else {
                return [.dropped(record, Drop(step: "clean", reason: "empty", value: "nothing is left of it"), changes: changes)]
            }
            let row = measure(cleaned)
            precondition(row.count == names.count, "a record has a value for each of \(names)")
            for (name, value) in zip(names, row) where remembered.contains(name) && !value.isNaN { cleaned.metadata[name] = shortNumber(value) }
            var outcome = RecordOutcome.kept(cleaned, changes: changes)
            outcome.statistics = row + [Double(cleaned.characterCount)]
            return [outcome]
        }
}

/// The column that `clean` adds: Unicode scalars of the record's texts, as reports count them.
let recordCharacters = "record_characters"

/// The second of two phases: keeps the records of a cleaned stage whose statistics lie within `bounds` (by the statistic's name).
///
/// Only the statistics are looked at; lines are copied as bytes, so that another threshold is applied in seconds. The reason for a drop is the first
/// statistic, in the order of the table, that lies outside; its value is written `12 < 50`. A statistic that was not measured (NaN) drops nothing. The
/// thresholds, percentiles turned into values, stand in the report.
///
/// - Throws: `DataError` for a folder that is no finished `clean` stage, a name that it did not measure, damaged files, a full disk.
@discardableResult
public func filter(
    _ cleaned: URL, to folder: URL, bounds: [String: Bounds],
    isCancelled: @Sendable () -> Bool = { false }, progress: (StepReport) -> Void = { _ in }
) throws -> StepReport {
    let input = PartStore(folder: cleaned, fingerprint: nil)
    let documents = cleaned.appendingPathComponent("documents")
    guard FileManager.default.fileExists(atPath: cleaned.appendingPathComponent("report.json").path),
        FileManager.default.fileExists(atPath: cleaned.appendingPathComponent("statistics").path)
    else { throw DataError("\(cleaned.path): there are no statistics here to filter by; give the folder of a clean stage that has finished") }
    let count = try FileManager.default.contentsOfDirectory(atPath: documents.path).count { $0.hasSuffix("." + PartFile.records) }
    let markers = try (0..<count).map { part in
        guard let marker = input.marker(part) else {
            throw DataError("\(cleaned.path): part \(part) is damaged or missing; run the clean stage again, it makes that part anew")
        }
        return marker
    }
    let thresholds = try resolve(bounds, in: cleaned, parts: count)
    let isKnown = !markers.contains { $0.fingerprint.isEmpty }
    let identity = isKnown ? String(stableHash("filter 1 " + String(decoding: try PartStore.json(thresholds), as: UTF8.self)), radix: 16) : nil
    let store = PartStore(folder: folder, fingerprint: identity)
    try store.prepare()
    var report = StepReport(step: "filter")
    // As many parts at once as there are cores; of each only the compressed lines are in memory, and one piece that is not.
    let batch = ProcessInfo.processInfo.activeProcessorCount
    for start in stride(from: 0, to: count, by: batch) {
        if isCancelled() { throw CancellationError() }
        let parts = Array(start..<min(start + batch, count))
        let reports = try parallelMap(parts) { part in
            let origin = "\(markers[part].fingerprint) \(markers[part].input)"
            if let marker = store.marker(part, first: markers[part].first, input: origin) { return marker.report }
            let clock = ContinuousClock()
            let begin = clock.now
            let name = PartFile.name(part, PartFile.records)
            let table = try StatisticsTable(contentsOf: cleaned.appendingPathComponent("statistics/\(PartFile.name(part, PartFile.statistics))"))
            var sieve = try Sieve(table, thresholds, of: documents.appendingPathComponent(name))
            var counts = try sieve.run()
            counts.seconds = begin.duration(to: clock.now).inSeconds
            let files = [
                (place: "documents", ending: PartFile.records, pieces: sieve.kept.pieces),
                (place: "dropped", ending: PartFile.records, pieces: sieve.dropped.pieces),
            ]
            try store.write(part, first: markers[part].first, input: origin, files: files, report: counts)
            return counts
        }
        for counts in reports { report += counts }
        progress(report)
    }
    report.thresholds = thresholds
    try store.finish(parts: count, report: report)
    return report
}

/// The bounds as values: percentiles are looked up in the statistics of the whole stage.
private func resolve(_ bounds: [String: Bounds], in cleaned: URL, parts: Int) throws -> [String: Threshold] {
    var thresholds: [String: Threshold] = [:]
    for (name, bound) in bounds.sorted(by: { $0.key < $1.key }) {
        try bound.check(name)
        var values: [Double] = []
        for part in 0..<parts {
            let file = cleaned.appendingPathComponent("statistics/\(PartFile.name(part, PartFile.statistics))")
            let isNeeded = part == 0 || bound.minimumPercentile != nil || bound.maximumPercentile != nil
            guard isNeeded else { break }
            let table = try StatisticsTable(contentsOf: file)
            guard let column = table.column(name) else {
                let names = table.names.filter { $0 != recordCharacters }
                throw DataError("\(cleaned.path): there is no statistic \"\(name)\"; there are \(names.joined(separator: ", "))")
            }
            values += column
        }
        let low = bound.minimumPercentile.flatMap { percentile($0, of: values) }
        let high = bound.maximumPercentile.flatMap { percentile($0, of: values) }
        let threshold = Threshold(min: [bound.minimum, low].compactMap(\.self).max(), max: [bound.maximum, high].compactMap(\.self).min())
        if threshold != Threshold() { thresholds[name] = threshold }
    }
    return thresholds
}

/// Divides the lines of one part by the rows of its table.
private struct Sieve {
    /// Lines that are compressed piece by piece.
    struct Lines {
        private(set) var pieces: [[UInt8]] = []
        var bytes: [UInt8] = []

        mutating func endLine(isLast: Bool = false) {
            if !isLast { bytes.append(0x0A) }
            guard bytes.count >= 1 << 20 || isLast else { return }
            pieces.append(PartFile.encode(bytes, ending: PartFile.records))
            bytes.removeAll(keepingCapacity: true)
        }
    }

    private let table: StatisticsTable
    private let file: URL
    private let limits: [(column: Int, name: String, limit: Threshold)]
    private let characters: Int
    private(set) var kept = Lines()
    private(set) var dropped = Lines()

    init(_ table: StatisticsTable, _ thresholds: [String: Threshold], of file: URL) throws {
        self.table = table
        self.file = file
        limits = table.names.enumerated().compactMap { column, name in thresholds[name].map { (column, name, $0) } }
        guard limits.count == thresholds.count, let column = table.names.firstIndex(of: recordCharacters) else {
            throw DataError("\(file.path): its statistics are not those of the other parts; run the clean stage again")
        }
        characters = column
    }

    mutating func run() throws -> StepReport {
        var report = StepReport(step: "filter")
        var row = 0
        let mismatch = DataError("\(file.path): it has not the \(table.rowCount) lines that its statistics speak of; run the clean stage again")
        try PartFile.forEachLine(of: file) { line in
            guard row < table.rowCount else { throw mismatch }
            let values = table[row]
            let amount = Amount(records: 1, characters: Int(values[values.startIndex + characters]))
            report.input += amount
            if let drop = verdict(values) {
                report.dropped[drop.reason, default: Amount()] += amount
                dropped.bytes.append(drop: drop) { $0.append(contentsOf: line) }
                dropped.endLine()
            } else {
                report.kept += amount
                kept.bytes.append(contentsOf: line)
                kept.endLine()
            }
            row += 1
            return true
        }
        guard row == table.rowCount else { throw mismatch }
        kept.endLine(isLast: true)
        dropped.endLine(isLast: true)
        return report
    }

    private func verdict(_ values: ArraySlice<Double>) -> Drop? {
        for (column, name, limit) in limits {
            let value = values[values.startIndex + column]
            if let sentence = limit.violation(value) { return Drop(step: "filter", reason: name, value: sentence) }
        }
        return nil
    }
}

extension Amount {
    init(records: Int, characters: Int) {
        self.init()
        self.records = records
        self.characters = characters
    }
}

extension Threshold {
    /// `12 < 50` for a value outside, nil for one inside (or not measured).
    func violation(_ value: Double) -> String? {
        if let min, value < min { return comparison(value, "<", min) }
        if let max, value > max { return comparison(value, ">", max) }
        return nil
    }

    private func comparison(_ value: Double, _ sign: String, _ limit: Double) -> String {
        let (short, bound) = (shortNumber(value), shortNumber(limit))
        return short == bound ? "\(value) \(sign) \(limit)" : "\(short) \(sign) \(bound)"
    }
}

/// A number for people: whole, or with four decimals at most (from 1000 on with one).
func shortNumber(_ value: Double) -> String {
    if let whole = Int(exactly: value) { return String(whole) }
    guard value.isFinite else { return "\(value)" }
    let scale = abs(value) >= 1000 ? 10.0 : 10000.0
    let rounded = (value * scale).rounded() / scale
    if rounded == 0 { return "\(value)" }
    return Int(exactly: rounded).map(String.init) ?? "\(rounded)"
}
