import CZlib
import CZstd
import Foundation

/// Takes the bytes of a file.
protocol ByteSink: AnyObject {
    func write(_ bytes: UnsafeRawBufferPointer) throws
    /// Writes what is held back.
    func finish() throws
}

/// Writes a file under a temporary name, and gives it its own at the end. What is not finished leaves nothing behind.
final class FileSink: ByteSink {
    private let file: URL
    private let temporary: String
    private var descriptor: Int32

    init(_ file: URL) throws {
        self.file = file
        temporary = file.path + ".tmp"
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw DataError.system("write it", file) }
    }

    deinit {
        abandon()
    }

    private func abandon() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
        unlink(temporary)
    }

    private func fail(_ action: String) -> DataError {
        let error = DataError.system(action, file)
        abandon()
        return error
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
            let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw fail("write it") }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    func finish() throws {
        guard fsync(descriptor) == 0 else { throw fail("write it") }
        let closed = close(descriptor)
        descriptor = -1
        guard closed == 0, rename(temporary, file.path) == 0 else {
            let error = DataError.system("write it", file)
            unlink(temporary)
            throw error
        }
    }
}

/// Compresses by gzip (RFC 1952), level 6, without a time: the same text gives the same file.
final class GzipSink: ByteSink {
    private let sink: any ByteSink
    private let room = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 1 << 16)
    private let stream: UnsafeMutablePointer<z_stream>

    init(_ sink: any ByteSink) throws {
        self.sink = sink
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let code = deflateInit2_(
            stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else { throw DataError("there is no memory to compress a file") }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
        room.deallocate()
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
            stream.pointee.next_in = UnsafeMutablePointer(mutating: part.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.pointee.avail_in = UInt32(part.count)
            try drain(Z_NO_FLUSH)
            rest = UnsafeRawBufferPointer(rebasing: rest[part.count...])
        }
    }

    func finish() throws {
        try drain(Z_FINISH)
        try sink.finish()
    }

    private func drain(_ flush: Int32) throws {
        repeat {
            stream.pointee.next_out = room.baseAddress
            stream.pointee.avail_out = UInt32(room.count)
            deflate(stream, flush)
            try sink.write(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: room[..<(room.count - Int(stream.pointee.avail_out))])))
        } while stream.pointee.avail_out == 0
    }
}

/// Compresses by zstd (RFC 8878), level 3, with a checksum.
final class ZstdSink: ByteSink {
    private let sink: any ByteSink
    private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
    private let context: OpaquePointer

    init(_ sink: any ByteSink) throws {
        self.sink = sink
        guard let context = ZSTD_createCCtx() else { throw DataError("there is no memory to compress a file") }
        self.context = context
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 3)
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    }

    deinit {
        ZSTD_freeCCtx(context)
        room.deallocate()
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
        while input.pos < input.size { _ = try compress(&input, ZSTD_e_continue) }
    }

    func finish() throws {
        var nothing = ZSTD_inBuffer(src: nil, size: 0, pos: 0)
        while try compress(&nothing, ZSTD_e_end) > 0 {}
        try sink.finish()
    }

    /// Gives what is still held back.
    private func compress(_ input: inout ZSTD_inBuffer, _ mode: ZSTD_EndDirective) throws -> Int {
        var output = ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
        let code = ZSTD_compressStream2(context, &output, &input, mode)
        guard ZSTD_isError(code) == 0 else { throw DataError("cannot compress: \(String(cString: ZSTD_getErrorName(code)))") }
        try sink.write(UnsafeRawBufferPointer(rebasing: room[..<output.pos]))
        return code
    }
}

/// A sink for this file, compressed as its name says.
func byteSink(_ file: URL) throws -> any ByteSink {
    let sink = try FileSink(file)
    return switch Compression(file) {
    case .none: sink
    case .gzip: try GzipSink(sink)
    case .zstd: try ZstdSink(sink)
    }
}
