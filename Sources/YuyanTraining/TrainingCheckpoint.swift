public import Foundation

/// The checkpoints of a run folder: `checkpoints/step-000200/` is a Hugging Face folder with `trainer/` beside the weights, `latest` and `best`
/// are links to one of them.
///
/// A checkpoint is written under a temporary name, synced, and renamed; an old one is renamed before it is removed. So a folder called `step-…` is
/// whole whatever happened.
public struct TrainingCheckpoints: Sendable {
    /// The run folder.
    public let run: URL

    public init(run: URL) { self.run = run }

    private var folder: URL { run.appending(path: "checkpoints") }
    private static let temporary = ".tmp-"

    /// `step-000200`.
    static func name(step: Int) -> String { "step-" + String(repeating: "0", count: max(0, 6 - String(step).count)) + String(step) }

    /// The step of each checkpoint there is, in order.
    public var steps: [Int] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.compactMap { $0.hasPrefix("step-") ? Int($0.dropFirst(5)) : nil }.sorted()
    }

    public func url(step: Int) -> URL { folder.appending(path: Self.name(step: step)) }

    /// The one that a run goes on from.
    public var last: URL? { steps.last.map(url) }

    /// Makes the folder and removes what a crash has left.
    func prepare() throws {
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.hasPrefix(Self.temporary) {
                try FileManager.default.removeItem(at: folder.appending(path: name))
            }
        } catch {
            throw TrainingError("cannot make the folder \(folder.path): \(systemReason(error))")
        }
    }

    /// Writes a checkpoint with `body`, whole or not at all, points `latest` at it, and then removes the oldest.
    ///
    /// - Parameters:
    ///   - best: the step whose checkpoint `best` points at, if it is there.
    ///   - keep: so many stay, and the best.
    func save(step: Int, best: Int?, keep: Int, _ body: (URL) throws -> Void) throws -> URL {
        let target = url(step: step)
        let pending = folder.appending(path: Self.temporary + Self.name(step: step))
        do {
            try prepare()
            try body(pending)
            try Self.synchronize(tree: pending)
            if FileManager.default.fileExists(atPath: target.path) { try remove(target) }
            try FileManager.default.moveItem(at: pending, to: target)
            try Self.synchronize(folder)
            try link("latest", to: target)
            if let best, FileManager.default.fileExists(atPath: url(step: best).path) { try link("best", to: url(step: best)) }
        } catch {
            try? FileManager.default.removeItem(at: pending)
            throw TrainingError("the checkpoint of step \(step) could not be saved (\(systemReason(error))): \(wayOut(before: step))")
        }
        for old in steps.dropLast(keep) where old != best { try? remove(url(step: old)) }
        return target
    }

    /// What is left when step `step` could not be saved.
    func wayOut(before step: Int) -> String {
        let intact = steps.last { $0 < step }.map { url(step: $0).path }
        return intact.map { "\($0) is intact, resume from it when there is room" } ?? "no earlier one was written, begin again when there is room"
    }

    private func remove(_ checkpoint: URL) throws {
        let doomed = folder.appending(path: Self.temporary + "removed-" + checkpoint.lastPathComponent)
        try FileManager.default.moveItem(at: checkpoint, to: doomed)
        try FileManager.default.removeItem(at: doomed)
    }

    /// Replaces a link of the run folder in one move.
    private func link(_ name: String, to checkpoint: URL) throws {
        let (link, pending) = (run.appending(path: name), run.appending(path: Self.temporary + name))
        unlink(pending.path)
        try FileManager.default.createSymbolicLink(atPath: pending.path, withDestinationPath: "checkpoints/\(checkpoint.lastPathComponent)")
        guard rename(pending.path, link.path) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        try Self.synchronize(run)
    }

    /// Waits until the disk has every file and folder under `root`.
    private static func synchronize(tree root: URL) throws {
        for case let url as URL in FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil) ?? .init() { try synchronize(url) }
        try synchronize(root)
    }

    private static func synchronize(_ url: URL) throws {
        let descriptor = open(url.path, O_RDONLY)
        guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        defer { close(descriptor) }
        // Some network file systems cannot sync a folder, and say EINVAL.
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    }
}
