import Foundation

/// A sentence with `{column}` in the places where a row's cells go.
struct FactTemplate: Sendable, Hashable {
    enum Part: Sendable, Hashable {
        case text(String)
        case column(Int)
    }

    let source: String
    let parts: [Part]

    /// Throws where a brace is not closed or names no column; `file` is the file that the template stands in.
    init(_ source: String, columns: [String], file: URL) throws {
        self.source = source
        var parts: [Part] = []
        var rest = source[...]
        while let open = rest.firstIndex(of: "{") {
            guard let close = rest[open...].firstIndex(of: "}") else {
                throw DataError("\(file.path): the template \"\(source)\" has a { that is not closed")
            }
            let name = String(rest[rest.index(after: open)..<close])
            guard let column = columns.firstIndex(of: name) else {
                throw DataError("\(file.path): the template \"\(source)\" names the column \"\(name)\", and the table has \(columns.quotedList)")
            }
            if open > rest.startIndex { parts.append(.text(String(rest[..<open]))) }
            parts.append(.column(column))
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        self.parts = parts
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
