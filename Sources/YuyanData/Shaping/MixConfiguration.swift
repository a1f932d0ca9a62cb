import Foundation

/// What a mixture is measured in.
public enum MixUnit: String, Codable, Sendable, CaseIterable {
    /// Unicode scalars of text.
    case characters
    /// Tokens of a tokenizer, the one that ends each document included.
    case tokens
    /// Documents, conversations, pairs.
    case records
}

/// In which order the records of one source come.
public enum MixOrder: String, Codable, Sendable, CaseIterable {
    /// Anew in each epoch, by the seed; of a source that is taken in part, a sample.
    case shuffled
    /// As they are read; of a source that is taken in part, its beginning.
    case source
}

/// One of the sources of a mixture.
public struct MixSource: Codable, Sendable, Hashable {
    /// How reports and errors call it.
    public var name = ""
    /// Files, folders and patterns.
    public var paths: [String] = []
    /// Its share of the mixture, relative to the weights of the others.
    public var weight: Double?
    /// How much of it to take, in the mixture's unit, instead of a weight.
    public var target: Int?
    /// How many times its records may come at most. Up to about four passes teach nearly as much as new text (Muennighoff et al., "Scaling
    /// Data-Constrained Language Models", 2023).
    public var maximumEpochs = 1.0

    /// A source to be named.
    public init() {}

    /// A source.
    public init(_ name: String, paths: [String], weight: Double? = nil, target: Int? = nil, maximumEpochs: Double = 1) {
        self.name = name
        self.paths = paths
        self.weight = weight
        self.target = target
        self.maximumEpochs = maximumEpochs
    }
}

/// A mixture of sources: by weights, by target amounts, or by their sizes with a temperature.
public struct MixConfiguration: Codable, Sendable, Hashable {
    /// What is mixed.
    public var sources: [MixSource] = []
    /// What shares, targets and the total are measured in.
    public var unit = MixUnit.characters
    /// How much the whole should be; by default as much as the limits on epochs allow.
    public var total: Int?
    /// Without weights and targets, source i with the share pᵢ of all text gets a share proportional to pᵢ^(1/T): 1 as they are, higher ones
    /// bring small sources up (Devlin, multilingual BERT; Conneau et al., "XLM-R", 2020, where α = 1/T).
    public var temperature: Double?
    /// The order inside each source.
    public var order = MixOrder.shuffled
    /// What the order depends on.
    public var seed = 0

    /// Nothing yet.
    public init() {}

    /// Throws a `DataError` where the settings are incomplete or contradict each other.
    public func check() throws { _ = try rule() }

    enum Rule {
        case targets, weights
        case temperature(Double)
    }

    /// How shares are decided. Throws one sentence where the settings are incomplete or contradict each other.
    func rule() throws -> Rule {
        guard !sources.isEmpty else { throw DataError("a mixture needs at least one source") }
        for (number, source) in sources.enumerated() {
            guard !source.name.isEmpty else { throw DataError("sources[\(number)] of the mixture has no name") }
            guard sources.count(where: { $0.name == source.name }) == 1 else {
                throw DataError("two sources of the mixture are named \"\(source.name)\"")
            }
            guard source.maximumEpochs > 0, source.maximumEpochs.isFinite else {
                throw DataError("the source \"\(source.name)\" allows \(source.maximumEpochs) epochs, and should allow more than 0")
            }
            if let weight = source.weight, !(weight > 0 && weight.isFinite) {
                throw DataError(
                    "the source \"\(source.name)\" has the weight \(weight), and a weight should be above 0; leave the source out instead")
            }
            if let target = source.target, target <= 0 {
                throw DataError(
                    "the source \"\(source.name)\" has the target \(target), and a target should be above 0; leave the source out instead")
            }
        }
        if let total, total <= 0 { throw DataError("the total of the mixture is \(total), and should be above 0") }
        if let temperature, !(temperature > 0 && temperature.isFinite) {
            throw DataError("the temperature of the mixture is \(temperature), and should be above 0")
        }
        let (weighted, targeted) = (sources.filter { $0.weight != nil }, sources.filter { $0.target != nil })
        if !targeted.isEmpty {
            guard weighted.isEmpty, targeted.count == sources.count, total == nil, temperature == nil else {
                throw DataError("a mixture by targets needs a target for every source, and no weight, temperature or total")
            }
            return .targets
        }
        if !weighted.isEmpty {
            guard weighted.count == sources.count, temperature == nil else {
                throw DataError("a mixture by weights needs a weight for every source, and no temperature")
            }
            return .weights
        }
        return .temperature(temperature ?? 1)
    }

    /// How much of each source to take, in the unit. Throws where a source would have to be repeated too often.
    func targets(sizes: [Int]) throws -> [Int] {
        let rule = try rule()
        for (source, size) in zip(sources, sizes) where size == 0 {
            throw DataError("the source \"\(source.name)\" holds nothing to mix (\(source.paths.joined(separator: ", ")))")
        }
        let weights: [Double]
        switch rule {
        case .targets:
            let targets = sources.map { $0.target ?? 0 }
            try check(targets, sizes: sizes) { "lower its target to \($0)" }
            return targets
        case .weights: weights = sources.map { $0.weight ?? 0 }
        case .temperature(let temperature):
            let all = Double(sizes.reduce(0, +))
            weights = sizes.map { exp(log(Double($0) / all) / temperature) }
        }
        let sum = weights.reduce(0, +)
        let shares = weights.map { $0 / sum }
        let limit = zip(zip(sources, sizes), shares).map { $0.0.maximumEpochs * Double($0.1) / $1 }.min() ?? 0
        let targets = shares.map { Int(($0 * (total.map(Double.init) ?? limit)).rounded()) }
        if total != nil { try check(targets, sizes: sizes) { _ in "lower the total to \(Int(limit))" } }
        return zip(targets, zip(sources, sizes)).map { min($0, Int($1.0.maximumEpochs * Double($1.1))) }
    }

    private func check(_ targets: [Int], sizes: [Int], advice: (Int) -> String) throws {
        for (source, (target, size)) in zip(sources, zip(targets, sizes)) {
            let most = source.maximumEpochs * Double(size)
            // Rounding to whole units is no repetition.
            guard Double(target) > most + 0.5 else { continue }
            let epochs = (Double(target) / Double(size) * 100).rounded(.up) / 100
            throw DataError(
                "the source \"\(source.name)\" has \(size) \(unit), and the mixture takes \(target) of it: \(epochs) epochs, where at most "
                    + "\(source.maximumEpochs) are allowed; \(advice(Int(most))) or allow \(epochs) epochs")
        }
    }
}
