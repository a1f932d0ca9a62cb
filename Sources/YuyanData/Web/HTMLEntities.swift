import CXML2

/// Character references: `&lt;`, `&#20013;`, `&#x4E2D;`.
enum HTMLEntities {
    /// libxml2's table (HTML 4's names), turned round once: its own look-up by name goes through the list.
    private static let scalars: [String: UInt32] = {
        var table: [String: UInt32] = [:]
        for value in UInt32(1)...0x2FFF {
            guard let entity = htmlEntityValueLookup(value), let name = entity.pointee.name else { continue }
            table[String(cString: name)] = value
        }
        return table
    }()

    /// What numbers from 128 to 159 stand for: pages mean Windows-1252 (HTML standard, 13.2.5.80).
    private static let windows1252: [UInt32] = [
        0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D, 0x8F,
        0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D, 0x017E, 0x0178,
    ]

    /// The reference that begins at `start`, where `&` stands, and where it ends; nil if it is only an `&`. Names need their semicolon (an
    /// address has `&copy=`), but for `&nbsp`, which is nothing else.
    static func decode(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> (scalar: Unicode.Scalar, end: Int)? {
        var index = start + 1
        guard index < bytes.count else { return nil }
        if bytes[index] == UInt8(ascii: "#") { return number(bytes, at: index + 1) }
        while index < bytes.count, index - start < 12, isAlphanumeric(bytes[index]) { index += 1 }
        let isClosed = index < bytes.count && bytes[index] == UInt8(ascii: ";")
        var name = String(decoding: bytes[start + 1..<index], as: UTF8.self)
        if !isClosed {
            guard name.hasPrefix("nbsp") else { return nil }
            (name, index) = ("nbsp", start + 5)
        }
        guard let scalar = scalars[name].flatMap(Unicode.Scalar.init) else { return nil }
        return (scalar, isClosed ? index + 1 : index)
    }

    private static func number(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> (scalar: Unicode.Scalar, end: Int)? {
        var index = start
        let isHexadecimal = index < bytes.count && bytes[index] | 0x20 == UInt8(ascii: "x")
        if isHexadecimal { index += 1 }
        let firstDigit = index
        var value: UInt32 = 0
        while index < bytes.count, let digit = digit(bytes[index], isHexadecimal: isHexadecimal) {
            value = min(value * (isHexadecimal ? 16 : 10) + digit, 0x11_0000)
            index += 1
        }
        guard index > firstDigit else { return nil }
        if index < bytes.count, bytes[index] == UInt8(ascii: ";") { index += 1 }
        if (0x80...0x9F).contains(value) { value = windows1252[Int(value - 0x80)] }
        return (value == 0 ? "\u{FFFD}" : Unicode.Scalar(value) ?? "\u{FFFD}", index)
    }

    private static func digit(_ byte: UInt8, isHexadecimal: Bool) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte) - 0x30
        case UInt8(ascii: "a")...UInt8(ascii: "f") where isHexadecimal: UInt32(byte) - 0x57
        case UInt8(ascii: "A")...UInt8(ascii: "F") where isHexadecimal: UInt32(byte) - 0x37
        default: nil
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isASCIILetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

func isASCIILetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) }
