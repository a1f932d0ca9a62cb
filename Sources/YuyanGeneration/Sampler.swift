import Foundation

/// Chooses tokens for one sample from the model's logits, on the host: O(vocabulary) a token, and sorting only what may be kept.
///
/// Filters work on weights e^((logit − highest)/temperature) in float64. What passes them is drawn from by inverting the cumulative distribution,
/// in the order of ids, at one uniform number.
struct Sampler: Sendable {
    private let configuration: GenerationConfiguration
    private var random: RandomStream
    /// Tokens of prompt and answer, each once; kept for the repetition penalty only.
    private var seen: [Int32] = []
    private var isSeen: [Bool] = []
    private var scores: [Float] = []
    private var candidates: [Candidate] = []

    struct Candidate {
        var id: Int32
        var weight: Double
        /// Heavier first, then by id.
        func precedes(_ other: Candidate) -> Bool { weight > other.weight || (weight == other.weight && id < other.id) }
    }

    init(_ configuration: GenerationConfiguration, vocabulary: Int, random: RandomStream) {
        (self.configuration, self.random) = (configuration, random)
        if configuration.repetitionPenalty != 1 { isSeen = Array(repeating: false, count: vocabulary) }
    }

    /// Counts a token of prompt or answer.
    mutating func observe(_ id: Int32) {
        guard isSeen.indices.contains(Int(id)), !isSeen[Int(id)] else { return }
        isSeen[Int(id)] = true
        seen.append(id)
    }

    /// The next token.
    mutating func choose(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
        choose(logits, uniform: configuration.temperature == 0 ? 0 : random.uniform())
    }

    /// The next token for a uniform number in [0, 1).
    mutating func choose(_ logits: UnsafeBufferPointer<Float>, uniform: Double) -> Int32 {
        guard !seen.isEmpty || !configuration.bannedTokens.isEmpty else { return draw(logits, uniform) }
        var scores = scores  // taken out, to be written while `self` draws
        self.scores = []
        if scores.isEmpty { scores = Array(logits) }
        defer { self.scores = scores }
        return scores.withUnsafeMutableBufferPointer { scores in
            _ = scores.update(fromContentsOf: logits)
            let penalty = Float(configuration.repetitionPenalty)
            for id in seen { scores[Int(id)] = scores[Int(id)] > 0 ? scores[Int(id)] / penalty : scores[Int(id)] * penalty }
            for id in configuration.bannedTokens where scores.indices.contains(Int(id)) { scores[Int(id)] = -.infinity }
            return draw(UnsafeBufferPointer(scores), uniform)
        }
    }

    private mutating func draw(_ scores: UnsafeBufferPointer<Float>, _ uniform: Double) -> Int32 {
        let best = indexOfLargest(scores)
        guard configuration.temperature > 0 else { return Int32(best) }
        let least = configuration.topK > 0 && configuration.topK < scores.count ? kthLargest(configuration.topK, of: scores) : -.infinity
        let (highest, factor) = (Double(scores[best]), 1 / configuration.temperature)
        candidates.removeAll(keepingCapacity: true)
        for (id, score) in scores.enumerated() where score >= least && score > -.infinity {
            candidates.append(Candidate(id: Int32(id), weight: exp((Double(score) - highest) * factor)))
        }
        if configuration.topP < 1 { keepNucleus(configuration.topP) }
        // The highest weight is 1: it is the unit of min-p whatever was filtered before.
        if configuration.minP > 0 { candidates.removeAll { $0.weight < configuration.minP } }

        let target = uniform * candidates.reduce(0) { $0 + $1.weight }
        var sum = 0.0
        for candidate in candidates {
            sum += candidate.weight
            if sum > target { return candidate.id }
        }
        return candidates.last?.id ?? Int32(best)
    }

    /// Keeps the heaviest candidates whose weights before the last of them sum up to less than p of the whole.
    private mutating func keepNucleus(_ p: Double) {
        let total = candidates.reduce(0) { $0 + $1.weight }
        // All candidates lighter than this weigh less than 1 − p together: they are outside and need no sorting. Half of it, for rounding.
        let light = 0.5 * (1 - p) * total / Double(candidates.count)
        let sorted = candidates.filter { $0.weight >= light }.sorted { $0.precedes($1) }
        var sum = 0.0
        let end = sorted.firstIndex { candidate in
            defer { sum += candidate.weight }
            return sum >= p * total
        }
        candidates.removeAll { candidate in end.map { !candidate.precedes(sorted[$0]) } ?? (candidate.weight < light) }
    }
}

/// The first index of the largest value.
func indexOfLargest(_ values: UnsafeBufferPointer<Float>) -> Int {
    var (best, largest) = (0, -Float.infinity)
    for (index, value) in values.enumerated() where value > largest { (best, largest) = (index, value) }
    return best
}

/// The k-th largest value, by a heap of the k largest so far: values in no order enter it about k·ln(n/k) times.
func kthLargest(_ k: Int, of values: UnsafeBufferPointer<Float>) -> Float {
    var heap = Array(values.prefix(k))  // smallest first
    heap.withUnsafeMutableBufferPointer { heap in
        func sink(_ start: Int) {
            var (parent, value) = (start, heap[start])
            while true {
                var child = 2 * parent + 1
                guard child < k else { break }
                if child + 1 < k && heap[child + 1] < heap[child] { child += 1 }
                guard heap[child] < value else { break }
                heap[parent] = heap[child]
                parent = child
            }
            swap(&heap[parent], &value)
        }
        for start in stride(from: k / 2 - 1, through: 0, by: -1) { sink(start) }
        for value in values.dropFirst(k) where value > heap[0] {
            heap[0] = value
            sink(0)
        }
    }
    return heap[0]
}
