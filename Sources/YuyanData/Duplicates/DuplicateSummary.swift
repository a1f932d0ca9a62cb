import Foundation
import Synchronization

/// The clusters of copies, in numbers: the first line of `duplicates.jsonl`.
public struct DuplicateSummary: Codable, Sendable, Hashable {
    /// How many clusters of two records or more (lines, sentences: how many of them are repeated).
    public var clusters = 0
    /// How many records stand in them, those that stay included (lines, sentences: how often they stand in documents).
    public var records = 0
    /// How many clusters there are of each size.
    public var sizes: [Int: Int] = [:]

    mutating func add(size: Int) {
        clusters += 1
        records += size
        sizes[size, default: 0] += 1
    }
}

/// One of the largest clusters: a further line of `duplicates.jsonl`, largest first.
public struct DuplicateCluster: Codable, Sendable, Hashable {
    /// A record of it.
    public struct Member: Codable, Sendable, Hashable {
        /// The record's id.
        public var id: String
        /// The first 60 characters of its text (or of the line that is repeated).
        public var opening: String
    }

    /// How many records are in it.
    public var size: Int
    /// The record that stays, then some of the others.
    public var members: [Member]
}

/// Keeps the largest clusters while they are counted, and their openings while the texts go by.
struct DuplicateExamples {
    static let clusters = 20
    static let members = 5

    private(set) var summary = DuplicateSummary()
    /// The first member says which cluster is meant.
    private(set) var largest: [(size: Int, members: [UInt32])] = []

    /// Counts a cluster, and keeps it if it is among the largest; of equally large ones, the earlier.
    mutating func add(size: Int, first: UInt32) {
        summary.add(size: size)
        if let last = largest.last, largest.count == Self.clusters {
            guard last.size < size || (last.size == size && first < last.members[0]) else { return }
            largest.removeLast()
        }
        let place = largest.firstIndex { $0.size < size || ($0.size == size && $0.members[0] > first) } ?? largest.count
        largest.insert((size, [first]), at: place)
    }

    /// Adds members to the clusters that are shown.
    mutating func fill(from representatives: [UInt32]) {
        let places = Dictionary(uniqueKeysWithValues: largest.enumerated().map { ($1.members[0], $0) })
        for (record, representative) in representatives.enumerated() where record != Int(representative) {
            guard let place = places[representative], largest[place].members.count < Self.members else { continue }
            largest[place].members.append(UInt32(record))
        }
    }

    /// Writes `duplicates.jsonl`.
    func write(to folder: URL, member: (UInt32) throws -> DuplicateCluster.Member) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var lines = try encoder.encode(summary) + Data("\n".utf8)
        for cluster in largest {
            lines += try encoder.encode(DuplicateCluster(size: cluster.size, members: try cluster.members.map(member))) + Data("\n".utf8)
        }
        try PartFile.write([[UInt8](lines)], to: folder.appendingPathComponent("duplicates.jsonl"))
    }
}

/// The members that examples wait for; filled from all threads.
final class WantedMembers: Sendable {
    private let wanted: Set<UInt32>
    private let found = Mutex<[UInt32: DuplicateCluster.Member]>([:])

    init(_ wanted: some Sequence<UInt32>) {
        self.wanted = Set(wanted)
    }

    func isWanted(_ number: UInt32) -> Bool { wanted.contains(number) }

    /// Whether any of these is wanted.
    func isWanted(in range: Range<Int>) -> Bool {
        range.count < wanted.count ? range.contains { wanted.contains(UInt32($0)) } : wanted.contains { range.contains(Int($0)) }
    }

    func add(_ number: UInt32, id: String, text: some StringProtocol) {
        let opening = String(String.UnicodeScalarView(text.unicodeScalars.prefix(60)))
        found.withLock { $0[number] = DuplicateCluster.Member(id: id, opening: opening) }
    }

    subscript(_ number: UInt32) -> DuplicateCluster.Member? { found.withLock { $0[number] } }

    /// Whether all are there: after an interruption, parts that were finished before did not go by.
    var isComplete: Bool { found.withLock { $0.count == wanted.count } }
}
