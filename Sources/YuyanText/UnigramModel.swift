/// SentencePiece's unigram segmentation (Kudo 2018, arXiv:1804.10959) as the library has it from 0.2 on: scores are added in single precision
/// from the left, and of equal ways to a position the first found, with the longest last piece, stays. The older library that distributions ship
/// decides otherwise between segmentations that are equally good, such as those of a row of dashes.
final class UnigramModel: Sendable {
    private let trie: ByteTrie
    private let scores: [Float]
    private let unknown: Int32
    private let unknownScore: Float
    /// Ids of `<0x00>`…; empty without byte fallback.
    private let byteIDs: [Int32]
    private let normalizer: SentencePieceNormalizer

    /// From the bytes of a model file; nil for one of another kind or with rules that are left to the library.
    init?(_ model: [UInt8]) {
        var trie = ByteTrie()
        var scores: [Float] = []
        var unknown: Int32?
        var lowest = Float.infinity
        var bytes = [Int32](repeating: -1, count: 256)
        var isUnigram = true
        var normalizer: SentencePieceNormalizer?
        for (number, value) in ProtobufFields(model[...]) {
            guard let message = value.bytes else { continue }
            switch number {
            case 1:
                let id = Int32(scores.count)
                var (piece, score, kind): (ArraySlice<UInt8>, Float, UInt64) = ([], 0, 1)
                for (number, value) in ProtobufFields(message) {
                    switch number {
                    case 1: piece = value.bytes ?? []
                    case 2: score = Float(bitPattern: UInt32(truncatingIfNeeded: value.integer ?? 0))
                    case 3: kind = value.integer ?? 1
                    default: break
                    }
                }
                scores.append(score)
                switch kind {
                case 1:
                    trie.add(piece, value: id)
                    lowest = min(lowest, score)
                case 2: unknown = id
                case 4: return nil  // user-defined pieces have rules of their own
                case 6: if let byte = byte(named: piece) { bytes[Int(byte)] = id }
                default: break
                }
            case 2:
                for (number, value) in ProtobufFields(message) {
                    if number == 3, value.integer != 1 { isUnigram = false }
                    if number == 24, value.integer != 0 { return nil }  // white space as a suffix
                }
            case 3: normalizer = SentencePieceNormalizer(message)
            default: break
            }
        }
        guard isUnigram, let unknown, let normalizer, lowest < .infinity else { return nil }
        self.trie = trie
        self.scores = scores
        self.unknown = unknown
        self.normalizer = normalizer
        // What the library takes off for a character that no piece covers.
        unknownScore = lowest - 10
        byteIDs = bytes.contains(-1) ? [] : bytes
    }

    /// Appends the ids of valid UTF-8.
    func encode(_ text: UnsafeBufferPointer<UInt8>, into ids: inout IDBuffer) {
        normalizer.normalize(text).withUnsafeBufferPointer { segment($0, into: &ids) }
    }

    /// Viterbi's algorithm over the positions of bytes: the best way to every end of a piece.
    private func segment(_ text: UnsafeBufferPointer<UInt8>, into ids: inout IDBuffer) {
        struct Node {
            var score = -Float.infinity
            var start: Int32 = -1
            var id: Int32 = -1
        }
        guard let base = text.baseAddress, !text.isEmpty else { return }
        withUnsafeTemporaryAllocation(of: Node.self, capacity: text.count + 1) { best in
            best.initialize(repeating: Node())
            best[0].score = 0
            var start = 0
            while start < text.count {
                let here = best[start].score
                let width = min(scalar(base, start).length, text.count - start)
                var isCovered = false
                @inline(__always) func offer(_ id: Int32, _ length: Int, _ score: Float) {
                    if here + score > best[start + length].score {
                        best[start + length] = Node(score: here + score, start: Int32(start), id: id)
                    }
                }
                trie.forEachPrefix(UnsafeBufferPointer(rebasing: text[start...])) { id, length in
                    offer(id, length, scores[Int(id)])
                    if length == width { isCovered = true }
                }
                if !isCovered { offer(unknown, width, unknownScore) }
                start += width
            }
            // The way back turns the order around.
            let first = ids.count
            var end = text.count
            var followsUnknown = false
            while end > 0 {
                let node = best[end]
                if node.id == unknown, !byteIDs.isEmpty {
                    for index in (Int(node.start)..<end).reversed() { ids.append(byteIDs[Int(base[index])]) }
                } else if node.id != unknown || !followsUnknown {
                    ids.append(node.id)
                }
                followsUnknown = node.id == unknown
                end = Int(node.start)
            }
            var added = UnsafeMutableBufferPointer(start: ids.base + first, count: ids.count - first)
            added.reverse()
        }
    }
}
