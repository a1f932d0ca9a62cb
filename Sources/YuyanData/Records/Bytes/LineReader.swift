import Foundation

/// The lines of a text file: memory is one block and one line, whatever the size of the file.
struct LineReader {
    struct Line {
        /// Counted from 1.
        var number: Int
        /// Without its line ending (`\n` or `\r\n`); valid until the next line is asked for.
        var bytes: UnsafeMutableBufferPointer<UInt8>
        /// Where it begins in the text.
        var offset: Int

        /// Whether there is nothing in it but white space.
        var isBlank: Bool { bytes.allSatisfy { $0 == 0x20 || (0x09...0x0D).contains($0) } }
    }

    let input: InputBuffer
    /// How many lines have been read.
    private(set) var lines = 0
    /// The line that was given last, with its line ending.
    private var used = 0

    init(_ input: InputBuffer) {
        self.input = input
    }

    /// The next line. After an error it goes on behind the line at fault.
    mutating func next() throws -> Line? {
        input.skip(used)
        used = 0
        var searched = 0
        while true {
            if let length = input.lineLength(from: searched) { return try take(length, ending: 1) }
            searched = input.count
            if searched > input.limit {
                lines += 1
                try input.skipLine(from: searched)
                throw input.tooLong("line", line: lines)
            }
            if try !input.fill() { return input.count == 0 ? nil : try take(input.count, ending: 0) }
        }
    }

    private mutating func take(_ length: Int, ending: Int) throws -> Line {
        lines += 1
        used = length + ending
        guard length <= input.limit else { throw input.tooLong("line", line: lines) }
        var bytes = input.bytes.prefix(length)
        if bytes.last == 0x0D { bytes.removeLast() }
        return Line(number: lines, bytes: UnsafeMutableBufferPointer(rebasing: bytes), offset: input.offset)
    }

    /// The line as text.
    func text(_ line: Line) throws -> String {
        try input.text(UnsafeBufferPointer(line.bytes), at: line.offset)
    }
}
