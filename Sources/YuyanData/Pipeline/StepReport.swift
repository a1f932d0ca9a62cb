/// How much there was: records and the characters (Unicode scalars) of their texts.
public struct Amount: Codable, Sendable, Hashable {
    /// Records.
    public var records = 0
    /// Unicode scalars of their texts.
    public var characters = 0

    /// Nothing.
    public init() {}

    /// Counts one record more.
    public mutating func add(_ record: Record) {
        records += 1
        characters += record.characterCount
    }

    /// Both counts added.
    public static func += (sum: inout Amount, other: Amount) {
        sum.records += other.records
        sum.characters += other.characters
    }
}

/// What one step did to the data: `input.records + added` is what was kept and what was dropped, together.
public struct StepReport: Codable, Sendable, Hashable {
    /// The step: `clean`, `filter`, `dedup`.
    public var step: String
    /// What came in.
    public var input = Amount()
    /// What went out.
    public var kept = Amount()
    /// What did not, by reason.
    public var dropped: [String: Amount] = [:]
    /// Records more than came in, because one was split into several.
    public var added = 0
    /// How many places were changed, by what changed them.
    public var changes: [String: Int] = [:]
    /// The limits that a record's statistics were held against, by the statistic's name.
    public var thresholds: [String: Threshold] = [:]
    /// Records that were passed over in reading, because there is nothing in them to learn.
    public var emptyRecords = 0
    /// Lines and files that could not be read and were passed over, as sentences that name the place.
    public var problems: [String] = []
    /// How many there were; of very many, `problems` has the first.
    public var problemCount = 0
    /// Computing time on the clock, sittings before an interruption included.
    public var seconds = 0.0

    /// A report of nothing yet.
    public init(step: String) {
        self.step = step
    }

    /// All that was dropped.
    public var droppedTotal: Amount { dropped.values.reduce(into: Amount()) { $0 += $1 } }

    /// Whether every record that came in went somewhere.
    public var addsUp: Bool { input.records + added == kept.records + droppedTotal.records }

    /// The counts and times of two reports of one step, added.
    public static func += (sum: inout StepReport, other: StepReport) {
        sum.input += other.input
        sum.kept += other.kept
        sum.added += other.added
        sum.dropped.merge(other.dropped) { first, second in
            var both = first
            both += second
            return both
        }
        sum.changes.merge(other.changes, uniquingKeysWith: +)
        sum.emptyRecords += other.emptyRecords
        sum.problems += other.problems
        sum.problemCount += other.problemCount
        sum.seconds += other.seconds
    }
}

extension StepReport {
    private enum CodingKeys: String, CodingKey {
        case step, input, kept, dropped, added, changes, thresholds, emptyRecords, problems, problemCount, seconds
    }

    /// Reads a report; what a step has nothing to say of may be left out.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        step = try values.decode(String.self, forKey: .step)
        input = try values.decode(Amount.self, forKey: .input)
        kept = try values.decode(Amount.self, forKey: .kept)
        dropped = try values.decodeIfPresent([String: Amount].self, forKey: .dropped) ?? [:]
        added = try values.decodeIfPresent(Int.self, forKey: .added) ?? 0
        changes = try values.decodeIfPresent([String: Int].self, forKey: .changes) ?? [:]
        thresholds = try values.decodeIfPresent([String: Threshold].self, forKey: .thresholds) ?? [:]
        emptyRecords = try values.decodeIfPresent(Int.self, forKey: .emptyRecords) ?? 0
        problems = try values.decodeIfPresent([String].self, forKey: .problems) ?? []
        problemCount = try values.decodeIfPresent(Int.self, forKey: .problemCount) ?? problems.count
        seconds = try values.decodeIfPresent(Double.self, forKey: .seconds) ?? 0
    }
}

/// Limits of one statistic, both inclusive; nil where there is none.
public struct Threshold: Codable, Sendable, Hashable {
    /// The least value that is kept.
    public var min: Double?
    /// The greatest value that is kept.
    public var max: Double?

    /// Limits.
    public init(min: Double? = nil, max: Double? = nil) {
        self.min = min
        self.max = max
    }
}

/// Why a record was dropped: a line of `dropped/*.jsonl.zst`.
public struct Drop: Codable, Sendable, Hashable {
    /// The step that dropped it.
    public var step: String
    /// The reason, in the words of the configuration: `characters`, `near_duplicate`.
    public var reason: String
    /// What was found, and what was asked for: `12 < 50`; of a duplicate, the id of the record that stays.
    public var value: String

    /// A reason.
    public init(step: String, reason: String, value: String) {
        self.step = step
        self.reason = reason
        self.value = value
    }
}
