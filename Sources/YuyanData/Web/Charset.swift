import CXML2
import Foundation

/// The encoding of a page and the text in it.
enum Charset {
    /// The text of a page and the name of its encoding: what the byte order mark says, else the header `Content-Type`, else the page's own `meta`
    /// (the order of the HTML standard, 13.2.3), else UTF-8 if the bytes are, else GB18030. Bytes that are no character become U+FFFD.
    static func decode(_ bytes: [UInt8], contentType: String?) -> (text: String, name: String) {
        if bytes.starts(with: byteOrderMark) { return (String(decoding: bytes.dropFirst(3), as: UTF8.self), "UTF-8") }
        if bytes.starts(with: [0xFF, 0xFE]), let text = convert(bytes.dropFirst(2), from: "UTF-16LE") { return (text, "UTF-16LE") }
        if bytes.starts(with: [0xFE, 0xFF]), let text = convert(bytes.dropFirst(2), from: "UTF-16BE") { return (text, "UTF-16BE") }
        let declared = contentType.flatMap { label(after: "charset", in: Array($0.utf8)) } ?? label(after: "charset", in: Array(bytes.prefix(4096)))
        for name in [declared.map(canonicalName)].compactMap(\.self) {
            if name == "UTF-8" { return (String(decoding: bytes, as: UTF8.self), name) }
            if let text = convert(bytes[...], from: name) { return (text, name) }
        }
        if let text = String(validating: bytes, as: UTF8.self) { return (text, "UTF-8") }
        if let text = convert(bytes[...], from: "GB18030") { return (text, "GB18030") }
        return (String(decoding: bytes, as: UTF8.self), "UTF-8")
    }

    /// The value of `charset=gbk`, `charset="gbk"` and so on.
    private static func label(after key: String, in bytes: [UInt8]) -> String? {
        var index = 0
        while let start = bytes[index...].firstIndex(where: { $0 | 0x20 == key.utf8.first }) {
            index = start + 1
            guard zip(bytes[start...].prefix(key.utf8.count), key.utf8).allSatisfy({ $0 | 0x20 == $1 }) else { continue }
            var rest = bytes[start...].dropFirst(key.utf8.count).drop { $0 <= 0x20 }
            guard rest.first == UInt8(ascii: "=") else { continue }
            rest = rest.dropFirst().drop { $0 <= 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "'") }
            let name = rest.prefix { isASCIILetter($0) || (0x30...0x39).contains($0) || "-_:.".utf8.contains($0) }
            if !name.isEmpty { return String(decoding: name, as: UTF8.self) }
        }
        return nil
    }

    /// What a label means (Encoding standard, 4.2): each Chinese label stands for its superset; a page that says UTF-16 in ASCII is UTF-8.
    private static func canonicalName(_ label: String) -> String {
        switch label.lowercased() {
        case "utf-8", "utf8", "unicode-1-1-utf-8", "utf-16", "utf-16le", "utf-16be": "UTF-8"
        case "gb2312", "gb_2312", "gb_2312-80", "gbk", "x-gbk", "gb18030", "cp936", "chinese": "GB18030"
        case "big5", "big5-hkscs", "x-x-big5", "cn-big5": "BIG5-HKSCS"
        case "iso-8859-1", "latin1", "us-ascii", "ascii": "WINDOWS-1252"
        default: label.uppercased()
        }
    }

    /// Nil if the system does not know the encoding.
    private static func convert(_ bytes: ArraySlice<UInt8>, from name: String) -> String? {
        guard let converter = iconv_open("UTF-8", name), Int(bitPattern: converter) != -1 else { return nil }
        defer { iconv_close(converter) }
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + bytes.count / 2)
        var input = bytes.map { CChar(bitPattern: $0) }
        var buffer = [CChar](repeating: 0, count: 1 << 14)
        input.withUnsafeMutableBufferPointer { input in
            var next = input.baseAddress
            var left = input.count
            while left > 0 {
                let (result, code, written) = buffer.withUnsafeMutableBufferPointer { buffer in
                    var place = buffer.baseAddress
                    var room = buffer.count
                    let result = iconv(converter, &next, &left, &place, &room)
                    return (result, errno, buffer.count - room)
                }
                output.append(contentsOf: buffer[..<written].lazy.map { UInt8(bitPattern: $0) })
                guard result == -1, code != E2BIG else { continue }
                output.append(contentsOf: "\u{FFFD}".utf8)
                if code != EILSEQ { break }  // the text ends inside a character
                next = next.map { $0 + 1 }
                left -= 1
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
