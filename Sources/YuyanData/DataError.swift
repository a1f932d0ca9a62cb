public import Foundation

/// What is wrong with a file, a record or a setting, as one sentence that names the place and says what would be right.
public struct DataError: Error, Sendable, Hashable, CustomStringConvertible, LocalizedError {
    /// The whole sentence.
    public let description: String

    /// An error with this sentence; line ends in what it quotes are shown as `\n`, for the sentence to stay on one line.
    public init(_ description: String) {
        self.description = description.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).joined(separator: "\\n")
    }

    /// The same sentence, for code that prints `localizedDescription`.
    public var errorDescription: String? { description }

    /// An error at a line of a file, written `file:line: sentence`, as editors and compilers do.
    init(_ file: URL, line: Int, _ sentence: String) {
        self.init("\(file.path):\(line): \(sentence)")
    }

    /// The error for a file that cannot be opened, with the system's reason.
    static func unreadable(_ file: URL) -> DataError {
        let descriptor = open(file.path, O_RDONLY)
        guard descriptor >= 0 else { return .system("read it", file) }
        close(descriptor)
        return DataError("\(file.path): cannot read it as a file")
    }

    /// The failure of a system call on a file: what was tried and what the system said.
    static func system(_ action: String, _ file: URL, code: Int32 = errno) -> DataError {
        DataError("\(file.path): cannot \(action): \(String(cString: strerror(code)))")
    }
}

extension Sequence where Element == String {
    /// `"a", "b"`: names as an error sentence lists them.
    var quotedList: String { map { "\"\($0)\"" }.joined(separator: ", ") }
}
