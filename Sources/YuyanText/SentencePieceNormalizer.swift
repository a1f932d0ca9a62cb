/// SentencePiece's normaliser as a model file carries it: a map of character sequences compiled into a double array (Aoe 1989), and rules for spaces.
struct SentencePieceNormalizer: Sendable {
    private var units: [UInt32] = []
    /// Replacements, each ended by a zero byte.
    private var replacements: [UInt8] = []
    private var addsDummyPrefix = true
    private var removesExtraSpaces = true
    private var escapesSpaces = true

    private static let space = Array("▁".utf8)

    /// From the message `NormalizerSpec`; nil when the map is damaged.
    init?(_ message: ArraySlice<UInt8>) {
        for (number, value) in ProtobufFields(message) {
            switch number {
            case 2:
                guard let bytes = value.bytes, !bytes.isEmpty else { continue }
                let map = Array(bytes)
                let size = map.count >= 4 ? map.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) } : -1
                guard size > 0, size % 4 == 0, size + 4 <= map.count, map.last == 0 else { return nil }
                units = stride(from: 4, to: size + 4, by: 4).map { start in
                    map[start..<start + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
                }
                replacements = Array(map[(size + 4)...])
            case 3: addsDummyPrefix = value.integer != 0
            case 4: removesExtraSpaces = value.integer != 0
            case 5: escapesSpaces = value.integer != 0
            default: break
            }
        }
    }

    /// Valid UTF-8 in, valid UTF-8 out.
    func normalize(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        guard let base = text.baseAddress, !text.isEmpty else { return [] }
        let space = escapesSpaces ? SentencePieceNormalizer.space : [0x20]
        var result: [UInt8] = []
        result.reserveCapacity(text.count * 3 / 2 + 3)
        if addsDummyPrefix { result += space }
        let prefix = result.count
        var followsSpace = removesExtraSpaces
        @inline(__always) func add(_ byte: UInt8) {
            if byte == 0x20 {
                if !followsSpace { result.append(contentsOf: space) }
                followsSpace = removesExtraSpaces
            } else {
                result.append(byte)
                followsSpace = false
            }
        }
        var index = 0
        while index < text.count {
            if let match = longestMatch(text, from: index) {
                var position = match.replacement
                while position < replacements.count, replacements[position] != 0 {
                    add(replacements[position])
                    position += 1
                }
                index += match.length
            } else {
                let length = scalar(base, index).length
                for offset in 0..<length { add(base[index + offset]) }
                index += length
            }
        }
        if removesExtraSpaces {
            while result.count > prefix, result.suffix(space.count).elementsEqual(space) { result.removeLast(space.count) }
            // A text of nothing but spaces is empty.
            if result.count == prefix { return [] }
        }
        return result
    }

    /// The longest sequence at `start` that the map replaces: its length and where its replacement begins.
    @inline(__always)
    private func longestMatch(_ text: UnsafeBufferPointer<UInt8>, from start: Int) -> (length: Int, replacement: Int)? {
        if units.isEmpty { return nil }
        return units.withUnsafeBufferPointer { units in
            func offset(_ unit: UInt32) -> UInt32 { (unit >> 10) << ((unit & (1 << 9)) >> 6) }
            var found: (length: Int, replacement: Int)?
            var node = offset(units[0])
            var index = start
            while index < text.count {
                let byte = UInt32(text[index])
                node ^= byte
                guard node < units.count else { break }
                let unit = units[Int(node)]
                // The label and the bit that marks a leaf's value.
                if unit & 0x8000_00FF != byte { break }
                index += 1
                node ^= offset(unit)
                if unit >> 8 & 1 == 1, node < units.count { found = (index - start, Int(units[Int(node)] & 0x7FFF_FFFF)) }
            }
            return found
        }
    }
}
