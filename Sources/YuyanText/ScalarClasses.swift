/// What the splitting rules ask about a scalar, as a table of bits over all of Unicode: one load instead of a property lookup.
struct ScalarClasses: OptionSet {
    let rawValue: UInt8

    /// `\p{L}`
    static let letter = ScalarClasses(rawValue: 1)
    /// `\p{N}`
    static let number = ScalarClasses(rawValue: 2)
    /// `\s`: the property White_Space
    static let space = ScalarClasses(rawValue: 4)
    /// `\r` and `\n`
    static let newline = ScalarClasses(rawValue: 8)
    /// Punctuation as BERT sees it: every ASCII symbol, and `\p{P}` of Unicode 8
    static let punctuation = ScalarClasses(rawValue: 16)
    /// `\w`: letters, numbers, marks, connectors
    static let word = ScalarClasses(rawValue: 32)
    /// Normalisation to NFC may change it or its neighbours
    static let composable = ScalarClasses(rawValue: 64)

    /// 0x110000 entries of raw values, made once.
    nonisolated(unsafe) static let table: UnsafePointer<UInt8> = {
        let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 0x110000)
        table.initialize(repeating: 0, count: 0x110000)
        // Nothing is assigned between the planes of ideographs and the tags and variation selectors of plane 14.
        for range in [UInt32(0)..<0x32400, 0xE0000..<0xE0200] {
            for value in range {
                if let scalar = Unicode.Scalar(value) { table[Int(value)] = ScalarClasses(classifying: scalar).rawValue }
            }
        }
        return UnsafePointer(table)
    }()

    init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    private init(classifying scalar: Unicode.Scalar) {
        let properties = scalar.properties
        var classes: ScalarClasses = []
        // Hugging Face tokenizers stand on Unicode 16 for regular expressions; later letters are unassigned there.
        if let age = properties.age, age.major <= 16 {
            switch properties.generalCategory {
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: classes = [.letter, .word]
            case .decimalNumber, .letterNumber, .otherNumber: classes = .number
            default: break
            }
            switch properties.generalCategory {
            case .decimalNumber, .letterNumber, .nonspacingMark, .spacingMark, .enclosingMark, .connectorPunctuation: classes.insert(.word)
            default: if properties.isAlphabetic || properties.isJoinControl { classes.insert(.word) }
            }
        }
        if properties.isWhitespace { classes.insert(.space) }
        if scalar == "\r" || scalar == "\n" { classes.insert(.newline) }
        if isBertPunctuation(scalar) { classes.insert(.punctuation) }
        if !isStableInNFC(scalar.value) { classes.insert(.composable) }
        self = classes
    }
}

/// Ranges in which NFC changes nothing, even beside other scalars of these ranges: a quick check in the sense of Unicode Annex 15, section 9,
/// kept to scripts that are common in Chinese text; the rest takes the full way.
private func isStableInNFC(_ value: UInt32) -> Bool {
    switch value {
    case 0x0000...0x02FF, 0x0391...0x03CE, 0x0400...0x0482, 0x048A...0x052F, 0x2010...0x205E, 0x2070...0x20CF, 0x2100...0x2125,
        0x212C...0x2328, 0x232B...0x2ADB, 0x2E80...0x2FFF, 0x3000...0x3029, 0x3030...0x3098, 0x309B...0x4DBF, 0x4E00...0x9FFF,
        0xAC00...0xD7A3, 0xE000...0xF8FF, 0xFE10...0xFE1F, 0xFE30...0xFE6F, 0xFF00...0xFFFF, 0x1F000...0x1FAFF, 0x20000...0x2EBEF,
        0x30000...0x323AF:
        true
    default: false
    }
}

/// Unicode 8, on which BERT's character classes in Hugging Face tokenizers stand, had the scalar already.
private func isInUnicode8(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.age.map { $0.major <= 8 } ?? false
}

func isBertPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E, 0x166D, 0x111C9: return true
    case 0..<0x80: return false
    default: break
    }
    switch scalar.properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation, .otherPunctuation:
        return isInUnicode8(scalar)
    default: return false
    }
}

/// What BERT's cleaning removes: control and format characters but tab and line ends, private use, NUL, U+FFFD.
func isBertControl(_ scalar: Unicode.Scalar) -> Bool {
    if scalar == "\t" || scalar == "\n" || scalar == "\r" { return false }
    if scalar == "\u{FFFD}" { return true }
    switch scalar.properties.generalCategory {
    case .control, .privateUse: return true
    case .format: return isInUnicode8(scalar)
    default: return false
    }
}

/// The accents that BERT strips after decomposition: nonspacing marks of Unicode 8.
func isBertAccent(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x1734: true
    case 0x1885, 0x1886, 0xA9BD, 0x111C9, 0x1171E: false
    default: scalar.properties.generalCategory == .nonspacingMark && isInUnicode8(scalar)
    }
}

/// The ideographs that BERT makes words of their own (with the gap at U+2B820…U+2B91F that Hugging Face tokenizers have).
func isBertIdeograph(_ value: UInt32) -> Bool {
    switch value {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F, 0x2B920...0x2CEAF, 0xF900...0xFAFF,
        0x2F800...0x2FA1F:
        true
    default: false
    }
}

/// The scalar that starts at `index` of valid UTF-8, and its length.
@inline(__always)
func scalar(_ bytes: UnsafePointer<UInt8>, _ index: Int) -> (value: UInt32, length: Int) {
    let first = UInt32(bytes[index])
    if first < 0x80 { return (first, 1) }
    if first < 0xE0 { return ((first & 0x1F) << 6 | UInt32(bytes[index + 1] & 0x3F), 2) }
    if first < 0xF0 { return ((first & 0x0F) << 12 | UInt32(bytes[index + 1] & 0x3F) << 6 | UInt32(bytes[index + 2] & 0x3F), 3) }
    return (
        (first & 0x07) << 18 | UInt32(bytes[index + 1] & 0x3F) << 12 | UInt32(bytes[index + 2] & 0x3F) << 6 | UInt32(bytes[index + 3] & 0x3F), 4
    )
}

/// The start of the first scalar that is not well-formed UTF-8 (Unicode 16, table 3-7), nil when all are.
func firstInvalidByte(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
    guard let base = bytes.baseAddress else { return nil }
    let count = bytes.count
    var index = 0
    @inline(__always) func continues(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
        index + offset < count && range ~= base[index + offset]
    }
    while index < count {
        if index + 8 <= count, UnsafeRawPointer(base).loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0 {
            index += 8
            continue
        }
        switch base[index] {
        case 0x00...0x7F: index += 1
        case 0xC2...0xDF where continues(1): index += 2
        case 0xE1...0xEC where continues(1) && continues(2), 0xEE...0xEF where continues(1) && continues(2): index += 3
        case 0xE0 where continues(1, 0xA0...0xBF) && continues(2), 0xED where continues(1, 0x80...0x9F) && continues(2): index += 3
        case 0xF1...0xF3 where continues(1) && continues(2) && continues(3): index += 4
        case 0xF0 where continues(1, 0x90...0xBF) && continues(2) && continues(3): index += 4
        case 0xF4 where continues(1, 0x80...0x8F) && continues(2) && continues(3): index += 4
        default: return index
        }
    }
    return nil
}
