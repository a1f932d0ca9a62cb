public import Foundation

/// Facts of one kind: rows of a table (`NAME.tsv`, the first row names the columns) and, in `NAME.json` beside it, sentences,
/// questions and an answer for each relation between its columns:
///
///     {"title": "…", "relations": [{"name": "capital", "fact": "{首都}", "answer": "{国家}的首都是{首都}。",
///       "statements": ["{首都}是{国家}的首都。"], "questions": ["{国家}的首都是哪里？"], "held_out": ["请问{国家}的首都叫什么？"]}]}
///
/// A cell that is empty or `-` means that the row has no such thing; sentences that need it are not made for that row.
public struct FactTable: Sendable {
    /// The file's name without extension.
    public let name: String
    /// What the table is about.
    public let title: String
    /// The column names.
    public let columns: [String]
    /// The cells, nil where there is none.
    public let rows: [[String?]]
    let relations: [Relation]

    struct Relation: Sendable {
        private(set) var name: String
        /// What an answer must hold to be right.
        let fact: FactTemplate
        let answer: FactTemplate
        let statements: [FactTemplate]
        let questions: [FactTemplate]
        let heldOut: [FactTemplate]

        /// Throws where a template names no column of these, or a held-out phrasing is among those that are learnt.
        init(_ written: FactSheet.Relation, columns: [String], file: URL) throws {
            func template(_ source: String) throws -> FactTemplate { try FactTemplate(source, columns: columns, place: file.path) }
            name = written.name
            fact = try template(written.fact)
            answer = try template(written.answer)
            statements = try written.statements.map(template)
            questions = try written.questions.map(template)
            heldOut = try written.heldOut.map(template)
            guard let leak = heldOut.first(where: questions.contains) else { return }
            throw DataError("\(file.path): the question \"\(leak.source)\" of the relation \"\(name)\" is both learnt and held out")
        }

        /// The same templates under another name.
        func named(_ name: String) -> Relation {
            var relation = self
            relation.name = name
            return relation
        }
    }

    /// The table in `tsv`, with the templates in the `.json` file beside it. Throws a `DataError` that names file and line, or quotes
    /// the template at fault.
    public init(_ tsv: URL) throws {
        name = tsv.deletingPathExtension().lastPathComponent
        let json = tsv.deletingPathExtension().appendingPathExtension("json")
        let sheet = try FactSheet(json)
        title = sheet.title
        var reader = try DelimitedRows(tsv, kind: .tsv)
        guard let header = try reader.next()?.fields else {
            throw DataError("\(tsv.path): the table is empty; its first row should name the columns")
        }
        if let repeated = header.first(where: { name in header.count { $0 == name } > 1 }) {
            throw DataError(tsv, line: 1, "two columns are named \"\(repeated)\"")
        }
        columns = header
        var rows: [[String?]] = []
        while let row = try reader.next() {
            guard row.fields.count == header.count else {
                throw DataError(tsv, line: row.line, "the row has \(row.fields.count) cells where the table has \(header.count) columns")
            }
            rows.append(row.fields.map { $0.isEmpty || $0 == "-" ? nil : $0 })
        }
        guard !rows.isEmpty else { throw DataError("\(tsv.path): the table has column names and no rows") }
        self.rows = rows
        relations = try sheet.relations.map { try Relation($0, columns: header, file: json) }
        try checkAnswers(json)
    }

    /// All tables of a folder, by name. Throws where there is none.
    public static func load(_ folder: URL) throws -> [FactTable] {
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        let tables = files.filter { $0.pathExtension == "tsv" }.sorted { $0.path < $1.path }
        guard !tables.isEmpty else { throw DataError("\(folder.path): no tables of facts here (NAME.tsv with NAME.json beside it)") }
        return try tables.map(FactTable.init)
    }

    /// An answer that lacks its fact could never be counted right.
    private func checkAnswers(_ file: URL) throws {
        for relation in relations {
            for row in rows {
                guard let fact = relation.fact.filled(row), let answer = relation.answer.filled(row), !answer.contains(fact) else { continue }
                throw DataError("\(file.path): the answer \"\(answer)\" of the relation \"\(relation.name)\" does not contain its fact \"\(fact)\"")
            }
        }
    }
}

/// The JSON file as it is written.
struct FactSheet: Decodable {
    struct Relation: Decodable {
        var name: String
        var fact: String
        var answer: String
        var statements: [String]
        var questions: [String]
        var heldOut: [String]

        enum CodingKeys: String, CodingKey {
            case name, fact, answer, statements, questions
            case heldOut = "held_out"
        }
    }

    var title: String
    var relations: [Relation]

    init(_ file: URL) throws {
        let data = Data(try readText(file).utf8)
        _ = try parseJSON(data, of: file, line: 1)  // for its line number
        do {
            self = try JSONDecoder().decode(FactSheet.self, from: data)
        } catch let error as DecodingError {
            throw DataError("\(file.path): \(error.sentence)")
        }
    }
}

extension DecodingError {
    /// What is wrong, with the place written as `relations[0].fact`.
    var sentence: String {
        func place(_ path: [any CodingKey]) -> String {
            path.map { key in key.intValue.map { "[\($0)]" } ?? ".\(key.stringValue)" }.joined().trimmingPrefix(".").description
        }
        switch self {
        case .keyNotFound(let key, let context): return "the key \"\(place(context.codingPath + [key]))\" is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context): return "the value of \"\(place(context.codingPath))\" has the wrong type"
        case .dataCorrupted(let context): return "the value of \"\(place(context.codingPath))\" cannot be read"
        @unknown default: return "it cannot be read as a sheet of facts"
        }
    }
}
