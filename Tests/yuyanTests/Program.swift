import Foundation
import Testing

/// The real binary, as a user runs it.
struct Program {
    struct Result {
        var status: Int32
        var output: String
        var error: String
    }

    /// The binary lies beside the test bundle.
    static let binary: URL = {
        #if os(macOS)
            let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") } ?? .main
            return bundle.bundleURL.deletingLastPathComponent().appendingPathComponent("yuyan")
        #else
            return URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("yuyan")
        #endif
    }()

    /// Runs `yuyan` in a folder and waits for its end.
    static func run(_ arguments: [String], input: String = "", in folder: URL? = nil) throws -> Result {
        let process = Process()
        process.executableURL = binary
        process.arguments = arguments
        if let folder { process.currentDirectoryURL = folder }
        // Files, not pipes: nothing can fill up and wait.
        let scratch = try Scratch()
        let files = ["in", "out", "err"].map { scratch.url.appendingPathComponent($0) }
        for file in files { try Data(file == files[0] ? Data(input.utf8) : Data()).write(to: file) }
        process.standardInput = try FileHandle(forReadingFrom: files[0])
        process.standardOutput = try FileHandle(forWritingTo: files[1])
        process.standardError = try FileHandle(forWritingTo: files[2])
        try process.run()
        process.waitUntilExit()
        let texts = try files.dropFirst().map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
        return Result(status: process.terminationStatus, output: texts[0], error: texts[1])
    }

    /// Runs `yuyan` and ends it by a signal once `moment` holds; tells whether it was still running then.
    static func run(_ arguments: [String], in folder: URL, killedWhen moment: () -> Bool) throws -> Bool {
        let process = Process()
        process.executableURL = binary
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        while process.isRunning, !moment() { usleep(500) }
        let wasRunning = process.isRunning
        if wasRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        return wasRunning
    }

    /// Runs another program; gives its exit status.
    @discardableResult
    static func shell(_ path: String, _ arguments: [String]) throws -> Int32 {
        let process = try Process.run(URL(fileURLWithPath: path), arguments: arguments)
        process.waitUntilExit()
        return process.terminationStatus
    }
}

/// A folder for one test, removed at its end.
final class Scratch {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("yuyan-tests-\(UUID().uuidString)", isDirectory: true)

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(at: url) }

    @discardableResult
    func write(_ text: String, to name: String) throws -> URL {
        let file = url.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: file, atomically: true, encoding: .utf8)
        return file
    }
}
