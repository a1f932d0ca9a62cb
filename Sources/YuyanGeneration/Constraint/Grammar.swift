/// What texts may look like: what both regular expressions and JSON schemas become.
indirect enum Grammar: Sendable {
    /// One of these scalars.
    case scalars(ScalarSet)
    /// Exactly these bytes.
    case bytes([UInt8])
    case sequence([Grammar])
    /// One of these; none of them: no text at all.
    case choice([Grammar])
    /// At least so many times and at most so many, with the separator between.
    case repeated(Grammar, least: Int, most: Int?, separator: Grammar)
    /// Each item at most once, in order, the required ones always, with the separator between those that are there.
    case list([(item: Grammar, isRequired: Bool)], separator: Grammar)
    /// What both allow.
    case both(Grammar, Grammar)
}

extension Grammar {
    static let empty = Grammar.bytes([])
    static let nothing = Grammar.choice([])

    static func text(_ text: String) -> Grammar { .bytes(Array(text.utf8)) }

    static func optional(_ item: Grammar) -> Grammar { repeated(item, 0, 1) }

    static func repeated(_ item: Grammar, _ least: Int, _ most: Int?) -> Grammar { .repeated(item, least: least, most: most, separator: .empty) }

    /// Whether no text at all is allowed. A meeting of two (`both`) is not looked into.
    var isNothing: Bool {
        switch self {
        case .scalars(let set): set.isEmpty
        case .bytes, .both: false
        case .sequence(let parts): parts.contains(where: \.isNothing)
        case .choice(let ways): ways.allSatisfy(\.isNothing)
        case .repeated(let item, let least, _, _): least > 0 && item.isNothing
        case .list(let items, _): items.contains { $0.isRequired && $0.item.isNothing }
        }
    }

    /// The same texts as the inside of a JSON string (RFC 8259, section 7), where each scalar has one form only: itself, a short escape, or `\u` for other
    /// control characters.
    var quoted: Grammar {
        switch self {
        case .scalars(let set): Grammar.quoted(set)
        case .bytes(let bytes):
            .sequence(String(decoding: bytes, as: UTF8.self).unicodeScalars.map { Grammar.quoted(ScalarSet([$0.value...$0.value])) })
        case .sequence(let parts): .sequence(parts.map(\.quoted))
        case .choice(let ways): .choice(ways.map(\.quoted))
        case .repeated(let item, let least, let most, let separator): .repeated(item.quoted, least: least, most: most, separator: separator.quoted)
        case .list(let items, let separator): .list(items.map { ($0.item.quoted, $0.isRequired) }, separator: separator.quoted)
        case .both(let one, let other): .both(one.quoted, other.quoted)
        }
    }

    private static let escaped = ScalarSet("\"\\").union(ScalarSet([0...0x1F]))
    private static let shortEscapes: [UInt32: String] = [0x22: "\\\"", 0x5C: "\\\\", 0x08: "\\b", 0x0C: "\\f", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t"]

    private static func quoted(_ set: ScalarSet) -> Grammar {
        let escapes = set.intersection(escaped).ranges.joined().map { scalar in
            let digits = String(scalar, radix: 16)
            return Grammar.text(shortEscapes[scalar] ?? "\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
        }
        let plain = Grammar.scalars(set.intersection(escaped.inverted))
        return escapes.isEmpty ? plain : .choice([plain] + escapes)
    }
}
