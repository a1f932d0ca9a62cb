import YuyanText

/// What the length of an input is measured in.
public enum BudgetUnit: String, Codable, Sendable, CaseIterable {
    /// Unicode scalars.
    case characters
    /// Tokens of a tokenizer.
    case tokens
}

/// A limit on the length of texts.
struct TextBudget: Sendable {
    let limit: Int
    private let tokenizer: Tokenizer?

    init(_ limit: Int, _ unit: BudgetUnit, tokenizer: Tokenizer?) throws {
        guard limit > 0 else { throw DataError("the budget is \(limit) \(unit), and should be above 0") }
        guard unit == .characters || tokenizer != nil else { throw DataError("a budget in tokens needs a tokenizer") }
        self.limit = limit
        self.tokenizer = unit == .tokens ? tokenizer : nil
    }

    func holds(_ text: String) -> Bool {
        // A token holds one byte at least.
        if let tokenizer { text.utf8.count <= limit || tokenizer.encode(text).count <= limit } else { scalarCount(text) <= limit }
    }

    /// The longest beginning of `text` with which `whole` fits; nil where not even the empty one does.
    func longestPrefix(of text: String, in whole: (String) -> String) -> String? {
        if holds(whole(text)) { return text }
        guard holds(whole("")) else { return nil }
        let scalars = Array(text.unicodeScalars)
        func prefix(_ count: Int) -> String {
            var text = String.UnicodeScalarView()
            text.append(contentsOf: scalars.prefix(count))
            return String(text)
        }
        var (fits, fails) = (0, scalars.count)
        while fails - fits > 1 {
            let middle = (fits + fails) / 2
            if holds(whole(prefix(middle))) { fits = middle } else { fails = middle }
        }
        return prefix(fits)
    }
}

/// `text.unicodeScalars.count` at the speed of memory: each scalar has one byte that is no continuation byte.
func scalarCount(_ text: String) -> Int {
    var text = text
    return text.withUTF8 { bytes in bytes.reduce(0) { $0 &+ (Int8(bitPattern: $1) > -65 ? 1 : 0) } }
}
