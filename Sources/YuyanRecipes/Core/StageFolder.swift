import Foundation

/// The folder of one stage: `config.yaml`, `stage.json` (what was started, what is finished), `result.json` and whatever the task writes.
struct StageFolder: Sendable {
    /// What `stage.json` holds.
    struct Marker: Codable {
        enum State: String, Codable {
            case started
            case finished
        }
        var task: String
        var state: State
        /// Hash of the resolved configuration and of those of the stages that it refers to.
        var fingerprint: String
        var seconds: Double?
    }

    var url: URL

    private var markerFile: URL { url.appendingPathComponent("stage.json") }

    var marker: Marker? {
        guard let data = try? Data(contentsOf: markerFile) else { return nil }
        return try? JSONDecoder().decode(Marker.self, from: data)
    }

    /// A number that changes with the task, its configuration and everything it builds on.
    static func fingerprint(_ task: PreparedTask, after dependencies: [String]) -> String {
        let text = ([task.type.task, task.resolved.yaml] + dependencies).joined(separator: "\0")
        // FNV-1a, 64 bit: it must be the same in every process, which `Hasher` is not.
        let hash = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }

    /// A command from flags does not write over an earlier run's checkpoints unless asked to go on with it.
    func check(isResuming: Bool) throws {
        switch (marker, isResuming) {
        case (let marker?, false):
            let advice = marker.state == .started ? "add --resume to go on with it, or choose another --output" : "choose another --output"
            throw RequestError("\(url.relativePath): this folder already holds a run; \(advice)")
        case (nil, true): throw RequestError("\(url.relativePath): there is nothing to resume in this folder")
        default: break
        }
    }

    /// Runs the task here; the marker says `finished` only after everything else is on disk.
    func run(_ task: PreparedTask, fingerprint: String, stage: StageContext) async throws -> TaskResult {
        let clock = ContinuousClock()
        let start = clock.now
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        let before = stage.isResuming ? marker?.seconds ?? 0 : 0
        try write(Marker(task: task.type.task, state: .started, fingerprint: fingerprint, seconds: before))
        try writeWhole(task.resolved.yaml, to: url.appendingPathComponent("config.yaml"))
        do {
            let result = try await task.run(stage)
            let json = result.json.map { $0 + "\n" }.joined()
            try writeWhole(json, to: url.appendingPathComponent("result.json"))
            try write(
                Marker(task: task.type.task, state: .finished, fingerprint: fingerprint, seconds: before + start.duration(to: clock.now).seconds))
            return result
        } catch {
            try? write(
                Marker(task: task.type.task, state: .started, fingerprint: fingerprint, seconds: before + start.duration(to: clock.now).seconds))
            throw error
        }
    }

    /// Moves what is here aside, into `.replaced/`, where it stays until the next time.
    func moveAside() throws -> URL? {
        let files = FileManager.default
        guard files.fileExists(atPath: url.path) else { return nil }
        let aside = url.deletingLastPathComponent().appendingPathComponent(".replaced", isDirectory: true)
        let place = aside.appendingPathComponent(url.lastPathComponent, isDirectory: true)
        try files.createDirectory(at: aside, withIntermediateDirectories: true)
        if files.fileExists(atPath: place.path) { try files.removeItem(at: place) }
        try files.moveItem(at: url, to: place)
        return place
    }

    private func write(_ marker: Marker) throws {
        try writeWhole(TaskResult.json(marker) + "\n", to: markerFile)
    }
}

/// Writes a file whole or not at all. What a killed run had begun to write is written over the next time: its name is always the same.
func writeWhole(_ text: String, to file: URL) throws {
    let begun = file.appendingPathExtension("tmp")
    do {
        try Data(text.utf8).write(to: begun)
        guard rename(begun.path, file.path) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    } catch {
        unlink(begun.path)
        throw error
    }
}
