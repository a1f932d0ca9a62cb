import Foundation
import YuyanText

/// Records on disk in the order in which they came, each within reach by its number. In memory is nothing but the pages of the index (24 bytes
/// a record) that the system keeps.
final class RecordSpool {
    /// What is known of a record without reading it.
    struct Entry {
        var offset: Int
        var characters: Int
        var tokens: Int
    }

    private(set) var count = 0
    private let records: ByteFile
    private let indexFile: ByteFile
    private var index: Mapping?
    private var buffer: [UInt8] = []

    /// An empty spool, kept as `name.records` and `name.index` in `folder`.
    init(_ folder: URL, name: String) throws {
        records = try ByteFile(folder.appendingPathComponent(name + ".records"))
        indexFile = try ByteFile(folder.appendingPathComponent(name + ".index"))
    }

    func append(_ record: SpooledRecord, tokens: Int = 0) throws {
        for number in [records.count, record.characters, tokens] { try indexFile.append(UInt64(bitPattern: Int64(number))) }
        try records.append(record.bytes)
        count += 1
    }

    /// Ends the writing; now records can be read.
    func finish() throws {
        for number in [records.count, 0, 0] { try indexFile.append(UInt64(number)) }
        try records.flush()
        try indexFile.flush()
        index = try Mapping(indexFile.file)
    }

    subscript(number: Int) -> Entry {
        func word(_ place: Int) -> Int {
            Int(Int64(littleEndian: index?.bytes.loadUnaligned(fromByteOffset: number * 24 + place * 8, as: Int64.self) ?? 0))
        }
        return Entry(offset: word(0), characters: word(1), tokens: word(2))
    }

    func record(_ number: Int) throws -> Record {
        let (start, end) = (self[number].offset, self[number + 1].offset)
        if buffer.count < end - start { buffer = [UInt8](repeating: 0, count: (end - start) * 2) }
        return try buffer.withUnsafeMutableBytes { buffer in
            let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(end - start)])
            try records.read(into: bytes, at: start)
            return Record(encoded: UnsafeRawBufferPointer(bytes))
        }
    }
}

/// A folder for files that live as long as one command; it goes away with the value, and what a killed run left in it goes at the start.
final class WorkFolder {
    let url: URL

    init(_ url: URL) throws {
        self.url = url
        try? FileManager.default.removeItem(at: url)
        try makeFolder(url)
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }
}

/// Makes a folder and those above it.
func makeFolder(_ folder: URL) throws {
    do { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) } catch {
        throw DataError("\(folder.path): cannot make this folder: \((error as NSError).localizedDescription)")
    }
}
