import CZlib
import CZstd
import Foundation

/// A block of compressed bytes, and where it stands in the file.
private final class CompressedBlock {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
    /// How much of the file has been read.
    private(set) var offset = 0
    private let source: any ByteSource

    init(_ source: any ByteSource) {
        self.source = source
    }

    deinit {
        memory.deallocate()
    }

    func next() throws -> Int {
        let count = try source.read(into: memory)
        offset += count
        return count
    }
}

/// What a gzip file (RFC 1952) holds: its members one after the other, as `cat a.gz b.gz` makes them.
final class GzipBytes: ByteSource {
    let isLive: Bool
    private let file: URL
    private let block: CompressedBlock
    /// zlib keeps a pointer to it.
    private let stream: UnsafeMutablePointer<z_stream>
    private var isInMember = false
    private var members = 0
    /// zlib may hold bytes back for which there was no room.
    private var isOutputFull = false

    init(_ source: any ByteSource, of file: URL) throws {
        self.file = file
        isLive = source.isLive
        block = CompressedBlock(source)
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 15 bits of window, and 16 for the gzip wrapper.
        guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw DataError("\(file.path): there is no memory to decompress it")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let room = min(buffer.count, Int(Int32.max))
        stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(room)
        while true {
            if stream.pointee.avail_in == 0, !isOutputFull {
                let count = try block.next()
                guard count > 0 else {
                    guard !isInMember, members > 0 else { throw DataError("\(file.path): the gzip data is cut off at byte \(block.offset)") }
                    return 0
                }
                stream.pointee.next_in = block.memory.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_in = UInt32(count)
            }
            if !isInMember {
                // Zeros behind a member fill up a tape's block.
                while members > 0, stream.pointee.avail_in > 0, stream.pointee.next_in.pointee == 0 {
                    stream.pointee.next_in += 1
                    stream.pointee.avail_in -= 1
                }
                if stream.pointee.avail_in == 0 { continue }
                isInMember = true
                inflateReset(stream)
            }
            let code = inflate(stream, Z_NO_FLUSH)
            let count = room - Int(stream.pointee.avail_out)
            isOutputFull = stream.pointee.avail_out == 0 && code != Z_STREAM_END
            switch code {
            case Z_STREAM_END:
                isInMember = false
                members += 1
            case Z_OK, Z_BUF_ERROR: break
            default:
                if count > 0 { return count }  // the fault shows again when there is nothing else to give
                let reason = stream.pointee.msg.map { String(cString: $0) } ?? "error \(code)"
                let offset = block.offset - Int(stream.pointee.avail_in)
                throw DataError("\(file.path): the gzip data is damaged before byte \(offset) (\(reason))")
            }
            if count > 0 { return count }
        }
    }
}

/// What a zstd file (RFC 8878) holds: its frames one after the other.
final class ZstdBytes: ByteSource {
    let isLive: Bool
    private let file: URL
    private let block: CompressedBlock
    private let context: OpaquePointer
    private var input: ZSTD_inBuffer
    private var isInFrame = true
    private var isOutputFull = false

    init(_ source: any ByteSource, of file: URL) throws {
        self.file = file
        isLive = source.isLive
        block = CompressedBlock(source)
        guard let context = ZSTD_createDCtx() else { throw DataError("\(file.path): there is no memory to decompress it") }
        self.context = context
        // Files made with --long=31 are common among large corpora.
        ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 31)
        input = ZSTD_inBuffer(src: block.memory.baseAddress, size: 0, pos: 0)
    }

    deinit {
        ZSTD_freeDCtx(context)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            if input.pos == input.size, !isOutputFull {
                let count = try block.next()
                guard count > 0 else {
                    guard !isInFrame else { throw DataError("\(file.path): the zstd data is cut off at byte \(block.offset)") }
                    return 0
                }
                input = ZSTD_inBuffer(src: block.memory.baseAddress, size: count, pos: 0)
            }
            var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
            let code = ZSTD_decompressStream(context, &output, &input)
            guard ZSTD_isError(code) == 0 else {
                let offset = block.offset - input.size + input.pos
                throw DataError("\(file.path): the zstd data is damaged at byte \(offset) (\(String(cString: ZSTD_getErrorName(code))))")
            }
            isInFrame = code != 0
            isOutputFull = output.pos == output.size && isInFrame
            if output.pos > 0 { return output.pos }
        }
    }
}
