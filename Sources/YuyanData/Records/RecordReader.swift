public import Foundation

/// Reads records from files, one at a time and in order: `.txt` and `.md` (a file is one document), `.json` (an array, or values one after the other),
/// `.jsonl`, `.csv`, `.tsv`, `.warc` and `.wet`, each also compressed (`.gz`, `.zst`), in any common encoding of Chinese. What a record is shows in its
/// field names; a `.tsv` file without such names in its first row holds a question and an answer in each row. What `RecordWriter` wrote is read as it
/// was. Memory is bounded by the longest record, whatever the size of a file.
///
///     var reader = try RecordReader(["corpus", "dialogues/*.jsonl.zst", "-"])
///     while let record = try reader.next() { … }
public struct RecordReader {
    /// The files, in the order in which they are read.
    public let files: [URL]
    /// How many records were passed over because they hold nothing to learn from: blank text, or a question without an answer.
    public private(set) var emptyRecords = 0
    /// What could not be read and was passed over (`BrokenInput.skip`), as sentences that name file and place: the first thousand.
    public private(set) var problems: [String] = []
    /// How much could not be read.
    public private(set) var problemCount = 0

    private let sources: [SourceFile]
    private let options: ReadingConfiguration
    private let adapter: Adapter?
    private var nextFile = 0
    private var current: (any RecordSource)?
    private var pending: [Record] = []

    /// A reader of every data file that `paths` (files, folders, patterns, `-`) name. Throws where a path names nothing readable.
    public init(_ paths: [String], options: ReadingConfiguration = ReadingConfiguration()) throws {
        sources = try sourceFiles(paths)
        files = sources.map(\.url)
        adapter = try options.adapter.map(Adapter.named)
        self.options = options
    }

    /// The adapter that the records of the file that is being read come by, as guessed from its first one or as named; nil for plain texts, archives and
    /// our own records.
    public var currentAdapter: String? { current?.adapter }

    /// The file that is being read; nil before the first.
    public var currentFile: URL? { nextFile > 0 ? files[nextFile - 1] : nil }

    /// The next record, or nil when all files are read. Throws a `DataError` that names file and line.
    public mutating func next() throws -> Record? {
        while true {
            while let record = pending.popLast() {
                if !record.isEmpty { return record }
                emptyRecords += 1
            }
            do {
                if let records = try current?.next() {
                    pending = records.count > 1 ? records.reversed() : records
                } else if nextFile < sources.count {
                    current = nil
                    nextFile += 1
                    current = try recordSource(sources[nextFile - 1], options: options, adapter: adapter)
                } else {
                    return nil
                }
            } catch {
                guard options.broken == .skip else { throw error }
                problemCount += 1
                if problems.count < 1000 { problems.append("\(error)") }
            }
        }
    }

    /// All that is left to read.
    public mutating func readAll() throws -> [Record] {
        var records: [Record] = []
        while let record = try next() { records.append(record) }
        return records
    }
}

/// All that fine-tuning can learn from in `paths`: conversations, pairs and texts. Comparisons among them are an error.
public func readExamples(_ paths: [String]) throws -> [Record] {
    var reader = try RecordReader(paths)
    var records: [Record] = []
    while let record = try reader.next() {
        if case .comparison = record {
            throw DataError("\(record.source): \(record.id) is a comparison of answers, and fine-tuning needs conversations, pairs or texts")
        }
        records.append(record)
    }
    guard !records.isEmpty else { throw DataError("\(paths.joined(separator: ", ")): there is nothing to learn from") }
    return records
}
