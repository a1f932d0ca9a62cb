import Foundation

/// One record of a JSON or delimited file, before its layout is known.
struct Fields {
    let object: JSONObject
    let file: URL
    let line: Int
    /// What the file's records are called after.
    let source: String

    /// The fields of the record that begins on `line`. `source` is what the file's records are called after: its path below the folder that was named.
    init(_ object: JSONObject, file: URL, line: Int, source: String? = nil) {
        self.object = object
        self.file = file
        self.line = line
        self.source = source ?? file.lastPathComponent
    }

    /// The fields of the record that begins on `line` of a file.
    init(_ object: JSONObject, of file: SourceFile, line: Int) {
        self.init(object, file: file.url, line: line, source: file.name)
    }

    /// The same of a JSON value, which must be an object.
    init(_ value: JSONValue, of file: SourceFile, line: Int) throws {
        guard case .object(let object) = value else {
            throw DataError(file.url, line: line, "a record should be a JSON object, not \(value.kind)")
        }
        self.init(object, of: file, line: line)
    }

    /// The cells of a table's row, which must be as many as the columns are, under the columns' names.
    init(_ row: DelimitedRows.Row, columns: [String], of file: SourceFile) throws {
        guard row.fields.count == columns.count else {
            throw DataError(file.url, line: row.line, "the row has \(row.fields.count) fields where the first row has \(columns.count)")
        }
        let members = zip(columns, row.fields).map { JSONObject.Member(key: $0, value: .string($1)) }
        self.init(JSONObject(members), of: file, line: row.line)
    }

    /// What a record made of them is called.
    var id: String { "\(source):\(line)" }

    /// The names of all fields.
    var names: Set<String> { Set(object.members.lazy.map(\.key)) }

    /// What stands in a field.
    enum Kind { case nothing, text, number, truth, list, object }

    /// What stands in the field.
    func kind(_ name: String) -> Kind {
        switch object[name] {
        case nil, .null?: .nothing
        case .string?: .text
        case .number?: .number
        case .bool?: .truth
        case .array?: .list
        case .object?: .object
        }
    }

    /// Whether the field is there, and not null.
    func has(_ name: String) -> Bool { kind(name) != .nothing }

    /// The field as it is; nil where it is absent.
    func json(_ name: String) -> JSONValue? { object[name] }

    /// The field's text; nil where it is absent or null. A number is taken as it is written.
    func text(_ name: String) throws -> String? {
        switch object[name] {
        case nil, .null?: return nil
        case .string(let text)?: return text
        case .number(let number)?: return number.text
        case .bool(let value)?: return value ? "true" : "false"
        case let other?: throw error("the field \"\(name)\" should be text, not \(other.kind)")
        }
    }

    /// The field's text, which must be there.
    func requiredText(_ name: String) throws -> String {
        guard let text = try text(name) else { throw error("the field \"\(name)\" should be text, not null") }
        return text
    }

    /// The field's number, which may be written as text; nil where it is absent, null or blank.
    func number(_ name: String) throws -> Double? {
        switch object[name] {
        case nil, .null?: return nil
        case .number(let number)?: return number.value
        case .string(let text)? where isBlank(text): return nil
        case .string(let text)?:
            if let number = Double(text), number.isFinite { return number }
            throw error("the field \"\(name)\" should be a number, not \"\(text.prefix(20))\"")
        case let other?: throw error("the field \"\(name)\" should be a number, not \(other.kind)")
        }
    }

    /// Whether the field says yes: true, 1, or such a word in a table.
    func isTrue(_ name: String) throws -> Bool { ["true", "1"].contains(try text(name)?.lowercased()) }

    /// Whether the field says no: false, 0, or such a word in a table; an absent field does not.
    func isFalse(_ name: String) throws -> Bool { ["false", "0"].contains(try text(name)?.lowercased()) }

    /// The field's list; nil where it is absent or null.
    func list(_ name: String) throws -> [JSONValue]? {
        switch object[name] {
        case nil, .null?: return nil
        case .array(let elements)?: return elements
        case let other?: throw error("the field \"\(name)\" should be a list, not \(other.kind)")
        }
    }

    /// The field's list of texts; nil where it is absent or null.
    func texts(_ name: String) throws -> [String]? {
        try list(name)?.map { element in
            guard let text = element.string else { throw error("the list \"\(name)\" should hold texts, not \(element.kind)") }
            return text
        }
    }

    /// The field's list of lists of two texts; empty where it is absent or null.
    func textPairs(_ name: String) throws -> [(String, String)] {
        try (list(name) ?? []).map { element in
            guard let pair = element.array, pair.count == 2, let first = pair[0].string, let second = pair[1].string else {
                throw error("the field \"\(name)\" should be a list of [question, answer] pairs")
            }
            return (first, second)
        }
    }

    /// The field's list of objects, each as fields of its own at the same place. It must be there.
    func objects(_ name: String) throws -> [Fields] {
        guard let list = try list(name) else { throw error("the field \"\(name)\" should be a list, not null") }
        return try list.map { element in
            guard let object = element.object else { throw error("the list \"\(name)\" should hold objects, not \(element.kind)") }
            return Fields(object, file: file, line: line, source: source)
        }
    }

    /// The field's object as fields of its own at the same place; nil where it is absent or null.
    func object(_ name: String) throws -> Fields? {
        switch object[name] {
        case nil, .null?: return nil
        case .object(let object)?: return Fields(object, file: file, line: line, source: source)
        case let other?: throw error("the field \"\(name)\" should be an object, not \(other.kind)")
        }
    }

    /// The other fields as metadata: text as it is, everything else as JSON, null not at all.
    func rest(except used: Set<String>) -> [String: String] {
        var rest: [String: String] = [:]
        for member in object.members where !used.contains(member.key) && member.value != .null {
            rest[member.key] = member.value.string ?? member.value.description
        }
        return rest
    }

    func error(_ sentence: String) -> DataError { DataError(file, line: line, sentence) }
}
