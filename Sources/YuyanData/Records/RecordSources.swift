import Foundation

/// The records of one open file; a step gives those of one row or value (often one, sometimes several), nil at the end. After an error it goes on with what
/// comes next, or is at its end.
protocol RecordSource {
    /// The name of the adapter that its first record came by, where there is one.
    var adapter: String? { get }
    mutating func next() throws -> [Record]?
}

/// What makes records of the fields of a file.
struct RecordMaker {
    let file: SourceFile
    /// The adapter that was named.
    let named: Adapter?
    private var reader: AdapterReader

    init(file: SourceFile, named: Adapter?) {
        self.file = file
        self.named = named
        reader = AdapterReader(named)
    }

    /// The name of the adapter that the file's first record came by; nil where that was one of our own.
    var adapter: String? { reader.adapter?.name }

    /// The records of one JSON value.
    mutating func records(_ tape: JSONTape, line: Int) throws -> [Record] {
        if named == nil, let record = tape.record { return [record] }
        return try records(Fields(tape.value, of: file, line: line))
    }

    mutating func records(_ fields: Fields) throws -> [Record] { try reader.records(fields) }

    /// What the end of the file completes.
    mutating func last() throws -> [Record]? { try reader.last() }
}

/// Opens a file by its kind. That of the standard input shows in its first characters: JSON, WARC, or else one text.
func recordSource(_ file: SourceFile, options: ReadingConfiguration, adapter: Adapter?) throws -> any RecordSource {
    let maker = RecordMaker(file: file, named: adapter)
    let input = try InputBuffer(file.url, options: options, isBinary: FileKind(file.url) == .warc)
    switch try FileKind(file.url) ?? kind(of: input) {
    case .json: return JSONRecords(maker: maker, values: JSONValues(input))
    case .jsonLines: return JSONLineRecords(maker: maker, lines: LineReader(input))
    case .csv: return DelimitedRecords(maker: maker, isTabbed: false, rows: DelimitedRows(input, kind: .csv))
    case .tsv: return DelimitedRecords(maker: maker, isTabbed: true, rows: DelimitedRows(input, kind: .tsv))
    case .warc: return WARCRecords(file: file, input: input, options: options)
    case .text, .markdown: return WholeFile(file: file, input: input)
    }
}

private func kind(of input: InputBuffer) throws -> FileKind {
    while input.count < 16, try input.fill() {}
    let beginning = input.bytes.prefix(1 << 12)
    if beginning.starts(with: "WARC/".utf8) { return .warc }
    let text = beginning.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
    switch text.first {
    case UInt8(ascii: "["): return .json
    case UInt8(ascii: "{"):
        // An object that goes on in the next line is no JSON Lines.
        let line = text.dropFirst().prefix { $0 != 0x0A }
        return line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } ? .json : .jsonLines
    default: return .text
    }
}

private struct WholeFile: RecordSource {
    var adapter: String? { nil }
    let file: SourceFile
    let input: InputBuffer
    var isRead = false

    mutating func next() throws -> [Record]? {
        guard !isRead else { return nil }
        isRead = true
        return [.document(Document(id: file.name, text: try readText(input), source: file.url.path))]
    }
}

private struct JSONRecords: RecordSource {
    var adapter: String? { maker.adapter }
    var maker: RecordMaker
    var values: JSONValues

    mutating func next() throws -> [Record]? {
        guard let (line, tape) = try values.next() else { return try maker.last() }
        return try maker.records(tape, line: line)
    }
}

private struct JSONLineRecords: RecordSource {
    var adapter: String? { maker.adapter }
    var maker: RecordMaker
    let parser = JSONParser()
    var lines: LineReader

    init(maker: RecordMaker, lines: LineReader) {
        self.maker = maker
        self.lines = lines
    }

    mutating func next() throws -> [Record]? {
        guard let line = try lines.next() else { return try maker.last() }
        if line.isBlank { return [] }
        return try maker.records(parser.parse(line.bytes, at: line.offset, line: line.number, of: lines.input), line: line.number)
    }
}

private struct DelimitedRecords: RecordSource {
    var adapter: String? { maker.adapter }
    var maker: RecordMaker
    let isTabbed: Bool
    var rows: DelimitedRows
    /// The column names, once the first row is read; none where each row is a dialogue.
    var header: [String]?

    init(maker: RecordMaker, isTabbed: Bool, rows: DelimitedRows) {
        self.maker = maker
        self.isTabbed = isTabbed
        self.rows = rows
    }

    mutating func next() throws -> [Record]? {
        guard let row = try rows.next() else { return try maker.last() }
        guard let header else {
            let named = (maker.named?.matches ?? { Adapter.first(matching: $0) != nil })(Set(row.fields))
            let header = !named && isTabbed && row.fields.count > 1 ? [] : row.fields
            self.header = header
            return named ? [] : try records(row, header: header)
        }
        return try records(row, header: header)
    }

    private mutating func records(_ row: DelimitedRows.Row, header: [String]) throws -> [Record] {
        if header.isEmpty {
            let turns = JSONObject.Member(key: "turns", value: .array(row.fields.map { .string($0) }))
            return try maker.records(Fields(JSONObject([turns]), of: maker.file, line: row.line))
        }
        return try maker.records(Fields(row, columns: header, of: maker.file))
    }
}
