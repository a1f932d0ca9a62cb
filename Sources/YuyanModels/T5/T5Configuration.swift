import Foundation

/// The shape of a T5 model; its coding keys are those of Hugging Face's `config.json` for t5 and mt5.
public struct T5Configuration: Codable, Sendable, Hashable {
    public var modelType: String
    public var vocabularySize: Int
    public var width: Int
    /// Width of a head.
    public var headWidth: Int
    public var feedForwardWidth: Int
    public var encoderLayers: Int
    public var decoderLayers: Int
    public var heads: Int
    /// Kinds of distances that attention tells apart, and from where on all are one.
    public var buckets: Int
    public var maximumDistance: Int
    public var dropout: Double
    public var normEpsilon: Double
    public var initializerFactor: Double
    /// `relu` (v1.0) or `gated-gelu` (v1.1 and PromptCLUE).
    public var feedForward: FeedForward
    /// Whether the embedding is used again as output matrix (v1.0).
    public var tiesEmbedding: Bool
    /// Whether the decoder's output is divided by √width (v1.0); transformers from 5 on tells it apart from the sharing of the matrix.
    public var scalesOutput: Bool
    public var decoderStart: Int
    /// Distances have no end; so many tokens are taken at once.
    public var contextLength: Int

    public enum FeedForward: String, Codable, Sendable {
        case relu
        case gatedGELU = "gated-gelu"
    }

    enum CodingKeys: String, CodingKey {
        case modelType = "model_type"
        case vocabularySize = "vocab_size"
        case width = "d_model"
        case headWidth = "d_kv"
        case feedForwardWidth = "d_ff"
        case encoderLayers = "num_layers"
        case decoderLayers = "num_decoder_layers"
        case heads = "num_heads"
        case buckets = "relative_attention_num_buckets"
        case maximumDistance = "relative_attention_max_distance"
        case dropout = "dropout_rate"
        case normEpsilon = "layer_norm_epsilon"
        case initializerFactor = "initializer_factor"
        case feedForward = "feed_forward_proj"
        case tiesEmbedding = "tie_word_embeddings"
        case scalesOutput = "scale_decoder_outputs"
        case decoderStart = "decoder_start_token_id"
        case contextLength = "n_positions"
    }

    /// What a `config.json` leaves out has the value that transformers gives it.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func value<Value: Decodable>(_ key: CodingKeys, _ standard: Value) throws -> Value {
            try values.decodeIfPresent(Value.self, forKey: key) ?? standard
        }
        modelType = try value(.modelType, "t5")
        vocabularySize = try value(.vocabularySize, 32128)
        width = try value(.width, 512)
        headWidth = try value(.headWidth, 64)
        feedForwardWidth = try value(.feedForwardWidth, 2048)
        encoderLayers = try value(.encoderLayers, 6)
        decoderLayers = try value(.decoderLayers, encoderLayers)
        heads = try value(.heads, 8)
        buckets = try value(.buckets, 32)
        maximumDistance = try value(.maximumDistance, 128)
        dropout = try value(.dropout, 0.1)
        normEpsilon = try value(.normEpsilon, 1e-6)
        initializerFactor = try value(.initializerFactor, 1)
        let name = try value(.feedForward, modelType == "mt5" ? "gated-gelu" : "relu")
        guard let feedForward = FeedForward(rawValue: name) else {
            throw WeightsError("feed_forward_proj \"\(name)\" is not supported; relu and gated-gelu are")
        }
        self.feedForward = feedForward
        tiesEmbedding = try value(.tiesEmbedding, true)
        scalesOutput = try value(.scalesOutput, tiesEmbedding && modelType != "mt5")
        decoderStart = try value(.decoderStart, 0)
        contextLength = try value(.contextLength, 512)
        try validate()
    }

    /// Throws `WeightsError` for a shape that no T5 has.
    func validate() throws {
        let sizes = [vocabularySize, width, headWidth, feedForwardWidth, encoderLayers, decoderLayers, heads, contextLength]
        guard sizes.allSatisfy({ $0 > 0 }), buckets >= 4, buckets.isMultiple(of: 4), maximumDistance > buckets / 2, 0..<vocabularySize ~= decoderStart
        else {
            throw WeightsError(
                "a T5 of width \(width), \(heads) heads of \(headWidth), \(encoderLayers) and \(decoderLayers) layers, \(buckets) buckets up to \(maximumDistance) cannot be: all must be positive, the buckets a multiple of 4 and less than twice the distance, decoder_start_token_id in the vocabulary"
            )
        }
    }

    /// The bucket of a distance (Raffel et al. 2020, section 2.1): small distances have one each, larger ones share them by their logarithm. Where both
    /// directions are seen, the second half of the buckets is for keys behind the query.
    ///
    /// - Parameter offset: the key's position minus the query's.
    func bucket(_ offset: Int, bidirectional: Bool) -> Int {
        let count = bidirectional ? buckets / 2 : buckets
        let base = bidirectional && offset > 0 ? count : 0
        let distance = bidirectional ? abs(offset) : max(-offset, 0)
        let exact = count / 2
        if distance < exact { return base + distance }
        let share = log(Float(distance) / Float(exact)) / log(Float(maximumDistance) / Float(exact))
        return base + min(exact + Int(share * Float(count - exact)), count - 1)
    }
}

// MARK: Presets

extension T5Configuration {
    /// A size of version 1.1: gated, with an output matrix of its own.
    public struct Preset: Sendable, Hashable {
        public var name: String
        /// Of each half.
        public var layers: Int
        public var heads: Int
        public var headWidth: Int
        public var width: Int
        public var feedForwardWidth: Int
        public var learningRate: Double
        /// Tokens of one update.
        public var batchTokens: Int
    }

    /// From `t5-small` on: Raffel et al. 2020 in the sizes of version 1.1; PromptCLUE is `t5-base`.
    public static let presets: [Preset] = [
        Preset(name: "t5-nano", layers: 2, heads: 4, headWidth: 32, width: 128, feedForwardWidth: 352, learningRate: 1e-3, batchTokens: 8_192),
        Preset(name: "t5-micro", layers: 4, heads: 8, headWidth: 32, width: 256, feedForwardWidth: 704, learningRate: 1e-3, batchTokens: 8_192),
        Preset(name: "t5-mini", layers: 4, heads: 6, headWidth: 64, width: 384, feedForwardWidth: 1024, learningRate: 1e-3, batchTokens: 16_384),
        Preset(name: "t5-small", layers: 8, heads: 6, headWidth: 64, width: 512, feedForwardWidth: 1024, learningRate: 1e-3, batchTokens: 65_536),
        Preset(name: "t5-base", layers: 12, heads: 12, headWidth: 64, width: 768, feedForwardWidth: 2048, learningRate: 1e-3, batchTokens: 65_536),
        Preset(name: "t5-large", layers: 24, heads: 16, headWidth: 64, width: 1024, feedForwardWidth: 2816, learningRate: 1e-3, batchTokens: 65_536),
    ]

    public static func preset(_ name: String) -> Preset? { presets.first { $0.name == name } }

    public init(preset: Preset, vocabularySize: Int) {
        self.init(
            vocabularySize: vocabularySize, width: preset.width, headWidth: preset.headWidth, feedForwardWidth: preset.feedForwardWidth,
            encoderLayers: preset.layers, decoderLayers: preset.layers, heads: preset.heads)
    }

    /// Version 1.1 without dropout.
    init(
        vocabularySize: Int, width: Int, headWidth: Int, feedForwardWidth: Int, encoderLayers: Int, decoderLayers: Int, heads: Int
    ) {
        (modelType, self.vocabularySize, self.width, self.headWidth) = ("t5", vocabularySize, width, headWidth)
        (self.feedForwardWidth, self.encoderLayers, self.decoderLayers, self.heads) = (feedForwardWidth, encoderLayers, decoderLayers, heads)
        (buckets, maximumDistance, dropout, normEpsilon, initializerFactor) = (32, 128, 0, 1e-6, 1)
        (feedForward, tiesEmbedding, scalesOutput, decoderStart, contextLength) = (.gatedGELU, false, false, 0, 512)
    }
}
