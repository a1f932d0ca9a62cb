public import Foundation
import YuyanText

/// How test data is looked for in training data.
public struct DecontaminationConfiguration: Codable, Sendable, Hashable {
    /// Characters in a run that is looked for, without punctuation and white space (as GPT-3 looked for 13 words: Brown et al. 2020, appendix C).
    public var ngram = 13
    /// The share of a test record's runs that must be found in a document, above 0 and at most 1.
    public var overlap = 0.5
    /// The number of its runs that must be found.
    public var minimumMatches = 1
    /// Whether what was found is cut out of a document instead of dropping the document. (Other records are always dropped.)
    public var cut = false

    /// A document is dropped that has half of a test record in it.
    public init() {}

    /// Throws a `DataError` where a value is out of its range.
    public func check() throws {
        if !(2...64).contains(ngram) { throw DataError("ngram is \(ngram); it should be from 2 to 64 characters") }
        if !(overlap > 0 && overlap <= 1) { throw DataError("overlap is \(overlap); it should be above 0 and at most 1") }
        if minimumMatches < 1 { throw DataError("minimum_matches is \(minimumMatches); it should be at least 1") }
    }
}

/// Removes what contains test data: the records of `inputs` in which a test record is found go to `dropped/` (reason `contaminated`; the value is the test
/// record's id, the share of it that was found, and the passage in 【】 with some characters around it), or lose the passage (`cut`; change `contaminated`).
///
/// - Parameters:
///   - inputs: files, folders, patterns.
///   - tests: the test sets, files, folders and patterns likewise. Of a CSV or TSV file every field is looked for, whatever its columns are called. The runs
///     of a field are looked for, never runs across two fields. Tests in which no field is as long as a run cannot be found; the report counts them.
/// - Throws: `DataError` for unreadable input or a wrong configuration.
@discardableResult
public func decontaminate(
    _ inputs: [String], against tests: [String], to folder: URL, configuration: DecontaminationConfiguration = .init(),
    isCancelled: @Sendable () -> Bool = { false }, progress: (StepReport) -> Void = { _ in }
) throws -> StepReport {
    try configuration.check()
    let grams = try TestGrams(tests, width: configuration.ngram)
    guard grams.recordCount > 0 else {
        throw DataError("\(tests.joined(separator: ", ")): no test record has \(configuration.ngram) characters to look for; choose a smaller ngram")
    }
    let fingerprint = try "\(canonicalJSON(configuration)) \(grams.fingerprint)"
    var report = try processRecords(
        inputs, step: "decontaminate", to: folder, fingerprint: fingerprint, isCancelled: isCancelled, progress: progress
    ) { record, _ in
        guard let found = grams.search(record.text, configuration) else { return [.kept(record)] }
        if configuration.cut, case .document(var document) = record {
            document.text.remove(utf8: found.ranges)
            if !isBlank(document.text) { return [.kept(.document(document), changes: ["contaminated": found.ranges.count])] }
        }
        return [.dropped(record, Drop(step: "decontaminate", reason: "contaminated", value: found.value))]
    }
    if grams.tooShort > 0 {
        report.problems.append("\(grams.tooShort) test records have no field of \(configuration.ngram) characters and could not be looked for")
        report.problemCount += 1
        try writeStageReport(report, to: folder)
    }
    return report
}

extension String {
    /// Takes out pieces of the UTF-8, given in order.
    fileprivate mutating func remove(utf8 ranges: [Range<Int>]) {
        var kept: [UInt8] = []
        withUTF8 { bytes in
            var start = 0
            for range in ranges {
                kept += bytes[start..<range.lowerBound]
                start = range.upperBound
            }
            kept += bytes[start...]
        }
        self = String(decoding: kept, as: UTF8.self)
    }
}
