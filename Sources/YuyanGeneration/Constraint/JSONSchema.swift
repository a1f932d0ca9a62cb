import YuyanText

/// Reads a JSON schema (draft 2020-12) into the grammar of documents that it allows: on one line, properties in the schema's order and none but those, at most one
/// space where JSON allows some. References that come round again are followed four times into each other, and what may be any value is nested three deep.
///
/// Keywords that constrain and are not known here are refused; those that only tell something (`title`, `format`, …) are passed over.
struct JSONSchema {
    private let root: JSON
    /// How often each reference is being followed.
    private var open: [String: Int] = [:]
    private var visits = 0

    /// Throws `GenerationError` with the place as a JSON pointer.
    static func grammar(_ text: String) throws -> Grammar {
        let root: JSON
        do {
            root = try JSON(parsing: Array(text.utf8), name: "it")
        } catch let error as TokenizerError {
            throw GenerationError(key: "json_schema", "cannot be read: \(error.description.dropLast())")
        }
        var reader = JSONSchema(root: root)
        let grammar = try reader.grammar(root, at: "#")
        if grammar.isNothing { throw mistake("allows no document of bounded depth", at: "#") }
        return grammar
    }

    private init(root: JSON) { self.root = root }

    private static func mistake(_ problem: String, at place: String) -> GenerationError {
        GenerationError(key: "json_schema", "\(problem) at \(place)")
    }

    private static let unsupported: Set<String> = [
        "allOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependentRequired", "prefixItems", "contains", "minContains",
        "maxContains",
        "uniqueItems", "patternProperties", "propertyNames", "minProperties", "maxProperties", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum", "multipleOf", "unevaluatedItems", "unevaluatedProperties", "$dynamicRef", "$dynamicAnchor", "additionalItems",
    ]

    private mutating func grammar(_ schema: JSON, at place: String) throws -> Grammar {
        visits += 1
        if visits > 20_000 { throw JSONSchema.mistake("grows beyond 20000 parts by its references", at: place) }
        if let isAllowed = schema.flag { return isAllowed ? JSONSchema.anything(3) : .nothing }
        guard let members = schema.members else { throw JSONSchema.mistake("has no schema (an object, true or false)", at: place) }
        let names = members.map { String(decoding: $0.key, as: UTF8.self) }
        if let name = names.first(where: JSONSchema.unsupported.contains) {
            throw JSONSchema.mistake("has the keyword \(name), which cannot be held to,", at: place)
        }
        // These stand alone: what else constrains beside them would have to hold too.
        for name in ["$ref", "const", "enum", "anyOf"] where names.contains(name) {
            let beside = JSONSchema.constraints.intersection(names).subtracting(["const", "enum"].contains(name) ? [name, "type"] : [name])
            if let other = beside.sorted().first {
                throw JSONSchema.mistake("has \(other) beside \(name), of which one must go,", at: place)
            }
            guard let value = schema.value(name) else { continue }
            switch name {
            case "$ref": return try reference(value, at: place)
            case "const": return try fixed([value], schema, at: place)
            case "enum":
                guard let values = value.elements, !values.isEmpty else {
                    throw JSONSchema.mistake("has an enum that is no list of values", at: place)
                }
                return try fixed(values, schema, at: place)
            default:
                guard let ways = value.elements, !ways.isEmpty else { throw JSONSchema.mistake("has an anyOf that is no list of schemas", at: place) }
                return try .choice(ways.enumerated().map { try grammar($1, at: "\(place)/anyOf/\($0)") })
            }
        }
        guard let types = try types(schema, at: place) ?? JSONSchema.implied(names).map({ [$0] }) else { return JSONSchema.anything(3) }
        return try .choice(types.map { try grammar(ofType: $0, schema, at: place) })
    }

    private static let constraints: Set<String> = [
        "type", "$ref", "const", "enum", "anyOf", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "pattern",
        "minLength", "maxLength",
    ]

    private func types(_ schema: JSON, at place: String) throws -> [String]? {
        guard let value = schema.value("type") else { return nil }
        let names = value.text.map { [$0] } ?? value.elements?.compactMap(\.text) ?? []
        let known = ["object", "array", "string", "integer", "number", "boolean", "null"]
        guard !names.isEmpty, names.allSatisfy(known.contains) else {
            throw JSONSchema.mistake("has a type that is none of \(known.joined(separator: ", "))", at: place)
        }
        return names
    }

    /// The type that a schema without one speaks of.
    private static func implied(_ names: [String]) -> String? {
        if names.contains(where: ["properties", "required", "additionalProperties"].contains) { return "object" }
        if names.contains(where: ["items", "minItems", "maxItems"].contains) { return "array" }
        return names.contains(where: ["pattern", "minLength", "maxLength"].contains) ? "string" : nil
    }

    private mutating func grammar(ofType type: String, _ schema: JSON, at place: String) throws -> Grammar {
        switch type {
        case "object": try object(schema, at: place)
        case "array": try array(schema, at: place)
        case "string": try string(schema, at: place)
        case "integer": JSONSchema.integer
        case "number": JSONSchema.number
        case "boolean": .choice([.text("true"), .text("false")])
        default: .text("null")
        }
    }

    // MARK: - Values

    private static let space = Grammar.optional(.text(" "))
    private static let comma = Grammar.sequence([space, .text(","), space])
    private static let digit = Grammar.scalars(ScalarSet("0123456789"))
    private static let minus = Grammar.optional(.text("-"))
    /// At most 18 digits: what 64 bits hold.
    private static let positive = Grammar.sequence([.scalars(ScalarSet("123456789")), .repeated(digit, 0, 17)])
    private static let integer = Grammar.sequence([minus, .choice([.text("0"), positive])])
    private static let fraction = Grammar.sequence([.text("."), .repeated(digit, 1, 18)])
    private static let exponent = Grammar.sequence([.scalars(ScalarSet("eE")), .optional(.scalars(ScalarSet("+-"))), .repeated(digit, 1, 2)])
    /// At most 18 digits before the point and behind it, and two in the exponent: what a float64 holds. Some readers (Foundation's) do not know 0e1.
    private static let number = Grammar.sequence([
        minus,
        .choice([
            .sequence([.text("0"), .optional(.sequence([fraction, .optional(exponent)]))]),
            .sequence([positive, .optional(fraction), .optional(exponent)]),
        ]),
    ])

    private static func string(_ inside: Grammar) -> Grammar { .sequence([.text("\""), inside.quoted, .text("\"")]) }

    private static let anyString = string(.repeated(.scalars(.all), 0, nil))

    private static func brackets(_ open: String, _ inside: Grammar, _ close: String) -> Grammar {
        .sequence([.text(open), space, inside, space, .text(close)])
    }

    /// Members with any names, none of them or more.
    private static func map(to value: Grammar) -> Grammar {
        brackets("{", .repeated(.sequence([anyString, space, .text(":"), space, value]), least: 0, most: nil, separator: comma), "}")
    }

    private static func anything(_ depth: Int) -> Grammar {
        let plain = [anyString, number, .text("true"), .text("false"), .text("null")]
        guard depth > 0 else { return .choice(plain) }
        let inside = anything(depth - 1)
        return .choice(plain + [brackets("[", .repeated(inside, least: 0, most: nil, separator: comma), "]"), map(to: inside)])
    }

    private mutating func reference(_ value: JSON, at place: String) throws -> Grammar {
        guard let pointer = value.text, pointer == "#" || pointer.hasPrefix("#/") else {
            throw JSONSchema.mistake("has a $ref that does not begin with #/", at: place)
        }
        var target: JSON? = root
        for part in pointer.split(separator: "/").dropFirst() {
            // RFC 6901, section 4
            let name = String(part).replacing("~1", with: "/").replacing("~0", with: "~")
            target = target?.elements.flatMap { all in Int(name).flatMap { all.indices.contains($0) ? all[$0] : nil } } ?? target?.value(name)
        }
        guard let target else { throw JSONSchema.mistake("has a $ref to \(pointer), which is not there,", at: place) }
        let times = open[pointer, default: 0]
        guard times < 4 else { return .nothing }
        open[pointer] = times + 1
        defer { open[pointer] = times }
        return try grammar(target, at: pointer)
    }

    /// One of these values, as far as their type is asked for.
    private func fixed(_ values: [JSON], _ schema: JSON, at place: String) throws -> Grammar {
        let types = try types(schema, at: place)
        let fitting = values.filter { value in types?.contains { value.isOf(type: $0) } ?? true }
        guard !fitting.isEmpty else { throw JSONSchema.mistake("has no value of its type", at: place) }
        if fitting.contains(where: \.holdsInexactNumber) { throw JSONSchema.mistake("has a whole number beyond 2^53", at: place) }
        return .choice(fitting.map { .bytes($0.serialized(indent: nil)) })
    }

    private mutating func object(_ schema: JSON, at place: String) throws -> Grammar {
        let properties = schema.value("properties")?.members ?? []
        let required = (schema.value("required")?.elements ?? []).compactMap(\.text)
        let others = schema.value("additionalProperties")
        if properties.isEmpty, required.isEmpty {
            if others?.flag == false { return JSONSchema.brackets("{", .empty, "}") }
            let value = try others.map { try grammar($0, at: place + "/additionalProperties") } ?? JSONSchema.anything(2)
            return value.isNothing ? JSONSchema.brackets("{", .empty, "}") : JSONSchema.map(to: value)
        }
        if let name = required.first(where: { name in !properties.contains { $0.key.elementsEqual(name.utf8) } }) {
            throw JSONSchema.mistake("requires \"\(name)\" and has no such property", at: place)
        }
        let items = try properties.map { key, value in
            let name = String(decoding: key, as: UTF8.self)
            let own = try grammar(value, at: "\(place)/properties/\(name)")
            let member = Grammar.sequence([
                .bytes(JSON.string(key).serialized(indent: nil)), JSONSchema.space, .text(":"), JSONSchema.space, own,
            ])
            return (item: member, isRequired: required.contains { $0.utf8.elementsEqual(key) })
        }
        let possible = items.filter { $0.isRequired || !$0.item.isNothing }
        return JSONSchema.brackets("{", .list(possible, separator: JSONSchema.comma), "}")
    }

    private mutating func array(_ schema: JSON, at place: String) throws -> Grammar {
        let (least, most) = try bounds(schema, "minItems", "maxItems", at: place)
        let item = try schema.value("items").map { try grammar($0, at: place + "/items") } ?? JSONSchema.anything(2)
        let inside: Grammar = item.isNothing && least == 0 ? .empty : .repeated(item, least: least, most: most, separator: JSONSchema.comma)
        return JSONSchema.brackets("[", inside, "]")
    }

    private func string(_ schema: JSON, at place: String) throws -> Grammar {
        let (least, most) = try bounds(schema, "minLength", "maxLength", at: place)
        let length = Grammar.repeated(.scalars(.all), least, most)
        guard let value = schema.value("pattern") else { return JSONSchema.string(length) }
        guard let pattern = value.text else { throw JSONSchema.mistake("has a pattern that is no string", at: place) }
        do {
            let inside = try RegularExpression.grammar(pattern, anywhere: true)
            return JSONSchema.string(least == 0 && most == nil ? inside : .both(inside, length))
        } catch let mistake as RegularExpression.Mistake {
            throw JSONSchema.mistake("has a pattern with \(mistake.problem)", at: place)
        }
    }

    private func bounds(_ schema: JSON, _ lower: String, _ upper: String, at place: String) throws -> (Int, Int?) {
        func bound(_ name: String) throws -> Int? {
            guard let value = schema.value(name) else { return nil }
            guard let bound = value.integer, 0...100_000 ~= bound else {
                throw JSONSchema.mistake("has a \(name) that is no number from 0 to 100000", at: place)
            }
            return bound
        }
        let (least, most) = (try bound(lower) ?? 0, try bound(upper))
        if let most, most < least { throw JSONSchema.mistake("has a \(upper) of \(most), below its \(lower) of \(least),", at: place) }
        return (least, most)
    }
}

extension JSON {
    /// A member, which may be null.
    fileprivate func value(_ key: String) -> JSON? { members?.first { $0.key.elementsEqual(key.utf8) }?.value }

    fileprivate func isOf(type: String) -> Bool {
        switch self {
        case .null: type == "null"
        case .bool: type == "boolean"
        case .number(let value): type == "number" || type == "integer" && value.rounded() == value
        case .string: type == "string"
        case .array: type == "array"
        case .object: type == "object"
        }
    }

    /// Whether a number in it may have been rounded when it was read.
    fileprivate var holdsInexactNumber: Bool {
        switch self {
        case .number(let value): abs(value) > 0x1p53
        case .array(let elements): elements.contains(where: \.holdsInexactNumber)
        case .object(let members): members.contains { $0.value.holdsInexactNumber }
        default: false
        }
    }
}
