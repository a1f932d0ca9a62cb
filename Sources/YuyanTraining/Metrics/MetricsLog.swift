public import Foundation

/// `metrics.jsonl`: one JSON object per step, written as the step ends, so that a killed run loses nothing but a half-written line.
public struct MetricsLog: Sendable {
    private var file: AppendOnlyFile

    /// Opens or makes the file and drops what training is about to do again: the steps after `step`, lines cut short, a step
    /// written twice. A new run starts from step 0, which empties the file.
    public init(_ url: URL, resumingAfter step: Int = 0) throws(MetricsFileError) {
        do {
            let old = FileManager.default.fileExists(atPath: url.path) ? try Data(contentsOf: url) : nil
            let kept = Self.kept(of: old ?? Data(), through: step)
            if kept != old { try kept.write(to: url, options: .atomic) }
            file = try AppendOnlyFile(url)
        } catch {
            throw MetricsFileError("open", url, error)
        }
    }

    public var url: URL { file.url }

    /// Writes one line. When the disk is full it throws, and the file ends with the line before.
    public mutating func append(_ record: MetricsRecord) throws(MetricsFileError) {
        try file.append(Data((record.json + "\n").utf8))
    }

    /// Waits until the disk has all lines; called when a checkpoint is saved.
    public func synchronize() throws(MetricsFileError) {
        try file.synchronize()
    }

    /// All whole lines of a file, in order.
    public static func records(in url: URL) throws -> [MetricsRecord] {
        try Data(contentsOf: url).split(separator: UInt8(ascii: "\n")).compactMap { MetricsRecord(json: $0) }
    }

    private static func kept(of data: Data, through step: Int) -> Data {
        guard step > 0 else { return Data() }
        var kept = Data(capacity: data.count)
        var last = Int.min
        var rest = data[...]
        while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let line = rest[..<newline]
            rest = rest[(newline + 1)...]
            guard let record = MetricsRecord(json: line), record.step > last, record.step <= step else { continue }
            last = record.step
            kept.append(line)
            kept.append(UInt8(ascii: "\n"))
        }
        return kept
    }
}
