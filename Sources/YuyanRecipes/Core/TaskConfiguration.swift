public import Foundation

/// A struct of settings: the configuration of a task, or a part of one. `init()` carries all defaults; the properties, in snake case, are the keys.
///
/// A property may be a number, `Bool`, `String`, `InputPath`, an enum of strings with `CaseIterable`, another section, an optional, a list or a dictionary of these.
public protocol ConfigurationSection: Codable, Sendable {
    /// The defaults.
    init()
    /// One line of help for each key, in snake case.
    static var help: [String: String] { get }
}

/// What one stage of a recipe, or one command, is asked to do. Add a task by writing such a struct and naming it in `Tasks.all`.
///
/// ```swift
/// public struct CountTask: TaskConfiguration {
///     public static let task = "count"
///     public static let summary = "Count the characters of a corpus"
///     public static let help = ["files": "text files", "minimum": "ignore shorter lines"]
///     public static let required = ["files"]
///     public static let positional: String? = "files"
///
///     public var files: [InputPath] = []
///     public var minimum = 1
///     public init() {}
///
///     public func run(in stage: StageContext) async throws -> [String: Int] { ... }
/// }
/// ```
public protocol TaskConfiguration: ConfigurationSection {
    /// What a run answers: written to `result.json`, printed as `key: value` lines or with `--json`; each element of an array is a result of its own.
    associatedtype Output: Encodable & Sendable

    /// The name that a recipe's `task:` uses.
    static var task: String { get }
    /// One line for the list of commands.
    static var summary: String { get }
    /// Keys that the user must give; their defaults are never used.
    static var required: [String] { get }
    /// The key that takes the arguments without a flag: `files` in `yuyan tokenizer train --kind bpe FILE...`.
    static var positional: String? { get }
    /// Whether unfinished work can go on: `run(in:)` looks at `StageContext.isResuming`. Otherwise it starts again in an empty folder.
    static var isResumable: Bool { get }
    /// Whether it writes files of its own into its output folder.
    static var writesFiles: Bool { get }

    /// Looks at the values before any stage starts; throws `InvalidValue`.
    func validate() throws
    /// Does the work.
    func run(in stage: StageContext) async throws -> Output
}

extension TaskConfiguration {
    /// Nothing is required.
    public static var required: [String] { [] }
    /// No argument without a flag.
    public static var positional: String? { nil }
    /// Starts again.
    public static var isResumable: Bool { false }
    /// Writes files.
    public static var writesFiles: Bool { true }
    /// All values are good.
    public func validate() throws {}
}

/// What surrounds a task while it runs.
public struct StageContext: Sendable {
    /// The name of the stage, or of the task when it runs alone.
    public var name: String
    /// The folder for what it makes. It exists when the task writes files.
    public var output: URL
    /// The folder holds unfinished work of this very configuration, to go on from; it may have stopped before the first checkpoint.
    public var isResuming: Bool
    /// Where progress is shown.
    public var console: Console
    /// The command that goes on after an interruption, for messages.
    public var resumeCommand: String

    /// The surroundings of one run.
    public init(name: String, output: URL, isResuming: Bool = false, console: Console, resumeCommand: String = "") {
        self.name = name
        self.output = output
        self.isResuming = isResuming
        self.console = console
        self.resumeCommand = resumeCommand
    }
}

/// A file, folder or glob that a task reads. The frame refuses a configuration that names one that is not there, before any stage starts.
public struct InputPath: Codable, Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// As it was written.
    public var path: String

    /// A path relative to the working directory, or absolute, or beginning with `~`.
    public init(_ path: String) {
        self.path = path
    }

    /// A path from a literal.
    public init(stringLiteral value: String) {
        path = value
    }

    /// Reads the path as one word.
    public init(from decoder: any Decoder) throws {
        path = try decoder.singleValueContainer().decode(String.self)
    }

    /// Writes the path as one word.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(path)
    }

    /// The path for opening.
    public var url: URL { URL(fileURLWithPath: (path as NSString).expandingTildeInPath) }

    /// The path for what reads records, where `-` is the standard input.
    public var reading: String { path == "-" ? path : url.path }

    /// The path as it was written.
    public var description: String { path }

    /// Whether something is there; for a glob, whether something matches. `-`, the standard input, is always there.
    public var exists: Bool {
        if path == "-" { return true }
        let expanded = (path as NSString).expandingTildeInPath
        if FileManager.default.fileExists(atPath: expanded) { return true }
        guard expanded.contains(where: { "*?[".contains($0) }) else { return false }
        // `**` means any depth, which glob(3) does not know: the folder before it must be there.
        if let deep = expanded.range(of: "**") { return FileManager.default.fileExists(atPath: String(expanded[..<deep.lowerBound]) + ".") }
        var matches = glob_t()
        defer { globfree(&matches) }
        return glob(expanded, 0, nil, &matches) == 0
    }
}

/// The tasks that a recipe can name.
public struct TaskRegistry: Sendable {
    /// In the order in which help lists them.
    public var tasks: [any TaskConfiguration.Type]

    /// A registry of these tasks.
    public init(_ tasks: [any TaskConfiguration.Type]) {
        self.tasks = tasks
    }

    subscript(name: String) -> (any TaskConfiguration.Type)? { tasks.first { $0.task == name } }
}

/// A task with its configuration read and checked, ready to run.
struct PreparedTask: Sendable {
    var type: any TaskConfiguration.Type
    /// The whole configuration, defaults filled in.
    var resolved: Setting
    var run: @Sendable (StageContext) async throws -> TaskResult

    /// Reads a configuration: every key checked, every input looked for except those that `isMade` says an earlier stage will make.
    static func prepare<Task: TaskConfiguration>(
        _ type: Task.Type, from given: Setting, path: [String] = [], isMade: (String) -> Bool = { _ in false }
    ) throws -> PreparedTask {
        for key in Task.required where given[key] == nil || given[key]?.value == .null {
            switch given.origin {
            case .flag:
                throw RequestError(key == Task.positional ? "\(key) must be given; see --help" : "--\(key.kebabCase) must be given; see --help")
            default: throw RequestError("\(given.origin.prefix(path))\(key) must be given (\(Task.help[key] ?? key))")
            }
        }
        let record = DecodingRecord()
        let whole = try Schema(of: Task.self).fill(given, path: path)
        let configuration = try SettingDecoder.decode(Task.self, from: whole, path: path, record: record)
        do {
            try configuration.validate()
        } catch let error as InvalidValue {
            let keys = error.key.split(separator: ".").map(String.init)
            let origin = given[path: keys]?.origin ?? given.origin
            if case .flag(let flag) = origin, flag.isEmpty { throw RequestError("--\(error.key.kebabCase): \(error.problem)") }
            throw RequestError("\(origin.prefix(path + keys))\(error.problem)")
        }
        for input in record.inputs where !input.path.exists && !isMade(input.path.path) {
            throw RequestError("\(input.origin.prefix(input.key))there is no file or folder \"\(input.path)\"")
        }
        return PreparedTask(type: type, resolved: SettingEncoder.encode(configuration)) { stage in
            TaskResult(try await configuration.run(in: stage))
        }
    }
}
