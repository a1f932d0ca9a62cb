import CZlib
import Foundation

/// An answer of a web server as it was sent (RFC 9112).
struct HTTPResponse {
    var status: Int
    /// Names in lower case; of a repeated one the first counts.
    var fields: [String: String] = [:]
    /// Without the codings of its transfer.
    var body: [UInt8]

    /// Nil where the bytes do not begin as an answer does.
    init?(_ bytes: UnsafeRawBufferPointer) {
        var start = bytes.startIndex
        func line() -> String? {
            guard let end = bytes[start...].firstIndex(of: 0x0A) else { return nil }
            defer { start = end + 1 }
            return String(decoding: bytes[start..<end].filter { $0 != 0x0D }, as: UTF8.self)
        }
        guard let first = line(), first.hasPrefix("HTTP/") else { return nil }
        let words = first.split(separator: " ")
        guard words.count > 1, let status = Int(words[1]) else { return nil }
        self.status = status
        while let field = line(), !field.isEmpty {
            guard let colon = field.firstIndex(of: ":") else { continue }
            let name = field[..<colon].lowercased()
            if fields[name] == nil { fields[name] = field[field.index(after: colon)...].trimmingCharacters(in: .whitespaces) }
        }
        body = Array(bytes[start...])
        // Archives that keep the body decoded say so by taking these fields away.
        if fields["transfer-encoding"]?.lowercased() == "chunked", let joined = Self.unchunked(body) { body = joined }
        if ["gzip", "x-gzip", "deflate"].contains(fields["content-encoding"]?.lowercased()), let inflated = Self.inflated(body) { body = inflated }
    }

    /// The body's text where it is a page or plain text that was served with success. Bytes that are none become U+FFFD, as in a browser.
    var page: (text: String, contentType: String)? {
        guard (200..<300).contains(status) else { return nil }
        let parts = (fields["content-type"] ?? "text/html").lowercased().split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
        let type = parts.first ?? "text/html"
        guard ["text/html", "application/xhtml+xml", "text/plain"].contains(type) else { return nil }
        let named = parts.dropFirst().first { $0.hasPrefix("charset=") }?.dropFirst("charset=".count)
        let charset = named.map { $0.trimmingCharacters(in: CharacterSet(charactersIn: "\"' ")) } ?? Self.declaredCharset(body)
        return (body.withUnsafeBytes { Self.text($0, charset: charset) }, type == "text/plain" ? type : "text/html")
    }

    private static func text(_ bytes: UnsafeRawBufferPointer, charset: String?) -> String {
        // What is UTF-8 throughout is UTF-8, whatever the server says of it.
        let detected = TextEncoding.detect(bytes, isWhole: true)
        if detected == .utf8 { return String(decoding: bytes, as: UTF8.self) }
        let name: String? =
            switch charset {
            case "gb2312", "gbk", "gb18030", "x-gbk": "GB18030"
            case "big5", "big5-hkscs": "BIG5-HKSCS"
            case "utf-8", "utf8", nil: nil
            case let other?: other
            }
        let converter = name.flatMap(TextConverter.init(name:)) ?? detected.flatMap { TextConverter($0, isBigEndian: bytes.first == 0xFE) }
        return converter?.text(bytes) ?? String(decoding: bytes, as: UTF8.self)
    }

    /// What a page says of its own encoding, in its first kilobyte.
    private static func declaredCharset(_ body: [UInt8]) -> String? {
        let head = String(decoding: body.prefix(1024).map { $0 < 0x80 ? $0 : 0x3F }, as: UTF8.self).lowercased()
        guard let found = head.range(of: "charset=") else { return nil }
        let name = head[found.upperBound...].drop { "\"' ".contains($0) }.prefix { $0.isLetter || $0.isNumber || "-_:".contains($0) }
        return name.isEmpty ? nil : String(name)
    }

    /// The chunks of a body joined; nil where it is not made of chunks.
    private static func unchunked(_ body: [UInt8]) -> [UInt8]? {
        var joined: [UInt8] = []
        var rest = body[...]
        while let end = rest.firstIndex(of: 0x0A) {
            let size = String(decoding: rest[..<end].prefix { $0 != UInt8(ascii: ";") && $0 != 0x0D }, as: UTF8.self)
            guard let length = Int(size.trimmingCharacters(in: .whitespaces), radix: 16), length >= 0 else { return nil }
            rest = rest[(end + 1)...]
            if length == 0 { return joined }
            joined += rest.prefix(length)
            rest = rest.dropFirst(length)
            while rest.first == 0x0D || rest.first == 0x0A { rest = rest.dropFirst() }
        }
        return rest.isEmpty ? joined : nil
    }

    /// A compressed body in full, up to 64 MB, or as much of it as can be had; nil where it is not compressed.
    private static func inflated(_ body: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        var body = body
        return body.withUnsafeMutableBufferPointer { input in
            // 32: gzip or zlib, as it comes.
            guard inflateInit2_(&stream, 15 + 32, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return nil }
            defer { inflateEnd(&stream) }
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            var output: [UInt8] = []
            var block = [UInt8](repeating: 0, count: 1 << 16)
            while output.count < 64 << 20 {
                let (code, count) = block.withUnsafeMutableBufferPointer { room in
                    stream.next_out = room.baseAddress
                    stream.avail_out = UInt32(room.count)
                    return (inflate(&stream, Z_NO_FLUSH), room.count - Int(stream.avail_out))
                }
                output += block[..<count]
                if code != Z_OK || count == 0 { break }
            }
            return output.isEmpty ? nil : output
        }
    }
}
