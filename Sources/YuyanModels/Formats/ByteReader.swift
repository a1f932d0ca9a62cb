internal import Foundation

/// Reads a file's bytes from front to back; everything little-endian, nothing past the end.
struct ByteReader {
    let bytes: UnsafeRawBufferPointer
    /// For errors.
    let file: String
    private(set) var position: Int

    init(_ bytes: UnsafeRawBufferPointer, file: String, at position: Int = 0) {
        (self.bytes, self.file, self.position) = (bytes, file, position)
    }

    var rest: Int { bytes.count - position }

    /// The next bytes; `what` says what they should be, for the error of a file that is cut off.
    mutating func take(_ count: Int, _ what: @autoclosure () -> String) throws -> UnsafeRawBufferPointer {
        guard count >= 0, count <= rest else { throw cutOff(what()) }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }

    mutating func integer<Number: FixedWidthInteger>(_ type: Number.Type = Number.self, _ what: @autoclosure () -> String) throws -> Number {
        guard MemoryLayout<Number>.size <= rest else { throw cutOff(what()) }
        defer { position += MemoryLayout<Number>.size }
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Number.self))
    }

    /// A length or an offset; one that does not fit into memory cannot be true.
    mutating func size<Number: FixedWidthInteger>(_ type: Number.Type, _ what: @autoclosure () -> String) throws -> Int {
        let place = position
        guard let value = Int(exactly: try integer(Number.self, what())), value >= 0 else {
            throw WeightsError("\(file): \(what()) at byte \(place) is too large to be true")
        }
        return value
    }

    mutating func text(_ count: Int, _ what: @autoclosure () -> String) throws -> String {
        let place = position
        guard let text = String(validating: try take(count, what()), as: UTF8.self) else {
            throw WeightsError("\(file): \(what()) at byte \(place) is not UTF-8")
        }
        return text
    }

    /// The line up to the next newline, which is passed over.
    mutating func line(_ what: @autoclosure () -> String) throws -> String {
        guard let end = bytes[position...].prefix(1 << 12).firstIndex(of: UInt8(ascii: "\n")) else { throw cutOff(what()) }
        let line = try text(end - position, what())
        position += 1
        return line
    }

    private func cutOff(_ what: String) -> WeightsError {
        WeightsError("\(file): the file is damaged or cut off: \(what) does not end at byte \(bytes.count)")
    }
}
