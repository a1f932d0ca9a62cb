import YuyanTensor

/// The layouts of ModelScope's Chinese GPT-3.
public enum ModelScopeLayout: Sendable, Hashable {
    /// base and large: one `pytorch_model.bin`, rows of query_key_value as all queries, all keys, all values; GELU with the error function.
    case whole
    /// 1.3B and up: `model/mp_rank_NN_model_states.pt`, one for each rank of tensor parallelism (Shoeybi et al. 2019), rows of query_key_value as
    /// query, key and value of each head in turn.
    case parts(Int)

    /// How the ranks share a tensor.
    enum Division {
        case rows, columns
        /// Each has all of it.
        case none
    }

    /// A tensor of GPT under our name and theirs.
    struct Place {
        var name: String
        var stored: String
        var division: Division
        /// Rows of queries, keys and values.
        var isQueryKeyValue = false
        /// Matrices of linear layers, which GPT-2's files keep as [in, out].
        var isMatrix = false
    }

    func places(layers: Int) -> [Place] {
        let isWhole = self == .whole
        let root = "language_model"
        let embedding = isWhole ? root : "\(root).embedding"
        let encoder = isWhole ? "\(root).transformer" : "\(root).encoder"
        let attention = isWhole ? "attention" : "self_attention"
        var places = [
            Place(name: "wte.weight", stored: "\(embedding).word_embeddings.weight", division: .rows),
            Place(name: "wpe.weight", stored: "\(embedding).position_embeddings.weight", division: .none),
        ]
        func add(_ name: String, _ stored: String) {
            for part in ["weight", "bias"] { places.append(Place(name: "\(name).\(part)", stored: "\(stored).\(part)", division: .none)) }
        }
        /// Layers that share their outputs divide rows and bias, those that share their inputs divide columns, and each has the whole bias.
        func add(_ name: String, _ stored: String, _ division: Division, isQueryKeyValue: Bool = false) {
            places.append(
                Place(name: "\(name).weight", stored: "\(stored).weight", division: division, isQueryKeyValue: isQueryKeyValue, isMatrix: true))
            places.append(
                Place(
                    name: "\(name).bias", stored: "\(stored).bias", division: division == .rows ? .rows : .none, isQueryKeyValue: isQueryKeyValue))
        }
        for layer in 0..<layers {
            let (name, stored) = ("h.\(layer)", "\(encoder).layers.\(layer)")
            add("\(name).ln_1", "\(stored).input_layernorm")
            add("\(name).attn.c_attn", "\(stored).\(attention).query_key_value", .rows, isQueryKeyValue: true)
            add("\(name).attn.c_proj", "\(stored).\(attention).dense", .columns)
            add("\(name).ln_2", "\(stored).post_attention_layernorm")
            add("\(name).mlp.c_fc", "\(stored).mlp.dense_h_to_4h", .rows)
            add("\(name).mlp.c_proj", "\(stored).mlp.dense_4h_to_h", .columns)
        }
        add("ln_f", "\(encoder).final_layernorm")
        return places
    }

    static func partName(_ rank: Int) -> String { "mp_rank_\(rank < 10 ? "0" : "")\(rank)_model_states.pt" }
}

/// The `config.json` of ModelScope's GPT-3, as far as it says what the model computes; what it leaves out has the value that ModelScope gives it.
struct ModelScopeConfiguration: Codable {
    var modelType = "gpt3"
    var vocabularySize: Int
    var width: Int
    var feedForwardWidth: Int?
    var layers: Int
    var heads: Int
    var contextLength: Int
    var layerNormEpsilon: Double
    /// Whether bias and GELU are one kernel, which computes GELU with tanh.
    var fusesBiasAndGELU: Bool
    var normalisesAfterResidual: Bool
    var dropout: Double
    var initializerRange: Double
    var end: Int?
    var float16 = false
    var bfloat16 = false

    enum CodingKeys: String, CodingKey {
        case modelType = "model_type"
        case vocabularySize = "vocab_size"
        case width = "hidden_size"
        case feedForwardWidth = "ffn_hidden_size"
        case layers = "num_hidden_layers"
        case heads = "num_attention_heads"
        case contextLength = "max_position_embeddings"
        case layerNormEpsilon = "layernorm_epsilon"
        case fusesBiasAndGELU = "bias_gelu_fusion"
        case normalisesAfterResidual = "apply_residual_connection_post_layernorm"
        case dropout = "hidden_dropout"
        case initializerRange = "init_method_std"
        case end = "eod_id"
        case float16 = "fp16"
        case bfloat16 = "bf16"
    }

    /// The other name of `hidden_dropout`, in base and large.
    private enum OtherKeys: String, CodingKey {
        case dropout = "hidden_dropout_prob"
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func value<Value: Decodable>(_ key: CodingKeys, _ standard: Value) throws -> Value {
            try values.decodeIfPresent(Value.self, forKey: key) ?? standard
        }
        vocabularySize = try value(.vocabularySize, 25600)
        width = try value(.width, 768)
        feedForwardWidth = try values.decodeIfPresent(Int.self, forKey: .feedForwardWidth)
        layers = try value(.layers, 12)
        heads = try value(.heads, 12)
        contextLength = try value(.contextLength, 2048)
        layerNormEpsilon = try value(.layerNormEpsilon, 1e-12)
        fusesBiasAndGELU = try value(.fusesBiasAndGELU, true)
        normalisesAfterResidual = try value(.normalisesAfterResidual, false)
        dropout =
            try values.decodeIfPresent(Double.self, forKey: .dropout)
            ?? decoder.container(keyedBy: OtherKeys.self).decodeIfPresent(Double.self, forKey: .dropout) ?? 0.1
        initializerRange = try value(.initializerRange, 0.02)
        end = try values.decodeIfPresent(Int.self, forKey: .end)
        guard vocabularySize > 0, width > 0, layers > 0, heads > 0, contextLength > 0, width % heads == 0 else {
            throw WeightsError(
                "a GPT-3 of width \(width), \(heads) heads, \(layers) layers, vocabulary \(vocabularySize) cannot be: hidden_size must be a multiple of num_attention_heads, and all positive"
            )
        }
        guard !normalisesAfterResidual else {
            throw WeightsError("apply_residual_connection_post_layernorm is not supported; GPT-3's blocks add to what was not normalised")
        }
    }

    init(_ gpt: GPTConfiguration, end: Int?, dtype: DType) {
        (vocabularySize, width, feedForwardWidth, layers, heads) = (gpt.vocabularySize, gpt.width, gpt.innerWidth, gpt.layers, gpt.heads)
        (contextLength, layerNormEpsilon, dropout, initializerRange) = (
            gpt.contextLength, gpt.layerNormEpsilon, gpt.residualDropout, gpt.initializerRange
        )
        (fusesBiasAndGELU, normalisesAfterResidual, self.end) = (gpt.activation != .gelu, false, end)
        (float16, bfloat16) = (dtype == .float16, dtype == .bfloat16)
    }

    /// The same model as GPT sees it.
    func gpt(_ layout: ModelScopeLayout) -> GPTConfiguration {
        GPTConfiguration(
            vocabularySize: vocabularySize, contextLength: contextLength, width: width, layers: layers, heads: heads,
            feedForwardWidth: layout == .whole || feedForwardWidth == 4 * width ? nil : feedForwardWidth,
            activation: layout == .whole || !fusesBiasAndGELU ? .gelu : .geluNew, dropout: dropout, layerNormEpsilon: layerNormEpsilon,
            initializerRange: initializerRange)
    }
}

extension Tensor {
    /// Rows of queries, keys and values [3 · heads · headWidth, …]: from all queries, all keys, all values to those of each head in turn.
    func interleavingHeads(_ heads: Int) throws -> Tensor {
        try reshape([3, heads, size(0) / heads / 3] + shape.dropFirst()).transpose(0, 1).reshape(shape)
    }

    /// The other way round.
    func separatingHeads(_ heads: Int) throws -> Tensor {
        try reshape([heads, 3, size(0) / heads / 3] + shape.dropFirst()).transpose(0, 1).reshape(shape)
    }
}
