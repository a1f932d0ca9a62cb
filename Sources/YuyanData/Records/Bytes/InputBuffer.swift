import CData
import Foundation

let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

/// What is read of a text file and not used yet, as UTF-8 that nobody has checked. Memory is one block, or as much as the longest piece that a reader
/// asks to have in one.
final class InputBuffer {
    let file: URL
    /// The longest piece that is kept.
    let limit: Int
    /// Where the next byte stands in the text.
    private(set) var offset = 0

    private let source: DecodedBytes
    private let blockSize: Int
    private var memory: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private var unread: Range<Int> = 0..<0
    private var isAtStart = true
    private var isAtEnd = false

    /// `isBinary`: the bytes are handed out as they are, whatever the encoding of the texts among them.
    init(_ file: URL, options: ReadingConfiguration, isBinary: Bool = false, blockSize: Int = 1 << 18) throws {
        self.file = file
        limit = max(1, options.maximumRecordBytes)
        source = DecodedBytes(try byteSource(file), encoding: isBinary ? .utf8 : options.encoding)
        self.blockSize = max(blockSize, 64)
        capacity = self.blockSize
        memory = Self.allocate(capacity)
    }

    deinit {
        memory.deallocate()
    }

    private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<UInt8> {
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity + Int(CDATA_JSON_PADDING))
        (memory + capacity).initialize(repeating: 0, count: Int(CDATA_JSON_PADDING))
        return memory
    }

    /// What is unread, valid until `fill`. Behind it lie `CDATA_JSON_PADDING` bytes of the buffer's own.
    var bytes: UnsafeMutableBufferPointer<UInt8> { UnsafeMutableBufferPointer(start: memory + unread.lowerBound, count: unread.count) }

    var count: Int { unread.count }

    /// Steps over what has been used.
    func skip(_ count: Int) {
        unread = unread.lowerBound + count..<unread.upperBound
        offset += count
    }

    /// Reads more behind what is unread; false at the end. After an error the rest is gone, and the end is here.
    func fill() throws -> Bool {
        if isAtEnd { return false }
        makeRoom()
        do {
            repeat {
                let room = UnsafeMutableRawBufferPointer(start: memory + unread.upperBound, count: capacity - unread.upperBound)
                let count = try source.read(into: room)
                unread = unread.lowerBound..<unread.upperBound + count
                isAtEnd = count == 0
            } while isAtStart && !isAtEnd && unread.count < byteOrderMark.count && bytes.first == byteOrderMark[0]
        } catch {
            isAtEnd = true
            skip(unread.count)
            throw error
        }
        if isAtStart, bytes.starts(with: byteOrderMark) { skip(byteOrderMark.count) }
        isAtStart = false
        return !isAtEnd
    }

    private func makeRoom() {
        let isLarge = capacity > 4 * blockSize && unread.count < blockSize
        let newCapacity = isLarge ? 2 * blockSize : unread.count > capacity - 16 ? capacity * 2 : capacity
        if newCapacity != capacity {
            let larger = Self.allocate(newCapacity)
            larger.update(from: memory + unread.lowerBound, count: unread.count)
            memory.deallocate()
            (memory, capacity) = (larger, newCapacity)
        } else if unread.lowerBound > 0 {
            memory.update(from: memory + unread.lowerBound, count: unread.count)
        }
        unread = 0..<unread.count
    }

    /// Steps over everything before the next line feed from `start` on, and over the line feed.
    func skipLine(from start: Int = 0) throws {
        var start = start
        while true {
            if let length = lineLength(from: start) { return skip(length + 1) }
            skip(count)
            start = 0
            guard try fill() else { return }
        }
    }

    /// The number of bytes before the first line feed that is not before `start`.
    func lineLength(from start: Int) -> Int? {
        guard start < count, let found = memchr(memory + unread.lowerBound + start, 0x0A, count - start) else { return nil }
        return UnsafeRawPointer(found) - UnsafeRawPointer(memory + unread.lowerBound)
    }

    /// The text of a part of what was read. Throws where it is not UTF-8, and names the byte. `start` is where it stands in the text.
    func text(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int) throws -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        throw notText(UnsafeRawBufferPointer(bytes), at: start)
    }

    /// The error for bytes that are not UTF-8.
    func notText(_ bytes: UnsafeRawBufferPointer, at start: Int) -> DataError {
        let valid = validUTF8Prefix(bytes)
        let (encoding, place) = source.fault(at: start + valid)
        guard encoding == .utf8 else {
            return DataError("\(file.path): not \(encoding.rawValue) at byte \(place); if it is in another encoding, name that (encoding)")
        }
        let rest = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(valid))
        if let other = TextEncoding.detect(rest, isWhole: true), other != .utf8 {
            return DataError(
                "\(file.path): not UTF-8 at byte \(place): it looks like \(other.rawValue) from there, and a file should be in one encoding throughout"
            )
        }
        return DataError("\(file.path): not UTF-8 at byte \(place): convert it to UTF-8 first, with iconv for instance")
    }

    /// The error for a piece that is longer than `limit`.
    func tooLong(_ what: String, line: Int) -> DataError {
        DataError(file, line: line, "the \(what) that begins here is longer than \(limit) bytes (maximum_record_bytes)")
    }
}

/// The whole text of a file, without a byte order mark.
func readText(_ file: URL, options: ReadingConfiguration = ReadingConfiguration()) throws -> String {
    try readText(InputBuffer(file, options: options))
}

func readText(_ input: InputBuffer) throws -> String {
    repeat {
        guard input.count <= input.limit else {
            throw DataError("\(input.file.path): the text is longer than \(input.limit) bytes (maximum_record_bytes)")
        }
    } while try input.fill()
    return try input.text(UnsafeBufferPointer(input.bytes), at: input.offset)
}
