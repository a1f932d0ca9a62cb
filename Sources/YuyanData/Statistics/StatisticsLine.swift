/// Reads the lines that `TextStatistics.line` writes: an object of one text, one name and numbers.
struct StatisticsLine {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var index = 0

    static func read(_ bytes: UnsafeBufferPointer<UInt8>) throws -> (id: String, statistics: TextStatistics) {
        var line = StatisticsLine(bytes: bytes)
        return try line.object()
    }

    private init(bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    private mutating func object() throws -> (id: String, statistics: TextStatistics) {
        var statistics = TextStatistics()
        var id: String?
        var expected = 0  // names mostly come in their order
        try take(UInt8(ascii: "{"))
        while true {
            // A name in its place is known by its bytes; the key has the comma before it, which is read already.
            if expected < Statistic.keys.count, id != nil, stands(Statistic.keys[expected], at: index - 1) {
                index += Statistic.keys[expected].count - 1
                statistics.set(expected, try number())
                expected += 1
            } else {
                let name = try string()
                try take(UInt8(ascii: ":"))
                switch name {
                case "id": id = try string()
                case "language": statistics.language = Language(rawValue: try string()) ?? .other
                default:
                    let value = try number()
                    if let statistic = Statistic(rawValue: name) {
                        expected = statistic.index + 1
                        statistics.set(statistic.index, value)
                    }
                }
            }
            guard index < bytes.count, bytes[index] == UInt8(ascii: ",") else { break }
            index += 1
        }
        try take(UInt8(ascii: "}"))
        guard bytes[index...].allSatisfy({ $0 == 0x0A || $0 == 0x0D || $0 == 0x20 }) else { throw failure("something follows the object") }
        guard let id else { throw failure("there is no \"id\"") }
        return (id, statistics)
    }

    private func failure(_ what: String) -> DataError {
        DataError("not a line of statistics: \(what) at byte \(index)")
    }

    private mutating func take(_ byte: UInt8) throws {
        guard index < bytes.count, bytes[index] == byte else { throw failure("\"\(Character(Unicode.Scalar(byte)))\" is missing") }
        index += 1
    }

    @inline(__always)
    private func stands(_ key: [UInt8], at start: Int) -> Bool {
        guard start + key.count <= bytes.count else { return false }
        return key.withUnsafeBufferPointer { key in
            for offset in key.indices where bytes[start + offset] != key[offset] { return false }
            return true
        }
    }

    private mutating func string() throws -> String {
        try take(UInt8(ascii: "\""))
        let start = index
        var isEscaped = false
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            if bytes[index] == UInt8(ascii: "\\") {
                isEscaped = true
                index += 1
            }
            index += 1
        }
        guard index < bytes.count else { throw failure("a quote is missing") }
        index += 1
        let content = bytes[start..<index - 1]
        return isEscaped ? try unescape(content) : String(decoding: content, as: UTF8.self)
    }

    /// `\"`, `\\` and `\u0000`: the escapes that the writer uses.
    private func unescape(_ content: Slice<UnsafeBufferPointer<UInt8>>) throws -> String {
        var result: [UInt8] = []
        var index = content.startIndex
        while index < content.endIndex {
            guard content[index] == UInt8(ascii: "\\"), index + 1 < content.endIndex else {
                result.append(content[index])
                index += 1
                continue
            }
            if content[index + 1] == UInt8(ascii: "u") {
                guard index + 6 <= content.endIndex,
                    let value = UInt32(String(decoding: content[index + 2..<index + 6], as: UTF8.self), radix: 16), let scalar = Unicode.Scalar(value)
                else { throw failure("an escape is broken") }
                result += Array(String(Character(scalar)).utf8)
                index += 6
            } else {
                result.append(content[index + 1])
                index += 2
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// A number as `Float.description` and `Int.description` write it, correctly rounded.
    private mutating func number() throws -> Float {
        let start = index
        var mantissa: UInt64 = 0
        var (digits, scale) = (0, 0)
        var isNegative = false
        var isPlain = true
        var isFraction = false
        scan: while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case 0x30...0x39:
                mantissa = mantissa &* 10 &+ UInt64(byte - 0x30)
                digits += 1
                if isFraction { scale += 1 }
            case UInt8(ascii: ".") where !isFraction: isFraction = true
            case UInt8(ascii: "-") where index == start: isNegative = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."): isPlain = false
            default: break scan
            }
            index += 1
        }
        guard digits > 0 else { throw failure("a number is missing") }
        if isPlain, digits <= 15 {
            // Both are exact, so the quotient is the nearest Double; it settles the Float unless it lies midway between two.
            let value = Double(mantissa) / Self.tens[scale]
            if value.bitPattern & 0x1FFF_FFFF != 0x1000_0000, value == 0 || value > 1e-30 { return Float(isNegative ? -value : value) }
        }
        guard let value = Float(String(decoding: bytes[start..<index], as: UTF8.self)) else { throw failure("a number is broken") }
        return value
    }

    private static let tens: [Double] = (0...15).map { (0..<$0).reduce(1) { power, _ in power * 10 } }
}
