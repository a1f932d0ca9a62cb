public import Foundation

/// A recipe, read and checked as a whole: every stage has its configuration before the first one starts.
public struct Recipe: Sendable {
    /// One stage, ready to run.
    struct Stage: Sendable {
        var name: String
        var folder: StageFolder
        var task: PreparedTask
        /// Names of the earlier stages whose output it uses.
        var dependencies: [String]
        /// See `StageFolder.fingerprint`.
        var fingerprint: String
    }

    /// The run's name: results are in `runs/NAME/`.
    public let name: String
    /// The folder of the run.
    public let folder: URL
    let file: String
    let stages: [Stage]
    /// The recipe with parameters and references filled in.
    let resolved: Setting

    /// Reads a recipe. `overrides` are `--set` words, `key=value`; runs are put into the folder `runs`.
    public init(contentsOf file: URL, overrides: [String] = [], runs: String = "runs", tasks: TaskRegistry) throws {
        let name = file.relativePath
        var source = try Setting.read(file, named: name)
        guard source.entries != nil else { throw RequestError("\(name): a recipe is expected: name:, parameters: and stages:") }
        try RecipeSource.check(source, tasks)
        try RecipeSource.override(&source, overrides)
        try self.init(source, file: name, runs: runs, tasks: tasks)
    }

    private init(_ source: Setting, file: String, runs: String, tasks: TaskRegistry) throws {
        let name = try RecipeSource.name(of: source)
        let folder = "\(runs)/\(name)"
        var references = RecipeReferences(stageNames: RecipeSource.stageNames(source))
        try references.addParameters(source["parameters"])

        var stages: [Stage] = []
        var resolved: [Setting] = []
        for (item, stageName) in zip(RecipeSource.stages(source), RecipeSource.stageNames(source)) {
            let taskName = RecipeSource.taskName(item)
            guard let type = tasks[taskName] else { preconditionFailure("the source was checked") }
            let given = Setting(.map((item.entries ?? []).filter { $0.key != "name" && $0.key != "task" }), from: item.origin)
            var used: Set<String> = []
            let filled = try references.fill(given, using: &used)
            let made = stages.map(\.folder.url.relativePath)
            let isMade = { (path: String) in made.contains { path == $0 || path.hasPrefix($0 + "/") } }
            let task: PreparedTask
            do {
                task = try PreparedTask.prepare(type, from: filled, isMade: isMade)
            } catch let error as RequestError {
                throw RequestError("\(error) (stage \(stageName))")
            }
            let dependencies = stages.filter { used.contains($0.name) }
            let stageFolder = "\(folder)/\(stageName)"
            references.stages[stageName] = stageFolder
            stages.append(
                Stage(
                    name: stageName, folder: StageFolder(url: URL(fileURLWithPath: stageFolder, isDirectory: true)), task: task,
                    dependencies: dependencies.map(\.name), fingerprint: StageFolder.fingerprint(task, after: dependencies.map(\.fingerprint))))
            let head = [Setting.Entry("name", .text(stageName)), Setting.Entry("task", .text(taskName))]
            resolved.append(Setting(.map(head + (task.resolved.entries ?? []))))
        }
        self.name = name
        self.folder = URL(fileURLWithPath: folder, isDirectory: true)
        self.file = file
        self.stages = stages
        self.resolved = Setting(.map([.init("name", .text(name)), .init("stages", Setting(.list(resolved)))]))
    }
}

/// The form of a recipe file: which keys it has, before any of them means something.
enum RecipeSource {
    static func stages(_ source: Setting) -> [Setting] {
        guard case .list(let items)? = source["stages"]?.value else { return [] }
        return items
    }

    static func stageNames(_ source: Setting) -> [String] { stages(source).map { text($0["name"]) ?? "" } }

    static func taskName(_ stage: Setting) -> String { text(stage["task"]) ?? "" }

    /// The name, after `--set name=...`.
    static func name(of source: Setting) throws -> String {
        guard let name = source["name"], let text = text(name), isName(text) else {
            let origin = source["name"]?.origin ?? source.origin
            throw RequestError("\(origin.prefix(["name"]))a recipe needs a name of letters, digits, - and _: its results go to runs/NAME")
        }
        return text
    }

    /// Refuses a recipe whose parts are not in place.
    static func check(_ source: Setting, _ tasks: TaskRegistry) throws {
        for entry in source.entries ?? [] where !["name", "parameters", "stages"].contains(entry.key) {
            let suggestion = Suggestion.nearest(to: entry.key, among: ["name", "parameters", "stages"])
            throw RequestError("\(entry.keyOrigin.prefix([]))unknown key \"\(entry.key)\"\(suggestion)")
        }
        let origin = source["stages"]?.origin ?? source.origin
        guard case .list(let items)? = source["stages"]?.value, !items.isEmpty else {
            throw RequestError("\(origin.prefix(["stages"]))a list of stages is expected, each with name: and task:")
        }
        if let parameters = source["parameters"], parameters.entries == nil {
            throw RequestError("\(parameters.origin.prefix(["parameters"]))keys and values are expected, found \(parameters.quotation)")
        }
        let parameters = (source["parameters"]?.entries ?? []).map(\.key)
        var seen: Set<String> = []
        for item in items {
            guard item.entries != nil else { throw RequestError("\(item.origin.prefix([]))a stage needs name: and task:, found \(item.quotation)") }
            guard let name = text(item["name"]), isName(name) else {
                let origin = item["name"]?.origin ?? item.origin
                throw RequestError("\(origin.prefix(["name"]))a stage needs a name of letters, digits, - and _")
            }
            let place = item["name"]?.origin ?? item.origin
            guard seen.insert(name).inserted else { throw RequestError("\(place.prefix([]))there are two stages named \"\(name)\"") }
            guard !parameters.contains(name), name != "parameters" else {
                throw RequestError("\(place.prefix([]))\"\(name)\" is the name of both a stage and a parameter")
            }
            guard let task = text(item["task"]) else {
                throw RequestError(
                    "\(item.origin.prefix(["task"]))stage \"\(name)\" needs a task: one of \(tasks.tasks.map { $0.task }.joined(separator: ", "))")
            }
            guard tasks[task] != nil else {
                let suggestion = Suggestion.nearest(to: task, among: tasks.tasks.map { $0.task })
                throw RequestError("\((item["task"]?.origin ?? item.origin).prefix([]))unknown task \"\(task)\"\(suggestion)")
            }
        }
    }

    /// Applies `--set` words: `parameter=value`, `stage.key=value`, `name=value`.
    static func override(_ source: inout Setting, _ overrides: [String]) throws {
        for word in overrides {
            guard let equals = word.firstIndex(of: "="), equals != word.startIndex else {
                throw RequestError("--set \(word): expected key=value, such as pretrain.steps=200")
            }
            let left = String(word[..<equals])
            let value = try value(String(word[word.index(after: equals)...]), left)
            var keys = left.split(separator: ".", omittingEmptySubsequences: false).map { String($0).replacing("-", with: "_") }
            let parameters = (source["parameters"]?.entries ?? []).map(\.key)
            if keys.count == 1, keys[0] != "name" { keys.insert("parameters", at: 0) }
            if keys == ["name"] {
                source.set(value, at: keys)
            } else if keys[0] == "parameters" {
                guard keys.count == 2, parameters.contains(keys[1]) else {
                    let known = parameters + stageNames(source).map { "\($0).KEY" }
                    throw RequestError("--set \(left): the recipe has no such parameter\(Suggestion.nearest(to: left, among: known))")
                }
                source.set(value, at: keys)
            } else {
                // The stage's own name may hold a hyphen.
                let stage = left.split(separator: ".").first.map(String.init) ?? left
                var items = stages(source)
                guard let place = stageNames(source).firstIndex(of: stage) else {
                    throw RequestError(
                        "--set \(left): the recipe has no stage \"\(stage)\"\(Suggestion.nearest(to: stage, among: stageNames(source)))")
                }
                guard !["name", "task"].contains(keys[1]) else { throw RequestError("--set \(left): a stage's name and task cannot be changed") }
                items[place].set(value, at: keys.dropFirst())
                source.set(Setting(.list(items), from: source["stages"]?.origin ?? .preset), at: ["stages"])
            }
        }
    }

    /// The right side of `--set`: a list or map in YAML's brackets, or one word.
    private static func value(_ text: String, _ left: String) throws -> Setting {
        if text.hasPrefix("[") || text.hasPrefix("{") { return try Setting.parse(text) { _ in .set(left) } }
        return ["", "~", "null"].contains(text) ? Setting(.null, from: .set(left)) : .text(text, from: .set(left))
    }

    private static func text(_ setting: Setting?) -> String? {
        guard case .scalar(let text, _)? = setting?.value else { return nil }
        return text
    }

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
    }
}

/// What `${...}` stands for.
struct RecipeReferences {
    /// All stages of the recipe, in order.
    var stageNames: [String]
    var parameters: [(name: String, value: Setting)] = []
    /// Output folders of the stages before this point.
    var stages: [String: String] = [:]

    init(stageNames: [String]) {
        self.stageNames = stageNames
    }

    /// Parameters may refer to those above them.
    mutating func addParameters(_ section: Setting?) throws {
        for entry in section?.entries ?? [] {
            var used: Set<String> = []
            parameters.append((entry.key, try fill(entry.value, using: &used)))
        }
    }

    /// The value with its references replaced; names of stages that were referred to are added to `used`.
    func fill(_ setting: Setting, using used: inout Set<String>) throws -> Setting {
        switch setting.value {
        case .null: return setting
        case .scalar(let text, let quoted):
            guard text.contains("${") else { return setting }
            return try fill(text, quoted: quoted, from: setting.origin, using: &used)
        case .list(let items):
            return Setting(.list(try items.map { try fill($0, using: &used) }), from: setting.origin)
        case .map(let entries):
            let filled = try entries.map { Setting.Entry($0.key, at: $0.keyOrigin, try fill($0.value, using: &used)) }
            return Setting(.map(filled), from: setting.origin)
        }
    }

    private func fill(_ text: String, quoted: Bool, from origin: Setting.Origin, using used: inout Set<String>) throws -> Setting {
        var result = ""
        var rest = text[...]
        while let open = rest.range(of: "${") {
            guard let close = rest[open.upperBound...].firstIndex(of: "}") else {
                throw RequestError("\(origin.prefix([]))\"\(text)\" has ${ without }")
            }
            let value = try value(of: String(rest[open.upperBound..<close]), in: text, origin, using: &used)
            let after = rest.index(after: close)
            if open.lowerBound == text.startIndex && after == text.endIndex { return value }
            guard case .scalar(let word, _) = value.value else {
                throw RequestError("\(origin.prefix([]))\"\(text)\" puts \(value.quotation) into the middle of a text")
            }
            result += rest[..<open.lowerBound] + word
            rest = rest[after...]
        }
        return Setting(.scalar(result + rest, quoted: quoted), from: origin)
    }

    private func value(of name: String, in text: String, _ origin: Setting.Origin, using used: inout Set<String>) throws -> Setting {
        let short = name.hasPrefix("parameters.") ? String(name.dropFirst("parameters.".count)) : name
        if let parameter = parameters.first(where: { $0.name == short }) { return parameter.value }
        if let folder = stages[name] {
            used.insert(name)
            return .text(folder, from: origin)
        }
        if stageNames.contains(name) {
            throw RequestError("\(origin.prefix([]))\"\(text)\" refers to stage \"\(name)\", which does not come before this one")
        }
        let known = parameters.map(\.name) + stages.keys.sorted()
        throw RequestError(
            "\(origin.prefix([]))\"\(text)\" refers to \"\(name)\", which is neither a parameter nor an earlier stage\(Suggestion.nearest(to: name, among: known))"
        )
    }
}
