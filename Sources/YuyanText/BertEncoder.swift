import Foundation

/// BERT's normaliser, pre-tokeniser and WordPiece in one pass over UTF-8 bytes: what a scalar becomes is looked up in a table,
/// and a word of one scalar, which every ideograph is, in another.
final class BertEncoder: @unchecked Sendable {  // the table is written only while it is built
    /// What happens to a scalar, in the top three bits; the rest is a scalar or an index. 0: it belongs to a word as it is.
    private enum Action {
        static let keep: UInt32 = 0 << 29
        static let space: UInt32 = 1 << 29
        static let remove: UInt32 = 2 << 29
        /// A word of its own.
        static let alone: UInt32 = 3 << 29
        /// Becomes several scalars: an index into `expansions`.
        static let expand: UInt32 = 4 << 29
        /// Its place among its neighbours matters (a mark that is reordered but not removed): the plain normaliser has to do it.
        static let refuse: UInt32 = 5 << 29
        static let payload: UInt32 = (1 << 29) - 1
    }

    private let actions: UnsafeMutablePointer<UInt32>
    private let expansions: [[UInt32]]
    private let model: WordPiece
    private let longestWord: Int

    /// nil when words may be longer than the scratch memory for them.
    init?(normalizer: BertNormalizer, model: WordPiece, longestWord: Int) {
        guard 1...EncodingScratch.longestWord / 4 ~= longestWord else { return nil }
        self.model = model
        self.longestWord = longestWord
        actions = .allocate(capacity: 0x110000)
        actions.initialize(repeating: 0, count: 0x110000)
        var expansions: [[UInt32]] = []
        for range in [UInt32(0)..<0x32400, 0xE0000..<0xE0200, 0xF0000..<0x110000] {
            for value in range {
                guard let scalar = Unicode.Scalar(value) else { continue }
                let action = BertEncoder.action(for: scalar, normalizer, &expansions)
                if action != 0 { actions[Int(value)] = action }
            }
        }
        self.expansions = expansions
    }

    deinit {
        actions.deallocate()
    }

    private static func action(for scalar: Unicode.Scalar, _ normalizer: BertNormalizer, _ expansions: inout [[UInt32]]) -> UInt32 {
        let value = scalar.value
        if value >= 0xF0000 { return normalizer.cleanText ? Action.remove : Action.keep }
        switch value {
        case 0x3400...0x4DBF, 0x4E00...0x9FFF, 0x20000..<0x2F800, 0x30000..<0x32400:
            // Ideographs, which have neither case nor accents.
            return normalizer.isolatesIdeographs && isBertIdeograph(value) ? Action.alone | value : Action.keep
        default: if scalar.properties.generalCategory == .unassigned { return Action.keep }
        }
        if normalizer.cleanText, isBertControl(scalar) { return Action.remove }
        if ScalarClasses(rawValue: ScalarClasses.table[Int(value)]).contains(.space) { return Action.space }

        var scalars = [scalar]
        if normalizer.removesAccents {
            if scalar.properties.canonicalCombiningClass != .notReordered, !isBertAccent(scalar) { return Action.refuse }
            scalars = decomposed(scalar).filter { !isBertAccent($0) }
        }
        if normalizer.lowercases {
            scalars = scalars.flatMap { $0.properties.changesWhenLowercased ? Array($0.properties.lowercaseMapping.unicodeScalars) : [$0] }
        }
        let isolated = normalizer.isolatesIdeographs && isBertIdeograph(value)
        let results = scalars.map { result in
            let alone = isolated || ScalarClasses(rawValue: ScalarClasses.table[Int(result.value)]).contains(.punctuation)
            return (alone ? Action.alone : Action.keep) | result.value
        }
        if results.isEmpty { return Action.remove }
        if results.count == 1 { return results[0] == Action.keep | value ? 0 : results[0] }
        expansions.append(results)
        return Action.expand | UInt32(expansions.count - 1)
    }

    /// Appends the ids of valid UTF-8; false, with `ids` as they were, when the text needs the plain normaliser.
    func encode(_ text: UnsafeBufferPointer<UInt8>, with scratch: EncodingScratch, into ids: inout IDBuffer) -> Bool {
        guard let base = text.baseAddress else { return true }
        let start = ids.count
        let count = text.count
        let word = scratch.word
        var length = 0
        var scalars = 0
        var index = 0
        var lastScalar: UInt32 = 0
        let actions = actions
        return model.single.withUnsafeBufferPointer { single in
            @inline(__always) func flush() {
                if scalars == 0 { return }
                if scalars == 1, lastScalar < 0x10000 {
                    ids.append(single[Int(lastScalar)])
                } else {
                    model.encode(UnsafeBufferPointer(start: word, count: length), scalars: scalars, into: &ids)
                }
                scalars = 0
                length = 0
            }
            @inline(__always) func extend(_ value: UInt32) {
                lastScalar = value
                scalars += 1
                if scalars <= longestWord { length += write(value, to: word + length) }
            }
            @inline(__always) func isolate(_ value: UInt32) {
                flush()
                if value < 0x10000 {
                    ids.append(single[Int(value)])
                } else {
                    extend(value)
                    flush()
                }
            }
            while index < count {
                let (value, width) = scalar(base, index)
                index += width
                let action = actions[Int(value)]
                if action == 0 {
                    extend(value)
                    continue
                }
                let payload = action & Action.payload
                switch action & ~Action.payload {
                case Action.alone: isolate(payload)
                case Action.keep: extend(payload)
                case Action.space: flush()
                case Action.remove: break
                case Action.expand:
                    for part in expansions[Int(payload)] {
                        if part & ~Action.payload == Action.alone { isolate(part & Action.payload) } else { extend(part & Action.payload) }
                    }
                default:
                    ids.truncate(to: start)
                    return false
                }
            }
            flush()
            return true
        }
    }
}

/// The canonical decomposition of one scalar.
private func decomposed(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
    switch scalar.value {
    case 0xAC00...0xD7A3:
        // The Unicode Standard, section 3.12: syllables decompose by arithmetic.
        let syllable = scalar.value - 0xAC00
        let jamo = [0x1100 + syllable / 588, 0x1161 + syllable % 588 / 28, 0x11A7 + syllable % 28]
        return jamo.prefix(syllable % 28 == 0 ? 2 : 3).compactMap { Unicode.Scalar($0) }
    case 0xC0..<0x3400, 0xF900...0xFFFF, 0x10500..<0x10600, 0x11000..<0x12000, 0x16000..<0x17000, 0x1D100..<0x1D200, 0x2F800...0x2FA1F:
        return Array(String(scalar).decomposedStringWithCanonicalMapping.unicodeScalars)
    default: return [scalar]
    }
}

@inline(__always)
private func write(_ value: UInt32, to bytes: UnsafeMutablePointer<UInt8>) -> Int {
    if value < 0x80 {
        bytes[0] = UInt8(truncatingIfNeeded: value)
        return 1
    }
    if value < 0x800 {
        bytes[0] = UInt8(truncatingIfNeeded: 0xC0 | value >> 6)
        bytes[1] = UInt8(truncatingIfNeeded: 0x80 | value & 0x3F)
        return 2
    }
    if value < 0x10000 {
        bytes[0] = UInt8(truncatingIfNeeded: 0xE0 | value >> 12)
        bytes[1] = UInt8(truncatingIfNeeded: 0x80 | value >> 6 & 0x3F)
        bytes[2] = UInt8(truncatingIfNeeded: 0x80 | value & 0x3F)
        return 3
    }
    bytes[0] = UInt8(truncatingIfNeeded: 0xF0 | value >> 18)
    bytes[1] = UInt8(truncatingIfNeeded: 0x80 | value >> 12 & 0x3F)
    bytes[2] = UInt8(truncatingIfNeeded: 0x80 | value >> 6 & 0x3F)
    bytes[3] = UInt8(truncatingIfNeeded: 0x80 | value & 0x3F)
    return 4
}
