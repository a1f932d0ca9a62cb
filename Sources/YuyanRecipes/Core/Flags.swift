/// Command-line flags read as the configuration of one task: `--learning-rate 3e-4` is the key `learning_rate`.
struct Flags {
    /// The configuration as given.
    var given = Setting(.map([]), from: .flag(""))
    /// `--output DIR`.
    var output: String?
    var isResuming = false
    var json = false
    var help = false

    /// Reads the arguments after the command's name.
    init<Task: TaskConfiguration>(_ arguments: [String], for task: Task.Type) throws {
        let schema = Schema(of: task)
        var rest = arguments[...]
        var onlyPositional = false
        while let argument = rest.popFirst() {
            if onlyPositional || !argument.hasPrefix("-") || argument == "-" {
                try addPositional(argument, task, schema)
            } else if argument == "--" {
                onlyPositional = true
            } else if argument == "-h" || argument == "--help" {
                help = true
            } else if argument == "--json" {
                json = true
            } else if argument == "--resume", task.isResumable {
                isResuming = true
            } else {
                let (flag, attached) = Self.split(argument)
                if flag == "--output", task.writesFiles {
                    output = try attached ?? Self.value(of: flag, from: &rest)
                } else {
                    try add(flag, attached, &rest, task, schema)
                }
            }
        }
    }

    private mutating func addPositional<Task: TaskConfiguration>(_ argument: String, _ task: Task.Type, _ schema: Schema) throws {
        guard let key = task.positional, let field = schema[key] else {
            throw RequestError("unexpected argument \"\(argument)\"; options begin with --, see --help")
        }
        let value = Setting.text(argument, from: .flag(key))
        if field.element != nil {
            given.append(value, at: [key])
        } else if given[key] == nil {
            given.set(value, at: [key])
        } else {
            throw RequestError("unexpected argument \"\(argument)\": \(key) is already \(given[key]?.quotation ?? "given")")
        }
    }

    private mutating func add<Task: TaskConfiguration>(
        _ flag: String, _ attached: String?, _ rest: inout ArraySlice<String>, _ task: Task.Type, _ schema: Schema
    ) throws {
        let keys = flag.drop { $0 == "-" }.split(separator: ".").map { String($0).replacing("-", with: "_") }
        var isNegated = false
        var found = schema.field(at: keys)
        if found == nil, let last = keys.last, last.hasPrefix("no_") {
            found = schema.field(at: keys.dropLast() + [String(last.dropFirst(3))])
            isNegated = found != nil
        }
        guard let (field, path) = found, flag.hasPrefix("--") else {
            let known = schema.leaves().map { "--" + $0.path.joined(separator: ".").kebabCase } + Self.frameFlags(of: task)
            throw RequestError("unknown option \(flag)\(Suggestion.nearest(to: flag, among: known).replacing("\"", with: ""))")
        }
        let origin = Setting.Origin.flag(flag)
        if field.type is Bool.Type {
            guard !(isNegated && attached != nil) else { throw RequestError("\(flag) takes no value") }
            given.set(.text(attached ?? (isNegated ? "false" : "true"), from: origin), at: path)
        } else if isNegated, field.isOptional, attached == nil {
            given.set(Setting(.null, from: origin), at: path)
        } else if isNegated {
            throw RequestError("\(flag): only an option that is true or false can be negated")
        } else if field.section != nil, field.isOptional, attached == nil {
            // An optional group by its name alone: with its defaults.
            if given[path[0]] == nil { given.set(Setting(.map([]), from: origin), at: path) }
        } else if let section = field.section {
            let options = Schema(of: section).leaves(under: path).map { "--" + $0.path.joined(separator: ".").kebabCase }
            throw RequestError("\(flag) is a group of options: \(options.joined(separator: ", "))")
        } else if field.element != nil {
            // Of a list of sections each is written as in a recipe: --sources '{name: essays, paths: [texts], weight: 2}'.
            func add(_ text: String) throws {
                let isSection = field.element is any ConfigurationSection.Type && text.hasPrefix("{")
                given.append(isSection ? try Setting.parse(text) { _ in origin } : .text(text, from: origin), at: path)
            }
            try add(attached ?? Self.value(of: flag, from: &rest))
            // Several values after one flag, but not where arguments without a flag could be meant.
            guard attached == nil, task.positional == nil || path == [task.positional] else { return }
            while rest.first?.hasPrefix("-") == false { try add(rest.removeFirst()) }
        } else {
            given.set(.text(try attached ?? Self.value(of: flag, from: &rest), from: origin), at: path)
        }
    }

    /// `--key=value` in its two parts.
    private static func split(_ argument: String) -> (flag: String, value: String?) {
        guard let equals = argument.firstIndex(of: "=") else { return (argument, nil) }
        return (String(argument[..<equals]), String(argument[argument.index(after: equals)...]))
    }

    private static func value(of flag: String, from rest: inout ArraySlice<String>) throws -> String {
        guard let next = rest.first, !next.hasPrefix("--") else {
            throw RequestError("\(flag) needs a value (a value that begins with -- is written \(flag)=VALUE)")
        }
        return rest.removeFirst()
    }

    private static func frameFlags<Task: TaskConfiguration>(of task: Task.Type) -> [String] {
        ["--json", "--help"] + (task.writesFiles ? ["--output"] : []) + (task.isResumable ? ["--resume"] : [])
    }

    /// The text of `--help`.
    static func help<Task: TaskConfiguration>(for task: Task.Type, command: String) -> String {
        let schema = Schema(of: task)
        let positional = task.positional.flatMap { key in schema[key].map { (key, $0) } }
        var rows: [(String, String)] = []
        for leaf in schema.leaves() where leaf.path != [task.positional] {
            // An optional group that is off is switched on by its name.
            if leaf.path.count == 2, let group = schema[leaf.path[0]], group.isOptional, group.preset == nil || group.preset?.value == .null,
                !rows.contains(where: { $0.0 == "--\(leaf.path[0].kebabCase)" })
            {
                rows.append(("--\(leaf.path[0].kebabCase)", task.help[leaf.path[0]] ?? ""))
            }
            let flag = "--" + leaf.path.joined(separator: ".").kebabCase
            let isSwitch = leaf.field.type is Bool.Type
            let dots = leaf.field.element == nil ? "" : " ..."
            let key = leaf.field.isDictionary ? ".<name>" : ""
            rows.append(("\(flag)\(key)\(isSwitch ? "" : " \(leaf.field.placeholder)\(dots)")", leaf.help + note(leaf.path, leaf.field, task)))
        }
        if task.writesFiles { rows.append(("--output <folder>", "where to write (default: runs/\(task.task))")) }
        if task.isResumable { rows.append(("--resume", "go on with the unfinished work in the output folder")) }
        rows.append(("--json", "print the result as JSON"))
        rows.append(("-h, --help", "show this help"))
        let argument = positional.map { " \(usage($0.0, $0.1, task.required))" } ?? ""
        var text = "OVERVIEW: \(task.summary)\n\nUSAGE: \(command) [options]\(argument)\n"
        if let (key, field) = positional {
            text += "\nARGUMENTS:\n" + table([("<\(key.kebabCase)>", (task.help[key] ?? "") + note([key], field, task))])
        }
        return text + "\nOPTIONS:\n" + table(rows)
    }

    private static func usage(_ key: String, _ field: Field, _ required: [String]) -> String {
        let name = "<\(key.kebabCase)>" + (field.element == nil ? "" : " ...")
        return required.contains(key) ? name : "[\(name)]"
    }

    private static func note<Task: TaskConfiguration>(_ path: [String], _ field: Field, _ task: Task.Type) -> String {
        if path.count == 1, task.required.contains(path[0]) { return " (required)" }
        switch field.preset?.value {
        case .scalar(let text, _) where !text.isEmpty && text != "false": return " (default: \(text.replacing("\n", with: "\\n")))"
        case .list(let items) where !items.isEmpty:
            let words = items.compactMap { if case .scalar(let text, _) = $0.value { text } else { nil } }
            return words.isEmpty ? "" : " (default: \(words.joined(separator: " ")))"
        default: return ""
        }
    }

    private static func table(_ rows: [(String, String)]) -> String {
        let width = min(34, (rows.map(\.0.count).max() ?? 0) + 2)
        return rows.map { left, right in
            let gap = left.count < width ? String(repeating: " ", count: width - left.count) : "\n" + String(repeating: " ", count: width + 2)
            return "  \(left)\(right.isEmpty ? "" : gap + right)\n"
        }.joined()
    }
}

extension Schema {
    /// The field at a path of keys through sections; a dictionary's own keys end the path.
    func field(at keys: [String]) -> (field: Field, path: [String])? {
        guard let first = keys.first, let field = self[first] else { return nil }
        if keys.count == 1 { return (field, keys) }
        if field.isDictionary {
            if keys.count > 2, let section = field.value as? any ConfigurationSection.Type {
                return Schema(of: section).field(at: Array(keys.dropFirst(2))).map { ($0.field, keys.prefix(2) + $0.path) }
            }
            let element = Field(name: keys[1], type: field.value ?? String.self, isOptional: false, preset: nil)
            return keys.count == 2 ? (element, keys) : nil
        }
        guard let section = field.section, let (leaf, rest) = Schema(of: section).field(at: Array(keys.dropFirst())) else { return nil }
        return (leaf, [first] + rest)
    }
}

extension Setting {
    /// Adds one more value to the list at a path of keys.
    mutating func append(_ value: Setting, at path: [String]) {
        if case .list(let items)? = self[path: path]?.value {
            set(Setting(.list(items + [value]), from: value.origin), at: path)
        } else {
            set(Setting(.list([value]), from: value.origin), at: path)
        }
    }
}
