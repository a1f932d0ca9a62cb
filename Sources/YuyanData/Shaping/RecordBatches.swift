import Foundation
import YuyanText

/// The records of files and stages, in batches that keep all cores busy within bounded memory.
struct RecordBatches {
    private var reader: RecordReader

    /// A reader of what `paths` name, for a step that writes into `folder`.
    init(_ paths: [String], for folder: URL) throws {
        let paths = try documentPaths(paths)
        let documents = folder.appendingPathComponent("documents").standardizedFileURL.path
        if let path = paths.first(where: { URL(fileURLWithPath: $0).standardizedFileURL.path == documents }) {
            throw DataError("\(path): a step cannot write into the folder that it reads; choose another output")
        }
        reader = try RecordReader(paths)
    }

    /// The next records, about 8 MB; nil at the end.
    mutating func next() throws -> [Record]? {
        var batch: [Record] = []
        var weight = 0
        while weight < 8 << 20, let record = try reader.next() {
            weight += record.weight
            batch.append(record)
        }
        return batch.isEmpty ? nil : batch
    }

    /// Records passed over because there is nothing in them.
    var emptyRecords: Int { reader.emptyRecords }
}

/// A record in the form in which it waits on disk.
struct SpooledRecord: Sendable {
    var bytes: [UInt8] = []
    var characters: Int

    init(_ record: Record) {
        record.encode(into: &bytes)
        characters = record.characterCount
    }
}

extension Amount {
    /// Counts one record more, of this many characters.
    mutating func add(characters: Int) {
        records += 1
        self.characters += characters
    }
}
