import Dispatch
public import Foundation

/// Runs one step over the records of `inputs` (files, folders, patterns, folders of finished stages) into the folder of a stage.
///
/// The input is cut into parts of about 32 MB, by itself alone. The records of a part go through `transform` on all cores while the next part is read, and
/// leave, in their order, `documents/00000.jsonl.zst` (kept), `dropped/00000.jsonl.zst` (`{"step","reason","value","record"}`) and last the marker
/// `parts/00000.json`, each written whole or not at all; `report.json` comes at the end. Killed at any moment and run again, it goes on after the parts that
/// are whole, and the files are byte for byte those of one run. Memory is about three parts, whatever the size of the input.
///
/// - Parameters:
///   - step: the step's name, as reports call it.
///   - fingerprint: what the result depends on besides the input: the configuration, a model's hash. A part that was made with another one, or from
///     other records, is made again. nil: every part is made anew.
///   - reading: how files are read, and whether what is broken ends the work or is noted in the report.
///   - isCancelled: asked between two parts; when it says true, `CancellationError` is thrown and the parts so far stay.
///   - progress: called after each part with the counts so far.
///   - transform: makes of one record, the `Int`th of the whole input (counted from 0), one outcome or several. Nothing may vanish: each record must come
///     out, kept or dropped.
/// - Returns: the counts, also kept as `report.json`.
/// - Throws: `DataError` for unreadable input or a full disk; what `transform` throws, of several errors that of the earliest record.
@discardableResult
public func processRecords(
    _ inputs: [String], step: String, to folder: URL, fingerprint: String? = nil, reading: ReadingConfiguration = ReadingConfiguration(),
    isCancelled: @Sendable () -> Bool = { false }, progress: (StepReport) -> Void = { _ in },
    transform: @Sendable (_ record: Record, _ ordinal: Int) throws -> [RecordOutcome]
) throws -> StepReport {
    try PartRun(inputs: inputs, reading: reading, step: step, folder: folder, fingerprint: fingerprint)
        .run(isCancelled: isCancelled, progress: progress, transform: transform)
}

/// One run of a step over an input in parts.
struct PartRun {
    var inputs: [String]
    /// How the files are read.
    var reading = ReadingConfiguration()
    var step: String
    var folder: URL
    var fingerprint: String?
    /// The numbers that each kept record leaves in `statistics/`; none: there is no such folder.
    var statistics: [String] = []
    /// What a part weighs.
    var partBytes = 32 << 20
    /// What one piece of work weighs: a part is some dozens of them, so that cores finish together, and each becomes a frame of the compressed file.
    var pieceBytes = 1 << 20
    var threads = ProcessInfo.processInfo.activeProcessorCount

    @discardableResult
    func run(
        isCancelled: @Sendable () -> Bool = { false }, progress: (StepReport) -> Void = { _ in },
        transform: @Sendable (Record, Int) throws -> [RecordOutcome]
    ) throws -> StepReport {
        let paths = try documentPaths(inputs)
        let documents = folder.appendingPathComponent("documents").standardizedFileURL.path
        if let path = paths.first(where: { URL(fileURLWithPath: $0).standardizedFileURL.path == documents }) {
            throw DataError("\(path): a step cannot write into the folder that it reads; choose another output")
        }
        let reader = PartReader(try RecordReader(paths, options: reading), partBytes: partBytes)
        defer { reader.stop() }
        // The way of cutting decides which records are in a part, and the numbers which columns are in a table.
        let identity = fingerprint.map {
            String(stableHash((["parts 1", step, "\(partBytes)", "\(pieceBytes)", $0] + statistics).joined(separator: "\0")), radix: 16)
        }
        let store = PartStore(folder: folder, fingerprint: identity)
        try store.prepare(hasStatistics: !statistics.isEmpty)
        var report = StepReport(step: step)
        var parts = 0
        let clock = ContinuousClock()
        var start = clock.now
        func cancelIfAsked() throws {
            if isCancelled() { throw CancellationError() }
        }
        try cancelIfAsked()
        while let part = try reader.next() {
            if let marker = store.marker(part.index, first: part.first, input: part.input) {
                report += marker.report
                start = clock.now
            } else {
                try cancelIfAsked()
                let pieces = try work(on: part, transform)
                var counts = pieces.reduce(into: StepReport(step: step)) { $0 += $1.report }
                counts.seconds = start.duration(to: clock.now).inSeconds
                start = clock.now
                try write(part, pieces, counts, to: store)
                report += counts
            }
            parts += 1
            progress(report)
        }
        if parts == 0 {
            // Nothing came in; the next stage still finds a file to read.
            let nothing = Part(index: 0, first: 0, records: [], input: "")
            try write(nothing, [], StepReport(step: step), to: store)
            parts = 1
        }
        report.emptyRecords = reader.emptyRecords
        report.problems += reader.problems
        report.problemCount += reader.problemCount
        try store.finish(parts: parts, report: report)
        return report
    }

    /// What became of a run of records, in the form in which it is written.
    private struct Piece: Sendable {
        var documents: [UInt8] = []
        var dropped: [UInt8] = []
        var rows: [Double] = []
        var report: StepReport
    }

    private func write(_ part: Part, _ pieces: [Piece], _ counts: StepReport, to store: PartStore) throws {
        var files = [
            (place: "documents", ending: PartFile.records, pieces: pieces.map(\.documents)),
            (place: "dropped", ending: PartFile.records, pieces: pieces.map(\.dropped)),
        ]
        if !statistics.isEmpty {
            let table = StatisticsTable(names: statistics, rows: pieces.flatMap(\.rows))
            files.append((place: "statistics", ending: PartFile.statistics, pieces: [PartFile.encode(table.bytes, ending: PartFile.statistics)]))
        }
        try store.write(part.index, first: part.first, input: part.input, files: files, report: counts)
    }

    /// The pieces of a part, on all cores, in order. Of several errors the one with the earliest record is thrown.
    private func work(on part: Part, _ transform: @Sendable (Record, Int) throws -> [RecordOutcome]) throws -> [Piece] {
        var ranges: [Range<Int>] = []
        var (start, weight) = (0, 0)
        for (index, record) in part.records.enumerated() {
            weight += record.weight
            if weight >= pieceBytes || index == part.records.count - 1 {
                ranges.append(start..<index + 1)
                (start, weight) = (index + 1, 0)
            }
        }
        var results = [Result<Piece, any Error>?](repeating: nil, count: ranges.count)
        results.withUnsafeMutableBufferPointer { buffer in
            nonisolated(unsafe) let slots = buffer  // each iteration writes its own slots only
            let workers = min(threads, ranges.count)
            let pieces = ranges
            DispatchQueue.concurrentPerform(iterations: threads > 1 ? ranges.count : workers) { index in
                for piece in threads > 1 ? index..<index + 1 : 0..<pieces.count {
                    slots[piece] = Result { try self.piece(part, pieces[piece], transform) }
                }
            }
        }
        return try results.compactMap { try $0?.get() }
    }

    private func piece(_ part: Part, _ range: Range<Int>, _ transform: (Record, Int) throws -> [RecordOutcome]) throws -> Piece {
        var piece = Piece(report: StepReport(step: step))
        for index in range {
            let record = part.records[index]
            piece.report.input.add(record)
            var count = 0
            for outcome in try transform(record, part.first + index) {
                piece.report.changes.merge(outcome.changes.filter { $0.value != 0 }, uniquingKeysWith: +)
                switch outcome.fate {
                case .kept(let records):
                    precondition(
                        outcome.statistics.count == statistics.count * records.count, "\(step): each record that is kept needs its statistics")
                    piece.rows += outcome.statistics
                    for record in records {
                        piece.report.kept.add(record)
                        piece.documents.append(json: record)
                        piece.documents.append(0x0A)
                    }
                    count += records.count
                case .dropped(let record, let drop):
                    piece.report.dropped[drop.reason, default: Amount()].add(record)
                    piece.dropped.append(drop: drop) { $0.append(json: record) }
                    piece.dropped.append(0x0A)
                    count += 1
                }
            }
            precondition(count > 0, "\(step): the record \(record.id) vanished: a transform gives an outcome for each")
            piece.report.added += count - 1
        }
        piece.documents = PartFile.encode(piece.documents, ending: PartFile.records)
        piece.dropped = PartFile.encode(piece.dropped, ending: PartFile.records)
        return piece
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
