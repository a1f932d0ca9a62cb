/// How files are read.
public struct ReadingConfiguration: Codable, Sendable, Hashable {
    /// The name of the layout that records are in; nil: it is guessed from the names of their fields.
    public var adapter: String?
    /// The encoding of text files.
    public var encoding = TextEncoding.automatic
    /// What happens at a line, a row or a file that cannot be read.
    public var broken = BrokenInput.stop
    /// The longest line, row, JSON value or text file that is taken, in bytes of UTF-8. It bounds the memory that reading needs.
    public var maximumRecordBytes = 256 << 20

    /// Guesses layout and encoding, and stops at what is broken.
    public init() {}

    /// Throws a `DataError` where there is no such adapter, or no record could be read.
    public func check() throws {
        _ = try adapter.map(Adapter.named)
        guard maximumRecordBytes > 0 else { throw DataError("maximum_record_bytes is \(maximumRecordBytes); it should be at least 1") }
    }
}

/// What happens where the input is broken: a line that is no JSON, a truncated archive, bytes that are no text.
public enum BrokenInput: String, Codable, Sendable, Hashable, CaseIterable {
    /// Reading ends with an error that names file and place.
    case stop
    /// It is noted with file and place, and reading goes on with the next line, or the next file where there is no way on in this one.
    case skip
}

/// The encoding of text files.
public enum TextEncoding: String, Codable, Sendable, Hashable, CaseIterable {
    /// A byte order mark decides, then whether the bytes are UTF-8, then which reading gives the more common characters.
    case automatic
    /// With or without a byte order mark.
    case utf8 = "utf-8"
    /// GB 18030, and with it GBK and GB 2312.
    case gb18030
    /// Big5 with the Hong Kong supplement.
    case big5
    /// By its byte order mark; without one, little-endian.
    case utf16 = "utf-16"
}
