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

    /// The next token: one of those that are `allowed`.
    mutating func choose(_ logits: UnsafeBufferPointer<Float>, allowed: TokenMask? = nil) -> Int32 {
        choose(logits, allowed: allowed, uniform: configuration.temperature == 0 ? 0 : random.uniform())
    }

    /// The next token for a uniform number in [0, 1).
    mutating func choose(_ logits: UnsafeBufferPointer<Float>, allowed: TokenMask? = nil, uniform: Double) -> Int32 {
        filter(logits, allowed)
        return candidates.drawn(at: uniform)
    }

    /// The next token, which is a draft with the probability that leaves it distributed as without one (Leviathan et al. 2023, algorithm 1): where the draft's own
    /// distribution gave it more than this one does, it is refused in proportion, and what is drawn then is what this one has more of.
    mutating func choose(_ logits: UnsafeBufferPointer<Float>, allowed: TokenMask?, draft: Draft) -> Int32 {
        filter(logits, allowed)
        let (own, other) = (candidates.normalised, draft.candidates?.normalised ?? [Candidate(id: draft.id, weight: 1)])
        if random.uniform() * other.weight(of: draft.id) < own.weight(of: draft.id) { return draft.id }
        let rest = own.less(other)
        return (rest.isEmpty ? own : rest).drawn(at: random.uniform())
    }

    /// A guess, at a uniform number in [0, 1).
    mutating func draft(_ logits: UnsafeBufferPointer<Float>, allowed: TokenMask?, uniform: Double) -> Draft {
        filter(logits, allowed)
        return Draft(id: candidates.drawn(at: uniform), candidates: candidates)
    }

    /// Leaves in `candidates` what is drawn from: the single best token where the temperature is 0.
    private mutating func filter(_ logits: UnsafeBufferPointer<Float>, _ allowed: TokenMask?) {
        candidates.removeAll(keepingCapacity: true)
        if seen.isEmpty && configuration.bannedTokens.isEmpty && allowed == nil {
            filter(logits)
        } else {
            var scores = scores  // taken out, to be written while `self` filters
            self.scores = []
            if scores.isEmpty { scores = Array(logits) }
            scores.withUnsafeMutableBufferPointer { scores in
                _ = scores.update(fromContentsOf: logits)
                let penalty = Float(configuration.repetitionPenalty)
                for id in seen { scores[Int(id)] = scores[Int(id)] > 0 ? scores[Int(id)] / penalty : scores[Int(id)] * penalty }
                for id in configuration.bannedTokens where scores.indices.contains(Int(id)) { scores[Int(id)] = -.infinity }
                allowed?.apply(to: scores)
                filter(UnsafeBufferPointer(scores))
            }
            self.scores = scores
        }
        // A model may hold all that is allowed impossible.
        if candidates.isEmpty { candidates = [Candidate(id: allowed?.first ?? Int32(indexOfLargest(logits)), weight: 1)] }
    }

    private mutating func filter(_ scores: UnsafeBufferPointer<Float>) {
        let best = indexOfLargest(scores)
        guard scores[best] > -.infinity else { return }
        guard configuration.temperature > 0 else {
            candidates.append(Candidate(id: Int32(best), weight: 1))
            return
        }
        let least = configuration.topK > 0 && configuration.topK < scores.count ? kthLargest(configuration.topK, of: scores) : -.infinity
        let (highest, factor) = (Double(scores[best]), 1 / configuration.temperature)
        for (id, score) in scores.enumerated() where score >= least && score > -.infinity {
            candidates.append(Candidate(id: Int32(id), weight: exp((Double(score) - highest) * factor)))
        }
        if configuration.topP < 1 { keepNucleus(configuration.topP) }
        // The highest weight is 1: it is the unit of min-p whatever was filtered before.
        if configuration.minP > 0 { candidates.removeAll { $0.weight < configuration.minP } }
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

extension [Sampler.Candidate] {
    /// The one that the cumulative distribution reaches at a uniform number in [0, 1).
    func drawn(at uniform: Double) -> Int32 {
        let target = uniform * reduce(0) { $0 + $1.weight }
        var sum = 0.0
        for candidate in self {
            sum += candidate.weight
            if sum > target { return candidate.id }
        }
        return self[count - 1].id
    }

    /// With weights that sum up to 1.
    var normalised: Self {
        let total = reduce(0) { $0 + $1.weight }
        return map { Sampler.Candidate(id: $0.id, weight: $0.weight / total) }
    }

    func weight(of id: Int32) -> Double { first { $0.id == id }?.weight ?? 0 }

    /// What these have more than others, both in the order of ids.
    func less(_ others: Self) -> Self {
        var place = 0
        return compactMap { own in
            while place < others.count, others[place].id < own.id { place += 1 }
            let other = place < others.count && others[place].id == own.id ? others[place].weight : 0
            return own.weight > other ? Sampler.Candidate(id: own.id, weight: own.weight - other) : nil
        }
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
