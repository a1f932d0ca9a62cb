public import Foundation

/// Writes a TensorBoard event file: `Event` messages of TensorFlow's `event.proto`, framed as TFRecords.
///
/// TensorBoard reads all event files of a folder in the order of their names; a run that goes on adds a file whose first event
/// tells TensorBoard to forget the steps that are made again.
public struct EventFileWriter: Sendable {
    private var file: AppendOnlyFile

    public var url: URL { file.url }

    /// Makes `events.out.tfevents.TIME.HOST.PROCESS.N` in `folder`.
    ///
    /// - Parameter step: the step that the run goes on from; what earlier files say of later steps is forgotten.
    public init(folder: URL, resumingAfter step: Int? = nil, time: Date = Date()) throws(MetricsFileError) {
        let process = ProcessInfo.processInfo
        let stem = "events.out.tfevents.\(Int(time.timeIntervalSince1970)).\(process.hostName).\(process.processIdentifier)"
        var number = 0
        while FileManager.default.fileExists(atPath: folder.appending(path: "\(stem).\(number)").path) { number += 1 }
        let url = folder.appending(path: "\(stem).\(number)")
        do {
            try Data().write(to: url)
            file = try AppendOnlyFile(url)
        } catch {
            throw MetricsFileError("make the TensorBoard file", url, error)
        }
        var version = Self.event(step: 0, time: time)
        version.string(3, "brain.Event:2")
        try write(version)
        if let step {
            // SessionLog{status: START} at step s purges every event of step ≥ s (tensorboard, plugin_event_accumulator.py).
            var restart = Self.event(step: step + 1, time: time)
            restart.message(7) { $0.integer(1, 1) }
            try write(restart)
        }
    }

    /// One point for each number of the record.
    public mutating func append(_ record: MetricsRecord, time: Date = Date()) throws(MetricsFileError) {
        var event = Self.event(step: record.step, time: time)
        event.message(5) { summary in
            for entry in record.entries {
                summary.message(1) { value in
                    value.string(1, entry.metric.rawValue)
                    value.float(2, Float(entry.value))
                }
            }
        }
        try write(event)
    }

    /// A text, shown as Markdown in TensorBoard's Text tab.
    public mutating func append(text: String, tag: String, step: Int, time: Date = Date()) throws(MetricsFileError) {
        var event = Self.event(step: step, time: time)
        event.message(5) { summary in
            summary.message(1) { value in
                value.string(1, tag)
                value.message(8) { tensor in
                    tensor.integer(1, 7)  // DT_STRING
                    tensor.message(2) { shape in shape.message(2) { $0.integer(1, 1) } }
                    tensor.string(8, text)
                }
                value.message(9) { metadata in metadata.message(1) { $0.string(1, "text") } }
            }
        }
        try write(event)
    }

    private static func event(step: Int, time: Date) -> ProtocolBuffer {
        var event = ProtocolBuffer()
        event.double(1, time.timeIntervalSince1970)
        event.integer(2, step)
        return event
    }

    private mutating func write(_ event: ProtocolBuffer) throws(MetricsFileError) {
        try file.append(Self.framed(event.bytes))
    }

    /// A TFRecord: length (8 bytes), its checksum (4), the data, its checksum (4), all little-endian.
    static func framed(_ payload: [UInt8]) -> Data {
        let length = littleEndian(UInt64(payload.count))
        return Data(length + littleEndian(CRC32C.masked(length)) + payload + littleEndian(CRC32C.masked(payload)))
    }
}

/// The checksum of TFRecords: CRC-32 with Castagnoli's polynomial (RFC 3720, appendix B.4).
enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { remainder, _ in remainder & 1 == 0 ? remainder >> 1 : remainder >> 1 ^ 0x82F6_3B78 }
    }

    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0) { $0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
    }

    /// Rotated and shifted, so that the checksum of data that holds checksums is still a good one (TensorFlow, `crc32c.h`).
    static func masked(_ bytes: [UInt8]) -> UInt32 {
        let crc = checksum(bytes)
        return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    }
}

/// The wire format of Protocol Buffers, as far as an event needs it. Zero is the default of a number and is not written.
struct ProtocolBuffer {
    private(set) var bytes: [UInt8] = []

    mutating func integer(_ field: Int, _ value: Int) {
        guard value != 0 else { return }
        key(field, wireType: 0)
        varint(UInt64(bitPattern: Int64(value)))
    }

    mutating func double(_ field: Int, _ value: Double) {
        guard value.bitPattern != 0 else { return }
        key(field, wireType: 1)
        bytes += littleEndian(value.bitPattern)
    }

    /// Always written: `simple_value` is one of a `oneof`, where zero counts as set.
    mutating func float(_ field: Int, _ value: Float) {
        key(field, wireType: 5)
        bytes += littleEndian(value.bitPattern)
    }

    mutating func string(_ field: Int, _ value: String) {
        key(field, wireType: 2)
        varint(UInt64(value.utf8.count))
        bytes += value.utf8
    }

    mutating func message(_ field: Int, _ fill: (inout ProtocolBuffer) -> Void) {
        var inner = ProtocolBuffer()
        fill(&inner)
        key(field, wireType: 2)
        varint(UInt64(inner.bytes.count))
        bytes += inner.bytes
    }

    private mutating func key(_ field: Int, wireType: UInt64) {
        varint(UInt64(field) << 3 | wireType)
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}

private func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}
