public import Foundation
import YuyanText

/// How data is divided to learn from, to choose by and to measure with.
public struct SplitConfiguration: Codable, Sendable, Hashable {
    /// The share of the validation part, of all records.
    public var validation = 0.01
    /// The share of the test part.
    public var test = 0.01
    /// The name in the metadata under which near-duplicates have one value in common: they stay together. Records without it stand for themselves.
    public var clusterKey = "cluster"

    /// One record in a hundred for validation, one for the test.
    public init() {}

    /// Throws a `DataError` where a share is negative, or nothing is left to learn from.
    public func check() throws {
        guard validation >= 0, test >= 0, validation + test < 1 else {
            throw DataError("the shares of validation (\(validation)) and test (\(test)) should be at least 0, and below 1 together")
        }
    }
}

/// Divides the records of `paths` into `folder/train`, `folder/validation` and `folder/test`, each a stage folder; a part with a share of 0 is not made.
///
/// A hash of the normalised text decides (letters and digits only, full-width forms and capitals folded): copies fall on one side, whatever the order
/// and the files they come from; a part that is asked for holds at least one text where there are enough different ones. Divide conversations before
/// they are cut into windows.
///
/// - Returns: the whole, with the records of each part under its name in `changes`; the parts' reports are in their folders.
@discardableResult
public func split(
    _ paths: [String], _ configuration: SplitConfiguration, to folder: URL, progress: (StepReport) -> Void = { _ in }
) throws -> StepReport {
    try configuration.check()
    let (validation, test) = (configuration.validation, configuration.test)
    let start = ContinuousClock.now
    var report = StepReport(step: "split")
    let work = try WorkFolder(folder.appendingPathComponent("splitting.tmp"))
    let spool = try RecordSpool(work.url, name: "records")
    var groups = TextGroups()
    var batches = try RecordBatches(paths, for: folder)
    while let batch = try batches.next() {
        let encoded = try parallelMap(batch) { record in
            let cluster = record.metadata[configuration.clusterKey].map { mix(stableHash($0) ^ 0x636C_7573_7465_7221) }
            return (record: SpooledRecord(record), hash: normalisedHash(record.text), cluster: cluster)
        }
        for (record, hash, cluster) in encoded {
            // The place of the token count holds the hash.
            try spool.append(record, tokens: Int(Int64(bitPattern: hash)))
            if let cluster { groups.join(hash, cluster) }
            report.input.add(characters: record.characters)
        }
        progress(report)
    }
    try spool.finish()
    report.emptyRecords = batches.emptyRecords
    guard spool.count > 0 else { throw DataError("\(paths.joined(separator: ", ")): there are no records to divide") }

    // A group is called by its least hash: mixed, large groups do not all come to lie low.
    func place(_ number: Int) -> UInt64 { mix(groups.group(of: UInt64(bitPattern: Int64(spool[number].tokens)))) }
    var (lowest, highest) = (UInt64.max, UInt64.min)
    for number in 0..<spool.count {
        lowest = min(lowest, place(number))
        highest = max(highest, place(number))
    }
    var borders = (validation: UInt64(validation * 0x1p64), test: UInt64.max - UInt64(test * 0x1p64))
    var between = false
    for number in 0..<spool.count where place(number) != lowest && place(number) != highest { between = true }
    if validation > 0, lowest < highest { borders.validation = max(borders.validation, lowest + 1) }
    if test > 0, between || (validation == 0 && lowest < highest) { borders.test = min(borders.test, highest - 1) }

    let names = ["train", "validation", "test"]
    try? FileManager.default.removeItem(at: folder.appendingPathComponent(stageReportName))
    for (name, share) in zip(names, [1, validation, test]) where share == 0 {
        try? FileManager.default.removeItem(at: folder.appendingPathComponent(name))  // of an earlier division
    }
    let parts = try [1 - validation - test, validation, test].enumerated().map { index, share in
        share > 0 ? try StageOutput(folder.appendingPathComponent(names[index])) : nil
    }
    var reports = names.map { _ in StepReport(step: "split") }
    for number in 0..<spool.count {
        let place = place(number)
        let part = place < borders.validation ? 1 : place > borders.test ? 2 : 0
        let characters = spool[number].characters
        try parts[part]?.keep(spool.record(number))
        reports[part].input.add(characters: characters)
        report.kept.add(characters: characters)
        report.changes[names[part], default: 0] += 1
        if number % 4096 == 0 { progress(report) }
    }
    report.seconds = start.duration(to: .now).inSeconds
    for (part, partReport) in zip(parts, reports) {
        var partReport = partReport
        partReport.kept = partReport.input
        partReport.seconds = report.seconds
        try part?.finish(partReport)
    }
    try writeStageReport(report, to: folder)
    progress(report)
    return report
}

/// Sets of texts that belong together, by hash: each stands for itself until it is joined with others.
struct TextGroups {
    private var parents: [UInt64: UInt64] = [:]

    mutating func join(_ one: UInt64, _ other: UInt64) {
        let (first, second) = (root(one), root(other))
        // The lower one stays, so that the result does not depend on the order.
        parents[max(first, second)] = min(first, second)
        parents[min(first, second)] = min(first, second)
    }

    /// The same number for all of a group.
    func group(of hash: UInt64) -> UInt64 {
        guard !parents.isEmpty else { return hash }
        var node = hash
        while let parent = parents[node], parent != node { node = parent }
        return node
    }

    private mutating func root(_ hash: UInt64) -> UInt64 {
        let root = group(of: hash)
        var node = hash
        while let parent = parents[node], parent != root {
            parents[node] = root
            node = parent
        }
        return root
    }
}

/// A hash that is the same for texts that differ in nothing but white space, punctuation, capitals and full-width forms.
func normalisedHash(_ text: String) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    var isEmpty = true
    for scalar in text.unicodeScalars {
        guard let kept = normalised(scalar) else { continue }
        hash = (hash ^ UInt64(kept)) &* 0x0000_0100_0000_01B3
        isEmpty = false
    }
    // Salted, so that packing what was split here divides it anew. Signs alone are compared as they are.
    return mix((isEmpty ? stableHash(text) : hash) ^ 0x7370_6C69_7421)
}

private func normalised(_ scalar: Unicode.Scalar) -> UInt32? {
    var value = scalar.value
    if (0x4E00...0x9FFF).contains(value) || (0x3400...0x4DBF).contains(value) { return value }
    if (0xFF01...0xFF5E).contains(value) { value -= 0xFEE0 }
    if value < 0x80 {
        switch UInt8(value) {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): return value
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): return value + 32
        default: return nil
        }
    }
    return scalar.properties.isAlphabetic || scalar.properties.numericType != nil ? value : nil
}
