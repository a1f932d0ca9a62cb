import Foundation

/// A record with what is right about it, for a model with a task head.
public struct LabelledExample: Sendable, Codable, Hashable {
    /// Where it stands: `file:line`.
    public var id: String
    /// One text; the two of a pair; or a context and then the answers to choose from.
    public var texts: [String]
    /// The name of its class; of answers, the place of the right one, from 0.
    public var label: String

    /// An example.
    public init(id: String, texts: [String], label: String) { (self.id, self.texts, self.label) = (id, texts, label) }
}

/// How an example stands in a table or JSON object.
public enum ExampleLayout: Sendable, CaseIterable {
    /// A text (`text`, `review`, `sentence`, …) and its `label`.
    case text
    /// Two texts (`premise` and `hypothesis`, `sentence1` and `sentence2`, …) and their `label`.
    case pair
    /// A `context`, a `question` or both, answers (a list `choices`, `options`, …, or the columns `A`, `B`, …) and the right one under `answer` or
    /// `label`: its letter, its place from 0, or itself.
    case choice

    fileprivate static let texts = ["text", "review", "sentence", "content", "comment", "query", "title"]
    fileprivate static let pairs = [
        ("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"), ("text_a", "text_b"), ("text1", "text2"),
    ]
    fileprivate static let contexts = ["context", "passage", "article", "ctx", "question", "query", "prompt", "text"]
    fileprivate static let answers = ["choices", "options", "answers", "endings", "choice"]
    fileprivate static let rights = ["answer", "label", "right", "correct"]
    fileprivate static let labels = ["label", "class", "category", "gold_label"]
    fileprivate static let letters = (0..<26).map { String(UnicodeScalar(UInt8(ascii: "A") + UInt8($0))) }

    fileprivate var expected: String {
        switch self {
        case .text: "a text (\(Self.texts.joined(separator: ", "))) and a label (\(Self.labels.joined(separator: ", ")))"
        case .pair: "two texts (\(Self.pairs.map { "\($0) and \($1)" }.joined(separator: ", "))) and a label (\(Self.labels.joined(separator: ", ")))"
        case .choice:
            "a context or question, answers (a list \(Self.answers.joined(separator: ", ")), or columns A, B, …) and the right one "
                + "(\(Self.rights.joined(separator: ", ")))"
        }
    }
}

/// The examples of JSON, JSON Lines, CSV and TSV files, whose first row names the columns; our own records have the label in their metadata. Examples with
/// blank texts, and those that their makers could not agree on (label `-`), are left out.
///
/// - Throws: `DataError` that names file and line where a record is no such example, or where there is none at all.
public func readLabelledExamples(_ paths: [String], _ layout: ExampleLayout) throws -> [LabelledExample] {
    var examples: [LabelledExample] = []
    for file in try sourceFiles(paths) {
        try forEachFields(of: file) { fields in
            let example = try layout.example(fields)
            if example.label != "-", !example.texts.contains(where: isBlank) { examples.append(example) }
        }
    }
    guard !examples.isEmpty else { throw DataError("\(paths.joined(separator: ", ")): there are no examples; \(layout.expected) are expected") }
    return examples
}

private func forEachFields(of file: SourceFile, _ body: (Fields) throws -> Void) throws {
    let input = try InputBuffer(file.url, options: ReadingConfiguration())
    switch FileKind(file.url) {
    case .json:
        var values = JSONValues(input)
        while let (line, tape) = try values.next() { try body(Fields(tape.value, of: file, line: line)) }
    case .jsonLines:
        var lines = LineReader(input)
        let parser = JSONParser()
        while let line = try lines.next() {
            if line.isBlank { continue }
            let tape = try parser.parse(line.bytes, at: line.offset, line: line.number, of: input)
            try body(Fields(tape.value, of: file, line: line.number))
        }
    case .csv, .tsv:
        var rows = DelimitedRows(input, kind: FileKind(file.url) == .csv ? .csv : .tsv)
        guard let header = try rows.next() else { return }
        while let row = try rows.next() { try body(Fields(row, columns: header.fields, of: file)) }
    default: throw DataError("\(file.url.path): examples with labels are read from JSON, JSON Lines, CSV and TSV files")
    }
}

extension ExampleLayout {
    fileprivate func example(_ fields: Fields) throws -> LabelledExample {
        func text(_ names: [String]) throws -> String? { try names.first(where: fields.has).flatMap(fields.text) }
        func incomplete() -> DataError {
            fields.error("\(expected) are expected; the record has the fields \(fields.names.sorted().joined(separator: ", "))")
        }
        func label() throws -> String {
            let metadata = try fields.object("metadata")
            let label = try text(Self.labels) ?? metadata.flatMap { try Self.labels.first(where: $0.has).flatMap($0.text) }
            guard let label else { throw incomplete() }
            return label.trimmingCharacters(in: .whitespaces)
        }
        switch self {
        case .text:
            guard let body = try text(Self.texts) else { throw incomplete() }
            return LabelledExample(id: fields.id, texts: [body], label: try label())
        case .pair:
            guard let (first, second) = Self.pairs.first(where: { fields.has($0) && fields.has($1) }) else { throw incomplete() }
            return LabelledExample(
                id: fields.id, texts: [try fields.requiredText(first), try fields.requiredText(second)], label: try label())
        case .choice:
            let columns = Array(Self.letters.prefix(while: fields.has))
            let answers =
                try columns.count > 1 ? columns.map(fields.requiredText) : Self.answers.first { fields.kind($0) == .list }.flatMap(fields.texts)
            let contexts = try Self.contexts.filter(fields.has).map(fields.requiredText)
            guard let answers, answers.count > 1, !contexts.isEmpty, let key = Self.rights.first(where: fields.has),
                let right = try fields.text(key)?.trimmingCharacters(in: .whitespaces)
            else { throw incomplete() }
            func named() -> Int? { answers.firstIndex(of: right) ?? Self.letters.firstIndex(of: right.uppercased()) }
            let place = fields.kind(key) == .number ? Int(right) : named() ?? Int(right)
            guard let place, answers.indices.contains(place) else {
                throw fields.error(
                    "\(key): \"\(right.prefix(40))\" is none of the \(answers.count) answers, by its letter, its place from 0 or its text")
            }
            return LabelledExample(id: fields.id, texts: [contexts.joined(separator: "\n")] + answers, label: "\(place)")
        }
    }
}
