import Foundation

/// Decodes a `Decodable` value from a `Setting`: camelCase names are looked up as snake_case keys, scalars are read by the type that is asked for.
struct SettingDecoder: Decoder {
    var setting: Setting
    /// Keys from the configuration down to here.
    var path: [String]
    var record: DecodingRecord

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    static func decode<T: Decodable>(_ type: T.Type, from setting: Setting, path: [String] = [], record: DecodingRecord = .init()) throws -> T {
        try SettingDecoder(setting: setting, path: path, record: record).unbox(type)
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard setting.entries != nil else { throw problem("expected keys and values") }
        return KeyedDecodingContainer(KeyedContainer<Key>(decoder: self))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        switch setting.value {
        case .list(let items): return ListContainer(decoder: self, items: items)
        case .scalar: return ListContainer(decoder: self, items: [setting])  // one value stands for a list of one
        case .null, .map: throw problem("expected a list")
        }
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { SingleContainer(decoder: self) }

    /// "expected a number, found "abc"", with its place.
    func problem(_ expectation: String) -> RequestError {
        RequestError("\(setting.origin.prefix(path))\(expectation), found \(setting.quotation)")
    }

    func unbox<T: Decodable>(_ type: T.Type) throws -> T {
        if let scalar = type as? any ScalarSetting.Type {
            guard case .scalar(let text, _) = setting.value, let value = scalar.init(setting: text) as? T else {
                throw problem("expected \(scalar.expectation)")
            }
            return value
        }
        if let cases = Field.cases(of: type) {
            guard case .scalar(let text, _) = setting.value, cases.contains(text) else {
                throw problem("expected one of \(cases.joined(separator: ", "))")
            }
        }
        do {
            let value = try T(from: self)
            if let input = value as? InputPath { record.inputs.append((input, setting.origin, path)) }
            return value
        } catch let error as DecodingError {
            throw problem(error.reason)
        } catch let error as RequestError {
            throw error
        } catch {
            throw problem(Outcome.sentence(for: error))
        }
    }
}

/// What a decoding came across: the fields of each struct, and the files that the configuration reads.
final class DecodingRecord {
    var fields: [(path: [String], field: Field)] = []
    var inputs: [(path: InputPath, origin: Setting.Origin, key: [String])] = []
}

extension DecodingError {
    fileprivate var reason: String {
        switch self {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context), .dataCorrupted(let context):
            context.debugDescription.lowercasedFirst
        @unknown default: "expected another value"
        }
    }
}

private struct KeyedContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    var decoder: SettingDecoder

    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { (decoder.setting.entries ?? []).compactMap { Key(stringValue: $0.key) } }

    private func value(_ key: Key) -> Setting? { decoder.setting[key.stringValue] ?? decoder.setting[key.stringValue.snakeCase] }

    private func child(_ key: Key, _ setting: Setting) -> SettingDecoder {
        SettingDecoder(setting: setting, path: decoder.path + [key.stringValue.snakeCase], record: decoder.record)
    }

    private func note(_ type: Any.Type, _ key: Key, optional: Bool) {
        let name = key.stringValue.snakeCase
        decoder.record.fields.append((decoder.path, Field(name: name, type: type, isOptional: optional, preset: value(key))))
    }

    func contains(_ key: Key) -> Bool { value(key) != nil }
    func decodeNil(forKey key: Key) -> Bool { value(key).map { $0.value == .null } ?? true }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        note(type, key, optional: false)
        guard let setting = value(key) else {
            throw RequestError("\(decoder.setting.origin.prefix(decoder.path))\(key.stringValue.snakeCase) is missing")
        }
        return try child(key, setting).unbox(type)
    }

    // Synthesised code calls one of these for each optional property; all fourteen, or the library's defaults would answer for the
    // standard types and the property's type would go unseen when it is nil.
    private func optional<T: Decodable>(_ type: T.Type, _ key: Key) throws -> T? {
        note(type, key, optional: true)
        guard let setting = value(key), setting.value != .null else { return nil }
        return try child(key, setting).unbox(type)
    }

    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? { try optional(type, key) }
    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? { try optional(type, key) }
    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? { try optional(type, key) }
    func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? { try optional(type, key) }
    func decodeIfPresent(_ type: Float.Type, forKey key: Key) throws -> Float? { try optional(type, key) }
    func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? { try optional(type, key) }
    func decodeIfPresent(_ type: Int8.Type, forKey key: Key) throws -> Int8? { try optional(type, key) }
    func decodeIfPresent(_ type: Int16.Type, forKey key: Key) throws -> Int16? { try optional(type, key) }
    func decodeIfPresent(_ type: Int32.Type, forKey key: Key) throws -> Int32? { try optional(type, key) }
    func decodeIfPresent(_ type: Int64.Type, forKey key: Key) throws -> Int64? { try optional(type, key) }
    func decodeIfPresent(_ type: UInt.Type, forKey key: Key) throws -> UInt? { try optional(type, key) }
    func decodeIfPresent(_ type: UInt8.Type, forKey key: Key) throws -> UInt8? { try optional(type, key) }
    func decodeIfPresent(_ type: UInt16.Type, forKey key: Key) throws -> UInt16? { try optional(type, key) }
    func decodeIfPresent(_ type: UInt32.Type, forKey key: Key) throws -> UInt32? { try optional(type, key) }
    func decodeIfPresent(_ type: UInt64.Type, forKey key: Key) throws -> UInt64? { try optional(type, key) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) throws -> KeyedDecodingContainer<Nested> {
        try child(key, value(key) ?? Setting(.null, from: decoder.setting.origin)).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try child(key, value(key) ?? Setting(.null, from: decoder.setting.origin)).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { decoder }
    func superDecoder(forKey key: Key) throws -> any Decoder { decoder }
}

private struct ListContainer: UnkeyedDecodingContainer {
    var decoder: SettingDecoder
    var items: [Setting]
    var currentIndex = 0

    var codingPath: [any CodingKey] { [] }
    var count: Int? { items.count }
    var isAtEnd: Bool { currentIndex == items.count }

    private mutating func next() -> SettingDecoder {
        precondition(!isAtEnd, "a list container was read past its end")
        defer { currentIndex += 1 }
        return SettingDecoder(setting: items[currentIndex], path: decoder.path, record: decoder.record)
    }

    mutating func decodeNil() throws -> Bool {
        guard items[currentIndex].value == .null else { return false }
        currentIndex += 1
        return true
    }
    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next().unbox(type) }
    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested> {
        try next().container(keyedBy: type)
    }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }
    mutating func superDecoder() throws -> any Decoder { decoder }
}

private struct SingleContainer: SingleValueDecodingContainer {
    var decoder: SettingDecoder

    var codingPath: [any CodingKey] { [] }
    func decodeNil() -> Bool { decoder.setting.value == .null }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try decoder.unbox(type) }
}

// MARK: - Scalars

/// A type that is written as one word or number.
protocol ScalarSetting {
    /// What an error message says was expected.
    static var expectation: String { get }
    init?(setting text: String)
}

extension String: ScalarSetting {
    static var expectation: String { "text" }
    init?(setting text: String) { self = text }
}

extension Bool: ScalarSetting {
    static var expectation: String { "true or false" }
    init?(setting text: String) {
        switch text.lowercased() {
        case "true", "yes", "on": self = true
        case "false", "no", "off": self = false
        default: return nil
        }
    }
}

extension ScalarSetting where Self: FixedWidthInteger {
    static var expectation: String { isSigned ? "a whole number" : "a whole number, not negative" }
    /// `8000`, `8_000`, `1e6`.
    init?(setting text: String) {
        let digits = text.replacing("_", with: "")
        if let value = Self(digits) {
            self = value
        } else if digits.contains(where: { $0 == "e" || $0 == "E" }), let number = Double(digits), let value = Self(exactly: number) {
            self = value
        } else {
            return nil
        }
    }
}

extension ScalarSetting where Self: BinaryFloatingPoint & LosslessStringConvertible {
    static var expectation: String { "a number" }
    init?(setting text: String) {
        guard let value = Self(text.replacing("_", with: "")), value.isFinite else { return nil }
        self = value
    }
}

extension Double: ScalarSetting {}
extension Float: ScalarSetting {}
extension Int: ScalarSetting {}
extension Int8: ScalarSetting {}
extension Int16: ScalarSetting {}
extension Int32: ScalarSetting {}
extension Int64: ScalarSetting {}
extension UInt: ScalarSetting {}
extension UInt8: ScalarSetting {}
extension UInt16: ScalarSetting {}
extension UInt32: ScalarSetting {}
extension UInt64: ScalarSetting {}

extension String {
    /// `learningRate` → `learning_rate`, `topK` → `top_k`.
    var snakeCase: String {
        var result = ""
        var afterLower = false
        for character in self {
            if character.isUppercase && afterLower { result += "_" }
            afterLower = character.isLowercase || character.isNumber
            result += character.lowercased()
        }
        return result
    }

    /// `learning_rate` → `learning-rate`.
    var kebabCase: String { replacing("_", with: "-") }
}
