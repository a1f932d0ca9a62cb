/// The fields of a protocol buffer message, in the order in which they stand.
struct ProtobufFields: Sequence, IteratorProtocol {
    enum Value {
        case integer(UInt64)
        case bytes(ArraySlice<UInt8>)
        case fixed(UInt64)
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// The next field's number and value; nil at the end or where the message is malformed.
    mutating func next() -> (number: Int, value: Value)? {
        guard let key = varint() else { return nil }
        let number = Int(truncatingIfNeeded: key >> 3)
        switch key & 7 {
        case 0: return varint().map { (number, .integer($0)) }
        case 1: return fixed(8).map { (number, .fixed($0)) }
        case 5: return fixed(4).map { (number, .fixed($0)) }
        case 2:
            guard let length = varint(), length <= rest.count else { return nil }
            defer { rest = rest.dropFirst(Int(length)) }
            return (number, .bytes(rest.prefix(Int(length))))
        default: return nil
        }
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while let byte = rest.popFirst(), shift < 64 {
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
        return nil
    }

    private mutating func fixed(_ size: Int) -> UInt64? {
        guard rest.count >= size else { return nil }
        defer { rest = rest.dropFirst(size) }
        return rest.prefix(size).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension ProtobufFields.Value {
    var integer: UInt64? {
        switch self {
        case .integer(let value), .fixed(let value): value
        case .bytes: nil
        }
    }

    var bytes: ArraySlice<UInt8>? {
        if case .bytes(let bytes) = self { bytes } else { nil }
    }
}
