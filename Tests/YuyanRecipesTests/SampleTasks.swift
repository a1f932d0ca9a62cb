import Foundation

@testable import YuyanRecipes

/// Configurations of every shape, and tasks that leave traces of what they did.
enum Color: String, Codable, CaseIterable { case red, green }

struct Inner: ConfigurationSection {
    static let help = ["learning_rate": "peak", "beta1": "first moment"]
    var learningRate = 3e-4
    var beta1 = 0.9
    var note: String?
}

struct Source: ConfigurationSection {
    static let help = ["path": "where", "weight": "how much"]
    var path = ""
    var weight: Float = 1
}

struct Everything: TaskConfiguration {
    static let task = "everything"
    static let summary = "Try every kind of key"
    static let help = ["steps": "how many", "files": "what to read", "optimizer": "the optimizer"]
    static let positional: String? = "files"

    var steps = 100
    var topK: Int?
    var color = Color.red
    var fast = false
    var title = "a"
    var stop: [String] = []
    var files: [InputPath] = []
    var optimizer = Inner()
    var warmup: Inner?
    var sources: [Source] = []
    var weights: [String: Double] = [:]

    init() { optimizer.beta1 = 0.95 }

    func validate() throws {
        guard steps > 0 else { throw InvalidValue("steps", "must be above 0, found \(steps)") }
    }

    func run(in stage: StageContext) async throws -> [String: Int] { ["steps": steps] }
}

/// Appends its text to what it read, so that a test sees which runs happened.
struct Write: TaskConfiguration {
    static let task = "write"
    static let summary = "Write a file"
    static let help = ["text": "what", "after": "what comes before", "fails": "fail before writing"]

    var text = "x"
    var after: InputPath?
    var fails = false

    func run(in stage: StageContext) async throws -> [String: String] {
        if fails { throw CocoaError(.fileWriteOutOfSpace, userInfo: [NSFilePathErrorKey: "model.bin"]) }
        let before = try after.map { try String(contentsOf: $0.url, encoding: .utf8) } ?? ""
        try (before + text).write(to: stage.output.appendingPathComponent("out.txt"), atomically: true, encoding: .utf8)
        return ["text": before + text]
    }
}

/// Stops halfway the first time and goes on the second.
struct Halfway: TaskConfiguration {
    static let task = "halfway"
    static let summary = "Work in two sittings"
    static let help = ["stops": "stop halfway"]
    static let isResumable = true

    var stops = true

    func run(in stage: StageContext) async throws -> [String: Bool] {
        let saved = stage.output.appendingPathComponent("saved")
        if !stage.isResuming && stops {
            try Data("half".utf8).write(to: saved)
            throw Interrupted(saved: "saved half; go on with: \(stage.resumeCommand)")
        }
        return ["went_on": stage.isResuming && FileManager.default.fileExists(atPath: saved.path)]
    }
}

/// A folder for one test, removed at its end.
final class Scratch {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("yuyan-tests-\(UUID().uuidString)", isDirectory: true)

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(at: url) }

    func write(_ text: String, to name: String) throws -> URL {
        let file = url.appendingPathComponent(name)
        try text.write(to: file, atomically: true, encoding: .utf8)
        return file
    }

    func read(_ name: String) throws -> String { try String(contentsOf: url.appendingPathComponent(name), encoding: .utf8) }
    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: url.appendingPathComponent(name).path) }
}

/// The sentence of the error that `body` throws.
func sentence(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no error"
    } catch {
        return Outcome.sentence(for: error)
    }
}
