import Foundation

/// The shape of a model of the LLaMA family; its coding keys are those of Hugging Face's `config.json` for llama, mistral, qwen2 and qwen3.
public struct LLaMAConfiguration: Codable, Sendable, Hashable {
    /// Which member of the family: what is fixed in each and not said by a key of its own.
    public enum Member: String, Codable, Sendable, CaseIterable {
        /// Llama 1 to 3 (Touvron et al. 2023; Grattafiori et al. 2024).
        case llama
        /// Mistral: every layer sees a window (Jiang et al. 2023).
        case mistral
        /// Qwen 2 and 2.5: biases on queries, keys and values.
        case qwen2
        /// Qwen 3: queries and keys are normalised by head.
        case qwen3
    }

    public var member: Member
    public var vocabularySize: Int
    public var width: Int
    public var feedForwardWidth: Int
    public var layers: Int
    public var heads: Int
    /// Heads of keys and values; each serves heads / groups of the queries'.
    public var groups: Int
    /// The width of a head where it is not width / heads.
    public var ownHeadWidth: Int?
    public var activation: Activation
    public var contextLength: Int
    public var normEpsilon: Double
    public var initializerRange: Double
    /// Whether the embedding is used again as output matrix.
    public var tiesEmbedding: Bool
    public var attentionBias: Bool
    public var feedForwardBias: Bool
    /// How many keys a token sees in the layers from `firstWindowLayer` on; nil: all.
    public var window: Int?
    public var firstWindowLayer: Int
    public var rotary: RotaryConfiguration
    /// Of the embedding and of what each half of a block adds, while training. `config.json` does not know it: in transformers these models have none.
    public var dropout = 0.0

    enum CodingKeys: String, CodingKey {
        case member = "model_type"
        case vocabularySize = "vocab_size"
        case width = "hidden_size"
        case feedForwardWidth = "intermediate_size"
        case layers = "num_hidden_layers"
        case heads = "num_attention_heads"
        case groups = "num_key_value_heads"
        case ownHeadWidth = "head_dim"
        case activation = "hidden_act"
        case contextLength = "max_position_embeddings"
        case normEpsilon = "rms_norm_eps"
        case initializerRange = "initializer_range"
        case tiesEmbedding = "tie_word_embeddings"
        case attentionBias = "attention_bias"
        case feedForwardBias = "mlp_bias"
        case window = "sliding_window"
        case usesWindow = "use_sliding_window"
        case firstWindowLayer = "max_window_layers"
        case layerTypes = "layer_types"
        case rotaryBase = "rope_theta"
        case rotaryScaling = "rope_scaling"
        case rotaryParameters = "rope_parameters"
        case rotatedPart = "partial_rotary_factor"
    }

    public init(
        member: Member = .llama, vocabularySize: Int, width: Int, feedForwardWidth: Int, layers: Int, heads: Int, groups: Int? = nil,
        contextLength: Int = 2048, tiesEmbedding: Bool = false
    ) {
        (self.member, self.vocabularySize, self.width, self.feedForwardWidth) = (member, vocabularySize, width, feedForwardWidth)
        (self.layers, self.heads, self.groups, self.contextLength) = (layers, heads, groups ?? heads, contextLength)
        (activation, normEpsilon, initializerRange, self.tiesEmbedding) = (.silu, 1e-5, 0.02, tiesEmbedding)
        (attentionBias, feedForwardBias, firstWindowLayer) = (member == .qwen2, false, 0)
        rotary = RotaryConfiguration()
    }

    /// What a `config.json` leaves out has the value that transformers gives it.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func value<Value: Decodable>(_ key: CodingKeys, _ standard: Value) throws -> Value {
            try values.decodeIfPresent(Value.self, forKey: key) ?? standard
        }
        let member = try values.decode(Member.self, forKey: .member)
        let isQwen = member == .qwen2 || member == .qwen3
        self.member = member
        vocabularySize = try value(.vocabularySize, isQwen ? 151936 : 32000)
        width = try value(.width, 4096)
        feedForwardWidth = try value(.feedForwardWidth, member == .llama ? 11008 : member == .mistral ? 14336 : 22016)
        layers = try value(.layers, 32)
        heads = try value(.heads, 32)
        // Left out and null are not the same here.
        groups = try values.contains(.groups) || member == .llama ? value(.groups, heads) : member == .mistral ? 8 : 32
        ownHeadWidth = try values.decodeIfPresent(Int.self, forKey: .ownHeadWidth) ?? (member == .qwen3 ? 128 : nil)
        let function = try value(.activation, Activation.silu.rawValue)
        guard let activation = Activation(rawValue: function) else {
            throw WeightsError("hidden_act \"\(function)\" is not supported; \(Activation.allCases.map(\.rawValue).joined(separator: ", ")) are")
        }
        self.activation = activation
        contextLength = try value(.contextLength, member == .llama ? 2048 : member == .mistral ? 131072 : 32768)
        normEpsilon = try value(.normEpsilon, 1e-6)
        initializerRange = try value(.initializerRange, 0.02)
        tiesEmbedding = try value(.tiesEmbedding, false)
        // Where transformers has no choice, the key says nothing.
        attentionBias = try member == .llama || member == .qwen3 ? value(.attentionBias, false) : member == .qwen2
        feedForwardBias = try member == .llama ? value(.feedForwardBias, false) : false
        let window = try values.contains(.window) ? values.decodeIfPresent(Int.self, forKey: .window) : 4096
        let usesWindow = try isQwen ? value(.usesWindow, false) : member == .mistral
        self.window = usesWindow ? window : nil
        firstWindowLayer = try isQwen ? value(.firstWindowLayer, 28) : 0
        let rule = try values.decodeIfPresent(RotaryConfiguration.self, forKey: .rotaryScaling).map { ($0, CodingKeys.rotaryScaling) }
        let parameters = try values.decodeIfPresent(RotaryConfiguration.self, forKey: .rotaryParameters).map { ($0, CodingKeys.rotaryParameters) }
        rotary = RotaryConfiguration()
        var hasBase = false
        if let (rule, key) = rule ?? parameters {
            rotary = rule
            hasBase = try values.nestedContainer(keyedBy: RotaryConfiguration.CodingKeys.self, forKey: key).contains(.base)
        }
        if !hasBase { rotary.base = try value(.rotaryBase, rotary.base) }
        guard rotary.base > 0 else { throw WeightsError("rope_theta must be above 0, found \(rotary.base)") }
        if try value(.rotatedPart, 1.0) != 1 { throw WeightsError("partial_rotary_factor: heads of this family turn as a whole, so it must be 1") }
        if let mistake { throw WeightsError(mistake) }
        if isQwen, let types = try values.decodeIfPresent([String].self, forKey: .layerTypes) {
            let said = (0..<layers).map { self.window != nil && $0 >= firstWindowLayer ? "sliding_attention" : "full_attention" }
            guard types == said else {
                throw WeightsError(
                    "layer_types must be what use_sliding_window, sliding_window and max_window_layers say: windows in the last layers only")
            }
        }
    }

    /// Why no model has this shape, in a sentence that names the key; nil where one has.
    private var mistake: String? {
        let counts: [(CodingKeys, Int?)] = [
            (.vocabularySize, vocabularySize), (.width, width), (.feedForwardWidth, feedForwardWidth), (.layers, layers), (.heads, heads),
            (.groups, groups), (.ownHeadWidth, ownHeadWidth), (.contextLength, contextLength), (.window, window),
        ]
        for (key, count) in counts {
            if let count, !(1..<1 << 28 ~= count) { return "\(key.rawValue) must be above 0 and below \(1 << 28), found \(count)" }
        }
        if heads % groups != 0 { return "num_attention_heads must be a multiple of num_key_value_heads, found \(heads) and \(groups)" }
        if ownHeadWidth == nil, width % heads != 0 { return "hidden_size must be a multiple of num_attention_heads, found \(width) and \(heads)" }
        if headWidth % 2 != 0 { return "the width of a head must be even, because rotary positions turn pairs; found \(headWidth)" }
        return nil
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(member, forKey: .member)
        try values.encode(vocabularySize, forKey: .vocabularySize)
        try values.encode(width, forKey: .width)
        try values.encode(feedForwardWidth, forKey: .feedForwardWidth)
        try values.encode(layers, forKey: .layers)
        try values.encode(heads, forKey: .heads)
        try values.encode(groups, forKey: .groups)
        try values.encodeIfPresent(ownHeadWidth, forKey: .ownHeadWidth)
        try values.encode(activation, forKey: .activation)
        try values.encode(contextLength, forKey: .contextLength)
        try values.encode(normEpsilon, forKey: .normEpsilon)
        try values.encode(initializerRange, forKey: .initializerRange)
        try values.encode(tiesEmbedding, forKey: .tiesEmbedding)
        // Qwen 2 has its biases without saying so.
        if member != .qwen2 { try values.encode(attentionBias, forKey: .attentionBias) }
        if member == .llama { try values.encode(feedForwardBias, forKey: .feedForwardBias) }
        if member == .qwen2 || member == .qwen3 {
            try values.encode(window != nil, forKey: .usesWindow)
            try values.encode(firstWindowLayer, forKey: .firstWindowLayer)
        }
        if member != .llama { if let window { try values.encode(window, forKey: .window) } else { try values.encodeNil(forKey: .window) } }
        // Both spellings: `rope_parameters` is that of transformers 5, the others are read by everything older.
        try values.encode(rotary, forKey: .rotaryParameters)
        try values.encode(rotary.base, forKey: .rotaryBase)
        if rotary.kind == .plain { try values.encodeNil(forKey: .rotaryScaling) } else { try values.encode(rotary, forKey: .rotaryScaling) }
    }

    public var headWidth: Int { ownHeadWidth ?? width / max(heads, 1) }

    /// Multiplications and additions that training on one token of a sequence takes, as in `GPTConfiguration`.
    public func trainingOperations(sequenceLength: Int) -> Double {
        let attention = width * headWidth * (2 * heads + 2 * groups)
        let matrices = layers * (attention + 3 * width * feedForwardWidth) + vocabularySize * width
        return 6 * Double(matrices) + 6 * Double(layers * heads * headWidth * sequenceLength)
    }

    /// A customary size.
    public struct Preset: Sendable {
        public let name: String
        public let layers: Int
        public let heads: Int
        public let groups: Int
        public let width: Int
        public let feedForwardWidth: Int
        public let contextLength: Int
        public let learningRate: Double
        public let batchTokens: Int
    }

    /// The last four are the shapes of TinyLlama (Zhang et al. 2024), Llama 2 and Llama 3.
    public static let presets: [Preset] = [
        Preset(
            name: "llama-nano", layers: 4, heads: 4, groups: 2, width: 128, feedForwardWidth: 352, contextLength: 512, learningRate: 1e-3,
            batchTokens: 8_192),
        Preset(
            name: "llama-mini", layers: 8, heads: 8, groups: 4, width: 384, feedForwardWidth: 1024, contextLength: 1024, learningRate: 8e-4,
            batchTokens: 16_384),
        Preset(
            name: "llama-1.1b", layers: 22, heads: 32, groups: 4, width: 2048, feedForwardWidth: 5632, contextLength: 2048, learningRate: 4e-4,
            batchTokens: 2_000_000),
        Preset(
            name: "llama2-7b", layers: 32, heads: 32, groups: 32, width: 4096, feedForwardWidth: 11008, contextLength: 4096, learningRate: 3e-4,
            batchTokens: 4_000_000),
        Preset(
            name: "llama2-13b", layers: 40, heads: 40, groups: 40, width: 5120, feedForwardWidth: 13824, contextLength: 4096, learningRate: 3e-4,
            batchTokens: 4_000_000),
        Preset(
            name: "llama3-8b", layers: 32, heads: 32, groups: 8, width: 4096, feedForwardWidth: 14336, contextLength: 8192, learningRate: 3e-4,
            batchTokens: 4_000_000),
    ]

    public static func preset(_ name: String) -> Preset? { presets.first { $0.name == name } }

    public init(preset: Preset, vocabularySize: Int) {
        self.init(
            vocabularySize: vocabularySize, width: preset.width, feedForwardWidth: preset.feedForwardWidth, layers: preset.layers,
            heads: preset.heads,
            groups: preset.groups, contextLength: preset.contextLength)
    }
}
