import Testing
import YuyanModels
import YuyanTensor

@testable import YuyanGeneration

@Suite @Engine struct CacheTests {
    private func model(_ dtype: DType = .float32) throws -> GPT {
        try GPT(GPTConfiguration(vocabularySize: 61, contextLength: 40, width: 32, layers: 2, heads: 4), seed: 3, dtype: dtype)
    }

    private func ids(_ rows: [[Int]]) throws -> Tensor { try Tensor(rows.flatMap { $0.map(Int64.init) }, shape: [rows.count, rows[0].count]) }

    private func difference(_ a: Tensor, _ b: Tensor) throws -> Double { try (a.to(.float64) - b.to(.float64)).abs().max().item() }

    @Test(arguments: [[1, 1, 1, 1, 1, 1, 1, 1, 1], [7, 1, 2, 13, 1, 1, 10, 5], [40]]) func givesTheSameAsNoCache(pieces: [Int]) throws {
        let model = try model()
        let tokens = [(0..<pieces.reduce(0, +)).map { $0 * 7 % 61 }, (0..<pieces.reduce(0, +)).map { $0 * 11 % 61 }]
        let whole = try model(ids(tokens), ForwardContext())
        let cache = KVCache(for: model, batch: 2, capacity: 3)
        var start = 0
        for piece in pieces {
            #expect(cache.length == start)
            let part = try withInference { try model(ids(tokens.map { Array($0[start..<start + piece]) }), ForwardContext(cache: cache)) }
            #expect(try difference(part, whole.narrow(1, start: start, length: piece)) < 2e-5)
            start += piece
        }
    }

    /// Members of the LLaMA family, with a window shorter than the pieces and one longer.
    @Test(arguments: ["llama", "mistral 3", "mistral 9", "qwen2", "qwen3"], [[1, 1, 1, 1, 1, 1, 1, 1, 1], [7, 1, 2, 13, 1, 1, 10, 5]])
    func rotatedKeysAreKept(kind: String, pieces: [Int]) throws {
        let parts = kind.split(separator: " ")
        var configuration = LLaMAConfiguration(
            member: try #require(.init(rawValue: String(parts[0]))), vocabularySize: 61, width: 32, feedForwardWidth: 40, layers: 2, heads: 4,
            groups: 2,
            contextLength: 40)
        configuration.initializerRange = 0.2
        configuration.window = parts.count > 1 ? Int(parts[1]) : nil
        let model = try LLaMA(configuration, seed: 4)
        let count = pieces.reduce(0, +)
        let tokens = [(0..<count).map { $0 * 7 % 61 }, (0..<count).map { $0 * 11 % 61 }]
        let whole = try model(ids(tokens), ForwardContext())
        let cache = KVCache(for: model, batch: 2, capacity: 3)
        for piece in pieces {
            let start = cache.length
            let part = try withInference { try model(ids(tokens.map { Array($0[start..<start + piece]) }), ForwardContext(cache: cache)) }
            #expect(try difference(part, whole.narrow(1, start: start, length: piece)) < 5e-5)
        }
    }

    @Test func rowsCanBeChosenAndRepeated() throws {
        let model = try model()
        let tokens = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
        let cache = KVCache(for: model, batch: 3)
        _ = try model(ids(tokens), ForwardContext(cache: cache))
        try cache.select([2, 0, 0, 1])
        #expect(cache.batch == 4 && cache.length == 3)
        let next = try model(ids([[10], [11], [12], [13]]), ForwardContext(cache: cache))
        let whole = try model(ids([tokens[2] + [10], tokens[0] + [11], tokens[0] + [12], tokens[1] + [13]]), ForwardContext())
        #expect(try difference(next, whole.narrow(1, start: 3, length: 1)) < 2e-5)
    }

    @Test func worksInBFloat16() throws {
        let model = try model(.bfloat16)
        let tokens = [Array(1...12)]
        let whole = try model(ids(tokens), ForwardContext())
        let cache = KVCache(for: model, batch: 1)
        _ = try model(ids([Array(1...8)]), ForwardContext(cache: cache))
        let rest = try model(ids([Array(9...12)]), ForwardContext(cache: cache))
        #expect(try difference(rest, whole.narrow(1, start: 8, length: 4)) < 0.06)
    }
}
