import Foundation
import Yams

/// A value as the user wrote it (or as a default fills it in), before it has a type: the one form that recipes, `--set` and flags share.
struct Setting: Sendable, Hashable {
    /// What was written.
    indirect enum Value: Sendable, Hashable {
        case null
        /// A number, a truth value or text, as its characters; `quoted` when the YAML put it between quotes.
        case scalar(String, quoted: Bool)
        case list([Setting])
        /// Keys in the order in which they were written.
        case map([Entry])
    }

    /// One `key: value` of a map.
    struct Entry: Sendable, Hashable {
        var key: String
        var keyOrigin: Origin
        var value: Setting

        init(_ key: String, at keyOrigin: Origin? = nil, _ value: Setting) {
            self.key = key
            self.keyOrigin = keyOrigin ?? value.origin
            self.value = value
        }
    }

    /// Where a value comes from, for error messages.
    enum Origin: Sendable, Hashable {
        case preset
        case line(file: String, Int)
        /// A flag of the command line as it was written: `--learning-rate`.
        case flag(String)
        /// The left side of a `--set`: `pretrain.learning_rate`.
        case set(String)
    }

    /// What was written.
    var value: Value
    /// Where it was written.
    var origin: Origin

    /// A value and the place it comes from.
    init(_ value: Value, from origin: Origin = .preset) {
        self.value = value
        self.origin = origin
    }

    /// A plain scalar.
    static func text(_ text: String, from origin: Origin = .preset) -> Setting {
        Setting(.scalar(text, quoted: false), from: origin)
    }

    /// The entries, or nil where this is no map.
    var entries: [Entry]? {
        guard case .map(let entries) = value else { return nil }
        return entries
    }

    /// The value of a key of this map.
    subscript(key: String) -> Setting? {
        entries?.first { $0.key == key }?.value
    }

    /// The value at a path of keys.
    subscript(path path: some Collection<String>) -> Setting? {
        guard let first = path.first else { return self }
        return self[first]?[path: path.dropFirst()]
    }

    /// Puts `value` at a path of keys, making the maps in between.
    mutating func set(_ value: Setting, at path: some Collection<String>) {
        guard let key = path.first else {
            self = value
            return
        }
        var entries = self.entries ?? []
        let place = entries.firstIndex { $0.key == key }
        var child = place.map { entries[$0].value } ?? Setting(.map([]), from: value.origin)
        child.set(value, at: path.dropFirst())
        if let place {
            entries[place].value = child
        } else {
            entries.append(Entry(key, child))
        }
        self.value = .map(entries)
    }

    /// How an error message quotes the value.
    var quotation: String {
        switch value {
        case .null: "nothing"
        case .scalar(let text, _): "\"\(text)\""
        case .list(let items): "a list of \(items.count)"
        case .map(let entries): "a map with \(entries.map(\.key).joined(separator: ", "))"
        }
    }
}

extension Setting.Origin {
    /// `recipe.yaml:12: ` and the key, or the flag: the beginning of a sentence about the value at `path`.
    func prefix(_ path: [String]) -> String {
        let key = path.joined(separator: ".")
        return switch self {
        case .preset: "\(key): "
        case .line(let file, let line): key.isEmpty ? "\(file):\(line): " : "\(file):\(line): \(key): "
        case .flag(let flag): "\(flag): "
        case .set(let left): "--set \(left): "
        }
    }
}

// MARK: - YAML

extension Setting {
    /// The map or list in a YAML file. Errors name file and line.
    static func read(_ file: URL, named name: String) throws -> Setting {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: file.path, isDirectory: &isFolder) else {
            throw RequestError("\(name): there is no such file")
        }
        guard !isFolder.boolValue else { throw RequestError("\(name): this is a folder, a YAML file is expected") }
        guard let text = String(data: try Data(contentsOf: file), encoding: .utf8) else {
            throw RequestError("\(name): the file is not valid UTF-8 text")
        }
        return try parse(text) { .line(file: name, $0) }
    }

    /// YAML text as a setting; `origin` gives each value's place from its line.
    static func parse(_ text: String, origin: (Int) -> Origin) throws -> Setting {
        do {
            guard let node = try Yams.compose(yaml: text) else { return Setting(.null, from: origin(1)) }
            return Setting(node, origin: origin)
        } catch let error as YamlError {
            throw RequestError(explain(error, origin: origin))
        }
    }

    private init(_ node: Node, origin: (Int) -> Origin) {
        let place = origin(node.mark?.line ?? 1)
        switch node {
        case .scalar(let scalar):
            let quoted = scalar.style != .plain && scalar.style != .any
            let isNull = !quoted && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
            self.init(isNull ? .null : .scalar(scalar.string, quoted: quoted), from: place)
        case .sequence(let sequence):
            self.init(.list(sequence.map { Setting($0, origin: origin) }), from: place)
        case .mapping(let mapping):
            let entries = mapping.map { key, value in
                Entry(key.string ?? "", at: origin(key.mark?.line ?? 1), Setting(value, origin: origin))
            }
            self.init(.map(entries), from: place)
        case .alias:
            self.init(.null, from: place)
        }
    }

    private static func explain(_ error: YamlError, origin: (Int) -> Origin) -> String {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let detail = context.map { " \($0.text)" } ?? ""
            return "\(origin(mark.line).prefix([]))this is not valid YAML: \(problem)\(detail)"
        case .reader(let problem, let offset, _, let yaml):
            let line = yaml.utf8.prefix(offset ?? 0).count { $0 == UInt8(ascii: "\n") } + 1
            return "\(origin(line).prefix([]))this is not valid YAML: \(problem)"
        case .duplicatedKeysInMapping(let duplicates, let context):
            return "\(origin(context.mark.line).prefix([]))the key \(duplicates.joined(separator: ", ")) is given twice in one map"
        default:
            return "\(origin(1).prefix([]))this is not valid YAML"
        }
    }

    /// As YAML text, keys in their order.
    var yaml: String {
        // The emitter fails only on input that `Setting` cannot hold.
        (try? Yams.serialize(node: node, indent: 2, width: -1, allowUnicode: true)) ?? ""
    }

    private var node: Node {
        switch value {
        case .null: Node("null")
        case .scalar(let text, let quoted): Node(text, .implicit, quoted ? .doubleQuoted : .any)
        case .list(let items): Node(items.map(\.node), .implicit, items.isEmpty ? .flow : .any)
        case .map(let entries): Node(entries.map { (Node($0.key), $0.value.node) }, .implicit, entries.isEmpty ? .flow : .any)
        }
    }
}
