public import Foundation
import YuyanText

/// How knowledge triples become text.
public struct TripleConfiguration: Codable, Sendable, Hashable {
    /// A JSON file with templates for each relation, in the form of those of a table of facts, over the columns `{subject}`, `{relation}` and `{object}`;
    /// a relation named `*` stands for all that have none of their own. By default plain sentences and questions for every relation.
    public var templates: String?
    /// The order of sentences and which phrasing goes with which depend on it.
    public var seed = 0

    /// Plain templates.
    public init() {}
}

/// Makes sentences and questions of knowledge triples: lines of subject, relation and object, with tabs between (commas in a .csv file), or as JSON objects with these names
/// (`predicate`, `head` and `tail` are understood too).
///
/// `folder/sentences` gets documents to pre-train on, each about one subject; `folder/questions` conversations to fine-tune on; `folder/held_out` questions in
/// phrasings that are not learnt, with what a right answer holds as `fact` in the metadata. Several objects of one subject and relation become one answer.
/// The result depends on the triples, their order for one subject, and the seed. Memory does not grow with the triples.
///
/// - Returns: the whole, with `sentences`, `questions` and `held_out` counted in `changes`, also kept as `folder/report.json`; triples of relations without a
///   template are dropped as `no_template`.
/// - Throws: `DataError` that names file and line of what is no triple.
@discardableResult
public func expandTriples(
    _ paths: [String], _ configuration: TripleConfiguration, to folder: URL, progress: (StepReport) -> Void = { _ in }
) throws -> StepReport {
    let start = ContinuousClock.now
    let relations = try tripleRelations(configuration)
    let names = ["sentences", "questions", "held_out"]
    let outputs = try names.map { try StageOutput(folder.appendingPathComponent($0)) }
    var reports = names.map { _ in StepReport(step: "triples") }
    var report = StepReport(step: "triples")
    try? FileManager.default.removeItem(at: folder.appendingPathComponent(stageReportName))

    let sorter = ExternalSorter(outputs[0].scratch, name: "triples")
    try forEachTriple(paths) { triple in
        var bytes: [UInt8] = []
        triple.subject.appendWithLength(to: &bytes)
        // What has one subject stays in the order in which it came.
        withUnsafeBytes(of: UInt64(sorter.count).bigEndian) { bytes += $0 }
        for text in [triple.relation, triple.object, triple.place] { text.appendWithLength(to: &bytes) }
        try sorter.append(ExternalSorter.Key(primary: mix(stableHash(triple.subject) ^ UInt64(bitPattern: Int64(configuration.seed)))), bytes)
        report.input.add(characters: triple.text.unicodeScalars.count)
        if sorter.count % 65536 == 0 { progress(report) }
    }
    guard sorter.count > 0 else { throw DataError("\(paths.joined(separator: ", ")): there are no triples") }

    func write(_ known: [Triple]) throws {
        var facts: [(relation: FactTable.Relation, row: [String?])] = []
        for (name, triples) in known.byRelation {
            guard let relation = relations[name] ?? relations["*"] else {
                for triple in triples {
                    let record = Record.document(Document(id: triple.place, text: triple.text, source: triple.place))
                    report.dropped["no_template", default: Amount()].add(record)
                    try outputs[0].drop(record, Drop(step: "triples", reason: "no_template", value: name))
                }
                continue
            }
            var objects: [String] = []
            for triple in triples where !objects.contains(triple.object) { objects.append(triple.object) }
            facts.append((relation.named(name), [known[0].subject, name, objects.joined(separator: "、")]))
            report.kept.records += triples.count
            report.kept.characters += triples.reduce(0) { $0 + $1.text.unicodeScalars.count }
        }
        let subject = known[0].subject
        let random = SeededRandom(seed: UInt64(bitPattern: Int64(configuration.seed)), stableHash(subject))
        var expansion = FactExpansion()
        expansion.add(facts, id: subject, source: known[0].file, random: random)
        let records = [
            expansion.statements.map(Record.document), expansion.questions.map(Record.conversation),
            expansion.heldOut.enumerated().map { number, question in
                .conversation(
                    Conversation(
                        id: "\(subject)/held_out/\(number + 1)", question: question.question, answer: question.answer, source: question.table,
                        metadata: ["fact": question.fact]))
            },
        ]
        for (part, records) in records.enumerated() {
            for record in records {
                try outputs[part].keep(record)
                reports[part].kept.add(record)
                report.changes[names[part], default: 0] += 1
            }
        }
    }
    var known: [Triple] = []
    try sorter.visit { _, bytes in
        let triple = Triple(decoding: bytes)
        if let first = known.first, first.subject != triple.subject {
            try write(known)
            known = []
        }
        known.append(triple)
    }
    try write(known)
    report.seconds = start.duration(to: .now).inSeconds
    for (output, partReport) in zip(outputs, reports) {
        var partReport = partReport
        partReport.input = partReport.kept
        partReport.seconds = report.seconds
        try output.finish(partReport)
    }
    try writeStageReport(report, to: folder)
    progress(report)
    return report
}

private struct Triple {
    var subject: String
    var relation: String
    var object: String
    /// `file:line`, with the whole path.
    var place: String

    var text: String { "\(subject)\t\(relation)\t\(object)" }
    var file: String { place.lastIndex(of: ":").map { String(place[..<$0]) } ?? place }
}

extension Triple {
    init(decoding bytes: UnsafeRawBufferPointer) {
        var decoder = ByteDecoder(bytes: bytes)
        subject = decoder.text()
        _ = decoder.word()
        (relation, object, place) = (decoder.text(), decoder.text(), decoder.text())
    }
}

extension [Triple] {
    /// In the order in which relations first come.
    fileprivate var byRelation: [(String, [Triple])] {
        var groups: [(String, [Triple])] = []
        var places: [String: Int] = [:]
        for triple in self {
            if let place = places[triple.relation] {
                groups[place].1.append(triple)
            } else {
                places[triple.relation] = groups.count
                groups.append((triple.relation, [triple]))
            }
        }
        return groups
    }
}

extension String {
    fileprivate func appendWithLength(to bytes: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(utf8.count).littleEndian) { bytes += $0 }
        bytes += utf8
    }
}

/// A triple as JSON data sets write it.
private struct WrittenTriple: Decodable {
    var subject: String?
    var head: String?
    var relation: String?
    var predicate: String?
    var object: String?
    var tail: String?
}

private func forEachTriple(_ paths: [String], _ body: (Triple) throws -> Void) throws {
    let decoder = JSONDecoder()
    for file in try dataFiles(documentPaths(paths)) {
        /// A triple of three cells of a line.
        func take(_ cells: [String], line: Int) throws {
            guard cells.count == 3 else {
                throw DataError(file, line: line, "the line has \(cells.count) cells, and a triple has three: subject, relation, object")
            }
            if line == 1, cells == ["subject", "relation", "object"] { return }
            guard !cells.contains(where: isBlank) else { throw DataError(file, line: line, "a part of the triple is empty") }
            try body(Triple(subject: cells[0], relation: cells[1], object: cells[2], place: "\(file.path):\(line)"))
        }
        if FileKind(file) == .csv {
            var rows = try DelimitedRows(file, kind: .csv)
            while let row = try rows.next() { try take(row.fields, line: row.line) }
            continue
        }
        var lines = LineReader(try InputBuffer(file, options: ReadingConfiguration()))
        while let line = try lines.next() {
            if line.isBlank { continue }
            let text = try lines.text(line)
            func wrong(_ sentence: String) -> DataError { DataError(file, line: line.number, sentence) }
            if text.utf8.first == UInt8(ascii: "{") {
                guard let written = try? decoder.decode(WrittenTriple.self, from: Data(text.utf8)) else {
                    throw wrong("not a JSON object of three texts; it should have \"subject\", \"relation\" and \"object\"")
                }
                guard let subject = written.subject ?? written.head, let relation = written.relation ?? written.predicate,
                    let object = written.object ?? written.tail
                else { throw wrong("the triple should have \"subject\", \"relation\" and \"object\"") }
                try take([subject, relation, object], line: line.number)
            } else {
                let cells = text.utf8.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
                try take(cells.map { String($0) ?? "" }, line: line.number)
            }
        }
    }
}

/// The relations with templates, by name.
private func tripleRelations(_ configuration: TripleConfiguration) throws -> [String: FactTable.Relation] {
    let columns = ["subject", "relation", "object"]
    guard let path = configuration.templates else {
        let plain = FactSheet.Relation(
            name: "*", fact: "{object}", answer: "{subject}的{relation}是{object}。",
            statements: ["{subject}的{relation}是{object}。", "说到{subject}，其{relation}是{object}。"],
            questions: ["{subject}的{relation}是什么？", "请问{subject}的{relation}是什么？"], heldOut: ["你知道{subject}的{relation}是什么吗？"])
        return ["*": try FactTable.Relation(plain, columns: columns, file: URL(fileURLWithPath: "templates"))]
    }
    let file = URL(fileURLWithPath: path)
    var relations: [String: FactTable.Relation] = [:]
    for written in try FactSheet(file).relations {
        guard relations[written.name] == nil else { throw DataError("\(file.path): the relation \"\(written.name)\" has templates twice") }
        relations[written.name] = try FactTable.Relation(written, columns: columns, file: file)
    }
    return relations
}
