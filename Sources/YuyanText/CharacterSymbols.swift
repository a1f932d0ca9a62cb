/// What the bytes of a character are merged into before anything else happens: most work of byte-level BPE on Chinese text, done once.
///
/// Merging goes by rank over the whole word, so a character's bytes may be taken apart by a merge across its border. For every character it is
/// checked that no such merge can come in time: each merge across the border of a symbol has a higher rank than all merges up to the one that
/// consumes that symbol. Only then the result is kept, and encoding from it is exact.
struct CharacterSymbols: @unchecked Sendable {  // written only while it is built
    /// A place between two symbols whose merge has to be looked up.
    static let unasked: BytePairEncoding.Merge = .max - 1

    /// Four per scalar of the basic plane: the symbols, -1 after the last; all -1 where bytes must be merged in the word.
    private final class Table {
        let base = UnsafeMutablePointer<Int32>.allocate(capacity: 4 << 16)
        init() { base.initialize(repeating: -1, count: 4 << 16) }
        deinit { base.deallocate() }
    }

    private let table = Table()

    init(byteIDs: [Int32], merges: [(Int32, Int32, Int32)], table lookup: MergeTable, vocabulary: Vocabulary) {
        // The lowest rank of a merge with a symbol at its right, where what is left of it ends a character of several bytes,
        // and at its left, where what is right of it begins a character.
        var asRight = [UInt32](repeating: .max, count: vocabulary.count)
        var asLeft = asRight
        let edges = (0..<Int32(vocabulary.count)).map { id -> (first: UInt8, last: UInt8) in
            let bytes = ByteAlphabet.bytes(of: vocabulary[id]) ?? []
            return (bytes.first ?? 0, bytes.last ?? 0)
        }
        for (rank, merge) in merges.enumerated() {
            let (left, right) = (Int(merge.0), Int(merge.1))
            if edges[left].last >= 0x80 { asRight[right] = min(asRight[right], UInt32(rank)) }
            if edges[right].first & 0xC0 != 0x80 { asLeft[left] = min(asLeft[left], UInt32(rank)) }
        }
        for value in UInt32(0x80)...0xFFFF {
            guard let scalar = Unicode.Scalar(value), let encoded = UTF8.encode(scalar) else { continue }
            var symbols = encoded.map { byteIDs[Int($0)] }
            var highest: UInt32 = 0
            var isSafe = true
            while true {
                let candidates = symbols.indices.dropLast().map { lookup.merge(symbols[$0], symbols[$0 + 1]) }
                guard let best = candidates.min(), best != BytePairEncoding.none, let at = candidates.firstIndex(of: best) else { break }
                highest = max(highest, UInt32(best >> 32))
                if at == 0, asRight[Int(symbols[0])] <= highest { isSafe = false }
                if at + 2 == symbols.count, asLeft[Int(symbols[at + 1])] <= highest { isSafe = false }
                symbols.replaceSubrange(at...at + 1, with: [Int32(truncatingIfNeeded: best)])
            }
            if isSafe {
                for (index, symbol) in symbols.enumerated() { table.base[Int(value) << 2 + index] = symbol }
            }
        }
    }

    /// The symbols that a word of valid UTF-8 begins with and the merges between them, as far as they are known without looking further.
    @inline(__always)
    func symbols(
        of word: UnsafeBufferPointer<UInt8>, _ byteIDs: [Int32], _ bytePairs: [BytePairEncoding.Merge],
        into symbols: UnsafeMutablePointer<Int32>, _ pairs: UnsafeMutablePointer<BytePairEncoding.Merge>
    ) -> Int {
        guard let base = word.baseAddress else { return 0 }
        let table = table.base
        return byteIDs.withUnsafeBufferPointer { byteIDs in
            bytePairs.withUnsafeBufferPointer { bytePairs in
                var count = 0
                var index = 0
                while index < word.count {
                    let byte = base[index]
                    if byte >= 0xC2, byte < 0xF0, index == 0 || base[index - 1] >= 0x80 {
                        let (value, length) = scalar(base, index)
                        let known = table + Int(value) << 2
                        if known[0] >= 0 {
                            index += length
                            var part = 0
                            while part < 4, known[part] >= 0 {
                                symbols[count] = known[part]
                                pairs[count] = BytePairEncoding.none
                                count += 1
                                part += 1
                            }
                            pairs[count - 1] = CharacterSymbols.unasked
                            continue
                        }
                    }
                    repeat {
                        symbols[count] = byteIDs[Int(base[index])]
                        pairs[count] =
                            index + 1 < word.count && base[index + 1] < 0xC2
                            ? bytePairs[Int(base[index]) << 8 | Int(base[index + 1])] : CharacterSymbols.unasked
                        count += 1
                        index += 1
                    } while index < word.count && base[index] & 0xC0 == 0x80
                }
                return count
            }
        }
    }
}
