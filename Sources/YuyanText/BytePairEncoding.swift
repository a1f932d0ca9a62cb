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
    private let merges: PairTable
    private let hasMerges: Bool
    /// The merges of two bytes, by both: half of all look-ups.
    private let bytePairs: [Merge]
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
        merges = PairTable(capacity: list.count)
        for (rank, merge) in list.enumerated() { merges.insert(pairKey(merge.0, merge.1), merge.2, Int32(rank)) }
        var pairs: [Merge] = []
        if isByteLevel {
            pairs.reserveCapacity(65536)
            for left in 0..<256 {
                for right in 0..<256 { pairs.append(merges.merge(ids[left], ids[right])) }
            }
        }
        bytePairs = pairs
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
        var count = 0
        if isByteLevel {
            byteIDs.withUnsafeBufferPointer { byteIDs in
                for byte in word {
                    let id = byteIDs[Int(byte)]
                    if id >= 0 || unknown != nil {
                        symbols[count] = id >= 0 ? id : unknown ?? 0
                        count += 1
                    }
                }
            }
        } else {
            count = characters(of: word, into: symbols)
        }
        guard hasMerges, count > 1 else {
            for index in 0..<count { ids.append(symbols[index]) }
            return
        }
        let pairs = scratch.merges
        if isByteLevel, count == word.count {
            bytePairs.withUnsafeBufferPointer { bytePairs in
                for index in 0..<count - 1 { pairs[index] = bytePairs[Int(word[index]) << 8 | Int(word[index + 1])] }
            }
        } else {
            for index in 0..<count - 1 { pairs[index] = merges.merge(symbols[index], symbols[index + 1]) }
        }
        count = count <= 96 ? mergeShort(symbols, pairs, count) : mergeLong(symbols, pairs, count, scratch)
        ids.append(contentsOf: symbols, count: count)
    }

    /// The characters' ids; a character outside the vocabulary becomes its bytes, or the unknown token, or nothing.
    private func characters(of word: UnsafeBufferPointer<UInt8>, into symbols: UnsafeMutablePointer<Int32>) -> Int {
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
        var count = length
        while count > 1 {
            var best = BytePairEncoding.none
            var at = 0
            for index in 0..<count - 1 {
                let pair = pairs[index]
                if pair < best {
                    best = pair
                    at = index
                }
            }
            if best == BytePairEncoding.none { break }
            symbols[at] = Int32(truncatingIfNeeded: best)
            count -= 1
            var index = at + 1
            while index < count {
                symbols[index] = symbols[index + 1]
                pairs[index - 1] = pairs[index]
                index += 1
            }
            if at + 1 < count { pairs[at] = merges.merge(symbols[at], symbols[at + 1]) }
            if at > 0 { pairs[at - 1] = merges.merge(symbols[at - 1], symbols[at]) }
        }
        return count
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

extension PairTable {
    @inline(__always)
    fileprivate func merge(_ left: Int32, _ right: Int32) -> BytePairEncoding.Merge {
        guard let entry = find(pairKey(left, right)) else { return BytePairEncoding.none }
        return UInt64(UInt32(bitPattern: entry.pointee.second)) << 32 | UInt64(UInt32(bitPattern: entry.pointee.first))
    }
}

/// A binary heap of merges, the lowest rank and then the leftmost first.
private struct MergeHeap {
    struct Element {
        var merge: BytePairEncoding.Merge
        var position: Int32

        @inline(__always)
        static func < (left: Element, right: Element) -> Bool {
            left.merge != right.merge ? left.merge < right.merge : left.position < right.position
        }
    }

    private(set) var storage: [(UInt64, Int32)]

    init(reusing array: inout [(UInt64, Int32)]) {
        storage = array
        array = []
        storage.removeAll(keepingCapacity: true)
    }

    private subscript(index: Int) -> Element {
        Element(merge: storage[index].0, position: storage[index].1)
    }

    mutating func push(_ element: Element) {
        var index = storage.count
        storage.append((element.merge, element.position))
        while index > 0 {
            let parent = (index - 1) / 2
            guard element < self[parent] else { break }
            storage[index] = storage[parent]
            index = parent
        }
        storage[index] = (element.merge, element.position)
    }

    mutating func pop() -> Element? {
        guard !storage.isEmpty else { return nil }
        let top = self[0]
        let last = storage.removeLast()
        guard !storage.isEmpty else { return top }
        let element = Element(merge: last.0, position: last.1)
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < storage.count else { break }
            if child + 1 < storage.count, self[child + 1] < self[child] { child += 1 }
            guard self[child] < element else { break }
            storage[index] = storage[child]
            index = child
        }
        storage[index] = last
        return top
    }
}

/// GPT-2's printable stand-ins for bytes, in which byte-level vocabularies are written.
enum ByteAlphabet {
    /// The scalar for each byte: printable bytes stand for themselves, the others for U+0100 and on.
    static let scalars: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (0..<256).map { (byte: UInt32) in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(UInt8(byte))
            default:
                defer { next += 1 }
                return Unicode.Scalar(next) ?? "?"
            }
        }
    }()

    private static let bytes: [UInt32: UInt8] = Dictionary(uniqueKeysWithValues: scalars.enumerated().map { ($1.value, UInt8($0)) })

    /// The bytes that a token stands for; nil when some character of it stands for none.
    static func bytes(of token: some Sequence<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        for scalar in String(decoding: Array(token), as: UTF8.self).unicodeScalars {
            guard let byte = bytes[scalar.value] else { return nil }
            result.append(byte)
        }
        return result
    }

    static func text(of bytes: some Sequence<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        for byte in bytes { text.append(scalars[Int(byte)]) }
        return String(text)
    }
}
