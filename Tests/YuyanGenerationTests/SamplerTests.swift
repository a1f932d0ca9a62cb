import Foundation
import Testing

@testable import YuyanGeneration

/// The whole chain in float64 with full sorts, as its definition reads.
private func plainChoice(_ logits: [Float], seen: Set<Int32>, _ c: GenerationConfiguration, uniform: Double) -> Int32 {
    let penalty = Float(c.repetitionPenalty)
    var scores = logits
    for id in seen { scores[Int(id)] = scores[Int(id)] > 0 ? scores[Int(id)] / penalty : scores[Int(id)] * penalty }
    for id in c.bannedTokens { scores[Int(id)] = -.infinity }
    let highest = scores.max() ?? 0
    if c.temperature == 0 { return Int32(scores.firstIndex(of: highest) ?? 0) }
    var allowed = Set(scores.indices.filter { scores[$0] > -.infinity })
    if c.topK > 0 {
        let least = scores.sorted(by: >)[min(c.topK, scores.count) - 1]
        allowed = allowed.filter { scores[$0] >= least }
    }
    let weights = scores.map { exp((Double($0) - Double(highest)) / c.temperature) }
    if c.topP < 1 {
        let total = allowed.sorted().reduce(0) { $0 + weights[$1] }
        var before = 0.0
        for id in allowed.sorted(by: { (weights[$1], $0) < (weights[$0], $1) }) {
            if before >= c.topP * total { allowed.remove(id) }
            before += weights[id]
        }
    }
    allowed = allowed.filter { weights[$0] >= c.minP }
    let kept = allowed.sorted()
    let target = uniform * kept.reduce(0) { $0 + weights[$1] }
    var sum = 0.0
    return Int32(
        kept.first {
            sum += weights[$0]
            return sum > target
        } ?? kept.last ?? 0)
}

@Suite struct SamplerTests {
    /// Logits like a model's: a few high ones over a broad floor, with ties.
    private func logits(_ count: Int, _ random: inout RandomStream) -> [Float] {
        (0..<count).map { _ in
            let normal = (-2 * log(1 - random.uniform())).squareRoot() * cos(2 * .pi * random.uniform())
            return Float((normal * 3 * 4).rounded() / 4)
        }
    }

    @Test func choosesWhatThePlainChainChooses() {
        var random = RandomStream(seed: 1)
        let settings: [GenerationConfiguration] = [
            .init { $0.temperature = 1 }, .init { $0.temperature = 0 }, .init { $0.temperature = 0.5 }, .init { $0.topK = 1 }, .init { $0.topK = 40 },
            .init { $0.topK = 100_000 }, .init { $0.topP = 0.9 }, .init { ($0.topP, $0.temperature) = (0.999, 3) }, .init { $0.topP = 1e-9 },
            .init { $0.minP = 0.05 }, .init { $0.minP = 1 }, .init { $0.repetitionPenalty = 1.5 },
            .init { ($0.repetitionPenalty, $0.temperature) = (0.7, 0) },
            .init { ($0.topK, $0.topP, $0.minP, $0.repetitionPenalty, $0.temperature, $0.bannedTokens) = (50, 0.8, 0.01, 1.2, 1.7, [3, 5, 8]) },
        ]
        for configuration in settings {
            for size in [9, 300, 5000] {
                var sampler = Sampler(configuration, vocabulary: size, random: RandomStream(seed: 0))
                var seen: Set<Int32> = []
                for _ in 0..<20 {
                    let logits = logits(size, &random)
                    let uniform = random.uniform()
                    let id = logits.withUnsafeBufferPointer { sampler.choose($0, uniform: uniform) }
                    #expect(id == plainChoice(logits, seen: seen, configuration, uniform: uniform))
                    sampler.observe(id)
                    seen.insert(id)
                }
            }
        }
    }

    @Test func drawsByTheWeights() {
        var configuration = GenerationConfiguration()
        configuration.temperature = 1
        let weights = [0.5, 0.2, 0.2, 0.1]
        let logits = weights.map { Float(log($0)) }
        var sampler = Sampler(configuration, vocabulary: 4, random: RandomStream(seed: 42))
        var counts = [0, 0, 0, 0]
        for _ in 0..<20_000 { counts[Int(logits.withUnsafeBufferPointer { sampler.choose($0) })] += 1 }
        for (count, weight) in zip(counts, weights) { #expect(abs(Double(count) / 20_000 - weight) < 0.015) }
    }

    @Test func numbersOfOneSampleDoNotDependOnTheOthers() {
        var streams = (0..<3).map { RandomStream(seed: 9, sample: $0) }
        let numbers = streams.indices.map { i in (0..<4).map { _ in streams[i].uniform() } }
        #expect(Set(numbers.joined()).count == 12)
        #expect(numbers.joined().allSatisfy { 0..<1 ~= $0 })
        var again = RandomStream(seed: 9, sample: 2)
        #expect((0..<4).map { _ in again.uniform() } == numbers[2])
    }

    @Test func findsTheKthLargest() {
        var random = RandomStream(seed: 5)
        for count in [1, 2, 17, 1000] {
            let values = logits(count, &random)
            let sorted = values.sorted(by: >)
            for k in [1, 2, 3, 16, 999, count] where k <= count {
                #expect(values.withUnsafeBufferPointer { kthLargest(k, of: $0) } == sorted[k - 1])
            }
        }
    }
}
