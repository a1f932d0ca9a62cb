import Dispatch
import Foundation
import YuyanText

/// Records that are worked on together.
struct Part: Sendable {
    /// Counted from 0.
    var index: Int
    /// Where its first record stands in the whole input, counted from 0.
    var first: Int
    var records: [Record]
    /// Hash of the records.
    var input: String
}

/// Cuts what a reader gives into parts, and reads the next part while one is worked on.
///
/// Sendable because it is used by one thread at a time: `next` waits for the reading before it touches anything.
final class PartReader: @unchecked Sendable {
    private var reader: RecordReader
    private let partBytes: Int
    private var index = 0
    private var ordinal = 0
    /// Read, but too much for the part before.
    private var pending: Record?
    private var result: Result<Part?, any Error>?
    private let queue = DispatchQueue(label: "yuyan.part-reader", qos: .userInitiated)
    private let reading = DispatchGroup()

    init(_ reader: RecordReader, partBytes: Int) {
        self.reader = reader
        self.partBytes = partBytes
        readAhead()
    }

    /// The next part, nil after the last; the one after it is begun to be read.
    func next() throws -> Part? {
        reading.wait()
        let part = try result?.get()
        if part != nil { readAhead() }
        return part
    }

    /// What could not be read and was passed over, as far as reading has come.
    var problems: [String] {
        reading.wait()
        return reader.problems
    }

    /// How much that was.
    var problemCount: Int {
        reading.wait()
        return reader.problemCount
    }

    var emptyRecords: Int {
        reading.wait()
        return reader.emptyRecords
    }

    /// Waits until nothing is being read any more.
    func stop() { reading.wait() }

    private func readAhead() {
        reading.enter()
        queue.async { [self] in
            result = Result { try read() }
            reading.leave()
        }
    }

    /// A part ends before the record that would make it heavier than `partBytes`; a single record may be.
    private func read() throws -> Part? {
        var records: [Record] = []
        var weight = 0
        var hash = RecordHash()
        while let record = try pending ?? reader.next() {
            pending = nil
            let bytes = record.weight
            if !records.isEmpty, weight + bytes > partBytes {
                pending = record
                break
            }
            weight += bytes
            hash.update(record)
            records.append(record)
        }
        guard !records.isEmpty else { return nil }
        defer {
            index += 1
            ordinal += records.count
        }
        return Part(index: index, first: ordinal, records: records, input: hash.text)
    }
}

/// A hash of records, to know an input again.
struct RecordHash {
    private var checksum = Checksum()

    var value: UInt64 { mix(checksum.value) }
    var text: String { String(value, radix: 16) }

    /// Takes up all of a record.
    mutating func update(_ record: Record) {
        update(record.id)
        update(record.source)
        update(contentOf: record)
        for (key, value) in record.metadata.sorted(by: { $0.key < $1.key }) {
            update(key)
            update(value)
        }
    }

    /// Takes up what a record says, and in which roles; not where it stands.
    mutating func update(contentOf record: Record) {
        switch record {
        case .document: checksum.update(1)
        case .conversation(let value):
            checksum.update(2)
            for message in value.messages { update(message.role) }
        case .pair: checksum.update(3)
        case .comparison(let value):
            checksum.update(4)
            for message in value.prompt { update(message.role) }
            for answer in value.answers { checksum.update(answer.score.bitPattern) }
        }
        record.forEachText { update($0) }
    }

    private mutating func update(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            checksum.update(UInt64(bytes.count))
            let raw = UnsafeRawBufferPointer(bytes)
            let whole = raw.count & ~7
            checksum.update(UnsafeRawBufferPointer(rebasing: raw[..<whole]))
            var rest: UInt64 = 0
            for byte in raw[whole...] { rest = rest << 8 | UInt64(byte) }
            checksum.update(rest)
        }
    }
}
