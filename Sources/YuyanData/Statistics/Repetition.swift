/// How much of a text repeats itself, after Rae et al., "Scaling Language Models" (Gopher, 2021), table A1, as datatrove counts it.
struct Repetition {
    /// Characters of the most frequent 2-, 3- and 4-gram, times its frequency. The words of a gram are joined by a space each, which counts.
    var top = [0, 0, 0]
    /// Characters of rows of words that stood before, for 5…10 and 13 words. A row that repeats is stepped over; only rows that the steps
    /// begin at are remembered.
    var duplicate: [Int: Int] = [:]

    /// Longer texts are looked at in pieces, so that memory stays bounded.
    static let pieceLength = 1 << 21

    /// `starts` has one more element than there are words.
    init(words: UnsafePointer<UInt32>, starts: UnsafePointer<Int32>, count: Int, _ scratch: StatisticsScratch) {
        var start = 0
        while start < count {
            let length = min(Self.pieceLength, count - start)
            add(words + start, starts + start, length, scratch)
            start += length
        }
    }

    /// An n-gram is named by the names of the two (n−1)-grams in it (Karp, Miller and Rosenberg, 1972), which needs no comparing and no trust in hashes.
    /// It can repeat only where both of these do, so that fewer and fewer places are left to look at.
    private mutating func add(_ words: UnsafePointer<UInt32>, _ starts: UnsafePointer<Int32>, _ count: Int, _ scratch: StatisticsScratch) {
        guard count >= 2 else { return }
        let positions = scratch.positions.reserve(count)
        let places = scratch.places.reserve(count)
        let grams = scratch.grams
        var candidates = count - 1
        grams.prepare(candidates)
        var entries = grams.entries
        for index in 0..<candidates {
            let key = UInt64(words[index]) << 32 | UInt64(words[index + 1])
            let place = grams.place(key)
            entries[place].key = key
            entries[place].count &+= 1
            positions[index] = Int32(truncatingIfNeeded: index)
            places[index] = UInt32(truncatingIfNeeded: place)
        }
        var length = 2
        while true {
            // Of the most frequent the first; where none repeats, that is the first of all.
            if length <= 4, count >= length {
                var (best, bestPosition) = (UInt32(1), 0)
                for index in 0..<candidates where entries[Int(places[index])].count > best {
                    best = entries[Int(places[index])].count
                    bestPosition = Int(positions[index])
                }
                top[length - 2] += (Int(starts[bestPosition + length] - starts[bestPosition]) + length - 1) * Int(best)
            } else if length <= 10 || length == 13 {
                duplicate[length, default: 0] += characters(length, positions, places, candidates, entries, starts)
            }
            if length == 13 { return }
            // Keep what repeats, then pair neighbours.
            var kept = 0
            for index in 0..<candidates where entries[Int(places[index])].count > 1 {
                positions[kept] = positions[index]
                places[kept] = places[index]
                kept += 1
            }
            length += 1
            var pairs = 0
            for index in 0..<max(0, kept - 1) where positions[index + 1] == positions[index] + 1 { pairs += 1 }
            grams.prepare(pairs)
            entries = grams.entries
            candidates = 0
            for index in 0..<max(0, kept - 1) where positions[index + 1] == positions[index] + 1 {
                let key = UInt64(places[index]) << 32 | UInt64(places[index + 1])
                let place = grams.place(key)
                entries[place].key = key
                entries[place].count &+= 1
                positions[candidates] = positions[index]
                places[candidates] = UInt32(truncatingIfNeeded: place)
                candidates += 1
            }
            if candidates == 0, length > 4 {
                // Nothing as long repeats, so nothing longer does.
                return
            }
        }
    }

    private func characters(
        _ length: Int, _ positions: UnsafePointer<Int32>, _ places: UnsafePointer<UInt32>, _ candidates: Int,
        _ entries: UnsafeMutablePointer<HashTable.Entry>, _ starts: UnsafePointer<Int32>
    ) -> Int {
        var sum = 0
        var next = 0
        for index in 0..<candidates {
            let position = Int(positions[index])
            let place = Int(places[index])
            guard position >= next, entries[place].count > 1 else { continue }
            if entries[place].mark == 0 {
                entries[place].mark = 1
            } else {
                sum += Int(starts[position + length] - starts[position])
                next = position + length
            }
        }
        return sum
    }

    /// The frequencies of the √k most frequent of k different rows of 10 characters (those that occur once never count) over all rows: Data-Juicer's
    /// ratio of character repetition.
    static func ofCharacters(_ scalars: UnsafePointer<UInt32>, _ count: Int, _ scratch: StatisticsScratch) -> Float {
        var (counted, rows, start) = (0, 0, 0)
        while count - start >= 10 {
            let length = min(pieceLength, count - start)
            counted += frequentRows(scalars + start, length, scratch)
            rows += length - 9
            start += length
        }
        return rows == 0 ? 0 : Float(counted) / Float(rows)
    }

    private static func frequentRows(_ scalars: UnsafePointer<UInt32>, _ count: Int, _ scratch: StatisticsScratch) -> Int {
        let length = 10
        let rows = count - length + 1
        // A rolling polynomial modulo 2⁶⁴; the weight of the scalar that leaves.
        let factor: UInt64 = 0xD134_2543_DE82_EF95
        let leaving = (1..<length).reduce(UInt64(1)) { power, _ in power &* factor }
        var bits = 10
        while 1 << bits < 4 * rows && bits < 26 { bits += 1 }
        let shift = UInt64(64 - bits)
        let seen = scratch.seen.reserve(1 << bits)
        seen.update(repeating: 0, count: 1 << bits)
        @inline(__always) func slot(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: ((hash ^ hash >> 32) &* 0x9E37_79B9_7F4A_7C15) >> shift) }
        let hashes = scratch.hashes.reserve(rows)
        var hash: UInt64 = 0
        for index in 0..<length - 1 { hash = hash &* factor &+ UInt64(scalars[index] &+ 1) }
        for index in 0..<rows {
            hash = hash &* factor &+ UInt64(scalars[index + length - 1] &+ 1)
            hashes[index] = hash
            hash = hash &- leaving &* UInt64(scalars[index] &+ 1)
            let slot = slot(hashes[index])
            if seen[slot] < 2 { seen[slot] += 1 }
        }
        // Only rows that may have come twice are counted one by one.
        var doubtful = 0
        for index in 0..<rows where seen[slot(hashes[index])] >= 2 {
            hashes[doubtful] = hashes[index]
            doubtful += 1
        }
        guard doubtful > 0 else { return 0 }
        var once = rows - doubtful
        let table = scratch.grams
        table.prepare(doubtful)
        let entries = table.entries
        var frequent: [Int] = []
        for index in 0..<doubtful {
            let place = table.place(hashes[index])
            entries[place].key = hashes[index]
            entries[place].count &+= 1
            if entries[place].count == 1 {
                once += 1
            } else if entries[place].count == 2 {
                once -= 1
                frequent.append(place)
            }
        }
        let different = once + frequent.count
        let counted = min(Int(Double(different).squareRoot()), frequent.count)
        let counts = frequent.map { Int(entries[$0].count) }.sorted(by: >)
        return counts.prefix(counted).reduce(0, +)
    }
}
