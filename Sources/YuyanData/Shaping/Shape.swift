public import Foundation
public import YuyanText

/// What examples are made of records. The parts that are there are done in this order; others are left out.
public struct ShapeConfiguration: Codable, Sendable, Hashable {
    /// Questions of titles and descriptions.
    public var title: TitleConfiguration?
    /// Pairs with the last turns of conversations.
    public var windows: WindowConfiguration?
    /// Many phrasings of the input.
    public var templates: TemplateConfiguration?
    /// What is drawn depends on it.
    public var seed = 0

    /// Nothing is changed: `src_txt` alone stays a text to go on with, `src_txt` and `tgt_txt` a pair.
    public init() {}
}

/// Makes training examples of one record at a time.
public struct Shaper: Sendable {
    private let title: TitleQuestions?
    private let windows: Windows?
    private let phrasings: Phrasings?
    private let seed: UInt64

    /// Throws where a setting or the file of templates is wrong.
    ///
    /// - Parameter tokenizer: needed where a budget is in tokens.
    public init(_ configuration: ShapeConfiguration, tokenizer: Tokenizer? = nil) throws {
        seed = mix(UInt64(bitPattern: Int64(configuration.seed)))
        title = try configuration.title.map { try TitleQuestions($0, tokenizer: tokenizer) }
        windows = try configuration.windows.map { try Windows($0, tokenizer: tokenizer) }
        phrasings = try configuration.templates.map { [seed] in try Phrasings($0, seed: seed) }
    }

    /// Whether some phrasings are held out.
    public var hasHeldOut: Bool { phrasings?.hasHeldOut ?? false }

    /// The examples that a record becomes, and what was done, counted. What is drawn depends on the seed and the record alone.
    ///
    /// - Parameter heldOut: in the phrasings that are held out, instead of the others; a record that none of them fits gives nothing then.
    public func examples(of record: Record, heldOut: Bool = false) -> (records: [Record], changes: [String: Int]) {
        var changes: [String: Int] = [:]
        let record = title?.question(record, changes: &changes) ?? record
        var records = [record]
        if let windows, case .conversation(let conversation) = record {
            records = windows.pairs(conversation, changes: &changes).map(Record.pair)
            changes["windows.pairs", default: 0] += records.count
        }
        if let phrasings {
            records = records.flatMap { record -> [Record] in
                let random = SeededRandom(seed: seed, stableHash(record.text), stableHash(record.id))
                let phrased = phrasings.phrase(record, heldOut: heldOut, random: random)
                changes[phrased.isEmpty ? "templates.unfit" : "templates.phrased", default: 0] += max(phrased.count, 1)
                return phrased.isEmpty && !heldOut ? [record] : phrased
            }
        }
        return (records, changes)
    }
}

/// Makes training examples of the records of `paths`, in `folder` (`documents/`, `dropped/`, `report.json`), as `processRecords` does: an interrupted run
/// goes on. Where phrasings are held out, the same records in those are in `folder/held_out`. A conversation without an answer is dropped as `no_answer`;
/// a record that no phrasing fits stays as it is, and is counted as `templates.unfit`.
@discardableResult
public func shape(
    _ paths: [String], _ configuration: ShapeConfiguration, tokenizer: Tokenizer? = nil, to folder: URL,
    isCancelled: @Sendable () -> Bool = { false }, progress: (StepReport) -> Void = { _ in }
) throws -> StepReport {
    let shaper = try Shaper(configuration, tokenizer: tokenizer)
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let settings = String(decoding: try encoder.encode(configuration), as: UTF8.self)
    let templates = try configuration.templates.map { try readText(URL(fileURLWithPath: $0.file)) } ?? ""
    func shaped(heldOut: Bool, to folder: URL) throws -> StepReport {
        try processRecords(
            paths, step: "shape", to: folder, fingerprint: [settings, templates, tokenizer?.fingerprint ?? "", "\(heldOut)"].joined(separator: "\0"),
            isCancelled: isCancelled, progress: progress
        ) { record, _ in
            let (records, changes) = shaper.examples(of: record, heldOut: heldOut)
            guard records.isEmpty else { return [.kept(records, changes: changes)] }
            let reason = heldOut ? "no_template" : "no_answer"
            return [.dropped(record, Drop(step: "shape", reason: reason, value: ""), changes: changes)]
        }
    }
    let heldOut = folder.appendingPathComponent("held_out")
    if shaper.hasHeldOut {
        _ = try shaped(heldOut: true, to: heldOut)
    } else {
        try? FileManager.default.removeItem(at: heldOut)
    }
    return try shaped(heldOut: false, to: folder)
}
