/// Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909): the pair of neighbouring symbols with the lowest rank is merged until none has one.
/// The alphabet is bytes (GPT-2) or characters, the rare ones written as bytes (Llama).
final class BytePairEncoding: Sendable {
    /// A merge's rank in the high half, the merged symbol's id in the low half: the smallest is the next to apply.
    typealias Merge = UInt64
    static let none = Merge.max

    let isByteLevel: Bool
    private let vocabulary: Vocabulary
    private let unknown: Int32?
    private let fusesUnknown: Bool
    /// Ids of the alphabet's bytes (byte-level) or of the tokens `<0x00>`… (byte fallback); -1 where there is none.
    private let byteIDs: [Int32]
    private let hasByteFallback: Bool
    private let merges: MergeTable
    private let hasMerges: Bool
    /// The merges of two bytes, by both: half of all look-ups.
    private let bytePairs: [Merge]
    private let characters: CharacterSymbols?
    /// Whole words that are tokens, by their bytes, for vocabularies that take those without merging.
    private let wholeWords: Vocabulary?

    /// `merges` in the order of rank: left, right, merged.
    init(
        vocabulary: Vocabulary, merges list: [(Int32, Int32, Int32)], isByteLevel: Bool, unknown: Int32? = nil, fusesUnknown: Bool = false,
        fallsBackToBytes: Bool = false, ignoresMerges: Bool = false
    ) {
        self.vocabulary = vocabulary
        self.isByteLevel = isByteLevel
        self.unknown = unknown
        self.fusesUnknown = fusesUnknown
        hasByteFallback = fallsBackToBytes
        hasMerges = !list.isEmpty
        let ids = (0..<256).map { byte -> Int32 in
            let token = isByteLevel ? String(ByteAlphabet.scalars[byte]) : "<0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))>"
            return vocabulary.id(of: token) ?? -1
        }
        byteIDs = ids
        merges = MergeTable(list)
        var pairs: [Merge] = []
        if isByteLevel {
            pairs.reserveCapacity(65536)
            for left in 0..<256 {
                for right in 0..<256 { pairs.append(merges.merge(ids[left], ids[right])) }
            }
        }
        bytePairs = pairs
        characters =
            isByteLevel && !list.isEmpty && !ids.contains(-1)
            ? CharacterSymbols(byteIDs: ids, merges: list, table: merges, vocabulary: vocabulary) : nil
        if ignoresMerges {
            let words = Vocabulary()
            for id in 0..<Int32(vocabulary.count) where vocabulary.contains(id) {
                if let word = isByteLevel ? ByteAlphabet.bytes(of: vocabulary[id]) : Array(vocabulary[id]) { words.add(word, id: id) }
            }
            wholeWords = words
        } else {
            wholeWords = nil
        }
    }

    /// Appends the ids of a word, which is valid UTF-8 or, in a byte-level vocabulary, any bytes.
    @inline(__always)
    func encode(_ word: UnsafeBufferPointer<UInt8>, with scratch: EncodingScratch, into ids: inout IDBuffer) {
        if word.count <= WordCache.longestKey {
            let key = hash(word)
            if scratch.cache.append(word, key, to: &ids) { return }
            let start = ids.count
            encodeAnew(word, with: scratch, into: &ids)
            scratch.cache.insert(word, key, ids, from: start)
        } else {
            encodeAnew(word, with: scratch, into: &ids)
        }
    }

    private func encodeAnew(_ word: UnsafeBufferPointer<UInt8>, with scratch: EncodingScratch, into ids: inout IDBuffer) {
        if let wholeWords, let id = wholeWords.id(of: word) { return ids.append(id) }
        scratch.reserve(word.count)
        let symbols = scratch.symbols
        let pairs = scratch.merges
        var count = 0
        if let characters {
            count = characters.symbols(of: word, byteIDs, bytePairs, into: symbols, pairs)
        } else if isByteLevel {
            for byte in word {
                guard let id = byteIDs[Int(byte)] >= 0 ? byteIDs[Int(byte)] : unknown else { continue }
                symbols[count] = id
                count += 1
            }
        } else {
            count = characterIDs(of: word, into: symbols)
        }
        guard hasMerges, count > 1 else { return ids.append(contentsOf: symbols, count: count) }
        if characters == nil {
            for index in 0..<count - 1 { pairs[index] = merges.merge(symbols[index], symbols[index + 1]) }
        } else {
            for index in 0..<count - 1 where pairs[index] == CharacterSymbols.unasked {
                pairs[index] = merges.merge(symbols[index], symbols[index + 1])
            }
        }
        count = count <= 96 ? mergeShort(symbols, pairs, count) : mergeLong(symbols, pairs, count, scratch)
        ids.append(contentsOf: symbols, count: count)
    }

    /// The characters' ids; a character outside the vocabulary becomes its bytes, or the unknown token, or nothing.
    private func characterIDs(of word: UnsafeBufferPointer<UInt8>, into symbols: UnsafeMutablePointer<Int32>) -> Int {
        guard let base = word.baseAddress else { return 0 }
        var count = 0
        var index = 0
        var followsUnknown = false
        while index < word.count {
            let length = scalar(base, index).length
            let bytes = UnsafeBufferPointer(start: base + index, count: length)
            index += length
            if let id = vocabulary.id(of: bytes) {
                symbols[count] = id
                count += 1
                followsUnknown = false
            } else if hasByteFallback, bytes.allSatisfy({ byteIDs[Int($0)] >= 0 }) {
                for byte in bytes {
                    symbols[count] = byteIDs[Int(byte)]
                    count += 1
                }
                followsUnknown = false
            } else if let unknown {
                if !(fusesUnknown && followsUnknown) {
                    symbols[count] = unknown
                    count += 1
                }
                followsUnknown = true
            }
        }
        return count
    }

    /// Both arrays are kept dense: for words of everyday length a scan for the smallest merge beats a heap.
    private func mergeShort(_ symbols: UnsafeMutablePointer<Int32>, _ pairs: UnsafeMutablePointer<Merge>, _ length: Int) -> Int {
        var last = length &- 1
        while last > 0 {
            var best = BytePairEncoding.none
            var at = 0
            var index = 0
            while index < last {
                // Written without a branch, which would be mispredicted half of the time.
                let pair = pairs[index]
                let isBetter = pair < best
                best = isBetter ? pair : best
                at = isBetter ? index : at
                index &+= 1
            }
            if best == BytePairEncoding.none { break }
            let symbol = Int32(truncatingIfNeeded: best)
            symbols[at] = symbol
            index = at &+ 1
            while index < last {
                symbols[index] = symbols[index &+ 1]
                pairs[index &- 1] = pairs[index]
                index &+= 1
            }
            last &-= 1
            if at < last { pairs[at] = merges.merge(symbol, symbols[at &+ 1]) }
            if at > 0 { pairs[at &- 1] = merges.merge(symbols[at &- 1], symbol) }
        }
        return last &+ 1
    }

    /// Symbols in a linked list, merges in a heap; entries that a later merge made void are skipped when they come up.
    private func mergeLong(
        _ symbols: UnsafeMutablePointer<Int32>, _ pairs: UnsafeMutablePointer<Merge>, _ length: Int, _ scratch: EncodingScratch
    ) -> Int {
        let (next, previous) = (scratch.next, scratch.previous)
        var heap = MergeHeap(reusing: &scratch.heap)
        for index in 0..<length {
            next[index] = Int32(index + 1)
            previous[index] = Int32(index - 1)
            if index + 1 < length, pairs[index] != BytePairEncoding.none { heap.push(.init(merge: pairs[index], position: Int32(index))) }
        }
        pairs[length - 1] = BytePairEncoding.none
        while let top = heap.pop() {
            let at = Int(top.position)
            guard pairs[at] == top.merge else { continue }
            let right = Int(next[at])
            let after = Int(next[right])
            symbols[at] = Int32(truncatingIfNeeded: top.merge)
            pairs[right] = BytePairEncoding.none
            next[at] = Int32(after)
            pairs[at] = BytePairEncoding.none
            if after < length {
                previous[after] = Int32(at)
                pairs[at] = merges.merge(symbols[at], symbols[after])
                if pairs[at] != BytePairEncoding.none { heap.push(.init(merge: pairs[at], position: Int32(at))) }
            }
            let before = Int(previous[at])
            if before >= 0 {
                pairs[before] = merges.merge(symbols[before], symbols[at])
                if pairs[before] != BytePairEncoding.none { heap.push(.init(merge: pairs[before], position: Int32(before))) }
            }
        }
        scratch.heap = heap.storage
        var count = 0
        var index = 0
        while index < length {
            symbols[count] = symbols[index]
            count += 1
            index = Int(next[index])
        }
        return count
    }
}
