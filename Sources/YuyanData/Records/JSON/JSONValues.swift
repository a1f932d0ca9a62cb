import Foundation

/// The values of a JSON file one after the other: the elements of a top-level array, or the top-level values (one, or one per line: `.json` files often
/// hold JSON Lines). One value at a time is in memory.
struct JSONValues {
    private let input: InputBuffer
    private let parser = JSONParser()
    private var line = 1
    /// Known once the first character is.
    private var isArray: Bool?
    private var isFinished = false
    private var isFirst = true
    /// After a bracket that is never closed each line is a value, or the rest of the file would belong to it.
    private var isByLine = false
    /// The value that was given last.
    private var used = 0

    init(_ input: InputBuffer) {
        self.input = input
    }

    /// The next value, until the one after it is asked for. After an error it goes on: with the next value where the fault is inside one, with the next
    /// line that begins with a bracket where the values cannot be told apart.
    mutating func next() throws -> (line: Int, tape: JSONTape)? {
        input.skip(used)
        used = 0
        let first = try skipSpace()
        if isArray == nil {
            isArray = first == UInt8(ascii: "[")
            if isArray == true { input.skip(1) }
        }
        if isArray == true { try skipSeparator() }
        guard !isFinished, try skipSpace() != nil else { return nil }
        isFirst = false
        let startLine = line
        let length = try scanValue()
        used = length
        let bytes = UnsafeMutableBufferPointer(rebasing: input.bytes.prefix(length))
        return (startLine, try parser.parse(bytes, at: input.offset, line: startLine, of: input))
    }

    /// The next byte that is not white space, which stays unread; nil at the end.
    private mutating func skipSpace() throws -> UInt8? {
        while true {
            let bytes = input.bytes
            var index = 0
            while index < bytes.count, Self.isSpace(bytes[index]) {
                if bytes[index] == 0x0A { line += 1 }
                index += 1
            }
            let byte = index < bytes.count ? bytes[index] : nil
            input.skip(index)
            if let byte { return byte }
            guard try input.fill() else { return nil }
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// Steps over the comma before an element, or over the end of the array.
    private mutating func skipSeparator() throws {
        guard !isFinished else { return }
        switch try skipSpace() {
        case nil:
            isFinished = true
            throw DataError(input.file, line: line, "the JSON array ends without its closing ]")
        case UInt8(ascii: "]"):
            isFinished = true
            input.skip(1)
            guard try skipSpace() != nil else { return }
            throw DataError(input.file, line: line, "there is more text after the end of the JSON array")
        case UInt8(ascii: ",") where !isFirst: input.skip(1)
        default:
            if isFirst { return }
            isFirst = true  // the element itself may be whole
            throw DataError(input.file, line: line, "a comma is missing between two JSON records")
        }
    }

    private struct Scan {
        var index = 0
        var depth = 0
        var lineFeeds = 0
        var isInString = false
        var isEnded = false
        var isUnclosedString = false
    }

    /// Finds the end of the value that begins here, by brackets and strings alone, and has all of it in the buffer; the parser judges what lies between.
    private mutating func scanValue() throws -> Int {
        if isByLine { return try scanLine() }
        var scan = Scan()
        var isTooLong = false
        repeat {
            Self.scan(input.bytes, &scan)
            guard isTooLong || scan.index > input.limit else { continue }
            if isArray != true { try fail(input.tooLong("JSON value", line: line)) }
            // The element is left out to its end, so that the next is found.
            isTooLong = true
            input.skip(scan.index)
            scan.index = 0
        } while try !scan.isEnded && !scan.isUnclosedString && input.fill()
        let startLine = line
        if !scan.isEnded, !scan.isUnclosedString, scan.depth > 0 {
            try fail(DataError(input.file, line: startLine, "not valid JSON: the JSON record that begins here is not closed"))
        }
        line += scan.lineFeeds
        var error = isTooLong ? input.tooLong("JSON value", line: startLine) : nil
        if scan.isUnclosedString {
            error = error ?? DataError(input.file, line: line, "not valid JSON: a JSON string is not closed before the line ends")
            input.skip(scan.index)
            try resynchronise()
        }
        if let error { throw error }
        return scan.index
    }

    private mutating func scanLine() throws -> Int {
        var searched = 0
        while true {
            if let length = input.lineLength(from: searched) { return length }
            searched = input.count
            if searched > input.limit { try fail(input.tooLong("line", line: line)) }
            if try !input.fill() { return input.count }
        }
    }

    /// Where the end of a value is not to be found: the rest of an array is lost with it, values on lines of their own are not.
    private mutating func fail(_ error: DataError) throws {
        if isArray == true {
            isFinished = true
        } else {
            isByLine = true
            try input.skipLine()
            line += 1
        }
        throw error
    }

    private static func scan(_ bytes: UnsafeMutableBufferPointer<UInt8>, _ scan: inout Scan) {
        var (index, depth, isInString) = (scan.index, scan.depth, scan.isInString)
        defer { (scan.index, scan.depth, scan.isInString) = (min(index, bytes.count), depth, isInString) }
        while index < bytes.count {
            let byte = bytes[index]
            if isInString {
                if byte == UInt8(ascii: "\\") {
                    // The byte behind it has to be there to be stepped over.
                    guard index + 1 < bytes.count else { return }
                    if bytes[index + 1] != 0x0A { index += 1 }
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                } else if byte == 0x0A {
                    scan.isUnclosedString = true
                    return
                }
                index += 1
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth <= 1 {
                    // A bracket that closes nothing is a value of its own, and a fault.
                    if depth == 1 || index == 0 { index += 1 }
                    scan.isEnded = true
                    return
                }
                depth -= 1
            case UInt8(ascii: ",") where depth == 0:
                if index == 0 { index += 1 }
                scan.isEnded = true
                return
            case 0x0A:
                if depth == 0 {
                    scan.isEnded = true
                    return
                }
                scan.lineFeeds += 1
            default: break
            }
            index += 1
        }
    }

    /// Goes on at the next line that begins as a record does.
    private mutating func resynchronise() throws {
        isFirst = true
        while true {
            try input.skipLine()
            line += 1
            let bracket = try skipSpace()
            if bracket == nil || bracket == UInt8(ascii: "{") || (isArray == true && bracket == UInt8(ascii: "]")) { return }
        }
    }
}
