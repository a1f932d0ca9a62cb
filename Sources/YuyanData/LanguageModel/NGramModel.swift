public import Foundation

/// How a character n-gram model is trained.
public struct NGramConfiguration: Codable, Sendable {
    /// The length of the longest n-grams: a character is judged by up to `order` − 1 characters before it. 1…6.
    public var order = 5
    /// For each length from 1 on: n-grams seen fewer times are cut off; the last number holds for all longer ones, and numbers may not
    /// fall. What was seen once is cut off from length 4 on, which makes the model of a large corpus smaller by more than half; `[1]` keeps all.
    public var minimumCounts = [1, 1, 1, 2]
    /// Characters seen fewer times are unknown characters. With 1 an unknown character is as improbable as the smoothing makes what was never
    /// seen; with more it is as probable as all rare ones together, and gibberish of rare characters is judged too kindly.
    public var vocabularyMinimum = 1
    /// Memory for counting and sorting, in MiB; what does not fit is sorted on disk. The finished model comes on top of it.
    public var memoryMegabytes = 512

    /// Order 5, rare long n-grams cut off.
    public init() {}

    func minimumCount(_ order: Int) -> Int { order <= minimumCounts.count ? minimumCounts[order - 1] : minimumCounts.last ?? 1 }

    /// Throws a `DataError` where a value is out of its range.
    public func check() throws {
        guard (1...NGramRecord.maximumOrder).contains(order) else {
            throw DataError("order should be between 1 and \(NGramRecord.maximumOrder), not \(order)")
        }
        guard minimumCounts.allSatisfy({ $0 >= 1 }), zip(minimumCounts, minimumCounts.dropFirst()).allSatisfy(<=), (minimumCounts.first ?? 1) == 1
        else { throw DataError("minimum_counts should begin with 1 and never fall, as [1, 1, 1, 2] does, not \(minimumCounts)") }
        guard vocabularyMinimum >= 1 else { throw DataError("vocabulary_minimum should be at least 1, not \(vocabularyMinimum)") }
        guard memoryMegabytes >= 16 else { throw DataError("memory_megabytes should be at least 16, not \(memoryMegabytes)") }
    }
}

/// A character n-gram model with interpolated modified Kneser–Ney smoothing (Chen and Goodman, "An Empirical Study of Smoothing Techniques
/// for Language Modeling", 1999). Characters are Unicode scalars; each line that holds any is a sequence between a begin and an end symbol.
///
///     let model = try NGramModel.train(paths: ["reference"])
///     try model.save(to: file)
///     let loss = try NGramModel(contentsOf: file).perplexity(of: text)
///
/// All n-grams lie in one image, the file as it is on disk: a table by order, whose slots hold a part of the hash of the n-gram instead of
/// the n-gram (Heafield, "KenLM: Faster and Smaller Language Model Queries", 2011, "probing"). A character that was not seen costs what the
/// model says of unknown characters.
public final class NGramModel: Sendable {
    /// The length of the longest n-grams.
    public var order: Int { layout.order }
    /// Characters that the model knows.
    public var vocabularySize: Int { layout.characters }
    /// How many n-grams of each length it holds, from 1 on.
    public var ngramCounts: [Int] { layout.counts }

    let layout: NGramLayout
    let image: NGramImage
    /// By scalar: its symbol.
    private let symbols: SymbolTable

    /// Takes over a finished image.
    init(layout: NGramLayout, image: NGramImage) {
        self.layout = layout
        self.image = image
        let scalars = UnsafeRawBufferPointer(image.bytes)
        symbols = SymbolTable(
            (0..<layout.characters).map { scalars.loadUnaligned(fromByteOffset: NGramLayout.headerBytes + 4 * $0, as: UInt32.self) })
    }

    /// Opens a model that was saved, mapped into memory. Throws where the file is missing, no model, of another version or damaged.
    public convenience init(contentsOf file: URL) throws {
        let image = try NGramImage(file)
        self.init(layout: try NGramLayout(UnsafeRawBufferPointer(image.bytes), of: file), image: image)
    }

    /// Writes the model to `file`, which appears under its name only when all of it is written and synced.
    public func save(to file: URL) throws {
        let temporary = file.appendingPathExtension("tmp")
        let descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard descriptor >= 0 else { throw DataError.system("write it", temporary) }
        defer { close(descriptor) }
        do {
            var written = 0
            while written < image.bytes.count {
                let count = write(descriptor, image.bytes.baseAddress.map { $0 + written }, image.bytes.count - written)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw DataError.system("write it", temporary) }
                written += count
            }
            guard fsync(descriptor) == 0 else { throw DataError.system("write it", temporary) }
            guard rename(temporary.path, file.path) == 0 else { throw DataError.system("rename it to \(file.lastPathComponent)", temporary) }
        } catch {
            unlink(temporary.path)
            throw error
        }
    }

    /// The perplexity of a text per character: e to the mean of −ln p over all characters and line ends. Lines without a character do not
    /// count; the perplexity of a text that has no others is 0, below every band.
    public func perplexity(of text: String) -> Double {
        let score = score(text)
        return score.events == 0 ? 0 : exp(-score.logProbability / Double(score.events))
    }

    /// ln of the probability of a text, and of how many characters and line ends it is the product.
    func score(_ text: String) -> (logProbability: Double, events: Int) {
        var text = text
        return text.withUTF8 { bytes in
            withUnsafeTemporaryAllocation(of: NGramQuery.Place.self, capacity: NGramQuery.blockSize + 1) { places in
                withUnsafeTemporaryAllocation(of: NGramQuery.Probe.self, capacity: NGramQuery.blockSize) { probes in
                    var query = NGramQuery(layout: layout, image: image, places: places, probes: probes)
                    query.score(bytes, symbols: symbols.entries)
                    return (query.sum, query.events)
                }
            }
        }
    }

    /// The symbol of a character.
    func symbol(_ scalar: Unicode.Scalar) -> UInt16 { symbols.entries[Int(scalar.value)] }

    /// ln of the probability of a symbol after others, of which those before the last `order` − 1 do not matter.
    func logProbability(of symbol: UInt16, after history: [UInt16]) -> Double {
        let history = Array(history.suffix(order - 1))
        var sum = 0.0
        for start in 0...history.count {
            var key = NGramKey()
            for symbol in history[start...] { key.append(symbol) }
            let length = history.count - start
            var whole = key
            whole.append(symbol)
            if let found = find(whole, order: length + 1) { return sum + Double(found.pointee) }
            if let backoff = find(key, order: length) { sum += Double(backoff[1]) }
        }
        return sum
    }

    /// The slot's numbers (ln p, ln b) of an n-gram.
    private func find(_ key: NGramKey, order: Int) -> UnsafePointer<Float>? {
        guard let base = image.bytes.baseAddress else { return nil }
        if order == 1 {
            return UnsafePointer((base + layout.unigramOffset + Int(key.low) * 8).assumingMemoryBound(to: Float.self))
        }
        return NGramTable(layout, order: order, base: base).find(key).map { UnsafeRawPointer($0 + 1).assumingMemoryBound(to: Float.self) }
    }
}

/// From scalar values to symbols: 2 MiB of zeros of which only the pages that are used take memory.
private final class SymbolTable: @unchecked Sendable {  // written only while it is made
    let entries: UnsafeMutablePointer<UInt16>

    init(_ scalars: [UInt32]) {
        guard let memory = calloc(0x11_0000, MemoryLayout<UInt16>.stride) else { preconditionFailure("no memory for a table of 2 MiB") }
        entries = memory.assumingMemoryBound(to: UInt16.self)
        for (index, scalar) in scalars.enumerated() { entries[Int(scalar)] = UInt16(NGramLayout.specials + index) }
    }

    deinit {
        free(entries)
    }
}
