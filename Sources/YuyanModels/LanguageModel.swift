public import YuyanTensor

/// A model that reads tokens and predicts the next one.
public protocol LanguageModel: AnyObject {
    /// In the order of the checkpoint.
    var parameters: [Parameter] { get }
    var vocabularySize: Int { get }
    /// The most tokens that one pass can see.
    var contextLength: Int { get }
    var cacheShape: CacheShape { get }
    var dtype: DType { get }
    var device: Device { get }
    /// The matrix [vocabulary, width] that turns hidden states into logits.
    var outputWeight: Tensor { get }
    /// What `config.json` says of the model: a JSON object.
    var configurationJSON: [String: any Sendable] { get }

    /// Tokens [batch, time] int64 → hidden states after the last norm [batch, time, width].
    func callAsFunction(_ tokens: Tensor, _ context: ForwardContext) throws -> Tensor
}

extension LanguageModel {
    /// Hidden states [..., width] → logits [..., vocabulary].
    public func logits(_ hidden: Tensor) throws -> Tensor { try hidden.linear(outputWeight) }

    public var parameterCount: Int { parameters.reduce(0) { $0 + $1.value.count } }
}

/// What a forward pass needs besides the tokens.
public struct ForwardContext {
    /// int64 [batch, time]; nil: they follow what is in the cache.
    public var positions: Tensor?
    /// int32 [batch, time]: the document that each token of a packed row belongs to; nil: each row is one document.
    public var documents: Tensor?
    /// Keys and values of the tokens before these.
    public var cache: (any AttentionCache)?
    /// Seeds the dropout masks of this pass; nil: no dropout.
    public var dropoutSeed: UInt64?
    /// Whether blocks are computed again on the way back instead of keeping what is inside them.
    public var recompute: Bool

    public init(
        positions: Tensor? = nil, documents: Tensor? = nil, cache: (any AttentionCache)? = nil, dropoutSeed: UInt64? = nil, recompute: Bool = false
    ) {
        (self.positions, self.documents, self.cache) = (positions, documents, cache)
        (self.dropoutSeed, self.recompute) = (dropoutSeed, recompute)
    }
}

/// Keeps the keys and values of past tokens.
public protocol AttentionCache: AnyObject {
    /// Tokens stored before this forward pass.
    var length: Int { get }
    /// Stores keys and values of new tokens [batch, new, groups, width]; gives back all so far [batch, length + new, groups, width].
    func extend(layer: Int, keys: Tensor, values: Tensor) throws -> (keys: Tensor, values: Tensor)
}

/// What a cache must hold: `groups` key and value heads of `width` in each of `layers`.
public struct CacheShape: Sendable, Hashable {
    public var layers: Int
    public var groups: Int
    public var width: Int

    public init(layers: Int, groups: Int, width: Int) { (self.layers, self.groups, self.width) = (layers, groups, width) }
}
