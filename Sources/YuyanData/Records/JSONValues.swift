import Foundation

/// The records of a JSON file one after the other: the elements of a top-level array, or the top-level values (one, or one
/// per line: `.json` files often hold JSON Lines). The file is memory-mapped and one record is parsed at a time.
struct JSONValues {
    private let file: URL
    private let data: Data
    private var position: Int
    private var line = 1
    private let isArray: Bool
    private var isFinished = false
    private var isFirst = true

    init(_ file: URL) throws {
        self.file = file
        do { data = try Data(contentsOf: file, options: .mappedIfSafe) } catch { throw DataError.unreadable(file) }
        position = data.starts(with: byteOrderMark) ? byteOrderMark.count : 0
        isArray = data.dropFirst(position).first { !Self.isSpace($0) } == UInt8(ascii: "[")
        if isArray {
            skipSpace()
            position += 1
        }
    }

    mutating func next() throws -> (line: Int, value: Any)? {
        skipSpace()
        if isArray { try skipSeparator() }
        guard !isFinished, position < data.count else { return nil }
        isFirst = false
        let startLine = line
        let range = try scanValue()
        return (startLine, try parseJSON(data[range], of: file, line: startLine))
    }

    /// Steps over the comma before an element, or over the end of the array.
    private mutating func skipSeparator() throws {
        guard !isFinished else { return }
        guard position < data.count else { throw DataError(file, line: line, "the JSON array ends without its closing ]") }
        if data[position] == UInt8(ascii: "]") {
            isFinished = true
            position += 1
            skipSpace()
            guard position == data.count else { throw DataError(file, line: line, "there is more text after the end of the JSON array") }
        } else if !isFirst {
            guard data[position] == UInt8(ascii: ",") else { throw DataError(file, line: line, "a comma is missing between two JSON records") }
            position += 1
            skipSpace()
        }
    }

    private mutating func skipSpace() {
        while position < data.count, Self.isSpace(data[position]) {
            if data[position] == 0x0A { line += 1 }
            position += 1
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// Finds the end of the value that begins here, by brackets and strings alone; the parser judges what lies between.
    private mutating func scanValue() throws -> Range<Int> {
        let start = position
        let startLine = line
        let (end, newlines, problem) = data.withUnsafeBytes { bytes -> (Int, Int, String?) in
            var (index, depth, newlines) = (start, 0, 0)
            while index < bytes.count {
                switch bytes[index] {
                case UInt8(ascii: "\""):
                    index += 1
                    while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
                        if bytes[index] == 0x0A { return (index, newlines, "a JSON string is not closed before the line ends") }
                        index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
                    }
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    if depth <= 1 { return (depth == 1 ? index + 1 : max(index, start + 1), newlines, nil) }
                    depth -= 1
                case UInt8(ascii: ",") where depth == 0: return (max(index, start + 1), newlines, nil)
                case 0x0A:
                    if depth == 0 { return (index, newlines, nil) }
                    newlines += 1
                default: break
                }
                index += 1
            }
            return (bytes.count, newlines, depth > 0 ? "the JSON record that begins here is not closed" : nil)
        }
        if let problem { throw DataError(file, line: end < data.count ? startLine + newlines : startLine, "not valid JSON: \(problem)") }
        position = end
        line += newlines
        return start..<end
    }
}

/// Parses one JSON value that begins on `line` of `file`; the error names the line of the fault.
func parseJSON(_ data: Data, of file: URL, line: Int) throws -> Any {
    do {
        return try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
    } catch {
        _ = try decodeUTF8(data, of: file, offset: data.startIndex)
        let reason = ((error as NSError).userInfo["NSDebugDescription"] as? String) ?? "it cannot be parsed"
        // Foundation says "Invalid value around character 14."
        let place = reason.range(of: " around character ").flatMap { Int(reason[$0.upperBound...].prefix(while: \.isNumber)) }
        let before = data.prefix(place ?? 0)
        let what = reason.range(of: " around ").map { String(reason[..<$0.lowerBound]) } ?? reason.trimmingCharacters(in: ["."])
        let column = place.map { _ in ", column \(before.count - (before.lastIndex(of: 0x0A).map { $0 + 1 - before.startIndex } ?? 0) + 1)" }
        throw DataError(file, line: line + before.count { $0 == 0x0A }, "not valid JSON (\(what)\(column ?? ""))")
    }
}
