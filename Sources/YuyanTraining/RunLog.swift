import Foundation

/// What a run writes for people while it goes: `metrics.jsonl`, TensorBoard events, `loss.svg` and `samples.md`.
struct RunLog {
    private let folder: URL
    private var metrics: MetricsLog
    private var events: EventFileWriter
    private var training: [LossPlot.Point] = []
    private var validation: [LossPlot.Point] = []
    private var samples: SampleLog

    /// Opens the files of the run folder and drops what was written after `step`, which is about to be done again.
    init(folder: URL, resumingAfter step: Int) throws {
        self.folder = folder
        let file = folder.appending(path: "metrics.jsonl")
        metrics = try MetricsLog(file, resumingAfter: step)
        events = try EventFileWriter(folder: folder, resumingAfter: step > 0 ? step : nil)
        samples = try SampleLog(folder.appending(path: "samples.md"), resumingAfter: step)
        for record in try MetricsLog.records(in: file) { note(record) }
    }

    private mutating func note(_ record: MetricsRecord) {
        if let loss = record[.loss] { training.append(.init(step: record.step, value: loss)) }
        if let loss = record[.validationLoss] { validation.append(.init(step: record.step, value: loss)) }
    }

    mutating func append(_ record: MetricsRecord) throws {
        try metrics.append(record)
        try events.append(record)
        note(record)
    }

    mutating func append(_ texts: [TrainingSample], step: Int) throws {
        guard !texts.isEmpty else { return }
        let section = SampleLog.section(texts, step: step)
        try samples.append(section)
        try events.append(text: section, tag: "samples", step: step)
    }

    /// Waits until the disk has the metrics.
    func synchronize() throws { try metrics.synchronize() }

    func draw(subtitle: String) throws {
        let plot = LossPlot(subtitle: subtitle, training: training, validation: validation)
        let file = folder.appending(path: "loss.svg")
        do { try Data(plot.svg().utf8).write(to: file, options: .atomic) } catch { throw MetricsFileError("write", file, error) }
    }
}

/// What the model made of a prompt.
public struct TrainingSample: Sendable, Hashable, Codable {
    public var prompt: String
    public var text: String

    public init(prompt: String, text: String) { (self.prompt, self.text) = (prompt, text) }
}

/// `samples.md`: a section for each evaluation, in which every line of a prompt or text is quoted, so that headings are the log's own.
private struct SampleLog {
    private var file: AppendOnlyFile

    init(_ url: URL, resumingAfter step: Int) throws(MetricsFileError) {
        do {
            let old = step > 0 ? (try? String(contentsOf: url, encoding: .utf8)) ?? "" : ""
            let sections = old.components(separatedBy: "\n## ").dropFirst()
            let kept = sections.filter { Int($0.dropFirst(5).prefix(while: \.isNumber)).map { $0 <= step } ?? false }
            try Data(("# 样本 Samples\n" + kept.map { "\n## " + $0 }.joined()).utf8).write(to: url, options: .atomic)
            file = try AppendOnlyFile(url)
        } catch {
            throw MetricsFileError("open", url, error)
        }
    }

    mutating func append(_ section: String) throws(MetricsFileError) { try file.append(Data(section.utf8)) }

    static func section(_ samples: [TrainingSample], step: Int) -> String {
        func quoted(_ text: String) -> String {
            text.split(separator: "\n", omittingEmptySubsequences: false).map { "> \($0)" }.joined(separator: "\n")
        }
        return "\n## Step \(step)\n" + samples.map { "\n\(quoted("**\($0.prompt)**"))\n>\n\(quoted($0.text))\n" }.joined()
    }
}
