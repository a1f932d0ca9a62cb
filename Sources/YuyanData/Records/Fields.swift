import Foundation

/// One record of a JSON or delimited file, before its layout is known.
struct Fields {
    let values: [String: Any]
    let file: URL
    let line: Int

    /// The field's text; nil where it is absent or null. A number is taken as it is written.
    func text(_ name: String) throws -> String? {
        switch values[name] {
        case nil, is NSNull: return nil
        case let text as String: return text
        case let number as NSNumber: return number.stringValue
        case let other?: throw error("the field \"\(name)\" should be text, not \(Self.kind(other))")
        }
    }

    /// The field's text, which must be there.
    func requiredText(_ name: String) throws -> String {
        guard let text = try text(name) else { throw error("the field \"\(name)\" should be text, not null") }
        return text
    }

    /// The field's list of objects, each as fields of its own at the same place.
    func objects(_ name: String) throws -> [Fields] {
        guard let list = values[name] as? [Any] else {
            throw error("the field \"\(name)\" should be a list, not \(Self.kind(values[name] as Any))")
        }
        return try list.map { element in
            guard let object = element as? [String: Any] else {
                throw error("the list \"\(name)\" should hold objects, not \(Self.kind(element))")
            }
            return Fields(values: object, file: file, line: line)
        }
    }

    func error(_ sentence: String) -> DataError { DataError(file, line: line, sentence) }

    /// What an error calls a JSON value.
    static func kind(_ value: Any) -> String {
        switch value {
        case is String: "text"
        case is Bool, is NSNumber: "a number or truth value"
        case is [Any]: "a list"
        case is [String: Any]: "an object"
        default: "null"
        }
    }
}
