import Foundation

/// The rows of a CSV file (RFC 4180: quoted fields may hold commas, doubled quotes and line breaks) or of a TSV file (a tab
/// always separates and a quote is only a quote).
struct DelimitedRows {
    struct Row {
        /// The line it begins on.
        var line: Int
        var fields: [String]
    }

    private let lines: LineReader
    private let separator: UInt8
    private let isQuoted: Bool

    init(_ file: URL, kind: FileKind) throws {
        lines = try LineReader(file)
        separator = UInt8(ascii: kind == .csv ? "," : "\t")
        isQuoted = kind == .csv
    }

    /// The next row that is not a blank line.
    mutating func next() throws -> Row? {
        while let line = try lines.next() {
            if line.text.isEmpty { continue }
            if isQuoted { return try quotedRow(line) }
            let fields = line.text.utf8.split(separator: separator, omittingEmptySubsequences: false)
            return Row(line: line.number, fields: fields.map { String($0) ?? "" })
        }
        return nil
    }

    private func quotedRow(_ first: LineReader.Line) throws -> Row {
        var fields: [String] = []
        var field: [UInt8] = []
        var bytes = Array(first.text.utf8)
        var (index, inQuotes) = (0, false)
        func isQuote(_ index: Int) -> Bool { index < bytes.count && bytes[index] == UInt8(ascii: "\"") }
        while true {
            if index == bytes.count {
                guard inQuotes else { break }
                guard let more = try lines.next() else {
                    throw DataError(lines.file, line: first.number, "a quoted field that begins in this row is never closed")
                }
                field.append(0x0A)
                (bytes, index) = (Array(more.text.utf8), 0)
            } else if inQuotes, isQuote(index) {
                if isQuote(index + 1) {
                    field.append(bytes[index])
                    index += 1
                } else {
                    inQuotes = false
                }
                index += 1
            } else if !inQuotes, isQuote(index), field.isEmpty {
                inQuotes = true
                index += 1
            } else if !inQuotes, bytes[index] == separator {
                fields.append(String(decoding: field, as: UTF8.self))
                field.removeAll()
                index += 1
            } else {
                field.append(bytes[index])
                index += 1
            }
        }
        fields.append(String(decoding: field, as: UTF8.self))
        return Row(line: first.number, fields: fields)
    }
}
