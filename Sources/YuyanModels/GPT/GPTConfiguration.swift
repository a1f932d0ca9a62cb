/// The shape of a GPT model; its coding keys are those of Hugging Face's GPT-2 `config.json`.
public struct GPTConfiguration: Codable, Sendable, Hashable {
    public var vocabularySize: Int
    public var contextLength: Int
    public var width: Int
    public var layers: Int
    public var heads: Int
    /// Width of the feed-forward layer; nil: 4·width.
    public var feedForwardWidth: Int?
    public var activation: Activation
    public var residualDropout: Double
    public var embeddingDropout: Double
    public var layerNormEpsilon: Double
    public var initializerRange: Double

    enum CodingKeys: String, CodingKey {
        case vocabularySize = "vocab_size"
        case contextLength = "n_positions"
        case width = "n_embd"
        case layers = "n_layer"
        case heads = "n_head"
        case feedForwardWidth = "n_inner"
        case activation = "activation_function"
        case residualDropout = "resid_pdrop"
        case embeddingDropout = "embd_pdrop"
        case layerNormEpsilon = "layer_norm_epsilon"
        case initializerRange = "initializer_range"
    }

    /// Of GPT2-Chinese and transformers before 2.0.
    private enum OldKeys: String, CodingKey {
        case contextLength = "n_ctx"
    }

    public init(
        vocabularySize: Int, contextLength: Int = 1024, width: Int, layers: Int, heads: Int, feedForwardWidth: Int? = nil,
        activation: Activation = .geluNew, dropout: Double = 0, layerNormEpsilon: Double = 1e-5, initializerRange: Double = 0.02
    ) {
        (self.vocabularySize, self.contextLength, self.width, self.layers, self.heads) = (vocabularySize, contextLength, width, layers, heads)
        (self.feedForwardWidth, self.activation, residualDropout, embeddingDropout) = (feedForwardWidth, activation, dropout, dropout)
        (self.layerNormEpsilon, self.initializerRange) = (layerNormEpsilon, initializerRange)
    }

    /// Hugging Face leaves out of a `config.json` what equals its defaults.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func value<Value: Decodable>(_ key: CodingKeys, _ standard: Value) throws -> Value {
            try values.decodeIfPresent(Value.self, forKey: key) ?? standard
        }
        vocabularySize = try value(.vocabularySize, 50257)
        contextLength =
            try values.decodeIfPresent(Int.self, forKey: .contextLength)
            ?? decoder.container(keyedBy: OldKeys.self).decodeIfPresent(Int.self, forKey: .contextLength) ?? 1024
        width = try value(.width, 768)
        layers = try value(.layers, 12)
        heads = try value(.heads, 12)
        feedForwardWidth = try values.decodeIfPresent(Int.self, forKey: .feedForwardWidth)
        activation = try value(.activation, .geluNew)
        residualDropout = try value(.residualDropout, 0.1)
        embeddingDropout = try value(.embeddingDropout, 0.1)
        layerNormEpsilon = try value(.layerNormEpsilon, 1e-5)
        initializerRange = try value(.initializerRange, 0.02)
        guard vocabularySize > 0, contextLength > 0, width > 0, layers > 0, heads > 0, width % heads == 0 else {
            throw WeightsError(
                "a GPT of width \(width), \(heads) heads, \(layers) layers, vocabulary \(vocabularySize) cannot be: n_embd must be a multiple of n_head, and all positive"
            )
        }
    }

    public var headWidth: Int { width / heads }
    public var innerWidth: Int { feedForwardWidth ?? 4 * width }

    /// Numbers in the weights, the shared output matrix counted once.
    public var parameterCount: Int {
        let attention = 4 * width * width + 4 * width
        let feedForward = 2 * width * innerWidth + innerWidth + width
        return (vocabularySize + contextLength) * width + layers * (attention + feedForward + 4 * width) + 2 * width
    }

    /// Multiplications and additions that training on one token of a sequence takes: 6 a weight of a matrix product, and 12·layers·width·sequence for
    /// attention, half of which causality saves (Chowdhery et al. 2022, appendix B).
    public func trainingOperations(sequenceLength: Int) -> Double {
        let matrices = layers * (4 * width * width + 2 * width * innerWidth) + vocabularySize * width
        return 6 * Double(matrices) + 6 * Double(layers * width * sequenceLength)
    }
}
