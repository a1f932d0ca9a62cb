import CData
public import Foundation

/// What became of one document on its way through a run.
public struct Story: Codable, Sendable, Hashable {
    /// What one stage did to it.
    public struct Chapter: Codable, Sendable, Hashable {
        /// What happened to it there.
        public enum Event: String, Codable, Sendable {
            case kept, dropped, split
        }
        /// The stage's name.
        public var stage: String
        /// What happened.
        public var event: Event
        /// Why it was dropped.
        public var drop: Drop?
        /// The ids of the records that it was split into.
        public var pieces: [String] = []
        /// Where its text first differs from what the stage before left.
        public var change: TextChange?
        /// Its statistics, where the stage measured some.
        public var statistics: [Measured] = []
    }

    /// One statistic of it.
    public struct Measured: Codable, Sendable, Hashable {
        /// The statistic.
        public var name: String
        /// Its value.
        public var value: Double
        /// The limits that a later stage held it against.
        public var threshold: Threshold?
    }

    /// Two texts from shortly before the first place at which they differ.
    public struct TextChange: Codable, Sendable, Hashable {
        /// Unicode scalars before.
        public var charactersBefore: Int
        /// Unicode scalars after.
        public var charactersAfter: Int
        /// The place at which they differ first, in Unicode scalars from 0.
        public var position: Int
        /// The earlier text there.
        public var before: String
        /// The later text there.
        public var after: String
    }

    /// The id that was asked for.
    public var id: String
    /// The file that it was read from, or the name of what made it.
    public var source: String?
    /// How it begins, as it was first seen.
    public var opening: String?
    /// Stage by stage; empty where no record has this id.
    public var chapters: [Chapter] = []
    /// Ids that end in what was asked for, where none is equal to it.
    public var candidates: [String] = []
}

/// The story of the document `id` in a run (`runs/NAME`, or the folder of a single stage).
///
/// Where no record has that id, those whose id ends in it, or that its file calls so, are offered; where there is just one of them, its story is told.
/// - Throws: `DataError` for a folder that holds no stage, or damaged files.
public func why(_ id: String, in run: URL) throws -> Story {
    let folder = try RunFolder(run)
    let search = Search(id)
    let found = try folder.stages.map { try search.run($0) }
    if !found.contains(where: { !$0.hits.isEmpty || !$0.pieces.isEmpty }) {
        let candidates = Set(found.flatMap(\.candidates)).sorted()
        if candidates.count == 1, candidates[0] != id { return try why(candidates[0], in: run) }
        return Story(id: id, candidates: Array(candidates.prefix(20)))
    }
    var story = Story(id: id)
    var text: String?
    for (stage, result) in zip(folder.stages, found) {
        for hit in result.hits {
            if story.chapters.isEmpty {
                story.source = hit.record.source
                text = original(hit.record)
                story.opening = excerpt(text ?? hit.record.text, from: 0, length: 60)
            }
            var chapter = Story.Chapter(stage: stage.name, event: hit.drop == nil ? .kept : .dropped, drop: hit.drop)
            let now = hit.record.text
            chapter.change = text.flatMap { difference($0, now) }
            text = now
            chapter.statistics = hit.statistics.map { name, value in
                let later = folder.stages.lazy.compactMap { $0.report?.thresholds[name] }.first
                return Story.Measured(name: name, value: value, threshold: later)
            }
            story.chapters.append(chapter)
        }
        if result.hits.isEmpty, !result.pieces.isEmpty {
            story.chapters.append(Story.Chapter(stage: stage.name, event: .split, pieces: result.pieces.sorted()))
        }
    }
    return story
}

/// The text of a record in the file that it was first read from; nil where that file is no longer there or holds no such record.
private func original(_ record: Record) -> String? {
    guard FileManager.default.fileExists(atPath: record.source), var reader = try? RecordReader([record.source]) else { return nil }
    while let candidate = try? reader.next() {
        if candidate.id == record.id { return candidate.text }
    }
    return nil
}

/// Where two texts differ first, with a few characters around; nil where they are the same.
func difference(_ before: String, _ after: String) -> Story.TextChange? {
    let (first, second) = (Array(before.unicodeScalars), Array(after.unicodeScalars))
    guard first != second else { return nil }
    let position = zip(first, second).prefix { $0 == $1 }.count
    let start = max(0, position - 12)
    return Story.TextChange(
        charactersBefore: first.count, charactersAfter: second.count, position: position, before: excerpt(before, from: start, length: 48),
        after: excerpt(after, from: start, length: 48))
}

/// A piece of a text on one line.
func excerpt(_ text: String, from start: Int, length: Int) -> String {
    let scalars = text.unicodeScalars
    var piece = String.UnicodeScalarView()
    for scalar in scalars.dropFirst(start).prefix(length) {
        switch scalar {
        case "\n": piece.append("⏎")
        case "\t": piece.append("⇥")
        case _ where scalar.properties.generalCategory == .control: piece.append("�")
        default: piece.append(scalar)
        }
    }
    let isCut = scalars.dropFirst(start + length).first != nil
    return (start > 0 ? "…" : "") + String(piece) + (isCut ? "…" : "")
}

/// Looks for an id in the lines of a stage: bytes first, and only lines that hold them are looked at more closely.
private struct Search {
    struct Hit: Sendable {
        var record: Record
        var drop: Drop?
        var statistics: [(String, Double)] = []
    }

    struct Result: Sendable {
        var hits: [Hit] = []
        var candidates: [String] = []
        var pieces: [String] = []
    }

    private let id: String
    /// The end of the id with its closing quote, as it stands in a line.
    private let needle: [UInt8]
    /// The beginning of the ids that pieces of the record have.
    private let pieceNeedle: [UInt8]

    init(_ id: String) {
        self.id = id
        var line: [UInt8] = []
        line.append(json: .document(Document(id: id, text: "", source: "")))
        let quoted = line.dropFirst(#"{"id":""#.utf8.count)
        let length = quoted.count - #"","source":"","text":""}"#.utf8.count
        needle = Array(quoted.prefix(length + 1))
        pieceNeedle = Array(quoted.prefix(length)) + [UInt8(ascii: "#")]
    }

    func run(_ stage: RunFolder.Stage) throws -> Result {
        let files = stage.files("documents").map { ($0, false) } + stage.files("dropped").map { ($0, true) }
        var whole = Result()
        for result in try parallelMap(files, { file, isDropped in try search(file, isDropped, stage) }) {
            whole.hits += result.hits
            whole.candidates += result.candidates
            whole.pieces += result.pieces
        }
        return whole
    }

    private func search(_ file: URL, _ isDropped: Bool, _ stage: RunFolder.Stage) throws -> Result {
        var result = Result()
        var rows: [Int] = []
        var row = -1
        try PartFile.forEachLine(of: file) { line in
            row += 1
            guard let start = line.baseAddress else { return true }
            let isEnd = cdata_contains(start, line.count, needle, needle.count) != 0
            guard isEnd || cdata_contains(start, line.count, pieceNeedle, pieceNeedle.count) != 0 else { return true }
            let stored = StoredLine(line)
            guard let found = StoredLine.text(stored.id) else { return true }
            if found == id, let record = StoredLine.record(stored.record) {
                let drop = isDropped ? Drop(step: text(stored.step), reason: text(stored.reason), value: text(stored.value)) : nil
                result.hits.append(Hit(record: record, drop: drop))
                rows.append(row)
            } else if isEnd, result.candidates.count < 100,
                found.hasSuffix(id) || StoredLine.record(stored.record)?.metadata["id"] == id
            {
                result.candidates.append(found)
            } else if found.hasPrefix(id + "#"), result.pieces.count < 100 {
                result.pieces.append(found)
            }
            return true
        }
        if !isDropped, !rows.isEmpty, let table = try stage.table(beside: file) {
            for (hit, row) in rows.enumerated() where row < table.rowCount {
                result.hits[hit].statistics = Array(zip(table.names, table[row])).filter { $0.0 != recordCharacters && !$0.1.isNaN }
            }
        }
        return result
    }

    private func text(_ string: UnsafeRawBufferPointer?) -> String { StoredLine.text(string) ?? "" }
}

extension Story: CustomStringConvertible {
    /// The story as a terminal shows it.
    public var description: String {
        guard !chapters.isEmpty else {
            if candidates.isEmpty { return "\(id): no record of this run has this id, or one that ends in it" }
            return "\(id): no record has just this id; did you mean\n" + candidates.map { "  \($0)" }.joined(separator: "\n")
        }
        var lines = [id]
        if let source, !source.isEmpty { lines.append("  read from \(source)") }
        if let opening { lines.append("  \(opening)") }
        for chapter in chapters {
            switch chapter.event {
            case .kept: lines.append("\n\(chapter.stage): kept" + (chapter.change == nil ? "" : ", changed"))
            case .split: lines.append("\n\(chapter.stage): split into \(chapter.pieces.joined(separator: ", "))")
            case .dropped:
                lines.append(
                    "\n\(chapter.stage): dropped by \(chapter.drop?.step ?? "?"): \(chapter.drop?.reason ?? "?") (\(chapter.drop?.value ?? ""))")
            }
            if let change = chapter.change {
                lines.append("  \(change.charactersBefore) → \(change.charactersAfter) characters, first at \(change.position):")
                lines.append("  - \(change.before)")
                lines.append("  + \(change.after)")
            }
            let width = chapter.statistics.map(\.name.count).max() ?? 0
            for measured in chapter.statistics.sorted(by: { ($0.threshold != nil ? 0 : 1, $0.name) < ($1.threshold != nil ? 0 : 1, $1.name) }) {
                let name = measured.name + String(repeating: " ", count: width - measured.name.count)
                lines.append("  \(name)  \(shortNumber(measured.value))\(measured.judgement)")
            }
        }
        return lines.joined(separator: "\n")
    }
}

extension Story.Measured {
    /// `  ✗ 50 … 1000` or `  ✓ ≤ 0.25`: the limits, and whether the value keeps them.
    fileprivate var judgement: String {
        guard let threshold else { return "" }
        let sign = threshold.violation(value) == nil ? "✓" : "✗"
        let limits =
            switch (threshold.min, threshold.max) {
            case (let min?, let max?): "\(shortNumber(min)) … \(shortNumber(max))"
            case (let min?, nil): "≥ \(shortNumber(min))"
            case (nil, let max?): "≤ \(shortNumber(max))"
            case (nil, nil): ""
            }
        return "  \(sign) \(limits)"
    }
}
