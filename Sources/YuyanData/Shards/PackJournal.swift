import Foundation

/// Where packing stands, kept in the work folder from time to time: a run that was killed goes on from there.
struct PackJournal: Codable {
    /// Of the input, the tokenizer and the settings.
    var identity: String
    var position: PackInput.Position
    var report: PackReport
    var train: ShardSeries.State
    var validation: ShardSeries.State
    var candidates: [EncodedDocument]

    static func file(in folder: URL) -> URL { folder.appendingPathComponent("journal.json") }

    /// What an interrupted run left for the same work; nil where there is nothing of use.
    static func load(from folder: URL, identity: String) -> PackJournal? {
        guard let data = try? Data(contentsOf: file(in: folder)),
            let journal = try? JSONDecoder().decode(PackJournal.self, from: data), journal.identity == identity
        else { return nil }
        return journal
    }

    func save(to folder: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        try PartFile.write([Array(encoder.encode(self))], to: Self.file(in: folder))
    }
}

extension EncodedDocument: Codable {
    private enum CodingKeys: String, CodingKey {
        case ids, hash, characters, bytes
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let data = try values.decode(Data.self, forKey: .ids)
        ids = data.withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map { Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Int32.self)) }
        }
        hash = try values.decode(UInt64.self, forKey: .hash)
        characters = try values.decode(Int.self, forKey: .characters)
        bytes = try values.decode(Int.self, forKey: .bytes)
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        let data = ids.map(\.littleEndian).withUnsafeBytes { Data($0) }
        try values.encode(data, forKey: .ids)
        try values.encode(hash, forKey: .hash)
        try values.encode(characters, forKey: .characters)
        try values.encode(bytes, forKey: .bytes)
    }
}

/// What is packed, in batches: records in memory, or files one after the other, so that a run can go on in the file where another was killed.
struct PackInput {
    /// A place between two records.
    struct Position: Codable, Hashable {
        /// Files read to their end.
        var file = 0
        /// Records taken from the one after them.
        var record = 0
        /// Empty records in the former.
        var emptyRecords = 0
    }

    let files: [URL]
    private(set) var position = Position()
    private var reader: RecordReader?
    private var records: ArraySlice<Record> = []
    private var emptyInMemory = 0

    init(files: [URL]) {
        self.files = files
    }

    init(records: [Record]) {
        files = []
        self.records = records[...]
    }

    /// What tells this input from others: names, sizes and times of the files. nil where nothing is known of it.
    var identity: String? {
        guard !files.isEmpty else { return nil }
        var lines: [String] = []
        for file in files {
            var status = stat()
            guard stat(file.path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
            #if canImport(Darwin)
                let time = status.st_mtimespec
            #else
                let time = status.st_mtim
            #endif
            lines.append("\(file.path)\t\(status.st_size)\t\(time.tv_sec).\(time.tv_nsec)")
        }
        return lines.joined(separator: "\n")
    }

    var emptyRecords: Int { position.emptyRecords + (reader?.emptyRecords ?? 0) + emptyInMemory }

    /// Goes to a place where an earlier run stood.
    mutating func seek(to position: Position) throws {
        self.position = position
        guard position.record > 0 else { return }
        reader = try RecordReader([files[position.file].path])
        for _ in 0..<position.record {
            guard try reader?.next() != nil else { throw DataError("\(files[position.file].path): has fewer records than before") }
        }
    }

    /// About `bytes` of records; none at the end.
    mutating func next(bytes: Int) throws -> [Record] {
        var batch: [Record] = []
        var weight = 0
        while weight < bytes, let record = try nextRecord() {
            weight += record.weight
            batch.append(record)
        }
        return batch
    }

    private mutating func nextRecord() throws -> Record? {
        while let record = records.popFirst() {
            if !record.isEmpty { return record }
            emptyInMemory += 1
        }
        while position.file < files.count {
            if reader == nil { reader = try RecordReader([files[position.file].path]) }
            if let record = try reader?.next() {
                position.record += 1
                return record
            }
            position = Position(file: position.file + 1, record: 0, emptyRecords: position.emptyRecords + (reader?.emptyRecords ?? 0))
            reader = nil
        }
        return nil
    }
}
