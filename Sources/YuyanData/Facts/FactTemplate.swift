import Foundation

/// A sentence with `{column}` in the places where a row's cells go.
struct FactTemplate: Sendable, Hashable {
    enum Part: Sendable, Hashable {
        case text(String)
        case column(Int)
    }

    let source: String
    let parts: [Part]

    /// Throws where a brace is not closed or names no column; `place` is the file or setting that the template stands in.
    init(_ source: String, columns: [String], place: String) throws {
        self.source = source
        parts = try Self.pieces(of: source, place: place).map { piece in
            guard piece.isName else { return .text(piece.text) }
            guard let column = columns.firstIndex(of: piece.text) else {
                throw DataError("\(place): the template \"\(source)\" names the column \"\(piece.text)\", and the table has \(columns.quotedList)")
            }
            return .column(column)
        }
    }

    /// The names in braces, as they come.
    static func columns(in source: String, place: String) throws -> [String] {
        try pieces(of: source, place: place).filter(\.isName).map(\.text)
    }

    private static func pieces(of source: String, place: String) throws -> [(text: String, isName: Bool)] {
        var pieces: [(text: String, isName: Bool)] = []
        var rest = source[...]
        while let open = rest.firstIndex(of: "{") {
            guard let close = rest[open...].firstIndex(of: "}") else {
                throw DataError("\(place): the template \"\(source)\" has a { that is not closed")
            }
            if open > rest.startIndex { pieces.append((String(rest[..<open]), false)) }
            pieces.append((String(rest[rest.index(after: open)..<close]), true))
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty { pieces.append((String(rest), false)) }
        return pieces
    }

    /// The sentence for one row; nil where a cell that it needs is empty.
    func filled(_ row: [String?]) -> String? {
        var sentence = ""
        for part in parts {
            switch part {
            case .text(let text): sentence += text
            case .column(let column):
                guard let cell = row[column] else { return nil }
                sentence += cell
            }
        }
        return sentence
    }
}
