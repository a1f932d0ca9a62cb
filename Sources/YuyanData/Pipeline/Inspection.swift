import Foundation
import YuyanText

/// What is in some files.
public struct Inspection: Codable, Sendable {
    /// What is in one file.
    public struct File: Codable, Sendable {
        /// Its path.
        public var path: String
        /// Its size on disk.
        public var bytes: Int
        /// Its records.
        public var amount = Amount()
        /// Records with nothing in them to learn.
        public var emptyRecords = 0
        /// The first thing that could not be read, and where; nil where all was read.
        public var problem: String?
        /// How much could not be read.
        public var problemCount = 0
    }

    /// A record that shows what the others are like.
    public struct Sample: Codable, Sendable {
        /// Its id.
        public var id: String
        /// `document`, `conversation`, `pair` or `comparison`.
        public var kind: String
        /// Unicode scalars of its text.
        public var characters: Int
        /// How its text begins.
        public var opening: String
    }

    /// The files, in the order in which they are read.
    public var files: [File] = []
    /// All records.
    public var total = Amount()
    /// Records by kind.
    public var kinds: [String: Int] = [:]
    /// How long the texts are, in Unicode scalars.
    public var lengths = LengthCounts()
    /// What the texts are written in.
    public var scripts = ScriptHistogram()
    /// How many records have each key in their metadata.
    public var metadata: [String: Int] = [:]
    /// Turns of conversations.
    public var turns = 0
    /// About how many records say the same as an earlier one, to the letter.
    public var duplicates = 0
    /// Some records, drawn by a hash of their place: the same each time.
    public var samples: [Sample] = []
}

/// Reads all that `paths` name (folders of finished stages: their documents) and says what it is. Memory is bounded; what is
/// broken in a file is passed over, and said to be.
///
/// - Parameter samples: how many records are shown.
/// - Throws: `DataError` where a path names nothing readable.
public func inspect(_ paths: [String], samples: Int = 5, progress: (Amount) -> Void = { _ in }) throws -> Inspection {
    let files = try documentPaths(paths).flatMap { $0 == "-" ? [$0] : try dataFiles([$0]).map(\.path) }
    var inspection = Inspection()
    var tally = Tally(samples: samples)
    for path in files {
        var file = Inspection.File(path: path, bytes: fileSize(path))
        do {
            var reading = ReadingConfiguration()
            reading.broken = .skip
            let parts = PartReader(try RecordReader([path], options: reading), partBytes: 8 << 20)
            defer { (file.emptyRecords, file.problem, file.problemCount) = (parts.emptyRecords, parts.problems.first, parts.problemCount) }
            while let part = try parts.next() {
                let first = tally.amount.records
                let pieces = stride(from: 0, to: part.records.count, by: 256).map { $0..<min($0 + 256, part.records.count) }
                for piece in try parallelMap(pieces, { range in Tally(part.records[range], first: first + range.lowerBound, samples: samples) }) {
                    tally += piece
                    file.amount += piece.amount
                }
                progress(tally.amount)
            }
        } catch let error as DataError {
            (file.problem, file.problemCount) = (error.description, 1)
        }
        inspection.files.append(file)
    }
    inspection.total = tally.amount
    (inspection.kinds, inspection.lengths, inspection.scripts) = (tally.kinds, tally.lengths, tally.scripts)
    (inspection.metadata, inspection.turns) = (tally.metadata, tally.turns)
    inspection.duplicates = max(0, tally.amount.records - tally.different.estimate)
    inspection.samples = tally.samples.kept
    return inspection
}

private func fileSize(_ path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
}

/// The `limit` elements with the lowest keys: a draw that depends on the keys alone, in whatever order they come.
struct LowestKeys<Element: Sendable>: Sendable {
    private let limit: Int
    private var entries: [(key: UInt64, element: Element)] = []

    init(_ limit: Int) { self.limit = limit }

    var kept: [Element] { entries.map(\.element) }

    /// The element is made only where it is kept.
    mutating func add(_ key: UInt64, _ element: () -> Element) {
        guard limit > 0, entries.count < limit || key < entries[entries.count - 1].key else { return }
        let place = entries.firstIndex { $0.key > key } ?? entries.count
        entries.insert((key, element()), at: place)
        if entries.count > limit { entries.removeLast() }
    }

    static func += (sum: inout Self, other: Self) {
        for (key, element) in other.entries { sum.add(key) { element } }
    }
}

/// About how many different hashes there were: those whose lowest bits are zero are kept, one bit more each time there are too many (Gibbons, "Distinct
/// Sampling for Highly-Accurate Answers to Distinct Values Queries and Event Reports", 2001). Exact up to the limit, whatever the order.
struct DistinctCount: Sendable {
    private static let limit = 1 << 20
    private var hashes: Set<UInt64> = []
    private var bits: UInt64 = 0

    var estimate: Int { hashes.count << Int(bits) }

    mutating func insert(_ hash: UInt64) {
        guard hash & ((1 << bits) - 1) == 0 else { return }
        hashes.insert(hash)
        while hashes.count > Self.limit { thin(to: bits + 1) }
    }

    static func += (sum: inout DistinctCount, other: DistinctCount) {
        if other.bits > sum.bits { sum.thin(to: other.bits) }
        for hash in other.hashes { sum.insert(hash) }
    }

    private mutating func thin(to more: UInt64) {
        bits = more
        hashes = hashes.filter { $0 & ((1 << bits) - 1) == 0 }
    }
}

/// What is known of a run of records.
private struct Tally: Sendable {
    var amount = Amount()
    var kinds: [String: Int] = [:]
    var lengths = LengthCounts()
    var scripts = ScriptHistogram()
    var metadata: [String: Int] = [:]
    var turns = 0
    var different = DistinctCount()
    var samples: LowestKeys<Inspection.Sample>

    init(samples: Int) { self.samples = LowestKeys(samples) }

    init(_ records: ArraySlice<Record>, first: Int, samples: Int) {
        self.init(samples: samples)
        for (offset, record) in records.enumerated() {
            let before = amount.characters
            amount.add(record)
            let characters = amount.characters - before
            kinds[record.kindName, default: 0] += 1
            lengths.add(characters)
            record.forEachText { scripts.add($0) }
            if case .conversation(let conversation) = record { turns += conversation.messages.count }
            for key in record.metadata.keys { metadata[key, default: 0] += 1 }
            var hash = RecordHash()
            hash.update(contentOf: record)
            different.insert(hash.value)
            self.samples.add(mix(UInt64(first + offset))) {
                Inspection.Sample(
                    id: record.id, kind: record.kindName, characters: characters, opening: excerpt(record.transcript, from: 0, length: 240))
            }
        }
    }

    static func += (sum: inout Tally, other: Tally) {
        sum.amount += other.amount
        sum.kinds.merge(other.kinds, uniquingKeysWith: +)
        sum.lengths += other.lengths
        sum.scripts += other.scripts
        sum.metadata.merge(other.metadata, uniquingKeysWith: +)
        sum.turns += other.turns
        sum.different += other.different
        sum.samples += other.samples
    }
}

extension Record {
    /// What a person calls its kind.
    var kindName: String {
        switch self {
        case .document: "document"
        case .conversation: "conversation"
        case .pair: "pair"
        case .comparison: "comparison"
        }
    }

    /// Its texts with who says them, for a person to read.
    var transcript: String {
        switch self {
        case .document(let document): document.text
        case .conversation(let conversation): conversation.messages.map { "\($0.role): \($0.content)" }.joined(separator: "\n")
        case .pair(let pair): "\(pair.input)\n→ \(pair.target)"
        case .comparison(let comparison):
            (comparison.prompt.map { "\($0.role): \($0.content)" } + comparison.answers.map { "[\(shortNumber($0.score))] \($0.text)" })
                .joined(separator: "\n")
        }
    }
}
