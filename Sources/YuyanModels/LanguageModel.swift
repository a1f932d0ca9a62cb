public import YuyanTensor

/// A model that reads tokens and predicts the next one.
public protocol LanguageModel: AnyObject {
    /// In the order of the checkpoint.
    var parameters: [Parameter] { get }
    var vocabularySize: Int { get }
    /// The most tokens that one pass can see.
    var contextLength: Int { get }
    var cacheShape: CacheShape { get }
    /// Whether attention knows no more of positions than the distance between two tokens (rotary, or a bias by distance), so that tokens in a cache can
    /// take other places; not so where positions are learned.
    var positionsAreRelative: Bool { get }
    /// What is trained in place of the parameters; nil: they are.
    var adapter: Adapter? { get }
    var dtype: DType { get }
    var device: Device { get }
    /// Matrices that are rounded for inference; a model that has some cannot be trained.
    var quantized: [QuantizedParameter] { get }
    /// The matrix [vocabulary, width] that turns hidden states into logits; made anew each time where it is rounded.
    var outputWeight: Tensor { get throws }
    /// The names of embeddings that are looked up and nothing else: a pass reads only the rows that it wants.
    var lookedUp: Set<String> { get }
    /// What stands before every parameter's name in a checkpoint file: `transformer.`, or nothing.
    var checkpointPrefix: String { get }
    /// What `config.json` says of the model: a JSON object.
    var configurationJSON: [String: any Sendable] { get }
    /// Multiplications and additions that training on one token of a sequence of this length takes, forward and back.
    func trainingOperations(sequenceLength: Int) -> Double

    /// Tokens [batch, time] int64 → hidden states after the last norm [batch, time, width].
    func callAsFunction(_ tokens: Tensor, _ context: ForwardContext) throws -> Tensor

    /// Hidden states [..., width] → logits [..., vocabulary].
    func logits(_ hidden: Tensor) throws -> Tensor
}

extension LanguageModel {
    public func logits(_ hidden: Tensor) throws -> Tensor { try hidden.linear(outputWeight) }

    public var positionsAreRelative: Bool { false }
    public var lookedUp: Set<String> { [] }

    /// What training changes.
    public var trainable: [Parameter] { adapter.map(\.parameters) ?? parameters }

    /// Names and shapes of the model's weights, an adapter's left out.
    public var shapes: [(name: String, shape: [Int])] {
        parameters.map { ($0.name, $0.value.shape) } + quantized.map { ($0.name, $0.matrix.shape) } + (adapter?.quantized ?? [])
    }

    /// Runs passes over so many rows, the new tokens of all sequences together, in inference mode. Up to 16 rows of bfloat16 or rounded matrices go through our own kernels,
    /// which share a team of threads.
    @Engine public func infer<Result>(rows: Int, _ body: () throws -> Result) rethrows -> Result {
        let isForTeam = device == .cpu && rows <= 16 && (dtype == .bfloat16 || !quantized.isEmpty) && adapter?.keepsQuantized != true
        return try withInference { try isForTeam ? Runtime.withTeam(body) : body() }
    }

    /// Bytes of weights that a decoding step reads, however few its rows are.
    public var bytesPerStep: Int {
        parameters.reduce(0) { $0 + (lookedUp.contains($1.name) ? 0 : $1.value.count * $1.value.dtype.size) }
            + quantized.reduce(0) { $0 + (lookedUp.contains($1.name) ? 0 : $1.matrix.byteCount) }
    }

    /// Numbers in the model, an adapter's left out.
    public var parameterCount: Int { shapes.reduce(0) { $0 + $1.shape.reduce(1, *) } }
}

/// A model of two halves: one reads a source as a whole, the other writes a target that attends to it (T5). Called as a language model, it is
/// the second half: `ForwardContext.source` is what the first made of the source.
public protocol EncoderDecoder: LanguageModel {
    /// The token that every target begins with; it is not part of the text.
    var decoderStart: Int32 { get }

    /// Reads source tokens [batch, time] int64, of which the first `lengths[row]` count and the rest is padding; nil: all count.
    func encode(_ source: Tensor, lengths: [Int]?, _ context: ForwardContext) throws -> any EncodedSource
}

/// What the first half of an encoder-decoder made of its sources: for each layer of the second half, the keys and values of cross-attention,
/// computed once however many tokens are written.
public protocol EncodedSource: AnyObject {
    /// Sources in it.
    var batch: Int { get }
    /// These sources only, in this order; one may be named several times.
    func selecting(_ rows: [Int]) throws -> any EncodedSource
}

/// What a forward pass needs besides the tokens.
public struct ForwardContext {
    /// int64 [batch, time]; nil: they follow what is in the cache.
    public var positions: Tensor?
    /// int32 [batch, time]: the document that each token of a packed row belongs to; nil: each row is one document.
    public var documents: Tensor?
    /// Keys and values of the tokens before these.
    public var cache: (any AttentionCache)?
    /// What an encoder-decoder writes from; nil for other models.
    public var source: (any EncodedSource)?
    /// Seeds the dropout masks of this pass; nil: no dropout.
    public var dropoutSeed: UInt64?
    /// Whether blocks are computed again on the way back instead of keeping what is inside them.
    public var recompute: Bool

    public init(
        positions: Tensor? = nil, documents: Tensor? = nil, cache: (any AttentionCache)? = nil, source: (any EncodedSource)? = nil,
        dropoutSeed: UInt64? = nil, recompute: Bool = false
    ) {
        (self.positions, self.documents, self.cache, self.source) = (positions, documents, cache, source)
        (self.dropoutSeed, self.recompute) = (dropoutSeed, recompute)
    }
}

extension ForwardContext {
    /// Causal attention of queries [batch, time, heads, width] over keys and values [batch, time, groups, width], and those in the cache before them.
    /// `place` turns keys by their places, where the model does so; the keys come here without.
    func attention(
        _ queries: Tensor, keys: Tensor, values: Tensor, layer: Int, placing place: KeyPlacement? = nil, window: Int? = nil, scale: Double
    ) throws -> Tensor {
        if let cache {
            return try cache.attention(
                queries, keys: keys, values: values, layer: layer, placing: place, documents: documents, window: window, scale: scale)
        }
        return try Tensor.attention(queries, place?(keys, 0) ?? keys, values, documents: documents, window: window, scale: scale)
    }
}

/// Keeps the keys and values of past tokens.
public protocol AttentionCache: AnyObject {
    /// Tokens stored before this forward pass.
    var length: Int { get }
    /// Stores keys and values of new tokens [batch, new, groups, width]; gives back all so far [batch, length + new, groups, width].
    /// `place` turns keys by their places, where the model does so; the keys come here without.
    func extend(layer: Int, keys: Tensor, values: Tensor, placing place: KeyPlacement?) throws -> (keys: Tensor, values: Tensor)
    /// Stores them likewise, and gives the attention of queries [batch, new, heads, width] over all so far (`Tensor.attention`).
    func attention(
        _ queries: Tensor, keys: Tensor, values: Tensor, layer: Int, placing place: KeyPlacement?, documents: Tensor?, window: Int?, scale: Double
    ) throws -> Tensor
}

extension AttentionCache {
    public func attention(
        _ queries: Tensor, keys: Tensor, values: Tensor, layer: Int, placing place: KeyPlacement?, documents: Tensor?, window: Int?, scale: Double
    ) throws -> Tensor {
        let all = try extend(layer: layer, keys: keys, values: values, placing: place)
        return try Tensor.attention(queries, all.keys, all.values, documents: documents, window: window, scale: scale)
    }

    func extend(layer: Int, keys: Tensor, values: Tensor) throws -> (keys: Tensor, values: Tensor) {
        try extend(layer: layer, keys: keys, values: values, placing: nil)
    }
}

/// Keys [batch, time, groups, width] that know no place → keys at the places start, start + 1, ….
public typealias KeyPlacement = (_ keys: Tensor, _ start: Int) throws -> Tensor

/// What a cache must hold: `groups` key and value heads of `width` in each of `layers`.
public struct CacheShape: Sendable, Hashable {
    public var layers: Int
    public var groups: Int
    public var width: Int

    public init(layers: Int, groups: Int, width: Int) { (self.layers, self.groups, self.width) = (layers, groups, width) }
}
