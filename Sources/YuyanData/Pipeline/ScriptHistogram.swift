/// Unicode scalars by what they are, coarsely.
public struct ScriptHistogram: Codable, Sendable, Hashable {
    /// The kinds, in the order in which they are shown.
    public enum Script: String, Codable, Sendable, CaseIterable {
        case han, kana, hangul, latin, cyrillic, digits, punctuation, whitespace, emoji, privateUse, control, replacement, other
    }

    private var counts = [Int](repeating: 0, count: Script.allCases.count)

    /// Nothing yet.
    public init() {}

    /// How many there are of one kind.
    public subscript(script: Script) -> Int { counts[Self.index(script)] }

    /// How many there are in all.
    public var total: Int { counts.reduce(0, +) }

    /// Counts the scalars of a text.
    public mutating func add(_ text: String) {
        for scalar in text.unicodeScalars { counts[Int(Self.kind(scalar.value))] += 1 }
    }

    /// Both counted together.
    public static func += (sum: inout ScriptHistogram, other: ScriptHistogram) {
        for index in sum.counts.indices { sum.counts[index] += other.counts[index] }
    }

    private static func index(_ script: Script) -> Int { Int(places[script] ?? 0) }
    private static let places = Dictionary(uniqueKeysWithValues: Script.allCases.enumerated().map { ($1, UInt8($0)) })

    /// The kinds of the scalars below U+3100, where they change often; the rest goes by blocks.
    private static let table: [UInt8] = (0..<0x3100).map { value in
        guard let scalar = Unicode.Scalar(UInt32(value)) else { return places[.other]! }
        let properties = scalar.properties
        let script: Script =
            switch properties.generalCategory {
            case _ where value == 0x3007 || value == 0x3005: .han
            case _ where (0x3040...0x30FF).contains(value): .kana
            case _ where properties.isWhitespace: .whitespace
            case .control, .format, .unassigned: .control
            case .decimalNumber: .digits
            case .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation, .connectorPunctuation,
                .otherPunctuation:
                .punctuation
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
                switch value {
                case 0..<0x250, 0x1E00..<0x1F00: .latin
                case 0x400..<0x530: .cyrillic
                case 0x1100..<0x1200: .hangul
                case 0x2E80..<0x2FE0: .han
                default: .other
                }
            case _ where (0x2E80..<0x2FE0).contains(value): .han
            case _ where (0x2600..<0x27C0).contains(value): .emoji
            default: .other
            }
        return places[script]!
    }

    private static func kind(_ value: UInt32) -> UInt8 {
        if value < 0x3100 { return table[Int(value)] }
        return switch value {
        case 0x3400..<0x4DC0, 0x4E00..<0xA000, 0xF900..<0xFB00, 0x20000..<0x323B0: 0
        case 0x31F0..<0x3200, 0xFF66..<0xFF9E: 1
        case 0x3130..<0x3190, 0xA960..<0xA980, 0xAC00..<0xD800: 2
        case 0xFF21...0xFF3A, 0xFF41...0xFF5A: 3
        case 0xFF10...0xFF19: 5
        case 0xFE10..<0xFE20, 0xFE30..<0xFE70, 0xFF01..<0xFF66: 6
        case 0x1F000..<0x1FB00: 8
        case 0xE000..<0xF900, 0xF0000...: 9
        case 0xFEFF: 10
        case 0xFFFD: 11
        default: 12
        }
    }
}
