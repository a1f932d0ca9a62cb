import Foundation

/// A metrics file that could not be opened or written.
public struct MetricsFileError: Error, CustomStringConvertible, Hashable {
    public let description: String

    /// "Cannot ACTION PATH: REASON.", with the operating system's own reason where there is one.
    init(_ action: String, _ url: URL, _ error: any Error) {
        let reason = systemReason(error)
        description = "Cannot \(action) \(url.path): \(reason)\(reason.hasSuffix(".") ? "" : ".")"
    }
}

/// A file that grows by whole records: what is half written when the disk is full is taken back.
struct AppendOnlyFile: Sendable {
    let url: URL
    private let handle: FileHandle
    private var end: UInt64

    /// Opens a file that exists, to write after its end.
    init(_ url: URL) throws {
        self.url = url
        handle = try FileHandle(forWritingTo: url)
        end = try handle.seekToEnd()
    }

    mutating func append(_ record: Data) throws(MetricsFileError) {
        do {
            try handle.write(contentsOf: record)
            end += UInt64(record.count)
        } catch {
            try? handle.truncate(atOffset: end)
            throw MetricsFileError("write to", url, error)
        }
    }

    /// Waits until the disk has all of it.
    func synchronize() throws(MetricsFileError) {
        do { try handle.synchronize() } catch { throw MetricsFileError("write to", url, error) }
    }
}
