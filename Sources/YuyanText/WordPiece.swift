/// WordPiece (Devlin et al. 2019, arXiv:1810.04805): the longest token that begins a word, then the longest continuation, and so on;
/// a word that cannot be covered is unknown as a whole.
final class WordPiece: Sendable {
    private let starts: ByteTrie
    private let continuations: ByteTrie
    private let unknown: Int32
    private let longestWord: Int
    /// Words of one scalar of the basic plane, all ideographs and punctuation among them.
    let single: [Int32]

    /// `longestWord` in scalars.
    init(vocabulary: Vocabulary, unknown: Int32, prefix: String, longestWord: Int) {
        self.unknown = unknown
        self.longestWord = longestWord
        var starts = ByteTrie()
        var continuations = ByteTrie()
        var single = [Int32](repeating: unknown, count: longestWord > 0 ? 0x10000 : 0)
        let prefix = Array(prefix.utf8)
        for id in 0..<Int32(vocabulary.count) where vocabulary.contains(id) {
            let token = vocabulary[id]
            guard vocabulary.id(of: token) == id, let first = token.first else { continue }
            starts.add(token, value: id)
            if token.starts(with: prefix), token.count > prefix.count { continuations.add(token.dropFirst(prefix.count), value: id) }
            if first < 0xF0, longestWord > 0 {
                let (value, length) = token.withUnsafeBufferPointer { bytes in bytes.baseAddress.map { scalar($0, 0) } ?? (0, 0) }
                if length == token.count { single[Int(value)] = id }
            }
        }
        (self.starts, self.continuations, self.single) = (starts, continuations, single)
    }

    /// Appends the ids of a word of valid UTF-8 that has `scalars` scalars.
    func encode(_ word: UnsafeBufferPointer<UInt8>, scalars: Int, into ids: inout IDBuffer) {
        let start = ids.count
        guard scalars <= longestWord, var match = starts.longestMatch(word) else { return ids.append(unknown) }
        ids.append(match.value)
        var index = match.length
        while index < word.count {
            guard let next = continuations.longestMatch(UnsafeBufferPointer(rebasing: word[index...])) else {
                ids.truncate(to: start)
                return ids.append(unknown)
            }
            match = next
            ids.append(match.value)
            index += match.length
        }
    }

    func encode(_ word: UnsafeBufferPointer<UInt8>, into ids: inout IDBuffer) {
        encode(word, scalars: word.count { $0 & 0xC0 != 0x80 }, into: &ids)
    }
}
