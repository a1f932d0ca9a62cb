import CData
import Foundation

/// Finds which records are copies of which.
///
/// Nothing depends on the order of the records: those that meet are taken in the order of their ranks (quality, then id, then text), and the best of a
/// cluster stays. Records of the index rank before all others, so that what earlier batches kept is never taken back.
struct ClusterFinder {
    let configuration: DeduplicationConfiguration
    /// The records of the index, then those of this batch.
    let columns: ColumnFiles
    /// How many of them are the index's.
    let indexed: Int
    /// For the records that meet.
    let working: URL
    var equalHashes = EqualHashes()

    /// How many of the best records of a group each other one is compared with; beside them, as many that found no copy among these.
    static let comparisons = 16

    /// The best record of each record's cluster; itself, where it has no copy.
    func representatives() throws -> [UInt32] {
        let isNear = configuration.level == .near
        let bandCount = isNear ? columns.files.first?.bandCount ?? 0 : 0
        // Groups are kept on disk, so that ids are needed of those records alone that meet others.
        var met = RecordSet(columns.count)
        let exact = working.appendingPathComponent("exact.groups")
        try write(exact, &met) { add in
            try equalHashes.forEachGroup(count: columns.count, blocks: columns.files.count) { file in
                try columns.files[file].read(.exactFirst, as: UInt64.self)
            } body: { group in
                for same in try parts(of: group) where same.last.map({ $0 >= indexed }) == true { try same.withUnsafeBufferPointer(add) }
            }
        }
        let bands = (0..<bandCount).map { working.appendingPathComponent("band-\($0).groups") }
        for (band, file) in bands.enumerated() {
            try write(file, &met) { add in
                try equalHashes.forEachGroup(count: columns.count, blocks: columns.files.count) {
                    try columns.files[$0].band(band)
                } body: { group in
                    if let last = group.last, last >= indexed { try add(group) }
                }
            }
        }

        let ranks = try ranks(of: met)
        var sets = UnionFind(ranks: ranks)
        var copies = RecordSet(columns.count)
        try forEachGroup(in: exact, ranks) { group in
            for record in group.dropFirst() {
                sets.union(group[0], record)
                copies.insert(record)
            }
        }
        for file in bands {
            try forEachGroup(in: file, ranks) { group in
                // The same text falls into the same bands: one of it is enough.
                try join(group.filter { !copies.contains($0) }, &sets)
            }
        }
        return sets.representatives()
    }

    /// Unites the records of a group, best first, that are similar enough.
    private func join(_ group: [UInt32], _ sets: inout UnionFind) throws {
        guard let best = group.first, group.count > 1 else { return }
        guard configuration.verify else {
            for record in group.dropFirst() where record >= indexed { sets.union(best, record) }
            return
        }
        var compared: [(record: UInt32, sketch: [UInt32]?)] = []
        for record in group {
            var sketch: [UInt32]?
            var isCopy = false
            for index in compared.indices {
                let other = compared[index].record
                if record < indexed, other < indexed { continue }
                if sets.find(record) != sets.find(other) {
                    let mine = try sketch ?? columns.sketch(Int(record))
                    let others = try compared[index].sketch ?? columns.sketch(Int(other))
                    (sketch, compared[index].sketch) = (mine, others)
                    guard ShingleSketch.similarity(mine, others) >= configuration.threshold else { continue }
                    sets.union(record, other)
                }
                isCopy = true
            }
            if compared.count < Self.comparisons || (!isCopy && compared.count < 2 * Self.comparisons) { compared.append((record, sketch)) }
        }
    }

    /// Records whose 64 bits are equal, parted by the other 64.
    private func parts(of group: UnsafeBufferPointer<UInt32>) throws -> [[UInt32]] {
        var parts: [(hash: UInt64, records: [UInt32])] = []
        for record in group {
            let hash = try columns.exactHash(Int(record))[1]
            if let index = parts.firstIndex(where: { $0.hash == hash }) {
                parts[index].records.append(record)
            } else {
                parts.append((hash, [record]))
            }
        }
        return parts.map(\.records).filter { $0.count > 1 }
    }

    // MARK: - Ranks

    /// The places of records in the order of preference; of records that met no other, `UInt32.max`.
    private func ranks(of met: RecordSet) throws -> [UInt32] {
        struct Candidate {
            var record: UInt32
            var quality: Double
            var id: Range<Int>
            var hash: UInt64
        }
        var ids: [UInt8] = []
        var candidates: [Candidate] = []
        for (number, file) in columns.files.enumerated() {
            let start = columns.starts[number]
            let fileIDs = try file.read(.ids, as: UInt8.self)
            let ends = try file.read(.idEnds, as: UInt32.self)
            let qualities = try file.read(.qualities, as: Double.self)
            let hashes = try file.read(.exactFirst, as: UInt64.self)
            for record in 0..<file.count where met.contains(UInt32(start + record)) {
                let begin = ids.count
                ids += fileIDs[(record == 0 ? 0 : Int(ends[record - 1]))..<Int(ends[record])]
                let quality = start + record < indexed ? Double.infinity : qualities[record]
                candidates.append(Candidate(record: UInt32(start + record), quality: quality, id: begin..<ids.count, hash: hashes[record]))
            }
        }
        ids.withUnsafeBytes { ids in
            candidates.sort { one, other in
                if one.quality != other.quality { return one.quality > other.quality }
                let order = compare(ids, one.id, other.id)
                if order != 0 { return order < 0 }
                return (one.hash, one.record) < (other.hash, other.record)
            }
        }
        var ranks = [UInt32](repeating: .max, count: columns.count)
        for (rank, candidate) in candidates.enumerated() { ranks[Int(candidate.record)] = UInt32(rank) }
        return ranks
    }

    private func compare(_ bytes: UnsafeRawBufferPointer, _ one: Range<Int>, _ other: Range<Int>) -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        let order = memcmp(base + one.lowerBound, base + other.lowerBound, min(one.count, other.count))
        return order != 0 ? Int(order) : one.count - other.count
    }

    // MARK: - Groups on disk

    /// Writes groups of records: how many, then which; and notes these in `met`. `fill` is handed what adds a group.
    private func write(
        _ file: URL, _ met: inout RecordSet, _ fill: ((UnsafeBufferPointer<UInt32>) throws -> Void) throws -> Void
    ) throws {
        guard let stream = fopen(file.path, "wb") else { throw DataError.system("write it", file) }
        var isWhole = true
        do {
            try fill { group in
                var count = UInt32(group.count)
                for record in group { met.insert(record) }
                isWhole = fwrite(&count, 4, 1, stream) == 1 && fwrite(group.baseAddress, 4, group.count, stream) == group.count
                if !isWhole { throw DataError.system("write it", file) }
            }
        } catch {
            fclose(stream)
            throw error
        }
        guard fclose(stream) == 0 else { throw DataError.system("write it", file) }
    }

    /// The groups of a file, each in the order of the ranks.
    private func forEachGroup(in file: URL, _ ranks: [UInt32], _ body: ([UInt32]) throws -> Void) throws {
        guard let stream = fopen(file.path, "rb") else { throw DataError.system("read it", file) }
        defer { fclose(stream) }
        var count: UInt32 = 0
        while fread(&count, 4, 1, stream) == 1 {
            var group = [UInt32](repeating: 0, count: Int(count))
            guard fread(&group, 4, group.count, stream) == group.count else { throw DataError.system("read it", file) }
            group.sort { ranks[Int($0)] < ranks[Int($1)] }
            try body(group)
        }
    }
}

/// A set of records (or of lines), a bit for each that there is.
struct RecordSet: Sendable {
    private var words: [UInt64]

    init(_ count: Int) {
        words = [UInt64](repeating: 0, count: (count + 63) / 64)
    }

    mutating func insert(_ number: UInt32) { words[Int(number >> 6)] |= 1 << UInt64(number & 63) }

    func contains(_ number: UInt32) -> Bool { words[Int(number >> 6)] >> UInt64(number & 63) & 1 != 0 }
}
