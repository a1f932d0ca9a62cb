public import Foundation

/// Removes copies: records that say (nearly) the same as another one, or lines and sentences that many documents share (`configuration.level`).
///
/// The records are read twice. The first pass keeps numbers of each (`working/` in the folder, taken away at the end); the second writes `documents/`,
/// `dropped/` (reason `exact_duplicate` with the id of the record that stays, `near_duplicate` with the id and the similarity, `duplicate_lines`,
/// `duplicate_sentences`), `report.json`, and `duplicates.jsonl` (a `DuplicateSummary`, then the largest clusters, each a `DuplicateCluster`). Which copy
/// stays depends on its quality and its id, never on the order of the input or the number of threads. Killed at any moment and run again, it goes on from the
/// finished parts, with the same result. Memory is some 50 bytes for each record, beside the two or three parts that are worked on.
///
/// - Parameters:
///   - inputs: files, folders, patterns; not standard input, which cannot be read twice.
///   - isCancelled: asked between two parts; when it says true, `CancellationError` is thrown and what is finished stays.
///   - progress: called after each part of either pass; in the first pass, only the input is counted.
/// - Throws: `DataError` for unreadable input, a wrong configuration, or an index that was made with another one.
@discardableResult
public func deduplicate(
    _ inputs: [String], to folder: URL, configuration: DeduplicationConfiguration = .init(), isCancelled: @Sendable () -> Bool = { false },
    progress: (StepReport) -> Void = { _ in }
) throws -> StepReport {
    try configuration.check()
    return switch configuration.level {
    case .exact, .near: try RecordDeduplication(inputs: inputs, folder: folder, configuration: configuration).run(isCancelled, progress)
    case .lines, .sentences: try LineDeduplication(inputs: inputs, folder: folder, configuration: configuration).run(isCancelled, progress)
    }
}

/// Configuration in a form that is the same for the same values.
func canonicalJSON(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}

/// Of records with the same or nearly the same text, one stays.
struct RecordDeduplication {
    let inputs: [String]
    let folder: URL
    let configuration: DeduplicationConfiguration
    var partBytes = 32 << 20
    var equalHashes = EqualHashes()

    func run(_ isCancelled: @Sendable () -> Bool, _ progress: (StepReport) -> Void) throws -> StepReport {
        let parameters = DuplicateIndex.Parameters(configuration)
        // The columns depend on these alone: another threshold can use them again.
        let fingerprint = "columns 1, \(parameters.sentence), quality \(configuration.quality ?? "")"
        let working = WorkingColumns(folder: folder.appendingPathComponent("working"), fingerprint: fingerprint, partBytes: partBytes)
        let (files, input) = try working.make(inputs, isCancelled: isCancelled, progress: progress) { [configuration] records in
            var fingerprinter = Fingerprinter(configuration)
            return fingerprinter.columns(of: records)
        }
        let settings = try canonicalJSON(configuration)
        let run = String(stableHash("\(settings)\0\(folder.standardizedFileURL.path)\0\(input)"), radix: 16)
        var index = try configuration.index.map { try DuplicateIndex($0, parameters: parameters, run: run) }
        let indexFiles = index?.files ?? []
        let columns = try ColumnFiles(indexFiles + files)
        let indexed = columns.starts[indexFiles.count]
        let representatives = try ClusterFinder(
            configuration: configuration, columns: columns, indexed: indexed, working: working.folder, equalHashes: equalHashes
        ).representatives()

        let examples = Self.examples(representatives, indexed: indexed)
        let members = WantedMembers(examples.largest.flatMap(\.members))
        for member in examples.largest.flatMap(\.members) where member < indexed { members.add(member, id: try columns.id(Int(member)), text: "") }
        let report = try processRecords(
            inputs, step: "dedup", to: folder, fingerprint: "\(settings) \(run) \(index?.batches ?? [])", isCancelled: isCancelled, progress: progress
        ) { record, ordinal in
            let own = indexed + ordinal
            guard own < representatives.count else { throw DataError("the input has changed while duplicates were looked for; run again") }
            if members.isWanted(UInt32(own)) { members.add(UInt32(own), id: record.id, text: record.text) }
            let stays = Int(representatives[own])
            return [stays == own ? .kept(record) : .dropped(record, try drop(own, for: stays, columns))]
        }
        try examples.write(to: folder) { try member($0, members, indexed) }
        try index?.add(files) { Int(representatives[indexed + $0]) == indexed + $0 }
        working.remove()
        return report
    }

    private func drop(_ record: Int, for other: Int, _ columns: ColumnFiles) throws -> Drop {
        let id = try columns.id(other)
        if try columns.exactHash(record) == columns.exactHash(other) { return Drop(step: "dedup", reason: "exact_duplicate", value: id) }
        let similarity = ShingleSketch.similarity(try columns.sketch(record), try columns.sketch(other))
        return Drop(step: "dedup", reason: "near_duplicate", value: "\(id) (\(rounded(similarity)))")
    }

    /// An example's id and opening; read again where its part was finished before an interruption.
    private func member(_ number: UInt32, _ members: WantedMembers, _ indexed: Int) throws -> DuplicateCluster.Member {
        if !members.isComplete {
            var reader = try RecordReader(documentPaths(inputs))
            var own = UInt32(indexed)
            while !members.isComplete, let record = try reader.next() {
                if members.isWanted(own) { members.add(own, id: record.id, text: record.text) }
                own += 1
            }
        }
        return members[number] ?? DuplicateCluster.Member(id: "", opening: "")
    }

    private static func examples(_ representatives: [UInt32], indexed: Int) -> DuplicateExamples {
        var sizes = [UInt32](repeating: 0, count: representatives.count)
        for representative in representatives { sizes[Int(representative)] += 1 }
        var examples = DuplicateExamples()
        for first in sizes.indices where sizes[first] > 1 { examples.add(size: Int(sizes[first]), first: UInt32(first)) }
        examples.fill(from: representatives)
        return examples
    }
}

/// Three digits behind the point.
func rounded(_ value: Double) -> String {
    let thousandths = Int((value * 1000).rounded())
    let digits = String(thousandths % 1000)
    return "\(thousandths / 1000)." + String(repeating: "0", count: 3 - digits.count) + digits
}
