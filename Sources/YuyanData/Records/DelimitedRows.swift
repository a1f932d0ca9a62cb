import Foundation

/// The rows of a CSV file (RFC 4180: quoted fields may hold commas, doubled quotes and line breaks) or of a TSV file (a tab always separates and a
/// quote is only a quote). Blank lines between rows are passed over.
struct DelimitedRows {
    struct Row {
        /// The line it begins on.
        var line: Int
        var fields: [String]
    }

    private let input: InputBuffer
    private let separator: UInt8
    private let isQuoted: Bool
    private var line = 1

    init(_ file: URL, kind: FileKind, options: ReadingConfiguration = ReadingConfiguration()) throws {
        self.init(try InputBuffer(file, options: options), kind: kind)
    }

    init(_ input: InputBuffer, kind: FileKind) {
        self.input = input
        separator = UInt8(ascii: kind == .csv ? "," : "\t")
        isQuoted = kind == .csv
    }

    /// The next row. After an error it goes on: behind the row where its text is at fault, and with the row's second line where its end is.
    mutating func next() throws -> Row? {
        while let scan = try scanRow() {
            let number = line
            let bytes = UnsafeBufferPointer(rebasing: input.bytes.prefix(scan.length))
            defer {
                input.skip(min(scan.length + 1, input.count))
                line += scan.lineFeeds + 1
            }
            let row = bytes.last == 0x0D ? UnsafeBufferPointer(rebasing: bytes.dropLast()) : bytes
            if row.isEmpty { continue }
            guard isUTF8(UnsafeRawBufferPointer(row)) else { throw input.notText(UnsafeRawBufferPointer(row), at: input.offset) }
            return Row(line: number, fields: scan.hasQuotes ? quotedFields(row) : plainFields(row))
        }
        return nil
    }

    /// A place in a row.
    private enum Place {
        case fieldStart, plain, quoted
        /// Behind a quote in a quoted field: its end, or the first of two.
        case quote
    }

    private struct Scan {
        var place = Place.fieldStart
        /// Bytes before the line feed that ends the row.
        var length = 0
        /// Those inside quotes.
        var lineFeeds = 0
        var hasQuotes = false
    }

    /// Finds the end of the row that begins here, and has all of it in the buffer.
    private mutating func scanRow() throws -> Scan? {
        var scan = Scan()
        while true {
            let isEnded = isQuoted ? scanQuoted(&scan) : scanLine(&scan)
            if scan.length > input.limit { try fail(input.tooLong("row", line: line)) }
            if isEnded { return scan }
            if try input.fill() { continue }
            if scan.place == .quoted { try fail(DataError(input.file, line: line, "a quoted field that begins in this row is never closed")) }
            return input.count == 0 ? nil : scan
        }
    }

    /// Leaves the first line of the row at fault behind.
    private mutating func fail(_ error: DataError) throws {
        try input.skipLine()
        line += 1
        throw error
    }

    private func scanLine(_ scan: inout Scan) -> Bool {
        let length = input.lineLength(from: scan.length)
        scan.length = length ?? input.count
        return length != nil
    }

    /// Goes on where `scan` stands; true at the end of the row.
    private func scanQuoted(_ scan: inout Scan) -> Bool {
        let bytes = input.bytes
        var (index, place) = (scan.length, scan.place)
        defer { (scan.length, scan.place) = (index, place) }
        while index < bytes.count {
            let byte = bytes[index]
            if place == .quoted {
                if byte == UInt8(ascii: "\"") { place = .quote } else if byte == 0x0A { scan.lineFeeds += 1 }
            } else if byte == UInt8(ascii: "\""), place != .plain {
                place = .quoted
                scan.hasQuotes = true
            } else if byte == 0x0A {
                return true
            } else {
                place = byte == separator ? .fieldStart : .plain
            }
            index += 1
        }
        return false
    }

    private func plainFields(_ row: UnsafeBufferPointer<UInt8>) -> [String] {
        row.split(separator: separator, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    }

    /// What stands behind the closing quote of a field is part of it: there are writers that quote half a field.
    private func quotedFields(_ row: UnsafeBufferPointer<UInt8>) -> [String] {
        var fields: [String] = []
        var field: [UInt8] = []
        var place = Place.fieldStart
        for (index, byte) in row.enumerated() {
            switch (byte, place) {
            case (UInt8(ascii: "\""), .quoted): place = .quote
            case (UInt8(ascii: "\""), .fieldStart): place = .quoted
            case (UInt8(ascii: "\""), .quote):
                field.append(byte)
                place = .quoted
            case (0x0D, .quoted) where index + 1 < row.count && row[index + 1] == 0x0A: break  // a line break in a text is a line feed
            case (_, .quoted): field.append(byte)
            case (separator, _):
                fields.append(String(decoding: field, as: UTF8.self))
                field.removeAll(keepingCapacity: true)
                place = .fieldStart
            default:
                field.append(byte)
                place = .plain
            }
        }
        fields.append(String(decoding: field, as: UTF8.self))
        return fields
    }
}
