public import Foundation
import YuyanText

/// What records are put in order by.
public enum OrderKey: String, Codable, Sendable, CaseIterable {
    /// By the seed.
    case shuffled
    /// Characters of their texts.
    case length
    /// The number that their metadata keep as `perplexity`.
    case perplexity
    /// Any number of their metadata.
    case score
}

/// An order in which a model meets its data (Bengio et al., "Curriculum Learning", 2009).
public struct OrderConfiguration: Codable, Sendable, Hashable {
    /// What decides.
    public var by = OrderKey.shuffled
    /// The name in the metadata under which the score (`score` by default) or the perplexity stands.
    public var key: String?
    /// The highest first.
    public var descending = false
    /// So many stages of equally many records instead of one strict order, shuffled inside each.
    public var stages: Int?
    /// What shuffling depends on.
    public var seed = 0

    /// Shuffled.
    public init() {}

    /// Throws a `DataError` where the values contradict each other.
    public func check() throws {
        guard let stages else { return }
        guard stages > 0 else { throw DataError("the order has \(stages) stages, and should have at least 1") }
        guard by != .shuffled else { throw DataError("stages need something to rank records by: length, perplexity or score") }
    }
}

/// Puts the records of `paths` in order, in `folder` (`documents/`, `report.json`).
///
/// The order depends on the records alone (their texts, ids and scores) and on the seed, not on the order in which they are read. Sorting is external:
/// memory does not grow with the data, and the disk holds a copy of it meanwhile.
///
/// - Parameters:
///   - score: gives the number of a record, instead of what its metadata say.
///   - progress: called after each few megabytes.
/// - Throws: `DataError` that names a record without the number.
@discardableResult
public func order(
    _ paths: [String], _ configuration: OrderConfiguration, score: (@Sendable (Record) throws -> Double)? = nil, to folder: URL,
    progress: (StepReport) -> Void = { _ in }
) throws -> StepReport {
    try configuration.check()
    let start = ContinuousClock.now
    let output = try StageOutput(folder)
    var report = StepReport(step: "order")
    var batches = try RecordBatches(paths, for: folder)
    let seed = mix(UInt64(bitPattern: Int64(configuration.seed)))
    let ranked = ExternalSorter(output.scratch, name: "rank")
    let number = score ?? { try configuration.number(of: $0) }
    while let batch = try batches.next() {
        let keyed = try parallelMap(batch) { record in
            let chance = mix(stableHash(record.text) ^ mix(stableHash(record.id) ^ seed))
            var key = ExternalSorter.Key(primary: chance)
            if configuration.by != .shuffled {
                let value = try number(record)
                guard !value.isNaN else { throw DataError("\(record.source): the \(configuration.by) of \(record.id) is not a number") }
                key = ExternalSorter.Key(primary: configuration.descending ? ~ordered(value) : ordered(value), secondary: chance)
            }
            return (key: key, record: SpooledRecord(record))
        }
        for (key, record) in keyed {
            try ranked.append(key, record.bytes)
            report.input.add(characters: record.characters)
        }
        progress(report)
    }
    report.emptyRecords = batches.emptyRecords
    var last = ranked
    if let stages = configuration.stages {
        last = ExternalSorter(output.scratch, name: "stage")
        let count = ranked.count
        var rank = 0
        try ranked.visit { key, bytes in
            let (high, low) = rank.multipliedFullWidth(by: stages)
            let stage = count.dividingFullWidth((high, low)).quotient
            try last.append(ExternalSorter.Key(primary: UInt64(stage), secondary: key.secondary), [UInt8](bytes))
            rank += 1
        }
    }
    try last.visit { _, bytes in
        let record = Record(encoded: bytes)
        try output.keep(record)
        report.kept.add(record)
    }
    report.seconds = start.duration(to: .now).inSeconds
    progress(report)
    try output.finish(report)
    return report
}

extension OrderConfiguration {
    fileprivate func number(of record: Record) throws -> Double {
        if by == .length { return Double(record.characterCount) }
        let name = key ?? by.rawValue
        guard let text = record.metadata[name] else {
            let known = record.metadata.isEmpty ? "which is empty" : "only \(record.metadata.keys.sorted().quotedList)"
            throw DataError("\(record.source): \(record.id) has no \"\(name)\" in its metadata to order it by, \(known)")
        }
        guard let value = Double(text) else { throw DataError("\(record.source): the \"\(name)\" of \(record.id) is \"\(text)\", not a number") }
        return value
    }
}

/// A number whose unsigned order is that of the values (IEEE 754 totalOrder, both zeros as one).
private func ordered(_ value: Double) -> UInt64 {
    let bits = (value + 0).bitPattern
    return bits >> 63 == 1 ? ~bits : bits | 1 << 63
}
