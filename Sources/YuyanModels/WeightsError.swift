public import Foundation

/// What is wrong with a checkpoint, as one sentence that names the file, the tensor or key, and what would be right.
public struct WeightsError: Error, Sendable, Hashable, CustomStringConvertible, LocalizedError {
    /// The whole sentence.
    public let description: String

    /// An error with this sentence.
    public init(_ description: String) {
        self.description = description
    }

    /// The same sentence, for code that prints `localizedDescription`.
    public var errorDescription: String? { description }

    /// The failure of a system call on a file: what was tried and what the system said.
    static func system(_ action: String, _ file: URL, code: Int32 = errno) -> WeightsError {
        WeightsError("cannot \(action) \(file.path): \(String(cString: strerror(code)))")
    }
}

extension String {
    /// In quotes, on one line and of bounded length: a file from elsewhere may hold any name.
    var quoted: String {
        let limit = 100
        let start = unicodeScalars.prefix(limit).map { $0.escaped(asASCII: false) }.joined()
        return unicodeScalars.dropFirst(limit).isEmpty ? "\"\(start)\"" : "\"\(start)…\""
    }
}
