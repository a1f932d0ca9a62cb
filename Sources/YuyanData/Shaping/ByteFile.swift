import Foundation

/// A file that is written from front to back through a buffer.
final class ByteFile {
    let file: URL
    /// Bytes written so far, those in the buffer included.
    private(set) var count: Int
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    private static let blockSize = 1 << 20

    /// A new file, or an existing one cut to its first `length` bytes, to be written on from there.
    init(_ file: URL, keeping length: Int = 0) throws {
        self.file = file
        count = length
        descriptor = open(file.path, O_RDWR | O_CREAT | (length == 0 ? O_TRUNC : 0), 0o644)
        guard descriptor >= 0 else { throw DataError.system("write it", file) }
        guard ftruncate(descriptor, off_t(length)) == 0, lseek(descriptor, 0, SEEK_END) == length else { throw DataError.system("write it", file) }
    }

    deinit {
        close(descriptor)
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        buffer.append(contentsOf: bytes)
        count += bytes.count
        if buffer.count >= Self.blockSize { try flush() }
    }

    func append(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try append($0) }
    }

    func append(_ number: UInt64) throws {
        try withUnsafeBytes(of: number.littleEndian) { try append($0) }
    }

    /// Hands the buffer to the system.
    func flush() throws {
        try buffer.withUnsafeBytes { try write($0, at: nil) }
        buffer.removeAll(keepingCapacity: true)
    }

    /// Overwrites what stands at `offset`; the end stays the end.
    func overwrite(_ bytes: [UInt8], at offset: Int) throws {
        try flush()
        try bytes.withUnsafeBytes { try write($0, at: offset) }
    }

    func synchronize() throws {
        try flush()
        guard fsync(descriptor) == 0 else { throw DataError.system("write it", file) }
    }

    /// Reads `bytes.count` bytes from `offset`, which must have been flushed.
    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        var done = 0
        while done < bytes.count {
            let count = pread(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw count < 0 ? DataError.system("read it", file) : DataError("\(file.path): ends at byte \(offset + done)") }
            done += count
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer, at offset: Int?) throws {
        var written = 0
        while written < bytes.count {
            let (start, length) = (bytes.baseAddress.map { $0 + written }, bytes.count - written)
            let count = offset.map { pwrite(descriptor, start, length, off_t($0 + written)) } ?? Foundation.write(descriptor, start, length)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw DataError.system("write it", file) }
            written += count
        }
    }
}
