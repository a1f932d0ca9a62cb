import CZstd
import Foundation

/// What is kept of an answer.
struct CachedPage: Sendable {
    struct Header: Codable, Sendable {
        /// The address that was asked for.
        var url: String
        /// The address that answered, after redirects.
        var finalURL: String
        var status: Int
        var headers: [String: String]
        /// Seconds since 1970.
        var fetched: Double
        /// Why the page is no use for good: it is too large, or no HTML.
        var failure: String?
        /// Bytes of the body.
        var bytes = 0
    }

    var header: Header
    var body: [UInt8] = []
}

/// A folder with a file for each address: a line of JSON, and the body as it came, compressed by Zstandard with a checksum. A file appears under its
/// name when it is complete; one that is damaged counts as absent.
struct PageCache: Sendable {
    let folder: URL

    func page(_ url: String) -> CachedPage? {
        guard let data = try? Data(contentsOf: file(of: url)), let lineEnd = data.firstIndex(of: 0x0A) else { return nil }
        guard let header = try? JSONDecoder().decode(CachedPage.Header.self, from: data[..<lineEnd]), header.url == url else { return nil }
        guard let body = Self.decompressed(data[(lineEnd + 1)...], count: header.bytes) else { return nil }
        return CachedPage(header: header, body: body)
    }

    func store(_ page: CachedPage) throws {
        var header = page.header
        header.bytes = page.body.count
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(header) + Data("\n".utf8) + Self.compressed(page.body)
        let file = file(of: header.url)
        do {
            try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try data.write(to: file, options: .atomic)
        } catch {
            throw DataError("\(file.path): cannot keep the page: \(error.localizedDescription)")
        }
    }

    private func file(of url: String) -> URL {
        let hash = stableHash(url)
        let digits = String(hash, radix: 16)
        let name = String(repeating: "0", count: 16 - digits.count) + digits
        return folder.appendingPathComponent(String(name.prefix(2))).appendingPathComponent(name + ".page")
    }

    private static func compressed(_ body: [UInt8]) -> Data {
        let context = ZSTD_createCCtx()
        defer { ZSTD_freeCCtx(context) }
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        var output = [UInt8](repeating: 0, count: ZSTD_compressBound(body.count))
        let count = ZSTD_compress2(context, &output, output.count, body, body.count)
        precondition(ZSTD_isError(count) == 0, "the output has room for every input")
        return Data(output[..<count])
    }

    private static func decompressed(_ data: Data, count: Int) -> [UInt8]? {
        guard (0...1 << 30).contains(count) else { return nil }
        return data.withUnsafeBytes { bytes in
            guard ZSTD_getFrameContentSize(bytes.baseAddress, bytes.count) == UInt64(count) else { return nil }
            var output = [UInt8](repeating: 0, count: count)
            return ZSTD_decompress(&output, count, bytes.baseAddress, bytes.count) == count ? output : nil
        }
    }
}
