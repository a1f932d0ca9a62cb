public import Foundation
public import YuyanData

extension ReadingConfiguration: ConfigurationSection {
    public static let help = [
        "adapter": "the layout of the records; by default it is guessed from the names of their fields",
        "encoding": "the encoding of text files",
        "broken": "what happens at input that cannot be read: stop, or note it and go on",
        "maximum_record_bytes": "the longest record that is taken, in bytes",
    ]
}

/// Read data of any kind into records.
public struct ConvertRecordsTask: RecordTask {
    public static let task = "convert"
    public static let summary = "Read text, JSON, CSV or WARC files of any known layout into records"

    public var files: [InputPath] = []
    public var settings = ReadingConfiguration()

    public init() {}

    public func validate() throws { try refusing { try settings.check() } }

    public func process(_ paths: [String], to folder: URL, _ watch: Watch) throws -> StepReport {
        try processRecords(
            paths, step: "convert", to: folder, fingerprint: TaskResult.json(settings), reading: settings, isCancelled: watch.isCancelled,
            progress: watch.progress
        ) { record, _ in [.kept(record)] }
    }
}
