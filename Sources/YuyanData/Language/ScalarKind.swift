/// What a scalar is for the statistics of a text: one byte from one table.
struct ScalarKind {
    static let other: UInt8 = 0
    static let han: UInt8 = 1
    static let kana: UInt8 = 2
    static let hangul: UInt8 = 3
    /// `A–Z`, `a–z`
    static let latin: UInt8 = 4
    /// Latin letters beyond ASCII
    static let accented: UInt8 = 5
    static let cyrillic: UInt8 = 6
    static let letter: UInt8 = 7
    static let digit: UInt8 = 8
    static let space: UInt8 = 9
    static let lineEnd: UInt8 = 10
    static let punctuation: UInt8 = 11
    static let symbol: UInt8 = 12

    static let mask: UInt8 = 0x0F
    /// Part of a word that is written with several letters.
    static let inWord: UInt8 = 0x10
    /// Written so in traditional text only: OpenCC's t2s changes it.
    static let traditional: UInt8 = 0x20
    /// Written so in simplified text only: OpenCC's s2t changes it.
    static let simplified: UInt8 = 0x40
    /// May begin text that was read in the wrong encoding.
    static let suspect: UInt8 = 0x80

    /// Scalars from here on are none of these.
    static let limit = 0x32400

    nonisolated(unsafe) private static let made: Result<UnsafePointer<UInt8>, DataError> = Result { () throws(DataError) in try make() }

    /// `limit` entries, made at the first use; throws where OpenCC's dictionaries are not installed.
    static func table() throws -> UnsafePointer<UInt8> { try made.get() }

    private static func make() throws(DataError) -> UnsafePointer<UInt8> {
        let converters: (ChineseConverter, ChineseConverter)
        do {
            converters = (try .shared("t2s"), try .shared("s2t"))
        } catch {
            throw error as? DataError ?? DataError("\(error)")
        }
        let table = UnsafeMutablePointer<UInt8>.allocate(capacity: limit)
        table.initialize(repeating: other, count: limit)
        for value in 0..<UInt32(limit) {
            if isHan(value) {
                table[Int(value)] = han | (converters.0.changes(value) ? traditional : 0) | (converters.1.changes(value) ? simplified : 0)
            } else if value &- 0xAC00 < 11172 {
                table[Int(value)] = hangul
            } else if let scalar = Unicode.Scalar(value) {
                table[Int(value)] = kind(of: scalar)
            }
        }
        // First characters of what Mojibake.length recognises.
        for scalar in "锟烫屯ãäåæçèéï锛銆鐨鏄鍦鍥鎴浠杩".unicodeScalars { table[Int(scalar.value)] |= suspect }
        return UnsafePointer(table)
    }

    private static func kind(of scalar: Unicode.Scalar) -> UInt8 {
        switch scalar.value {
        case 0x0A: return lineEnd
        case 0x41...0x5A, 0x61...0x7A: return latin | inWord
        case 0x3041...0x309F, 0x30A1...0x30FA, 0x30FC...0x30FF, 0x31F0...0x31FF, 0xFF66...0xFF9F: return kana
        case 0x1100...0x11FF, 0x3131...0x318E: return hangul
        case 0xFF21...0xFF3A, 0xFF41...0xFF5A: return accented
        case 0xFF10...0xFF19: return digit
        case 0x3105...0x312F, 0x31A0...0x31BF: return letter
        default: break
        }
        let properties = scalar.properties
        if properties.isWhitespace { return space }
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
            switch scalar.value {
            case 0xAA...0x24F, 0x1E00...0x1EFF, 0x2C60...0x2C7F, 0xA720...0xA7FF: return accented | inWord
            case 0x400...0x52F, 0x1C80...0x1C8F, 0x2DE0...0x2DFF, 0xA640...0xA69F: return cyrillic | inWord
            default: return letter | inWord
            }
        case .decimalNumber: return digit | inWord
        case .letterNumber, .otherNumber: return digit
        case .nonspacingMark, .spacingMark, .enclosingMark: return scalar.value >= 0xFE00 && scalar.value <= 0xFE0F ? other : other | inWord
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation, .otherPunctuation:
            return punctuation
        case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol: return symbol
        default: return other
        }
    }
}
