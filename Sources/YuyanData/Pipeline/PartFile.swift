import CZstd
import Foundation

/// How the parts of a stage are written: `.zst` files are compressed, others are plain.
enum PartFile {
    /// What the names of record files end with.
    static let records = "jsonl.zst"
    /// What the names of statistics files end with.
    static let statistics = "columns.zst"

    /// The name of a part of a stage.
    static func name(_ part: Int, _ ending: String) -> String {
        let digits = String(part)
        return String(repeating: "0", count: max(0, 5 - digits.count)) + digits + "." + ending
    }

    /// The bytes as they stand in a file whose name ends so. Frames written one after the other read as one text (RFC 8878, section 3.1).
    static func encode(_ bytes: [UInt8], ending: String) -> [UInt8] {
        ending.hasSuffix("zst") && !bytes.isEmpty ? frame(bytes) : bytes
    }

    private static func frame(_ bytes: [UInt8]) -> [UInt8] {
        let context = ZSTD_createCCtx()
        defer { ZSTD_freeCCtx(context) }
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1)
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        return [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count)) { buffer, count in
            let length = bytes.withUnsafeBytes { ZSTD_compress2(context, buffer.baseAddress, buffer.count, $0.baseAddress, $0.count) }
            precondition(ZSTD_isError(length) == 0, "zstd: \(String(cString: ZSTD_getErrorName(length)))")
            count = length
        }
    }

    /// Writes and syncs pieces of encoded bytes under a temporary name, then gives the file its own. Returns its size.
    @discardableResult
    static func write(_ pieces: [[UInt8]], to file: URL) throws -> Int {
        // No bytes at all are not a file that zstd could read.
        let pieces = file.pathExtension == "zst" && pieces.allSatisfy(\.isEmpty) ? [frame([])] : pieces
        let temporary = file.appendingPathExtension("tmp")
        let descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard descriptor >= 0 else { throw DataError.system("write it", file) }
        var code: Int32 = 0
        for piece in pieces where code == 0 {
            piece.withUnsafeBytes { bytes in
                var rest = bytes[...]
                while !rest.isEmpty {
                    let count = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, min(rest.count, 1 << 26))
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else {
                        code = errno
                        return
                    }
                    rest = rest.dropFirst(count)
                }
            }
        }
        if code == 0, fsync(descriptor) != 0 { code = errno }
        close(descriptor)
        if code == 0, rename(temporary.path, file.path) != 0 { code = errno }
        guard code == 0 else {
            unlink(temporary.path)
            throw DataError.system("write it", file, code: code)
        }
        return pieces.reduce(0) { $0 + $1.count }
    }

    /// Hands out the lines of a plain or `.zst` file without their line breaks, until `body` says false. Memory is a block and a line.
    static func forEachLine(of file: URL, _ body: (UnsafeRawBufferPointer) throws -> Bool) throws {
        var carried: [UInt8] = []
        var goesOn = true
        try forEachBlock(of: file) { block in
            var rest = block[...]
            while goesOn, !rest.isEmpty {
                let bytes = UnsafeRawBufferPointer(rebasing: rest)
                guard let end = memchr(bytes.baseAddress!, 0x0A, bytes.count) else {
                    carried.append(contentsOf: bytes)
                    return true
                }
                let length = UnsafeRawPointer(end) - bytes.baseAddress!
                if carried.isEmpty {
                    goesOn = try body(UnsafeRawBufferPointer(rebasing: bytes[..<length]))
                } else {
                    carried.append(contentsOf: bytes[..<length])
                    goesOn = try carried.withUnsafeBytes(body)
                    carried.removeAll(keepingCapacity: true)
                }
                rest = rest.dropFirst(length + 1)
            }
            return goesOn
        }
        if goesOn, !carried.isEmpty { _ = try carried.withUnsafeBytes(body) }
    }

    /// All bytes of a plain or `.zst` file, decompressed.
    static func contents(of file: URL) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try forEachBlock(of: file) {
            bytes.append(contentsOf: $0)
            return true
        }
        return bytes
    }

    private static func forEachBlock(of file: URL, _ body: (UnsafeRawBufferPointer) throws -> Bool) throws {
        let descriptor = open(file.path, O_RDONLY)
        guard descriptor >= 0 else { throw DataError.system("read it", file) }
        defer { close(descriptor) }
        let isCompressed = file.pathExtension == "zst"
        let stream = isCompressed ? ZSTD_createDStream() : nil
        defer { ZSTD_freeDStream(stream) }
        var block = [UInt8](repeating: 0, count: 1 << 18)
        var output = [UInt8](repeating: 0, count: isCompressed ? 1 << 18 : 0)
        var offset = 0
        var isInsideFrame = false
        while true {
            let count = block.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw DataError.system("read it", file) }
            if count == 0 {
                guard !isInsideFrame else { throw DataError("\(file.path): the file is cut off at byte \(offset), inside a zstd frame") }
                return
            }
            guard isCompressed else {
                guard try block.withUnsafeBytes({ try body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }) else { return }
                continue
            }
            var position = 0
            var hasMore = true
            while position < count || hasMore {
                var produced = 0
                let status = block.withUnsafeBytes { source in
                    output.withUnsafeMutableBytes { target in
                        var input = ZSTD_inBuffer(src: source.baseAddress, size: count, pos: position)
                        var buffer = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                        let status = ZSTD_decompressStream(stream, &buffer, &input)
                        (position, produced) = (input.pos, buffer.pos)
                        return status
                    }
                }
                guard ZSTD_isError(status) == 0 else {
                    let reason = String(cString: ZSTD_getErrorName(status))
                    throw DataError("\(file.path): damaged near byte \(offset + position) (zstd: \(reason)); make the file again")
                }
                isInsideFrame = status != 0
                hasMore = produced == output.count
                if produced > 0, try !output.withUnsafeBytes({ try body(UnsafeRawBufferPointer(rebasing: $0[..<produced])) }) { return }
            }
            offset += count
        }
    }
}
