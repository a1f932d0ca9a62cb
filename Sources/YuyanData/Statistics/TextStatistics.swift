/// All numbers of one text, by name, and its language.
public struct TextStatistics: Sendable, Hashable {
    /// The language that was guessed.
    public var language = Language.other
    /// In the order of `Statistic.allCases`; what was not computed is not a number.
    private var values: [Float]

    /// Nothing is known yet.
    public init() {
        values = [Float](repeating: .nan, count: Statistic.allCases.count)
    }

    /// The number; nil where it was not computed.
    public subscript(_ statistic: Statistic) -> Float? {
        get {
            let value = values[statistic.index]
            return value.isNaN ? nil : value
        }
        set { values[statistic.index] = newValue ?? .nan }
    }

    /// Whether all numbers are the same; what was not computed is the same as itself.
    public static func == (left: TextStatistics, right: TextStatistics) -> Bool {
        left.language == right.language && left.values.elementsEqual(right.values) { $0 == $1 || $0.isNaN && $1.isNaN }
    }

    /// The hash of what is there.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(language)
        for value in values where !value.isNaN { hasher.combine(value) }
    }

    /// One line of JSON without a line end: the record's id, the language, and each number that is there, written so that it is read back exactly.
    public func line(id: String) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(1024)
        line += Array(#"{"id":""#.utf8)
        for byte in id.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): line += [UInt8(ascii: "\\"), byte]
            case 0..<0x20:
                line += Array(#"\u00"#.utf8)
                for digit in [byte >> 4, byte & 15] { line.append(digit < 10 ? 0x30 + digit : 0x57 + digit) }
            default: line.append(byte)
            }
        }
        line += Array("\",\"language\":\"\(language.rawValue)\"".utf8)
        for (index, value) in values.enumerated() where value.isFinite {
            line += Statistic.keys[index]
            if value == value.rounded(), abs(value) < 16_777_216 {
                line += Array(String(Int(value)).utf8)
            } else {
                line += Array(value.description.utf8)
            }
        }
        line.append(UInt8(ascii: "}"))
        return line
    }

    /// Reads such a line back. Numbers of other names are passed over, so that files outlive a statistic.
    public static func read(line: some Sequence<UInt8>) throws -> (id: String, statistics: TextStatistics) {
        if let parsed = try line.withContiguousStorageIfAvailable({ try StatisticsLine.read($0) }) { return parsed }
        return try Array(line).withUnsafeBufferPointer { try StatisticsLine.read($0) }
    }

    /// The place of the numbers, for the one who fills them.
    mutating func fill(_ body: (UnsafeMutableBufferPointer<Float>) -> Void) {
        values.withUnsafeMutableBufferPointer { body($0) }
    }

    mutating func set(_ index: Int, _ value: Float) { values[index] = value }
}

extension Statistic {
    /// Its place in the order of all cases. Cases without payload are numbered from 0 in one byte; a dictionary here would cost more than counting.
    var index: Int { Int(unsafeBitCast(self, to: UInt8.self)) }

    /// `,"name":` for each.
    static let keys = allCases.map { Array(",\"\($0.rawValue)\":".utf8) }
}
