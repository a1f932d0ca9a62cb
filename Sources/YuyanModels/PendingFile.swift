internal import Foundation

/// A file that is written and synced under a temporary name beside its own, and takes its own by `commit`: a crash or a full disk
/// leaves the older file as it was.
struct PendingFile {
    let url: URL

    private var temporary: URL { url.appendingPathExtension("tmp") }

    /// Writes and syncs the file; `body` hands its bytes, `byteCount` in all, to the function that it gets.
    init(_ url: URL, byteCount: Int, _ body: (_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
        self.url = url
        let descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard descriptor >= 0 else { throw WeightsError.system("write", url) }
        defer { close(descriptor) }
        do {
            func failure() -> WeightsError {
                let reason = String(cString: strerror(errno))
                return WeightsError("cannot write \(url.path), which takes \(byteCount) bytes: \(reason)")
            }
            try body { bytes in
                var rest = bytes[...]
                while !rest.isEmpty {
                    let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 26))  // macOS refuses 2 GiB and more
                    let count = write(descriptor, piece.baseAddress, piece.count)
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else { throw failure() }
                    rest = rest.dropFirst(count)
                }
            }
            guard fsync(descriptor) == 0 else { throw failure() }
        } catch {
            discard()
            throw error
        }
    }

    /// Gives the file its name. It survives a power cut once `synchronizeFolder` has returned too.
    func commit() throws {
        guard rename(temporary.path, url.path) == 0 else {
            let error = WeightsError.system("write", url)
            discard()
            throw error
        }
    }

    /// Forgets what was written.
    func discard() { unlink(temporary.path) }
}

/// Waits until the disk has the names in a folder.
func synchronizeFolder(_ folder: URL) throws {
    let descriptor = open(folder.path, O_RDONLY)
    guard descriptor >= 0 else { throw WeightsError.system("open", folder) }
    defer { close(descriptor) }
    // Some network file systems cannot sync a folder, and say EINVAL.
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw WeightsError.system("sync", folder) }
}
