import YuyanText

/// A way in which data sets write their records, known by its field names.
public struct Adapter: Sendable {
    /// The field names that tell a layout: all of them must be there.
    struct Signature: Sendable {
        let required: [String]
        /// What else may stand beside them; nil: anything.
        let optional: Set<String>?

        init(_ required: [String], optional: Set<String>? = nil) {
            self.required = required
            self.optional = optional
        }

        func matches(_ names: Set<String>) -> Bool {
            guard required.allSatisfy(names.contains) else { return false }
            guard let optional else { return true }
            return names.count == required.count || names.allSatisfy { optional.contains($0) || required.contains($0) }
        }
    }

    enum Reading: Sendable {
        /// Each record stands for itself.
        case each(@Sendable (Fields) throws -> [Record])
        /// Neighbours with the same text in the field `key` belong together.
        case runs(key: String, @Sendable ([Fields]) throws -> [Record])
    }

    /// As `--adapter` and recipes call it.
    public let name: String
    /// What it reads and what becomes of it, in one line.
    public let summary: String
    /// What it guesses by: any of them will do.
    let signatures: [Signature]
    /// What it reads too when it is named, though another adapter is the better guess.
    let readsToo: [Signature]
    let reading: Reading

    init(_ name: String, _ summary: String, _ signatures: [Signature], readsToo: [Signature] = [], _ reading: Reading) {
        self.name = name
        self.summary = summary
        self.signatures = signatures
        self.readsToo = readsToo
        self.reading = reading
    }

    init(
        _ name: String, _ summary: String, _ fields: [[String]], readsToo: [[String]] = [], _ read: @escaping @Sendable (Fields) throws -> [Record]
    ) {
        self.init(name, summary, fields.map { Signature($0) }, readsToo: readsToo.map { Signature($0) }, .each(read))
    }

    /// Whether a record with these fields is of this layout.
    func matches(_ names: Set<String>) -> Bool { signatures.contains { $0.matches(names) } }

    /// All adapters, from particular to general: of those that match a record's fields the first reads it.
    public static let all: [Adapter] =
        [canonical] + comparisons + [messageTrees, messageTable] + readingComprehension + conversations + pairs + instructions + questions
        + documents + plainQuestions + plain

    /// The adapter with this name. Throws a `DataError` that suggests the nearest one.
    public static func named(_ name: String) throws -> Adapter {
        if let adapter = all.first(where: { $0.name == name }) { return adapter }
        let nearest = all.map { ($0.name, editDistance(name.lowercased(), $0.name)) }.min { $0.1 < $1.1 }
        let hint = nearest.flatMap { $0.1 <= max(2, name.unicodeScalars.count / 3) ? "; did you mean \"\($0.0)\"?" : nil }
        throw DataError("there is no adapter \"\(name)\"\(hint ?? "; there are \(all.map(\.name).joined(separator: ", "))")")
    }

    /// The adapter that records with these fields are read by when none is named.
    static func first(matching names: Set<String>) -> Adapter? { all.first { $0.matches(names) } }

    /// The record(s) that one set of fields stands for, by `adapter` or, where it is nil, by the first that matches. What belongs to its neighbours
    /// (a table of messages) is read by `AdapterReader`.
    static func records(_ fields: Fields, adapter: Adapter? = nil) throws -> [Record] {
        let adapter = try adapter?.checked(fields) ?? guess(fields)
        switch adapter.reading {
        case .each(let read): return try read(fields)
        case .runs(_, let read): return try read([fields])
        }
    }

    /// This adapter, if the record has the fields that it needs.
    func checked(_ fields: Fields) throws -> Adapter {
        let names = fields.names
        if matches(names) || readsToo.contains(where: { $0.matches(names) }) { return self }
        let missing = (signatures + readsToo).map { $0.required.filter { !names.contains($0) } }.min { $0.count < $1.count } ?? []
        let which =
            switch missing.count {
            case 0: "reads records of exactly \(signatures[0].required.quotedList)"
            case 1: "needs the field \(missing.quotedList)"
            default: "needs the fields \(missing.quotedList)"
            }
        throw fields.error("the adapter \"\(name)\" \(which); the record has \(names.sorted().quotedList)")
    }

    static func guess(_ fields: Fields) throws -> Adapter {
        let names = fields.names
        if let adapter = first(matching: names) { return adapter }
        let known = all.map { "\($0.name) (\($0.signatures[0].required.joined(separator: ", ")))" }
        throw fields.error(
            "a record with the fields \(names.sorted().quotedList) is of no known layout; known are \(known.joined(separator: ", "))")
    }
}

/// Reads the records of one file in order, by the adapter that was named or by the one that each record's fields tell.
struct AdapterReader {
    /// The adapter of the first record: what an overview of the file shows.
    private(set) var adapter: Adapter?
    private let named: Adapter?
    /// The previous record's fields and their adapter: the next record mostly has the same.
    private var previous: (names: Set<String>, adapter: Adapter)?
    private var run: [Fields] = []
    private var runKey: String?

    init(_ named: Adapter? = nil) {
        self.named = named
    }

    /// The records that are complete now: those of these fields, or, where neighbours belong together, those of the run that ended before them.
    mutating func records(_ fields: Fields) throws -> [Record] {
        let current = try choose(fields)
        switch current.reading {
        case .each(let read):
            return try finish() + read(fields)
        case .runs(let keyField, let read):
            let key = try fields.requiredText(keyField)
            if key == runKey {
                run.append(fields)
                guard run.count <= longestRun else {
                    (run, runKey) = ([], nil)
                    throw fields.error("more than \(longestRun) records in a row have the same \"\(keyField)\"")
                }
                return []
            }
            let ended = run
            (run, runKey) = ([fields], key)
            return ended.isEmpty ? [] : try read(ended)
        }
    }

    /// The records of the run that the end of the file ends.
    mutating func finish() throws -> [Record] {
        guard let first = run.first, case .runs(_, let read) = try choose(first).reading else { return [] }
        let ended = run
        (run, runKey) = ([], nil)
        return try read(ended)
    }

    /// What `finish` gives, once; then nil, as sources of records end.
    mutating func last() throws -> [Record]? {
        let records = try finish()
        return records.isEmpty ? nil : records
    }

    private mutating func choose(_ fields: Fields) throws -> Adapter {
        let names = fields.names
        if let previous, previous.names == names { return previous.adapter }
        let chosen = try named?.checked(fields) ?? Adapter.guess(fields)
        previous = (names, chosen)
        adapter = adapter ?? chosen
        return chosen
    }
}

/// Records that belong together are kept until the last of them is read, so their number is bounded.
private let longestRun = 100_000

/// Levenshtein distance over Unicode scalars.
private func editDistance(_ left: String, _ right: String) -> Int {
    let right = Array(right.unicodeScalars)
    var row = Array(0...right.count)
    for (index, scalar) in left.unicodeScalars.enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for column in right.indices {
            let substituted = diagonal + (scalar == right[column] ? 0 : 1)
            diagonal = row[column + 1]
            row[column + 1] = min(substituted, diagonal + 1, row[column] + 1)
        }
    }
    return row[right.count]
}
