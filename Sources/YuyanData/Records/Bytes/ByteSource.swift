import Foundation

/// Gives the bytes of a file block by block.
protocol ByteSource: AnyObject {
    /// Puts the next bytes to the front of `buffer`, which is not empty, and gives their number: 0 at the end. Throws a `DataError`, and is at its end
    /// then.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int

    /// Whether bytes may come late, from a pipe or a terminal: to read ahead is to wait for who writes.
    var isLive: Bool { get }
}

/// The bytes of a file as they are. `/dev/stdin` is the standard input, whatever it is.
final class FileBytes: ByteSource {
    let isLive: Bool
    private let file: URL
    private let descriptor: Int32
    /// What was looked at before it was read.
    private var ahead: ArraySlice<UInt8> = []

    init(_ file: URL) throws {
        self.file = file
        descriptor = file.path == "/dev/stdin" ? dup(STDIN_FILENO) : open(file.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw DataError.system("read it", file) }
        var status = stat()
        isLive = fstat(descriptor, &status) != 0 || status.st_mode & S_IFMT != S_IFREG
    }

    deinit {
        close(descriptor)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        if !ahead.isEmpty {
            let count = min(ahead.count, buffer.count)
            buffer.copyBytes(from: ahead.prefix(count))
            ahead = ahead.dropFirst(count)
            return count
        }
        while true {
            let count = Foundation.read(descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            guard errno == EINTR else { throw DataError.system("read it", file) }
        }
    }

    /// The first bytes, which are read again.
    func beginning(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var known = 0
        while known < count {
            let more = try bytes.withUnsafeMutableBytes { try read(into: UnsafeMutableRawBufferPointer(rebasing: $0[known...])) }
            if more == 0 { break }
            known += more
        }
        ahead = bytes[..<known]
        return Array(ahead)
    }
}

/// The bytes of this file, out of its compression. That of the standard input shows in its first bytes.
func byteSource(_ file: URL) throws -> any ByteSource {
    let bytes = try FileBytes(file)
    var compression = Compression(file)
    if file == SourceFile.standardInput.url {
        let beginning = try bytes.beginning(4)
        if beginning.starts(with: [0x1F, 0x8B]) { compression = .gzip }
        if beginning == [0x28, 0xB5, 0x2F, 0xFD] { compression = .zstd }
    }
    return switch compression {
    case .none: bytes
    case .gzip: try GzipBytes(bytes, of: file)
    case .zstd: try ZstdBytes(bytes, of: file)
    }
}
