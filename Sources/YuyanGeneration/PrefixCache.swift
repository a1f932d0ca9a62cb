public import Foundation
public import YuyanModels
public import YuyanTensor
public import YuyanText

/// Keys and values of texts that a model has read, found again by how they begin: a system prompt that many conversations share, or the earlier turns of one,
/// is not computed again. The longest common beginning is taken, wherever it ends; what was used least recently goes when there are too many bytes.
///
/// ```swift
/// let prefixes = try PrefixCache(for: model)
/// for try await event in try generate(model, tokenizer: tokenizer, prompt: tokens, configuration: configuration, prefixes: prefixes) { … }
/// try prefixes.save(to: file, tokenizer: tokenizer)
/// ```
@Engine public final class PrefixCache {
    /// A text, and of each layer keys and values [1, groups, tokens, width].
    private struct Entry {
        var tokens: [Int32]
        var buffers: [CacheBuffer]
        var byteCount: Int { buffers.reduce(0) { $0 + $1.byteCount } }
    }

    let model: any LanguageModel
    /// What keys and values may take.
    public let byteBudget: Int
    /// How they are kept; what generates with them asks for the same (`GenerationConfiguration.cache`).
    public let precision: KVCache.Precision
    /// The most recently used last.
    private var entries: [Entry] = []
    /// Tokens that did not have to be computed, since the beginning.
    public private(set) var reusedTokens = 0

    /// An empty cache.
    /// - Throws: `GenerationError` for an encoder-decoder, whose keys and values depend on the source too.
    public init(for model: any LanguageModel, byteBudget: Int = 512 << 20, precision: KVCache.Precision = .model) throws {
        guard !(model is any EncoderDecoder) else {
            throw GenerationError("An encoder-decoder's keys and values depend on its source: they cannot be kept by the beginning of a text.")
        }
        (self.model, self.byteBudget, self.precision) = (model, byteBudget, precision)
    }

    /// Bytes of keys and values in it.
    public var byteCount: Int { entries.reduce(0) { $0 + $1.byteCount } }

    /// How many tokens at the beginning of this text are here.
    public func commonPrefix(with tokens: [Int32]) -> Int { entries.map { common($0.tokens, tokens) }.max() ?? 0 }

    /// A cache that has read the longest beginning of these tokens that is here, but not the last of them: what follows it is wanted.
    func start(_ tokens: [Int32], capacity: Int) throws -> KVCache {
        let lengths = entries.map { min(common($0.tokens, tokens), tokens.count - 1) }
        guard let place = lengths.indices.max(by: { lengths[$0] < lengths[$1] }), lengths[place] > 0 else {
            return KVCache(for: model, batch: 1, capacity: capacity, precision: precision)
        }
        let entry = entries.remove(at: place)
        entries.append(entry)
        reusedTokens += lengths[place]
        return try withInference {
            try KVCache(for: model, continuing: entry.buffers, length: lengths[place], capacity: capacity, precision: precision)
        }
    }

    /// Keeps a copy of what a cache has read. It takes the place of texts that it begins with.
    func keep(_ tokens: [Int32], _ cache: KVCache) throws {
        precondition(tokens.count == cache.length, "\(tokens.count) tokens, and \(cache.length) in the cache")
        guard !tokens.isEmpty, !entries.contains(where: { $0.tokens.starts(with: tokens) }) else { return }
        insert(Entry(tokens: tokens, buffers: try withInference { try cache.copies() }))
    }

    private func insert(_ entry: Entry) {
        guard entry.byteCount <= byteBudget else { return }
        entries.removeAll { entry.tokens.starts(with: $0.tokens) }
        entries.append(entry)
        var bytes = byteCount
        while bytes > byteBudget { bytes -= entries.removeFirst().byteCount }
    }

    private func common(_ a: [Int32], _ b: [Int32]) -> Int { zip(a, b).prefix { $0 == $1 }.count }
}

// MARK: Files

extension PrefixCache {
    private static var format: String { "yuyan-prefix-cache-1" }

    /// Writes all texts with their keys and values into a safetensors file.
    /// - Throws: `WeightsError` when it cannot be written.
    public func save(to file: URL, tokenizer: Tokenizer) throws {
        var tensors: [(name: String, value: Tensor)] = []
        for (number, entry) in entries.enumerated() {
            tensors.append(("\(number).tokens", try Tensor(entry.tokens)))
            for (part, tensor) in entry.buffers.flatMap(\.parts).enumerated() { tensors.append(("\(number).\(part)", tensor)) }
        }
        let metadata = [
            "format": Self.format, "model": try model.fingerprint(), "tokenizer": tokenizer.fingerprint, "texts": "\(entries.count)",
            "cache": precision.rawValue,
        ]
        try writeSafeTensors(tensors, to: file, metadata: metadata)
    }

    /// Adds the texts of a file that `save` has written.
    /// - Throws: `WeightsError` for a file that is damaged or none of these; `GenerationError` when another model or tokenizer made it, or it is kept in another
    ///   precision.
    public func load(from file: URL, tokenizer: Tokenizer) throws {
        let stored = try SafeTensorsFile(file)
        guard stored.metadata["format"] == Self.format, let count = stored.metadata["texts"].flatMap(Int.init), count >= 0 else {
            throw WeightsError("\(file.path): this is no file of kept prefixes; give one that was saved as such")
        }
        for (what, found, wanted) in [
            ("model", stored.metadata["model"], try model.fingerprint()), ("tokenizer", stored.metadata["tokenizer"], tokenizer.fingerprint),
        ] where found != wanted {
            throw GenerationError("\(file.path): these prefixes were computed with another \(what); delete the file or use the \(what) that made it")
        }
        let kept = stored.metadata["cache"] ?? KVCache.Precision.model.rawValue
        guard kept == precision.rawValue else {
            throw GenerationError(
                key: "cache", "must be \(kept), as keys and values are kept in \(file.path), or the file deleted; found \(precision.rawValue)")
        }
        let shape = model.cacheShape
        for number in 0..<count {
            let tokens = try stored.tensor("\(number).tokens")
            guard tokens.dtype == .int32, tokens.shape.count == 1, 1...model.contextLength ~= tokens.size(0) else {
                throw WeightsError("\(file.path): tensor \"\(number).tokens\" is no list of 1 to \(model.contextLength) tokens")
            }
            let layout = CacheBuffer.layout([1, shape.groups, tokens.size(0), shape.width], precision, dtype: model.dtype)
            let buffers = try (0..<2 * shape.layers).map { buffer in
                CacheBuffer(
                    parts: try layout.enumerated().map { place, expected in
                        let part = buffer * layout.count + place
                        let tensor = try stored.tensor("\(number).\(part)")
                        guard tensor.shape == expected.shape, tensor.dtype == expected.dtype else {
                            throw WeightsError(
                                "\(file.path): tensor \"\(number).\(part)\" is \(tensor.dtype.name) \(tensor.shape), and \(expected.dtype.name) \(expected.shape) is expected"
                            )
                        }
                        // A copy: the file may be written anew.
                        return try tensor.to(device: model.device).clone()
                    })
            }
            insert(Entry(tokens: try tokens.array(Int32.self), buffers: buffers))
        }
    }
}
