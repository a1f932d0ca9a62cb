public import Foundation

/// Writes records as JSON Lines that `RecordReader` reads back as they were: plain, or compressed where the name ends in `.gz` or `.zst`. The file appears
/// under its name when it is finished; without `finish` there is none.
public final class RecordWriter {
    /// Bytes of JSON so far, before compression.
    public private(set) var byteCount = 0

    private let sink: any ByteSink
    private var text = JSONText(capacity: 1 << 18)

    /// A writer of this file, in a folder that is there.
    public init(_ file: URL) throws {
        sink = try byteSink(file)
    }

    /// Writes one record.
    public func append(_ record: Record) throws {
        try text.append(record)
        try endLine()
    }

    /// Writes one record that was dropped: `{"step", "reason", "value", "record": {…}}`.
    public func append(_ record: Record, droppedFor drop: Drop) throws {
        text.append(raw: "{\"step\":")
        text.append(drop.step)
        text.append(raw: ",\"reason\":")
        text.append(drop.reason)
        text.append(raw: ",\"value\":")
        text.append(drop.value)
        text.append(raw: ",\"record\":")
        try text.append(record)
        text.append(raw: "}")
        try endLine()
    }

    /// Writes one line of anything.
    public func append(_ value: JSONValue) throws {
        text.append(value)
        try endLine()
    }

    private func endLine() throws {
        text.append(raw: "\n")
        if text.count >= 1 << 17 { try flush() }
    }

    private func flush() throws {
        byteCount += text.count
        try sink.write(text.bytes)
        text.empty()
    }

    /// Completes the file and gives it its name.
    public func finish() throws {
        try flush()
        try sink.finish()
    }
}
