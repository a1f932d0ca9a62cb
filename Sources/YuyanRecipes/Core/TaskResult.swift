import Foundation

/// What a task answered, ready to be printed or written.
public struct TaskResult: Sendable {
    /// Each result as one line of JSON, keys in snake case.
    public let json: [String]
    /// Each result for a person: its own description, or `key: value` lines.
    public let text: [String]

    /// The results in a task's output: the elements of an array, or the one value.
    public init(_ output: some Encodable) {
        let items = (output as? [any Encodable]) ?? [output]
        json = items.map { Self.json($0) }
        text = items.map { item in
            if let described = item as? any CustomStringConvertible, !(item is [String: Any]) { return described.description }
            return Self.lines(SettingEncoder.encode(item), under: "").joined(separator: "\n")
        }
    }

    /// One value as one line of JSON.
    public static func json(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        // Text that is not valid Unicode cannot occur in a Swift string: encoding fails only by a programmer's error.
        guard let data = try? encoder.encode(value) else { preconditionFailure("\(type(of: value)) cannot be written as JSON") }
        return String(decoding: data, as: UTF8.self)
    }

    private static func lines(_ setting: Setting, under name: String) -> [String] {
        switch setting.value {
        case .null: return []
        case .scalar(let text, let quoted):
            // Text that looks like a number is marked as quoted; what is left are numbers, and a person reads six digits of them.
            let short = quoted || !text.contains(".") ? text : Double(text).map { String(format: abs($0) < 1e5 ? "%.6g" : "%.0f", $0) } ?? text
            return [name.isEmpty ? short : "\(name): \(short)"]
        case .list(let items):
            let lists = items.map { lines($0, under: "") }
            // Plain values stand on one line.
            let isPlain = items.allSatisfy { if case .scalar = $0.value { true } else { false } }
            return isPlain ? ["\(name): \(lists.joined().joined(separator: ", "))"] : items.flatMap { lines($0, under: name) }
        case .map(let entries): return entries.flatMap { lines($0.value, under: name.isEmpty ? $0.key : "\(name).\($0.key)") }
        }
    }
}
