import CData
import Foundation

/// MinHash signatures in bands (Broder 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", 3.3–3.4).
///
/// A shingle is hashed to 32 bits; each of the bands × rows permutations is x ↦ a·x + b mod 2³² with odd a, and its minimum over the shingles is equal for
/// two texts with the probability of their Jaccard similarity. A band is the hash of its rows.
struct MinHash: Sendable {
    let shingle: Int
    let bands: Int
    let rows: Int
    private let multipliers: [UInt32]
    private let offsets: [UInt32]

    init(shingle: Int, bands: Int, rows: Int) {
        (self.shingle, self.bands, self.rows) = (shingle, bands, rows)
        let permutations = (bands * rows + 15) / 16 * 16
        var random = SeededRandom(seed: 1997)
        multipliers = (0..<permutations).map { _ in UInt32(truncatingIfNeeded: random.next()) | 1 }
        offsets = (0..<permutations).map { _ in UInt32(truncatingIfNeeded: random.next()) }
    }

    /// With the bands and rows that the configuration gives or implies.
    init(_ configuration: DeduplicationConfiguration) {
        let (bands, rows) =
            if let bands = configuration.bands, let rows = configuration.rows {
                (bands, rows)
            } else {
                Self.bandsAndRows(threshold: configuration.threshold, recall: configuration.verify ? 0.99 : 0.5)
            }
        self.init(shingle: configuration.shingle, bands: bands, rows: rows)
    }

    /// The probability that two texts of this similarity have a band in common.
    static func matchProbability(_ similarity: Double, bands: Int, rows: Int) -> Double {
        1 - pow(1 - pow(similarity, Double(rows)), Double(bands))
    }

    /// The most rows (the fewest false candidates) with which 128 permutations find a pair at the threshold with this probability.
    static func bandsAndRows(threshold: Double, recall: Double) -> (bands: Int, rows: Int) {
        for rows in stride(from: 16, to: 1, by: -1) where matchProbability(threshold, bands: 128 / rows, rows: rows) >= recall {
            return (128 / rows, rows)
        }
        return (128, 1)
    }

    /// Hashes of the shingles of a text, in the order of the text; none where it is shorter than one. Gives their number.
    func shingleHashes(_ text: ComparisonText, into hashes: inout [UInt32]) -> Int {
        guard text.count >= shingle else { return 0 }
        if hashes.count < text.count { hashes = [UInt32](repeating: 0, count: text.count * 3 / 2) }
        text.scalars.withUnsafeBufferPointer { scalars in
            hashes.withUnsafeMutableBufferPointer { cdata_shingle_hashes(scalars.baseAddress, text.count, shingle, $0.baseAddress) }
        }
        return text.count - shingle + 1
    }

    /// The minimum of each permutation over the hashes.
    func signature(_ hashes: UnsafeBufferPointer<UInt32>, into minima: inout [UInt32]) {
        if minima.count < multipliers.count { minima = [UInt32](repeating: 0, count: multipliers.count) }
        minima.withUnsafeMutableBufferPointer { minima in
            multipliers.withUnsafeBufferPointer { multipliers in
                offsets.withUnsafeBufferPointer { offsets in
                    cdata_minhash(
                        hashes.baseAddress, hashes.count, multipliers.baseAddress, offsets.baseAddress, multipliers.count, minima.baseAddress)
                }
            }
        }
    }

    /// Appends the hash of each band of a signature; 0 is never one.
    func appendBands(_ minima: [UInt32], to hashes: inout [UInt64]) {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: bands) { buffer in
            minima.withUnsafeBufferPointer { cdata_band_hashes($0.baseAddress, bands, rows, buffer.baseAddress) }
            hashes.append(contentsOf: buffer)
        }
    }
}

/// The hashes of a text's shingles, or the smallest of them where they are many: enough to compute or estimate a Jaccard similarity (the bottom-k sketch:
/// Broder 1997; Cohen and Kaplan, "Summarizing data using bottom-k sketches", 2007).
enum ShingleSketch {
    /// The most hashes that a sketch holds.
    static let limit = 1024

    /// Appends a sketch of these hashes. Few hashes are left as they are, unsorted and with repetitions: most texts are never compared.
    static func append(_ hashes: inout [UInt32], count: Int, to sketches: inout [UInt32]) {
        let kept = count <= limit ? count : hashes.withUnsafeMutableBufferPointer { cdata_smallest($0.baseAddress, count, limit) }
        sketches.append(contentsOf: hashes[0..<kept])
    }

    /// Makes a sketch ready for `similarity`.
    static func prepare(_ sketch: inout [UInt32]) {
        guard !sketch.isEmpty else { return }
        let count = sketch.withUnsafeMutableBufferPointer { cdata_smallest($0.baseAddress, $0.count, limit) }
        sketch.removeLast(sketch.count - count)
    }

    /// The Jaccard similarity of two prepared sketches.
    static func similarity(_ one: [UInt32], _ other: [UInt32]) -> Double {
        one.withUnsafeBufferPointer { one in
            other.withUnsafeBufferPointer { cdata_jaccard(one.baseAddress, one.count, $0.baseAddress, $0.count, limit) }
        }
    }
}
