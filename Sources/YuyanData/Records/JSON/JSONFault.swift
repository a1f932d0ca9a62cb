/// Where and why a text is not JSON. The fast parser only says that it is not; this one is plain, reads by RFC 8259 byte by byte, and says what it
/// expected.
struct JSONFault: Error, Equatable {
    var offset: Int
    var reason: String

    /// The first fault of a text; nil where it is JSON.
    static func find(in bytes: UnsafeBufferPointer<UInt8>) -> JSONFault? {
        var check = JSONCheck(bytes: bytes)
        do {
            try check.document()
            return nil
        } catch {
            return error
        }
    }
}

private struct JSONCheck {
    let bytes: UnsafeBufferPointer<UInt8>
    private var index = 0
    private var depth = 0

    init(bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private func fail(_ reason: String, at offset: Int? = nil) -> JSONFault { JSONFault(offset: offset ?? index, reason: reason) }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { index += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    mutating func document() throws(JSONFault) {
        try value()
        skipSpace()
        if index < bytes.count { throw fail("there is more behind the end of the value") }
    }

    private mutating func value() throws(JSONFault) {
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): try list(closing: "}", isObject: true)
        case UInt8(ascii: "["): try list(closing: "]", isObject: false)
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        case nil: throw fail("it ends where a value is expected")
        case let byte?:
            guard byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { throw fail("a value is expected") }
            try number()
        }
    }

    private mutating func list(closing: Unicode.Scalar, isObject: Bool) throws(JSONFault) {
        depth += 1
        defer { depth -= 1 }
        if depth > 512 { throw fail("brackets nest deeper than 512") }
        let start = index
        index += 1
        skipSpace()
        if take(closing) { return }
        while true {
            if isObject { try key() }
            try value()
            skipSpace()
            if take(closing) { return }
            if index == bytes.count { throw fail("this bracket is never closed", at: start) }
            if !take(",") { throw fail("a comma or \(closing) is expected") }
        }
    }

    private mutating func key() throws(JSONFault) {
        skipSpace()
        if index == bytes.count { throw fail("it ends where a key is expected") }
        if next != UInt8(ascii: "\"") { throw fail("a key in double quotes is expected") }
        try string()
        skipSpace()
        if !take(":") { throw fail("a colon is expected behind the key") }
    }

    private mutating func word(_ word: StaticString) throws(JSONFault) {
        let start = index
        for place in 0..<word.utf8CodeUnitCount {
            guard next == word.utf8Start[place] else { throw fail("a value is expected", at: start) }
            index += 1
        }
    }

    private mutating func digits() -> Bool {
        let start = index
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { index += 1 }
        return index > start
    }

    private mutating func number() throws(JSONFault) {
        let start = index
        _ = take("-")
        guard take("0") || digits() else { throw fail("a number has no digits", at: start) }
        if take("."), !digits() { throw fail("a number has no digits behind its point", at: start) }
        if take("e") || take("E") {
            _ = take("+") || take("-")
            if !digits() { throw fail("a number has no digits in its exponent", at: start) }
        }
    }

    private mutating func string() throws(JSONFault) {
        let start = index
        index += 1
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                return
            case UInt8(ascii: "\\"): try escape()
            case 0..<0x20: throw fail(byte == 0x0A ? "a string is not closed before the line ends" : "a control character stands in a string")
            default: index += 1
            }
        }
        throw fail("a string is never closed", at: start)
    }

    private mutating func escape() throws(JSONFault) {
        let start = index
        index += 1
        guard let byte = next else { throw fail("a string ends in an escape", at: start) }
        index += 1
        switch byte {
        case UInt8(ascii: "u"):
            let unit = try hex(start)
            if (0xDC00...0xDFFF).contains(unit) { throw fail("an escape is half of a surrogate pair", at: start) }
            guard (0xD800...0xDBFF).contains(unit) else { return }
            guard take("\\"), take("u"), (0xDC00...0xDFFF).contains(try hex(start)) else {
                throw fail("an escape is half of a surrogate pair", at: start)
            }
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"),
            UInt8(ascii: "t"):
            break
        default: throw fail("an escape is none of JSON's", at: start)
        }
    }

    private mutating func hex(_ start: Int) throws(JSONFault) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw fail("\\u needs four digits", at: start) }
            value = value << 4 | UInt32(digit)
            index += 1
        }
        return value
    }
}
