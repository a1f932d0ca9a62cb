import Foundation

/// The lines of a UTF-8 file, read through a buffer: memory is one block and one line, whatever the size of the file.
final class LineReader {
    struct Line {
        /// Counted from 1.
        var number: Int
        /// Without its line ending (`\n` or `\r\n`).
        var text: String
    }

    let file: URL
    private let descriptor: Int32
    private var buffer: [UInt8]
    private var unread: Range<Int> = 0..<0
    /// Where `buffer[0]` stands in the file.
    private var bufferOffset = 0
    private var lines = 0

    init(_ file: URL, blockSize: Int = 1 << 18) throws {
        self.file = file
        descriptor = open(file.path, O_RDONLY)
        guard descriptor >= 0 else { throw DataError.system("read it", file) }
        buffer = [UInt8](repeating: 0, count: blockSize)
    }

    deinit {
        close(descriptor)
    }

    func next() throws -> Line? {
        var searched = 0
        while true {
            if let length = lengthToNewline(from: searched) {
                return try takeLine(length: length, terminator: 1)
            }
            searched = unread.count
            if try !fill() {
                return unread.isEmpty ? nil : try takeLine(length: unread.count, terminator: 0)
            }
        }
    }

    private func lengthToNewline(from start: Int) -> Int? {
        buffer.withUnsafeBytes { bytes in
            let rest = bytes[(unread.lowerBound + start)..<unread.upperBound]
            guard let base = rest.isEmpty ? nil : bytes.baseAddress?.advanced(by: rest.startIndex),
                let found = memchr(base, 0x0A, rest.count)
            else { return nil }
            return start + (UnsafeRawPointer(found) - base)
        }
    }

    private func takeLine(length: Int, terminator: Int) throws -> Line {
        let start = unread.lowerBound
        var bytes = buffer[start..<start + length]
        unread = (start + length + terminator)..<unread.upperBound
        lines += 1
        if lines == 1, bytes.starts(with: byteOrderMark) { bytes = bytes.dropFirst(byteOrderMark.count) }
        if bytes.last == 0x0D { bytes = bytes.dropLast() }
        return Line(number: lines, text: try decodeUTF8(bytes, of: file, offset: bufferOffset + bytes.startIndex))
    }

    /// Reads more behind what is unread; false at the end of the file.
    private func fill() throws -> Bool {
        if unread.lowerBound > 0 {
            buffer.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                memmove(base, base + unread.lowerBound, unread.count)
            }
            bufferOffset += unread.lowerBound
            unread = 0..<unread.count
        }
        if unread.count == buffer.count { buffer.append(contentsOf: [UInt8](repeating: 0, count: buffer.count)) }
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { read(descriptor, $0 + unread.upperBound, bytes.count - unread.upperBound) } ?? 0
        }
        guard count >= 0 else { throw DataError.system("read it", file) }
        unread = 0..<unread.count + count
        return count > 0
    }
}
