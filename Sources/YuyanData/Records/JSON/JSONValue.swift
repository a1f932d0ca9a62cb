/// A JSON value (RFC 8259).
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

/// A number, as it is written: no digit of a long one is lost.
public struct JSONNumber: Sendable, Hashable {
    /// As JSON writes it: `42`, `-1.50`, `6.02e23`.
    public let text: String

    /// The nearest double; infinite where the number is beyond all.
    public var value: Double { Double(text) ?? .nan }

    /// A whole number.
    public init(_ value: some BinaryInteger) {
        text = String(value)
    }

    /// The shortest text that reads as this number, which must be finite: JSON has no others.
    public init(_ value: Double) {
        precondition(value.isFinite, "JSON has no infinite numbers")
        text = value == value.rounded() && abs(value) < 0x1p53 && !(value == 0 && value.sign == .minus) ? String(Int(value)) : "\(value)"
    }

    /// What the parser has checked.
    init(verbatim text: String) {
        self.text = text
    }
}

/// The members of an object, in the order in which they are written. No key is there twice: of those that a text repeats, the last counts.
public struct JSONObject: Sendable, Hashable {
    /// A key with its value.
    public struct Member: Sendable, Hashable {
        /// The key.
        public var key: String
        /// The value.
        public var value: JSONValue

        /// A member.
        public init(key: String, value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    /// In order.
    public private(set) var members: [Member]

    /// An object with these members; of those with the same key the last counts.
    public init(_ members: [Member] = []) {
        self.members = members
        removeRepeated()
    }

    /// The keys in order.
    public var keys: [String] { members.map(\.key) }

    /// The value of a key. A new one is put behind the others.
    public subscript(key: String) -> JSONValue? {
        get { members.first { $0.key == key }?.value }
        set {
            let index = members.firstIndex { $0.key == key }
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append(Member(key: key, value: value))
            case (nil, nil): break
            }
        }
    }

    private mutating func removeRepeated() {
        if members.count <= 16 {
            let isRepeated = members.indices.contains { index in members[..<index].contains { $0.key == members[index].key } }
            if !isRepeated { return }
        }
        var seen: Set<String> = []
        let last = members.reversed().filter { seen.insert($0.key).inserted }
        if last.count < members.count { members = last.reversed() }
    }
}

extension JSONValue {
    /// What an error calls it: `text`, `a list`.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a truth value"
        case .number: "a number"
        case .string: "text"
        case .array: "a list"
        case .object: "an object"
        }
    }

    /// The text; nil where it is something else.
    public var string: String? { if case .string(let text) = self { text } else { nil } }

    /// The number; nil where it is something else.
    public var number: Double? { if case .number(let number) = self { number.value } else { nil } }

    /// The elements; nil where it is something else.
    public var array: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }

    /// The object; nil where it is something else.
    public var object: JSONObject? { if case .object(let object) = self { object } else { nil } }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// Text.
    public init(stringLiteral text: String) { self = .string(text) }
    /// A whole number.
    public init(integerLiteral number: Int) { self = .number(JSONNumber(number)) }
    /// A number.
    public init(floatLiteral number: Double) { self = .number(JSONNumber(number)) }
    /// A truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// A list.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// An object, in the order written.
    public init(dictionaryLiteral members: (String, JSONValue)...) {
        self = .object(JSONObject(members.map { JSONObject.Member(key: $0.0, value: $0.1) }))
    }
}
