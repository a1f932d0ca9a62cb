/// Some of the kinds.
struct PrivateKindSet: Sendable {
    private var bits: UInt16 = 0

    init(_ kinds: [PrivateKind]) {
        for kind in kinds { bits |= Self.bit(kind) }
    }

    @inline(__always)
    private static func bit(_ kind: PrivateKind) -> UInt16 {
        switch kind {
        case .mobile: 1
        case .landline: 2
        case .identityCard: 4
        case .bankCard: 8
        case .plate: 16
        case .email: 32
        case .ip: 64
        case .passport: 128
        case .wechat: 256
        case .qq: 512
        case .address: 1024
        case .name: 2048
        }
    }

    @inline(__always)
    func contains(_ kind: PrivateKind) -> Bool { bits & Self.bit(kind) != 0 }
}

/// Goes over a text once. A table says of every first byte whether something private can begin (or, of `@` and titles, end) there; a second
/// one says so of every Han character. What follows is read by hand-written rules, each of which looks a bounded number of bytes about.
struct PrivateScanner {
    /// What a byte may begin.
    enum Trigger {
        static let none: UInt8 = 0
        static let han: UInt8 = 1
        static let digit: UInt8 = 2
        static let at: UInt8 = 3
        static let colon: UInt8 = 4
        static let capital: UInt8 = 5
        static let keyword: UInt8 = 6
        static let long: UInt8 = 7
    }

    let bytes: UnsafeBufferPointer<UInt8>
    let kinds: PrivateKindSet
    let words = PrivacyWords.shared
    var findings: [PrivateFinding] = []
    /// Where the last finding ends.
    var end = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>, kinds: PrivateKindSet) {
        self.bytes = bytes
        self.kinds = kinds
    }

    private static let triggers: [UInt8] = (0..<256).map { byte in
        switch UInt8(byte) {
        case 0x30...0x39: Trigger.digit
        case UInt8(ascii: "@"): Trigger.at
        case UInt8(ascii: ":"): Trigger.colon
        case UInt8(ascii: "E"), UInt8(ascii: "G"), UInt8(ascii: "D"), UInt8(ascii: "S"), UInt8(ascii: "P"): Trigger.capital
        case UInt8(ascii: "V"), UInt8(ascii: "v"), UInt8(ascii: "W"), UInt8(ascii: "w"), UInt8(ascii: "Q"), UInt8(ascii: "q"): Trigger.keyword
        case 0xE4...0xE9: Trigger.han
        case 0xE0...0xEF: Trigger.long
        default: Trigger.none
        }
    }

    /// All findings in order.
    mutating func scan() -> [PrivateFinding] {
        let triggers = Self.triggers
        triggers.withUnsafeBufferPointer { triggers in
            var position = 0
            while position < bytes.count {
                switch triggers[Int(bytes[position])] {
                case Trigger.none:
                    position &+= 1
                case Trigger.long:
                    position &+= 3
                case Trigger.han:
                    let flags = words.flags(of: han(position))
                    position = flags & PrivacyWords.triggers == 0 ? position &+ 3 : max(hanTrigger(position, flags), position &+ 3)
                case Trigger.digit:
                    position = number(position)
                case Trigger.at:
                    position = email(position)
                case Trigger.colon:
                    position = kinds.contains(.ip) ? ipv6(position) : position &+ 1
                case Trigger.capital:
                    position = kinds.contains(.passport) ? passport(position) : position &+ 1
                default:
                    position = keyword(position)
                }
            }
        }
        if findings.contains(where: { $0.kind == .name }) { findNamesAgain() }
        return findings
    }

    /// Keeps a finding; gives where it ends.
    mutating func found(_ kind: PrivateKind, _ range: Range<Int>) -> Int {
        findings.append(PrivateFinding(kind, range))
        end = range.upperBound
        return end
    }

    // MARK: - Looking about

    /// The byte at a position, 0 outside of the text.
    @inline(__always)
    func byte(_ position: Int) -> UInt8 {
        position >= 0 && position < bytes.count ? bytes[position] : 0
    }

    /// The Han character (U+4E00–U+9FFF) at a position, 0 where there is none.
    @inline(__always)
    func han(_ position: Int) -> UInt32 {
        guard position >= 0 && position &+ 2 < bytes.count else { return 0 }
        let first = bytes[position]
        guard first >= 0xE4 && first <= 0xE9 else { return 0 }
        let scalar = UInt32(first & 0xF) << 12 | UInt32(bytes[position &+ 1] & 0x3F) << 6 | UInt32(bytes[position &+ 2] & 0x3F)
        return scalar >= 0x4E00 ? scalar : 0
    }

    /// The Han character that ends before a position and does not begin before `limit`, 0 where there is none.
    @inline(__always)
    func hanBefore(_ position: Int, limit: Int) -> UInt32 {
        position &- 3 >= limit && byte(position &- 1) & 0xC0 == 0x80 && byte(position &- 2) & 0xC0 == 0x80 ? han(position &- 3) : 0
    }

    /// Whether these bytes stand at a position.
    @inline(__always)
    func stands(_ text: StaticString, _ position: Int) -> Bool {
        guard position >= 0 && position &+ text.utf8CodeUnitCount <= bytes.count else { return false }
        for index in 0..<text.utf8CodeUnitCount where bytes[position &+ index] != text.utf8Start[index] { return false }
        return true
    }

    /// Whether one of some words stands within `reach` bytes before a position, in the same line.
    func stands(oneOf words: [StaticString], before position: Int, reach: Int) -> Bool {
        for start in stride(from: position - 1, through: max(position - reach, 0), by: -1) {
            if bytes[start] == 0x0A { return false }
            if words.contains(where: { stands($0, start) && start + $0.utf8CodeUnitCount <= position }) { return true }
        }
        return false
    }

    func isDigit(_ position: Int) -> Bool { byte(position) &- 0x30 < 10 }

    func isLetter(_ position: Int) -> Bool { (byte(position) | 0x20) &- 0x61 < 26 }

    func isWord(_ position: Int) -> Bool { isDigit(position) || isLetter(position) || byte(position) == UInt8(ascii: "_") }

    /// Where the digits from a position on end.
    func digitsEnd(_ position: Int) -> Int {
        var end = position
        while isDigit(end) { end += 1 }
        return end
    }

    /// The values of the digits in a range, other characters left out.
    func digits(_ range: Range<Int>) -> [UInt8] {
        bytes[range].filter { $0 &- 0x30 < 10 }.map { $0 - 0x30 }
    }

    /// The length of a colon, a dash or a space at a position (ASCII, full-width or ideographic), 0 where there is none.
    func separatorLength(_ position: Int) -> Int {
        switch byte(position) {
        case UInt8(ascii: ":"), UInt8(ascii: " "), 0x09: 1
        default: stands("：", position) || stands("\u{3000}", position) ? 3 : stands("\u{A0}", position) ? 2 : 0
        }
    }
}
