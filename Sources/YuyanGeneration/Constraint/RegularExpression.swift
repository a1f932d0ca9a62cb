/// Reads a regular expression: literals, `.`, classes, `\d \w \s` and their opposites, escapes, groups, alternatives and repetitions, with the meaning that they have
/// in ECMAScript (ECMA-262, section 22.2), JSON Schema's dialect; only that `.` is none of what ends a line in other engines either.
struct RegularExpression {
    private let scalars: [Unicode.Scalar]
    private var index = 0
    private var depth = 0

    /// What a pattern allows as the whole of a text; or, where it is to be found `anywhere` in one, what such texts are.
    /// Throws a `Mistake` with the place.
    static func grammar(_ pattern: String, anywhere: Bool = false) throws -> Grammar {
        var parser = RegularExpression(pattern)
        let grammar = try parser.alternatives(anywhere: anywhere)
        if parser.index < parser.scalars.count { throw parser.mistake("a ) without its (") }
        return grammar
    }

    /// What is wrong with a pattern: goes on behind "has".
    struct Mistake: Error { var problem: String }

    private init(_ pattern: String) { scalars = Array(pattern.unicodeScalars) }

    private func mistake(_ problem: String, at place: Int? = nil) -> Mistake { Mistake(problem: "\(problem) at character \((place ?? index) + 1)") }

    private var next: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    private mutating func take(_ text: String) -> Bool {
        guard scalars[index...].starts(with: text.unicodeScalars) else { return false }
        index += text.unicodeScalars.count
        return true
    }

    private mutating func alternatives(anywhere: Bool = false) throws -> Grammar {
        var ways = [try branch(anywhere)]
        while take("|") { ways.append(try branch(anywhere)) }
        return ways.count == 1 ? ways[0] : .choice(ways)
    }

    private mutating func branch(_ anywhere: Bool) throws -> Grammar {
        var parts: [Grammar] = []
        let begin = index
        var (isFromStart, isToEnd) = (false, false)
        while let scalar = next, scalar != "|", scalar != ")" {
            let place = index
            switch scalar {
            case "^":
                guard depth == 0, index == begin else { throw mistake("a ^ that is not at the beginning") }
                (isFromStart, index) = (true, index + 1)
                continue
            case "$":
                index += 1
                guard depth == 0, next == nil || next == "|" else { throw mistake("a $ that is not at the end", at: place) }
                isToEnd = true
                continue
            default: break
            }
            let atom = try atom()
            parts.append(try repeated(atom))
        }
        if anywhere {
            let rest = Grammar.repeated(.scalars(.all), 0, nil)
            parts = (isFromStart ? [] : [rest]) + parts + (isToEnd ? [] : [rest])
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func atom() throws -> Grammar {
        let place = index
        guard let scalar = next else { return .empty }
        index += 1
        switch scalar {
        case ".": return .scalars(RegularExpression.endsOfLines.inverted)
        case "[": return .scalars(try set(from: place))
        case "\\":
            switch try escape(from: place) {
            case .scalar(let value): return .scalars(ScalarSet([value...value]))
            case .set(let set): return .scalars(set)
            }
        case "(": return try group(from: place)
        case "*", "+", "?": throw mistake("a \(scalar) with nothing to repeat", at: place)
        case "{", "}", "]": throw mistake("a \(scalar) without a backslash", at: place)
        default: return .scalars(ScalarSet([scalar.value...scalar.value]))
        }
    }

    private mutating func group(from place: Int) throws -> Grammar {
        if take("?") {
            if take("<") || take("P<"), let first = next, first != "=", first != "!" {
                while let scalar = next, scalar != ">", scalar != ")" { index += 1 }
                guard take(">") else { throw mistake("a group's name without its >", at: place) }
            } else if !take(":") {
                throw mistake("a look-ahead, look-behind or flag, which cannot be followed,", at: place)
            }
        }
        depth += 1
        defer { depth -= 1 }
        guard depth < 100 else { throw mistake("more than 100 groups inside each other", at: place) }
        let inside = try alternatives()
        guard take(")") else { throw mistake("a ( without its )", at: place) }
        return inside
    }

    private mutating func repeated(_ atom: Grammar) throws -> Grammar {
        let place = index
        let (least, most): (Int, Int?)
        if take("*") {
            (least, most) = (0, nil)
        } else if take("+") {
            (least, most) = (1, nil)
        } else if take("?") {
            (least, most) = (0, 1)
        } else if take("{") {
            guard let first = number() else { throw mistake("a { that no number follows", at: place) }
            let isRange = take(",")
            (least, most) = (first, isRange ? number() : first)
            guard take("}") else { throw mistake("a { without its }", at: place) }
            if let most, most < least { throw mistake("a repetition from \(least) down to \(most)", at: place) }
            guard max(least, most ?? 0) <= 100_000 else { throw mistake("a repetition of more than 100000 times", at: place) }
        } else {
            return atom
        }
        // A reluctant repetition allows the same texts.
        if !take("?"), take("+") { throw mistake("a possessive repetition, which cannot be followed,", at: index - 1) }
        if let scalar = next, ["*", "+", "?", "{"].contains(scalar) { throw mistake("a \(scalar) behind a repetition") }
        return .repeated(atom, least, most)
    }

    private mutating func number() -> Int? {
        let begin = index
        while let scalar = next, "0"..."9" ~= scalar { index += 1 }
        guard index > begin else { return nil }
        return Int(String(String.UnicodeScalarView(scalars[begin..<index]))) ?? .max
    }

    fileprivate enum Escape {
        case scalar(UInt32)
        case set(ScalarSet)
    }

    /// What stands behind a backslash.
    private mutating func escape(from place: Int) throws -> Escape {
        guard let scalar = next else { throw mistake("a backslash with nothing behind it", at: place) }
        index += 1
        switch scalar {
        case "d": return .set(RegularExpression.digits)
        case "D": return .set(RegularExpression.digits.inverted)
        case "w": return .set(RegularExpression.word)
        case "W": return .set(RegularExpression.word.inverted)
        case "s": return .set(RegularExpression.spaces)
        case "S": return .set(RegularExpression.spaces.inverted)
        case "n": return .scalar(0x0A)
        case "r": return .scalar(0x0D)
        case "t": return .scalar(0x09)
        case "f": return .scalar(0x0C)
        case "v": return .scalar(0x0B)
        case "0" where next.map { !("0"..."9" ~= $0) } ?? true: return .scalar(0)
        case "x": return .scalar(try hexadecimal(2, from: place))
        case "u":
            let value = take("{") ? try hexadecimal(nil, from: place) : try hexadecimal(4, from: place)
            if 0xD800..<0xDC00 ~= value, take("\\u") {
                let low = try hexadecimal(4, from: place)
                guard 0xDC00..<0xE000 ~= low else { throw mistake("half a surrogate pair", at: place) }
                return .scalar(0x10000 + (value - 0xD800) << 10 + (low - 0xDC00))
            }
            guard Unicode.Scalar(value) != nil else { throw mistake("a \\u that is no Unicode scalar", at: place) }
            return .scalar(value)
        case "b", "B": throw mistake("a word boundary, which cannot be followed,", at: place)
        case "1"..."9", "k": throw mistake("a reference back to a group, which cannot be followed,", at: place)
        case "a"..."z", "A"..."Z", "0": throw mistake("the unknown escape \\\(scalar)", at: place)
        default: return .scalar(scalar.value)
        }
    }

    /// So many digits; nil: up to a brace, which is taken too.
    private mutating func hexadecimal(_ digits: Int?, from place: Int) throws -> UInt32 {
        let end = digits.map { index + $0 } ?? scalars[index...].firstIndex(of: "}") ?? index
        guard end <= scalars.count, end > index, scalars[index..<end].allSatisfy(\.properties.isASCIIHexDigit),
            let value = UInt32(String(String.UnicodeScalarView(scalars[index..<end])), radix: 16)
        else { throw mistake("an escape without its hexadecimal digits", at: place) }
        index = digits == nil ? end + 1 : end
        return value
    }

    /// The inside of a class and its end.
    private mutating func set(from place: Int) throws -> ScalarSet {
        let isInverted = take("^")
        var set = ScalarSet([])
        if next == "]" { throw mistake("a class that begins with ], which wants a backslash,", at: place) }
        while true {
            guard let scalar = next else { throw mistake("a [ without its ]", at: place) }
            if take("]") { break }
            let itemPlace = index
            let first = try classItem(scalar)
            guard next == "-", index + 1 < scalars.count, scalars[index + 1] != "]" else {
                set = set.union(first.set)
                continue
            }
            index += 1
            let last = try classItem(scalars[index])
            guard case .scalar(let low) = first, case .scalar(let high) = last, low <= high else {
                throw mistake("a range from high to low, or with a class at its end,", at: itemPlace)
            }
            set = set.union(ScalarSet([low...high]))
        }
        return isInverted ? set.inverted : set
    }

    private mutating func classItem(_ scalar: Unicode.Scalar) throws -> Escape {
        let place = index
        index += 1
        if scalar == "\\" {
            if next == "b" { throw mistake("the unknown escape \\b", at: place) }
            return try escape(from: place)
        }
        if scalar == "[" { throw mistake("a [ in a class without a backslash", at: place) }
        return .scalar(scalar.value)
    }

    private static let endsOfLines = ScalarSet("\n\u{0B}\u{0C}\r\u{85}\u{2028}\u{2029}")
    private static let digits = ScalarSet([0x30...0x39])
    private static let word = ScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    private static let spaces = ScalarSet([
        0x09...0x0D, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029, 0x202F...0x202F, 0x205F...0x205F, 0x3000...0x3000,
        0xFEFF...0xFEFF,
    ])
}

extension RegularExpression.Escape {
    fileprivate var set: ScalarSet {
        switch self {
        case .scalar(let value): ScalarSet([value...value])
        case .set(let set): set
        }
    }
}
