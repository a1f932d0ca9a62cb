import Foundation

/// The text of `bytes`, or an error that names the first byte that is not UTF-8. `offset` is where the bytes begin in the file.
func decodeUTF8(_ bytes: some Collection<UInt8>, of file: URL, offset: Int = 0) throws -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    let valid = validUTF8Prefix(bytes)
    let guess = encodingGuess(bytes.dropFirst(valid))
    let advice =
        guess.map { "it looks like \($0); convert it first: iconv -f \($0) -t UTF-8 \(file.lastPathComponent) > NEW" }
        ?? "convert it to UTF-8 first, with iconv for instance"
    throw DataError("\(file.path): not UTF-8 at byte \(offset + valid): \(advice)")
}

/// The number of leading bytes that are well-formed UTF-8.
private func validUTF8Prefix(_ bytes: some Collection<UInt8>) -> Int {
    var parser = Unicode.UTF8.ForwardParser()
    var iterator = bytes.makeIterator()
    var length = 0
    while case .valid(let scalar) = parser.parseScalar(from: &iterator) { length += scalar.count }
    return length
}

/// A name for the encoding of bytes that are not UTF-8, or nil where there is nothing to go by.
private func encodingGuess(_ bytes: some Collection<UInt8>) -> String? {
    let sample = Array(bytes.prefix(4096))
    if sample.starts(with: [0xFF, 0xFE]) { return "UTF-16LE" }
    if sample.starts(with: [0xFE, 0xFF]) { return "UTF-16BE" }
    return looksLikeGB18030(sample) ? "GB18030" : nil
}

/// Whether every byte has its place in GB18030: ASCII, two bytes (81–FE, 40–7E or 80–FE) or four (81–FE, 30–39, 81–FE, 30–39).
private func looksLikeGB18030(_ bytes: [UInt8]) -> Bool {
    var index = 0
    while index < bytes.count {
        if bytes[index] < 0x80 {
            index += 1
            continue
        }
        guard (0x81...0xFE).contains(bytes[index]) else { return false }
        guard index + 1 < bytes.count else { return true }  // the sample ends inside a character
        switch bytes[index + 1] {
        case 0x40...0x7E, 0x80...0xFE: index += 2
        case 0x30...0x39: index += 4
        default: return false
        }
    }
    return true
}

let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

/// The whole text of a UTF-8 file, without a byte order mark.
func readText(_ file: URL) throws -> String {
    let data: Data
    do { data = try Data(contentsOf: file, options: .mappedIfSafe) } catch { throw DataError.unreadable(file) }
    let start = data.starts(with: byteOrderMark) ? byteOrderMark.count : 0
    return try data.withUnsafeBytes { try decodeUTF8($0.dropFirst(start), of: file, offset: start) }
}

extension DataError {
    /// The error for a file that cannot be opened, with the system's reason.
    static func unreadable(_ file: URL) -> DataError {
        let descriptor = open(file.path, O_RDONLY)
        guard descriptor >= 0 else { return .system("read it", file) }
        close(descriptor)
        return DataError("\(file.path): cannot read it as a file")
    }
}
