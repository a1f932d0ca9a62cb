import Foundation

/// The first of two passes: columns of each part of the input, in a folder of their own. Parts that are there from an interrupted run are not made again.
struct WorkingColumns {
    let folder: URL
    /// What the columns depend on besides the records.
    let fingerprint: String
    var partBytes = 32 << 20

    /// The columns of all records, and a hash of these.
    func make(
        _ inputs: [String], isCancelled: @Sendable () -> Bool, progress: (StepReport) -> Void,
        columns: @Sendable (ArraySlice<Record>) throws -> Columns
    ) throws -> (columns: [ColumnFile], input: UInt64) {
        if inputs.contains("-") { throw DataError("duplicates are found in two passes, and standard input can be read but once: save it to a file") }
        let mark = Data(fingerprint.utf8)
        let markFile = folder.appendingPathComponent("fingerprint")
        if (try? Data(contentsOf: markFile)) != mark {
            try? FileManager.default.removeItem(at: folder)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try mark.write(to: markFile, options: .atomic)
        }
        let reader = PartReader(try RecordReader(documentPaths(inputs)), partBytes: partBytes)
        defer { reader.stop() }
        var files: [ColumnFile] = []
        var report = StepReport(step: "dedup")
        var all = Checksum()
        while let part = try reader.next() {
            if isCancelled() { throw CancellationError() }
            let input = stableHash(part.input)
            let file = folder.appendingPathComponent("\(part.index).columns")
            if let finished = try? ColumnFile(file, number: part.index), finished.input == input, finished.count == part.records.count,
                (try? finished.verify()) != nil
            {
                files.append(finished)
            } else {
                let size = max(1, part.records.count / 64)
                let slices = stride(from: 0, to: part.records.count, by: size).map { part.records[$0..<min($0 + size, part.records.count)] }
                let pieces = try parallelMap(slices, columns)
                var whole = Columns(bandCount: pieces.first?.bandCount ?? 0)
                for piece in pieces { whole.append(piece) }
                try whole.write(to: file, input: input)
                files.append(try ColumnFile(file, number: part.index))
            }
            all.update(input)
            for record in part.records { report.input.add(record) }
            progress(report)
        }
        return (files, all.value)
    }

    /// Takes the folder away when all is done.
    func remove() { try? FileManager.default.removeItem(at: folder) }
}

/// Computes a record's columns; keeps the memory it works in.
struct Fingerprinter {
    let minHash: MinHash?
    let quality: String?
    private var text = ComparisonText()
    private var hashes: [UInt32] = []
    private var minima: [UInt32] = []

    init(_ configuration: DeduplicationConfiguration) {
        minHash = configuration.level == .near ? MinHash(configuration) : nil
        quality = configuration.quality
    }

    mutating func columns(of records: ArraySlice<Record>) -> Columns {
        var columns = Columns(bandCount: minHash?.bands ?? 0)
        for record in records { append(record, to: &columns) }
        return columns
    }

    private mutating func append(_ record: Record, to columns: inout Columns) {
        text.loadWhole(record.text)
        let (first, second) = text.hash
        columns.count += 1
        columns.ids.append(contentsOf: record.id.utf8)
        columns.idEnds.append(UInt32(columns.ids.count))
        columns.exactFirst.append(max(first, 1))
        columns.exactSecond.append(second)
        if let quality {
            let value = record.metadata[quality].flatMap(Double.init) ?? -.infinity
            columns.qualities.append(value.isNaN ? -.infinity : value)
        } else {
            columns.qualities.append(Double(text.count))
        }
        guard let minHash else { return }
        let count = minHash.shingleHashes(text, into: &hashes)
        if count == 0 {
            columns.bands.append(contentsOf: repeatElement(0, count: minHash.bands))
        } else {
            hashes.withUnsafeBufferPointer { minHash.signature(UnsafeBufferPointer(rebasing: $0[..<count]), into: &minima) }
            minHash.appendBands(minima, to: &columns.bands)
            ShingleSketch.append(&hashes, count: count, to: &columns.sketches)
        }
        columns.sketchEnds.append(UInt32(columns.sketches.count))
    }
}
