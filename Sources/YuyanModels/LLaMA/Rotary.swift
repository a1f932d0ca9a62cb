import Foundation
import YuyanTensor

/// Rotary positions: the base of the angles, and the rule that stretches them over longer contexts (`rope_scaling` or `rope_parameters`).
public struct RotaryConfiguration: Codable, Sendable, Hashable {
    public enum Kind: String, Codable, Sendable, CaseIterable {
        case plain = "default"
        /// All positions divided by the factor (Chen et al. 2023).
        case linear
        /// Longer contexts than the model was trained on change the base; within its context, which is all that is used here, nothing changes.
        case dynamic
        /// Slow angles divided, fast ones kept, those between blended (Grattafiori et al. 2024; the rule of Llama 3.1).
        case llama3
        /// The same by rotations within the original context, and sharper attention (Peng et al. 2023).
        case yarn
    }

    public var kind = Kind.plain
    public var base = 10000.0
    public var factor: Double?
    public var originalContext: Int?
    public var lowFrequencyFactor: Double?
    public var highFrequencyFactor: Double?
    public var attentionFactor: Double?
    public var betaFast: Double?
    public var betaSlow: Double?
    /// Yarn's sharpness of attention, as DeepSeek states it: it grows with one and shrinks with the other.
    public var attentionScale: Double?
    public var attentionScaleAll: Double?
    /// Whether yarn's two borders are whole elements; nil: they are.
    public var truncates: Bool?

    enum CodingKeys: String, CodingKey {
        case kind = "rope_type"
        case oldKind = "type"
        case base = "rope_theta"
        case factor
        case originalContext = "original_max_position_embeddings"
        case lowFrequencyFactor = "low_freq_factor"
        case highFrequencyFactor = "high_freq_factor"
        case attentionFactor = "attention_factor"
        case betaFast = "beta_fast"
        case betaSlow = "beta_slow"
        case attentionScale = "mscale"
        case attentionScaleAll = "mscale_all_dim"
        case truncates = "truncate"
        case rotatedPart = "partial_rotary_factor"
        case fullLayers = "full_attention"
        case windowLayers = "sliding_attention"
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let name = try values.decodeIfPresent(String.self, forKey: .kind) ?? values.decodeIfPresent(String.self, forKey: .oldKind) ?? "default"
        guard let kind = Kind(rawValue: name) else {
            throw WeightsError("rope_type \"\(name)\" is not supported; \(Kind.allCases.map(\.rawValue).joined(separator: ", ")) are")
        }
        self.kind = kind
        base = try values.decodeIfPresent(Double.self, forKey: .base) ?? 10000
        factor = try values.decodeIfPresent(Double.self, forKey: .factor)
        originalContext = try values.decodeIfPresent(Int.self, forKey: .originalContext)
        lowFrequencyFactor = try values.decodeIfPresent(Double.self, forKey: .lowFrequencyFactor)
        highFrequencyFactor = try values.decodeIfPresent(Double.self, forKey: .highFrequencyFactor)
        attentionFactor = try values.decodeIfPresent(Double.self, forKey: .attentionFactor)
        betaFast = try values.decodeIfPresent(Double.self, forKey: .betaFast)
        betaSlow = try values.decodeIfPresent(Double.self, forKey: .betaSlow)
        attentionScale = try values.decodeIfPresent(Double.self, forKey: .attentionScale)
        attentionScaleAll = try values.decodeIfPresent(Double.self, forKey: .attentionScaleAll)
        truncates = try values.decodeIfPresent(Bool.self, forKey: .truncates)
        if values.contains(.fullLayers) || values.contains(.windowLayers) {
            throw WeightsError("rope_parameters: one rule for all layers is expected, found one for each kind of layer")
        }
        if try values.decodeIfPresent(Double.self, forKey: .rotatedPart) ?? 1 != 1 {
            throw WeightsError("partial_rotary_factor: heads of this family turn as a whole, so it must be 1")
        }
        guard originalContext.map({ $0 > 0 }) ?? true else { throw WeightsError("original_max_position_embeddings must be above 0") }
        guard kind == .plain || kind == .dynamic || factor.map({ $0 > 0 }) == true else {
            throw WeightsError("rope_type \"\(name)\" needs a factor above 0")
        }
        if kind == .llama3, lowFrequencyFactor == nil || highFrequencyFactor == nil {
            throw WeightsError("rope_type \"llama3\" needs low_freq_factor and high_freq_factor")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(kind, forKey: .kind)
        try values.encode(base, forKey: .base)
        try values.encodeIfPresent(factor, forKey: .factor)
        try values.encodeIfPresent(originalContext, forKey: .originalContext)
        try values.encodeIfPresent(lowFrequencyFactor, forKey: .lowFrequencyFactor)
        try values.encodeIfPresent(highFrequencyFactor, forKey: .highFrequencyFactor)
        try values.encodeIfPresent(attentionFactor, forKey: .attentionFactor)
        try values.encodeIfPresent(betaFast, forKey: .betaFast)
        try values.encodeIfPresent(betaSlow, forKey: .betaSlow)
        try values.encodeIfPresent(attentionScale, forKey: .attentionScale)
        try values.encodeIfPresent(attentionScaleAll, forKey: .attentionScaleAll)
        try values.encodeIfPresent(truncates, forKey: .truncates)
    }

    /// The angle that one position turns element i of `width / 2`, and what cosines and sines are multiplied by.
    func frequencies(width: Int, contextLength: Int) -> (angles: [Double], scale: Double) {
        let plain = (0..<width / 2).map { 1 / pow(base, Double(2 * $0) / Double(width)) }
        let factor = factor ?? 1
        switch kind {
        case .plain, .dynamic: return (plain, 1)
        case .linear: return (plain.map { $0 / factor }, 1)
        case .llama3:
            let context = Double(originalContext ?? contextLength)
            let (low, high) = (lowFrequencyFactor ?? 1, highFrequencyFactor ?? 4)
            return (
                plain.map { angle in
                    let turns = context * angle / (2 * .pi)  // in the original context
                    if turns < low { return angle / factor }
                    if turns > high { return angle }
                    let smooth = (turns - low) / (high - low)
                    return (1 - smooth) * angle / factor + smooth * angle
                }, 1
            )
        case .yarn:
            let context = Double(originalContext ?? contextLength)
            /// The element that turns so often in the original context.
            func element(_ turns: Double) -> Double { Double(width) * log(context / (turns * 2 * .pi)) / (2 * log(base)) }
            let (first, last) = (element(betaFast ?? 32), element(betaSlow ?? 1))
            let low = max(truncates == false ? first : first.rounded(.down), 0)
            let high = min(truncates == false ? last : last.rounded(.up), Double(width - 1))
            let span = high == low ? 0.001 : high - low
            let angles = plain.enumerated().map { index, angle in
                let ramp = min(max((Double(index) - low) / span, 0), 1)
                return angle / factor * ramp + angle * (1 - ramp)
            }
            func sharpness(_ scale: Double) -> Double { factor > 1 ? 0.1 * scale * log(factor) + 1 : 1 }
            if let attentionFactor { return (angles, attentionFactor) }
            guard let attentionScale, let attentionScaleAll, attentionScale != 0, attentionScaleAll != 0 else { return (angles, sharpness(1)) }
            return (angles, sharpness(attentionScale) / sharpness(attentionScaleAll))
        }
    }

    /// How many positions a model sees whose configuration says `contextLength`: yarn is switched on in a `config.json` without raising
    /// max_position_embeddings.
    func extended(_ contextLength: Int) -> Int {
        guard kind == .yarn, let factor else { return contextLength }
        return max(contextLength, Int(min(factor * Double(originalContext ?? contextLength), 0x1p28)))
    }
}

/// Cosines and sines of positions, float32 [positions, width / 2]: of as many as most texts have at once, of all that a model can see when one is longer.
final class RotaryTable {
    private let first: (cosines: Tensor, sines: Tensor)
    private var whole: (cosines: Tensor, sines: Tensor)?
    private let frequencies: [Float]
    private let scale: Float
    private let limit: Int
    private let device: Device

    /// Positions that are computed at once.
    private static let usual = 1 << 15

    init(_ configuration: LLaMAConfiguration, reaching positions: Int, device: Device) throws {
        let (angles, scale) = configuration.rotary.frequencies(width: configuration.headWidth, contextLength: configuration.contextLength)
        // In float32 from here on, as transformers computes them: models were trained so.
        (frequencies, self.scale, limit, self.device) = (angles.map { Float($0) }, Float(scale), positions, device)
        first = try Self.table(frequencies, Float(scale), min(positions, Self.usual), device)
    }

    private static func table(_ frequencies: [Float], _ scale: Float, _ positions: Int, _ device: Device) throws -> (cosines: Tensor, sines: Tensor) {
        var cosines: [Float] = []
        var sines: [Float] = []
        cosines.reserveCapacity(positions * frequencies.count)
        sines.reserveCapacity(positions * frequencies.count)
        for position in 0..<positions {
            for frequency in frequencies {
                let angle = Float(position) * frequency
                cosines.append(cos(angle) * scale)
                sines.append(sin(angle) * scale)
            }
        }
        let shape = [positions, frequencies.count]
        return (try Tensor(cosines, shape: shape, device: device), try Tensor(sines, shape: shape, device: device))
    }

    func callAsFunction(_ x: Tensor, positions: Tensor?, start: Int) throws -> Tensor {
        var table = first
        if limit > Self.usual, try (positions.map { Int(try $0.max().item()) + 1 } ?? start + x.size(1)) > Self.usual {
            table = try whole ?? Self.table(frequencies, scale, limit, device)
            whole = table
        }
        return try x.rotated(cosines: table.cosines, sines: table.sines, positions: positions, start: start)
    }
}
