import Testing

@testable import YuyanTensor

/// Rows as a cache has them, by the definition: in float64 and plain operations, views of larger buffers that hold what must not be read.
private struct Plain {
    let rows: RoundedRows
    /// float64 [batch, group, token, width].
    let numbers: Tensor

    init(_ x: Tensor) throws {
        let (batch, groups, tokens, width) = (x.size(0), x.size(1), x.size(2), x.size(3))
        let scales = try (x.to(.float64).abs().max(along: 3) / 127).to(.float32)
        let codes = try Tensor.call("aten::round", [.tensor(x.to(.float64) / scales.to(.float64).unsqueeze(3))])[0].to(.int8)
        numbers = try codes.to(.float64) * scales.to(.float64).unsqueeze(3)
        rows = RoundedRows(
            codes: try Tensor.full([batch, groups, tokens + 5, width], 77, dtype: .int8).narrow(2, start: 2, length: tokens),
            scales: try Tensor.full([batch, groups, tokens + 5], .nan).narrow(2, start: 2, length: tokens))
        try rows.codes.copy(from: codes)
        try rows.scales.copy(from: scales)
    }
}

/// Serial: the limit of instructions is the process's.
@Suite(.serialized) struct RoundedRowsTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var queries = 1
        var keys: Int
        var batch = 1
        var heads = 4
        var groups = 4
        var width = 64
        var causal = true
        var window: Int? = nil
        var documents = false
        var testDescription: String {
            "\(queries) queries, \(keys) keys, batch \(batch), \(heads)/\(groups) heads of \(width), window \(window ?? 0)"
                + (causal ? "" : ", full") + (documents ? ", documents" : "")
        }
    }

    /// Widths of real heads and odd ones; as many heads to a group as go together, fewer and more; queries around the most that read without widening.
    static let cases: [Case] = [
        Case(keys: 1), Case(keys: 15, heads: 4, groups: 1), Case(keys: 16, heads: 2, groups: 1), Case(keys: 17, heads: 3, groups: 1),
        Case(keys: 129, batch: 2, heads: 12, groups: 2), Case(queries: 4, keys: 77, heads: 10, groups: 2, width: 128),
        Case(queries: 2, keys: 64, heads: 3, groups: 3, window: 17), Case(queries: 3, keys: 40, heads: 8, groups: 4, width: 192, causal: false),
        Case(keys: 50, heads: 6, groups: 2, width: 80), Case(queries: 8, keys: 33, batch: 2, heads: 2, groups: 1, width: 7),
        Case(queries: 9, keys: 33, batch: 2, heads: 2, groups: 1), Case(queries: 40, keys: 300, heads: 6, groups: 3, window: 50),
        Case(queries: 2, keys: 21, width: 512), Case(keys: 21, width: 576), Case(keys: 1000, heads: 1, groups: 1, width: 256),
        Case(queries: 3, keys: 30, batch: 2, documents: true),
    ]

    private func reference(_ c: Case, _ q: Tensor, _ k: Tensor, _ v: Tensor) throws -> Tensor {
        func shared(_ x: Tensor) throws -> Tensor {
            try x.unsqueeze(2).expand(c.batch, c.groups, c.heads / c.groups, c.keys, c.width).reshape(c.batch, c.heads, c.keys, c.width)
        }
        var hidden: [Bool] = []
        for query in 0..<c.queries {
            let position = c.keys - c.queries + query
            for key in 0..<c.keys {
                let apart = c.documents && (key < 20) != (position < 20)
                hidden.append(apart || c.causal && key > position || c.window.map { key <= position - $0 } ?? false)
            }
        }
        let scores = try q.permute(0, 2, 1, 3).matmul(shared(k).transpose(2, 3)) * 0.3
        let mask = try Tensor(hidden, shape: [1, 1, c.queries, c.keys])
        return try scores.maskedFill(mask, -.infinity).softmax(along: -1).matmul(shared(v)).permute(0, 2, 1, 3)
    }

    @Test(arguments: cases, InstructionLimit.allCases) @Engine func attention(_ c: Case, limit: InstructionLimit) throws {
        defer { InstructionLimit.avx512.impose() }
        limit.impose()
        let keys = try Plain(draw([c.batch, c.groups, c.keys, c.width], seed: 2))
        let values = try Plain(draw([c.batch, c.groups, c.keys, c.width], seed: 3) * 20)
        let ids = try Tensor((0..<c.batch).flatMap { _ in (0..<c.keys).map { Int32($0 < 20 ? 0 : 1) } }, shape: [c.batch, c.keys])
        for (dtype, tolerance) in [(DType.float32, 5e-5), (.bfloat16, 8e-3), (.float64, 5e-5)] {
            let queries = try draw([c.batch, c.queries, c.heads, c.width], seed: 1).to(dtype)
            let expected = try reference(c, queries.to(.float64), keys.numbers, values.numbers)
            let found = try Tensor.attention(
                queries, keys.rows, values.rows, documents: c.documents ? ids : nil, causal: c.causal, window: c.window, scale: 0.3)
            #expect(found.dtype == dtype)
            // Widened, keys, values and scores have the model's own precision.
            let isWidened = c.queries > 8 || c.documents
            #expect(try difference(found, expected) < (dtype == .bfloat16 && isWidened ? 2e-2 : tolerance), "\(dtype)")
        }
    }

    @Test @Engine func anyShapeAtRandom() throws {
        var state: UInt64 = 20
        func below(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<60 {
            let groups = 1 + below(3)
            var c = Case(queries: 1 + below(10), keys: 10 + below(90), batch: 1 + below(2), heads: groups * (1 + below(6)), groups: groups)
            c.width = [1 + below(70), 64 * (1 + below(3))][below(2)]
            c.window = below(2) == 0 ? 1 + below(120) : nil
            let keys = try Plain(draw([c.batch, c.groups, c.keys, c.width], seed: state))
            let values = try Plain(draw([c.batch, c.groups, c.keys, c.width], seed: state &+ 1))
            let queries = try draw([c.batch, c.queries, c.heads, c.width], seed: state &+ 2).to(.float32)
            let found = try Tensor.attention(queries, keys.rows, values.rows, window: c.window, scale: 0.3)
            #expect(try difference(found, reference(c, queries.to(.float64), keys.numbers, values.numbers)) < 5e-5, "\(c)")
        }
    }

    /// A query may be a slice of one projection.
    @Test(arguments: InstructionLimit.allCases) @Engine func queriesMayBeViews(limit: InstructionLimit) throws {
        defer { InstructionLimit.avx512.impose() }
        limit.impose()
        let rows = try Plain(draw([2, 2, 30, 64], seed: 4)).rows
        let projected = try draw([2, 3, 3, 4, 64]).to(.bfloat16)
        let queries = try projected.select(2, 1)
        let found = try Tensor.attention(queries, rows, rows, scale: 0.2)
        #expect(try difference(found, Tensor.attention(queries.contiguous(), rows, rows, scale: 0.2)) == 0)
    }

    /// Numbers of all sizes, into views of something larger, from views: what a cache does.
    @Test(arguments: [(1, 1, 1, 1), (2, 3, 5, 7), (1, 2, 9, 64), (3, 1, 40, 33)], [DType.float32, .bfloat16, .float64, .float16]) @Engine
    func rounding(shape: (Int, Int, Int, Int), dtype: DType) throws {
        let (batch, groups, tokens, width) = shape
        let sizes = try Tensor((0..<tokens).map { [1, 1e-3, 300, 0][$0 % 4] }, shape: [1, tokens, 1, 1]).to(.float64)
        let made = try (draw([batch, tokens, groups, width]) * sizes).to(dtype)
        let x = try made.transpose(1, 2)
        let rows = RoundedRows(
            codes: try Tensor.full([batch, groups, tokens + 3, width], 77, dtype: .int8),
            scales: try Tensor.full([batch, groups, tokens + 3], -1))
        let part = RoundedRows(codes: try rows.codes.narrow(2, start: 1, length: tokens), scales: try rows.scales.narrow(2, start: 1, length: tokens))
        try part.store(x)
        let exact = try x.to(.float64)
        let largest = try exact.abs().max(along: 3)
        #expect(try difference(part.scales, largest / 127) < 1e-6)
        let off = try (part.codes.to(.float64) * part.scales.to(.float64).unsqueeze(3) - exact).abs()
        #expect(try (off - largest.unsqueeze(3) * (0.5001 / 127)).max().item() <= 0)
        #expect(try part.codes.to(.float64).abs().max().item() == 127)
        for (outer, inner) in [(0, 1), (tokens + 1, 2)] {
            #expect(try (rows.codes.narrow(2, start: outer, length: inner).to(.float64) - 77).abs().max().item() == 0)
            #expect(try (rows.scales.narrow(2, start: outer, length: inner) + 1).abs().max().item() == 0)
        }
        for (wide, tolerance) in [(DType.float32, 1e-6), (.bfloat16, 4e-3), (.float16, 1e-3)] {
            let found = try part.wide(wide)
            #expect(found.dtype == wide && found.shape == x.shape)
            #expect(try difference(found, part.codes.to(.float64) * part.scales.to(.float64).unsqueeze(3)) < tolerance, "\(wide)")
        }
    }

    @Test(arguments: [DType.float32, .bfloat16], [3, 64, 70]) @Engine func notANumberIsNotHidden(dtype: DType, width: Int) throws {
        for bad in [Double.nan, .infinity, -.infinity] {
            for place in [0, width - 1] {
                let x = try draw([1, 1, 4, width]).to(dtype)
                try x.select(2, 2).narrow(2, start: place, length: 1).fillInPlace(bad)
                let rows = RoundedRows(codes: try .empty([1, 1, 4, width], dtype: .int8), scales: try .empty([1, 1, 4]))
                try rows.store(x)
                #expect(try rows.scales.isFinite().array(Bool.self) == [true, true, false, true])
                let queries = try draw([1, 2, 1, width]).to(dtype)
                #expect(try Tensor.attention(queries, rows, rows, scale: 0.1).isFinite().array(Bool.self).allSatisfy { !$0 })
                #expect(try Tensor.attention(queries, rows, rows, window: 1, scale: 0.1).select(1, 1).isFinite().array(Bool.self).allSatisfy { $0 })
            }
        }
        // Too small to be divided by: nothing.
        let rows = RoundedRows(codes: try .empty([1, 1, 1, width], dtype: .int8), scales: try .empty([1, 1, 1]))
        try rows.store(Tensor.full([1, 1, 1, width], 1e-38, dtype: dtype))
        #expect(try rows.wide(.float64).abs().max().item() < 1e-30)
    }
}
