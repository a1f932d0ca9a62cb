import Foundation
import YuyanModels
import YuyanTensor
import YuyanText

/// Beam search over one prompt, its beams a batch whose cache is reordered with them. The candidates that are kept, when one counts as finished and when the
/// search is over are those of transformers.
///
/// Groups (Vijayakumar et al. 2018, "Diverse Beam Search", algorithm 1) are searches of their own, in which a token loses `diversityPenalty` for each beam of the
/// groups before that has just chosen it.
@Engine final class BeamSearch: Decoding {
    private let configuration: GenerationConfiguration
    private let stopTokens: Set<Int32>
    private let promptTokens: Int
    private let stepper: TokenStepper
    private var groups: [Group]
    private var generated = 0
    private var isOver = false

    /// One way of going on, finished or not.
    private struct Hypothesis {
        var tokens: [GeneratedToken] = []
        /// Σ of the tokens' log-probabilities, after penalties.
        var score: Float = 0
        /// Tokens that the repetition penalty applies to.
        var seen: Set<Int32>
        var detokenizer: StreamingDetokenizer?
        var filter: StopFilter
        var text = ""
        var reason: FinishReason?
    }

    private struct Group {
        /// The rows of the stepper that are this group's; all begin in one.
        var running: [Hypothesis]
        /// With their final scores, the best first.
        var finished: [(hypothesis: Hypothesis, score: Float)] = []
        var canImprove = true
        var isOver = false
    }

    /// A token behind a running hypothesis.
    private struct Candidate {
        var parent: Int
        var id: Int32
        var score: Float
        func precedes(_ other: Candidate) -> Bool { (other.score, parent, id) < (score, other.parent, other.id) }
    }

    init(_ model: any LanguageModel, _ rules: SampleRules, prompt: [Int32], prefixes: PrefixCache? = nil) throws {
        (configuration, stopTokens) = (rules.configuration, rules.stopTokens)
        let prompt = try fitted(prompt, to: model.contextLength, vocabulary: rules.vocabulary, configuration.overflow)
        promptTokens = prompt.count
        stepper = try TokenStepper(
            model, vocabulary: rules.vocabulary, prompts: [prompt], room: promptTokens + min(configuration.maxTokens, 64),
            overflow: configuration.overflow, precision: configuration.cache, prefixes: prefixes)
        let start = Hypothesis(
            seen: Set(stepper.rows[0]), detokenizer: rules.tokenizer.map(StreamingDetokenizer.init), filter: StopFilter(configuration.stop))
        groups = Array(repeating: Group(running: [start]), count: configuration.beamGroups)
    }

    private var beams: Int { configuration.beams / configuration.beamGroups }

    func step(isCancelled: Bool) throws -> [GenerationEvent]? {
        guard !isOver else { return nil }
        guard !isCancelled else { return results(.cancelled) }
        let logits = try stepper.logits()
        generated += 1
        let isLast = generated == configuration.maxTokens || stepper.isFull
        var (parents, chosen): ([Int], [Int32]) = ([], [])
        var firstRow = 0
        for number in groups.indices where !groups[number].isOver {
            let rows = logits.count == 1 ? 0..<1 : firstRow..<firstRow + groups[number].running.count
            firstRow = rows.upperBound
            let logprobs = rows.map { row in logits.withRow(row) { own, logSum in own.map { $0 - logSum } } }
            let taken = advance(&groups[number], logprobs, alreadyChosen: chosen, isLast: isLast)
            guard !groups[number].isOver else { continue }
            parents += taken.map { rows.lowerBound + $0.parent }
            chosen += taken.map(\.id)
        }
        if parents.isEmpty { return results(.length) }
        try stepper.select(parents)
        stepper.append(chosen)
        return []
    }

    /// One step of a group: gives the candidates that go on.
    private func advance(_ group: inout Group, _ logprobs: [[Float]], alreadyChosen: [Int32], isLast: Bool) -> [Candidate] {
        // Enough that as many as there are beams go on whatever ends.
        let kept = max(2, 1 + stopTokens.count) * beams
        var candidates = group.running.indices.flatMap { parent in
            best(kept, of: penalised(logprobs[parent], group.running[parent].seen, alreadyChosen), behind: group.running[parent].score, parent)
        }
        candidates.sort { $0.precedes($1) }
        var running: [(Candidate, Hypothesis)] = []
        var areAllOver = true
        let accepts = group.canImprove && !(configuration.earlyStopping && group.finished.count == beams)
        for (rank, candidate) in candidates.prefix(kept).enumerated() {
            var hypothesis = extended(group.running[candidate.parent], candidate, logprob: logprobs[candidate.parent][Int(candidate.id)])
            if hypothesis.reason == nil, isLast { hypothesis.reason = .length }
            guard hypothesis.reason != nil else {
                areAllOver = false
                if running.count < beams { running.append((candidate, hypothesis)) }
                continue
            }
            // The others are there only so that enough go on.
            guard accepts, rank < beams else { continue }
            let score = candidate.score / normalisation(generated)
            let place = group.finished.firstIndex { $0.score < score } ?? group.finished.count
            group.finished.insert((hypothesis, score), at: place)
            if group.finished.count > beams { group.finished.removeLast() }
        }
        let isFull = group.finished.count == beams
        if isFull, let worst = group.finished.last?.score, let hope = running.first?.1.score {
            group.canImprove = group.canImprove && hope / normalisation(generated) > worst
        }
        group.isOver = areAllOver || !group.canImprove || isFull && configuration.earlyStopping
        group.running = running.map(\.1)
        return running.map(\.0)
    }

    private func normalisation(_ length: Int) -> Float { pow(Float(length), Float(configuration.lengthPenalty)) }

    /// What the scores of candidates are made of.
    private func penalised(_ logprobs: [Float], _ seen: Set<Int32>, _ alreadyChosen: [Int32]) -> [Float] {
        var scores = logprobs
        let penalty = Float(configuration.repetitionPenalty)
        if penalty != 1 { for id in seen { scores[Int(id)] *= scores[Int(id)] < 0 ? penalty : 1 / penalty } }
        for id in configuration.bannedTokens where scores.indices.contains(Int(id)) { scores[Int(id)] = -.infinity }
        for id in alreadyChosen { scores[Int(id)] -= Float(configuration.diversityPenalty) }
        return scores
    }

    private func best(_ count: Int, of scores: [Float], behind score: Float, _ parent: Int) -> [Candidate] {
        let least = count < scores.count ? scores.withUnsafeBufferPointer { kthLargest(count, of: $0) } : -.infinity
        return scores.enumerated().compactMap { id, own in
            own >= least && own > -.infinity ? Candidate(parent: parent, id: Int32(id), score: score + own) : nil
        }
    }

    private func extended(_ hypothesis: Hypothesis, _ candidate: Candidate, logprob: Float) -> Hypothesis {
        var next = hypothesis
        next.tokens.append(GeneratedToken(id: candidate.id, logprob: logprob))
        next.score = candidate.score
        if configuration.repetitionPenalty != 1 { next.seen.insert(candidate.id) }
        if stopTokens.contains(candidate.id) {
            next.reason = .stop
        } else if let text = next.detokenizer?.append(candidate.id) {
            next.text += next.filter.append(text)
            if next.filter.isStopped { next.reason = .stop }
        }
        return next
    }

    /// The best hypotheses of all groups, as many as were asked for.
    private func results(_ reason: FinishReason) -> [GenerationEvent] {
        isOver = true
        let finished = groups.flatMap(\.finished).sorted { $0.score > $1.score }.map(\.hypothesis)
        let unfinished = groups.flatMap(\.running).sorted { $0.score > $1.score }
        return (finished + (finished.count < configuration.samples ? unfinished : [])).prefix(configuration.samples).enumerated().flatMap {
            sample, hypothesis in
            var hypothesis = hypothesis
            if let rest = hypothesis.detokenizer?.finish() { hypothesis.text += hypothesis.filter.append(rest) + hypothesis.filter.finish() }
            var events = hypothesis.tokens.map { GenerationEvent.token(sample: sample, $0) }
            if !hypothesis.text.isEmpty { events.append(.text(sample: sample, hypothesis.text)) }
            let usage = Usage(promptTokens: promptTokens, completionTokens: hypothesis.tokens.count)
            return events + [.finished(sample: sample, reason: hypothesis.reason ?? reason, usage: usage)]
        }
    }
}
