import Testing

@testable import YuyanTensor

/// The attention kernels against softmax(scale·q·kᵀ + mask)·v written out in float64.
@Suite struct AttentionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var queries: Int
        var keys: Int
        var causal = true
        var batch = 2
        var heads = 4
        var groups = 4
        var width = 8
        /// Lengths of the documents that a row is packed of; the second row has them the other way round.
        var documents: [Int]? = nil
        var window: Int? = nil

        var testDescription: String {
            "\(queries) queries, \(keys) keys, \(causal ? "causal" : "full"), batch \(batch), \(heads)/\(groups) heads of \(width)"
                + (documents.map { ", documents \($0)" } ?? "") + (window.map { ", window \($0)" } ?? "")
        }
        var scale: Double { 0.3 }

        /// int32 [batch, keys].
        func documentIDs() throws -> Tensor? {
            guard let documents else { return nil }
            let row = documents.enumerated().flatMap { [Int32](repeating: Int32($0), count: $1) }
            precondition(row.count == keys)
            return try Tensor((0..<batch).flatMap { $0 % 2 == 0 ? row : row.reversed() }, shape: [batch, keys])
        }

        func inputs() throws -> [Tensor] {
            [
                try draw([batch, queries, heads, width], seed: 1), try draw([batch, keys, groups, width], seed: 2),
                try draw([batch, keys, groups, width], seed: 3),
            ]
        }

        /// Simple operations, a mask made by the definition.
        func reference(_ q: Tensor, _ k: Tensor, _ v: Tensor) throws -> Tensor {
            func shared(_ x: Tensor) throws -> Tensor {
                try x.unsqueeze(3).expand(batch, keys, groups, heads / groups, width).reshape(batch, keys, heads, width).permute(0, 2, 1, 3)
            }
            let ids = try documentIDs()?.array(Int32.self)
            var hidden: [Bool] = []
            for row in 0..<batch {
                for query in 0..<queries {
                    let position = keys - queries + query
                    for key in 0..<keys {
                        let other = ids.map { $0[row * keys + position] != $0[row * keys + key] } ?? false
                        let tooFar = window.map { key <= position - $0 } ?? false
                        hidden.append(other || tooFar || (causal && key > position))
                    }
                }
            }
            let mask = try Tensor(hidden, shape: [batch, 1, queries, keys])
            let scores = try q.permute(0, 2, 1, 3).matmul(shared(k).transpose(2, 3)) * scale
            return try scores.maskedFill(mask, -.infinity).softmax(along: -1).matmul(shared(v)).permute(0, 2, 1, 3)
        }

        func attention(_ x: [Tensor]) throws -> Tensor {
            try Tensor.attention(x[0], x[1], x[2], documents: documentIDs(), causal: causal, window: window, scale: scale)
        }
    }

    /// Around the block of 128 queries, with as many keys.
    static let squares: [Case] = [1, 2, 5, 127, 128, 129, 300].flatMap { length in
        [
            Case(queries: length, keys: length), Case(queries: length, keys: length, causal: false),
            Case(queries: length, keys: length, batch: 1, groups: 2),
        ]
    }
    static let others: [Case] = [
        Case(queries: 5, keys: 40, groups: 1), Case(queries: 130, keys: 300, groups: 2), Case(queries: 1, keys: 129, causal: false),
        Case(queries: 300, keys: 20, causal: false), Case(queries: 6, keys: 1, causal: false),
        Case(queries: 3, keys: 3, documents: [1, 2]), Case(queries: 129, keys: 129, documents: [1, 63, 64, 1]),
        Case(queries: 300, keys: 300, groups: 2, documents: [100, 128, 72]),
        Case(queries: 300, keys: 300, causal: false, documents: [100, 128, 72]), Case(queries: 20, keys: 60, documents: [30, 30]),
        Case(queries: 2, keys: 9, documents: [4, 5]), Case(queries: 40, keys: 40, batch: 1, heads: 3, groups: 3, width: 5),
        Case(queries: 40, keys: 40, batch: 3, heads: 1, groups: 1, width: 64),
        Case(queries: 300, keys: 300, groups: 2, window: 100), Case(queries: 3, keys: 40, window: 7), Case(queries: 1, keys: 129, window: 1),
        Case(queries: 130, keys: 200, documents: [120, 80], window: 50), Case(queries: 20, keys: 20, window: 64),
    ]
    static let all = squares + others
    /// A few queries over a cache, in the widths of real heads, with as many heads to a group as go together, fewer and more.
    static let decodes: [Case] = [
        Case(queries: 1, keys: 1, width: 64), Case(queries: 1, keys: 15, groups: 1, width: 64),
        Case(queries: 1, keys: 129, heads: 12, groups: 2, width: 64),
        Case(queries: 4, keys: 77, heads: 10, groups: 2, width: 128), Case(queries: 2, keys: 64, heads: 3, groups: 3, width: 64, window: 17),
        Case(queries: 3, keys: 40, causal: false, heads: 8, groups: 4, width: 192), Case(queries: 1, keys: 50, heads: 6, groups: 2, width: 80),
    ]

    @Test(arguments: all) @Engine func valuesAndGradients(_ c: Case) throws {
        let leaves = try c.inputs()
        for leaf in leaves { try leaf.setRequiresGradient(true) }
        let expected = try c.reference(leaves[0], leaves[1], leaves[2])
        let weights = try draw(expected.shape, seed: 4)
        try (expected * weights).sum().backward()
        let gradients = try leaves.map { try #require(try $0.gradient) }

        for (dtype, tolerance, gradientTolerance) in [(DType.float32, 1e-5, 1e-4), (.bfloat16, 2e-2, 6e-2), (.float64, 1e-12, 1e-12)] {
            let inputs = try leaves.map { try $0.detach().to(dtype).clone() }
            for input in inputs { try input.setRequiresGradient(true) }
            let recorded = try c.attention(inputs)
            #expect(recorded.dtype == dtype)
            #expect(try difference(recorded, expected) < tolerance, "\(dtype)")
            try (recorded * weights.to(dtype)).sum().backward()
            for (name, (input, gradient)) in zip(["queries", "keys", "values"], zip(inputs, gradients)) {
                let found = try #require(try input.gradient)
                #expect(try difference(found, gradient) < gradientTolerance, "gradient of \(name) in \(dtype)")
            }
            let unrecorded = try withoutGradient { try c.attention(inputs) }
            #expect(try difference(unrecorded, expected) < tolerance, "\(dtype), not recorded")
            #expect(!unrecorded.requiresGradient)
        }
    }

    @Test(arguments: decodes, InstructionLimit.allCases) @Engine func decoding(_ c: Case, limit: InstructionLimit) throws {
        defer { InstructionLimit.avx512.impose() }
        limit.impose()
        for (dtype, tolerance) in [(DType.float32, 1e-5), (.bfloat16, 8e-3)] {
            let inputs = try c.inputs().map { try $0.to(dtype) }
            let exact = try inputs.map { try $0.to(.float64) }
            let expected = try c.reference(exact[0], exact[1], exact[2])
            #expect(try difference(c.attention(inputs), expected) < tolerance, "\(dtype)")
            // As a cache has them: [batch, group, key, width], longer than what is in it.
            let cached = try inputs[1...].map { part in
                let room = try Tensor.full([c.batch, c.groups, c.keys + 9, c.width], .nan, dtype: dtype)
                try room.narrow(2, start: 0, length: c.keys).copy(from: part.transpose(1, 2))
                return try room.narrow(2, start: 0, length: c.keys).transpose(1, 2)
            }
            #expect(try difference(c.attention([inputs[0]] + cached), expected) < tolerance, "\(dtype), cached")
        }
    }

    @Test(arguments: [DType.float32, .bfloat16]) @Engine func decodingAgreesWithBlocks(dtype: DType) throws {
        let (queries, keys) = (try draw([2, 9, 6, 24], seed: 1).to(dtype), try draw([2, 200, 3, 24], seed: 2).to(dtype))
        let values = try draw([2, 200, 3, 24], seed: 3).to(dtype)
        for causal in [true, false] {
            // Nine queries go by blocks; their last four, alone, by the other path.
            let all = try Tensor.attention(queries, keys, values, causal: causal, scale: 0.2)
            for count in 1...4 {
                let last = try Tensor.attention(queries.narrow(1, start: 9 - count, length: count), keys, values, causal: causal, scale: 0.2)
                #expect(try difference(last, all.narrow(1, start: 9 - count, length: count)) < (dtype == .float32 ? 1e-5 : 2e-2))
            }
        }
    }

    @Test(arguments: [1, 2], [DType.float32, .bfloat16]) @Engine func viewsOfOneProjection(batch: Int, dtype: DType) throws {
        // As a model makes them: slices of one [batch, token, 3·width] product, and a cache longer than what is used of it.
        let (tokens, heads, width) = (150, 3, 8)
        let projected = try draw([batch, tokens, 3, heads, width]).to(dtype)
        let parts = try (0..<3).map { try projected.select(2, $0) }
        let dense = try parts.map { try $0.contiguous() }
        func gradients(_ parts: [Tensor]) throws -> [Tensor] {
            let leaves = try parts.map { try $0.detach() }
            for leaf in leaves { try leaf.setRequiresGradient(true) }
            // Σ o²/2 reads the result through a view; a plain Σ sends back a gradient without memory of its own.
            let o = try Tensor.attention(leaves[0], leaves[1], leaves[2], scale: 0.3)
            try (o.reshape(batch, tokens, heads * width).square().sum() * 0.5 + o.sum()).backward()
            return try [o] + leaves.map { try #require(try $0.gradient) }
        }
        for (strided, plain) in zip(try gradients(parts), try gradients(dense)) { #expect(try difference(strided, plain) < 1e-6) }
        let cached = try withoutGradient {
            try Tensor.attention(
                parts[0].narrow(1, start: 99, length: 1), parts[1].narrow(1, start: 0, length: 100),
                parts[2].narrow(1, start: 0, length: 100), scale: 0.3)
        }
        #expect(try difference(cached, gradients(dense)[0].narrow(1, start: 99, length: 1)) < 2e-2)
    }

    @Test(arguments: [1, 2]) @Engine func aGradientWithoutMemoryOfItsOwn(batch: Int) throws {
        let c = Case(queries: 40, keys: 40, batch: batch)
        let leaves = try c.inputs()
        let singles = try leaves.map { try $0.to(.float32) }
        for leaf in leaves + singles { try leaf.setRequiresGradient(true) }
        try c.reference(leaves[0], leaves[1], leaves[2]).sum().backward()
        try c.attention(singles).sum().backward()
        for (leaf, single) in zip(leaves, singles) {
            let (expected, found) = (try #require(try leaf.gradient), try #require(try single.gradient))
            #expect(try difference(found, expected) < 1e-4)
        }
    }

    @Test @Engine func largeScoresDoNotOverflow() throws {
        let c = Case(queries: 130, keys: 130)
        let inputs = try c.inputs().enumerated().map { try $0.offset < 2 ? $0.element * 40 : $0.element }
        let expected = try c.reference(inputs[0], inputs[1], inputs[2])
        #expect(try difference(c.attention(inputs.map { try $0.to(.float32) }), expected) < 1e-3)
        #expect(try c.attention(inputs.map { try $0.to(.bfloat16) }).isFinite().array(Bool.self).allSatisfy { $0 })
    }

    @Test @Engine func notANumberIsNotHidden() throws {
        let c = Case(queries: 20, keys: 20)
        var inputs = try c.inputs().map { try $0.to(.float32) }
        for bad in [Double.nan, .infinity] {
            try inputs[1].select(1, 3).fillInPlace(bad)
            let o = try c.attention(inputs)
            #expect(try o.narrow(1, start: 0, length: 3).isFinite().array(Bool.self).allSatisfy { $0 }, "the queries before do not see it")
            #expect(try o.narrow(1, start: 3, length: 17).isFinite().array(Bool.self).contains(false))
            let last = try Tensor.attention(inputs[0].narrow(1, start: 19, length: 1), inputs[1], inputs[2], scale: c.scale)
            #expect(try last.isFinite().array(Bool.self).contains(false))
            inputs = try c.inputs().map { try $0.to(.float32) }
        }
    }

    /// In one call with writing keys and values into a cache, which may have room for more.
    @Test(arguments: [DType.float32, .bfloat16, .float64], [1, 3, 9]) @Engine func storingInACache(dtype: DType, new: Int) throws {
        let (batch, heads, groups, width, start, places) = (2, 4, 2, 64, 5, 20)
        let queries = try draw([batch, new, heads, width], seed: 1).to(dtype)
        // As a model gives them: views of one projection.
        let projected = try draw([batch, new, 2, groups, width], seed: 2).to(dtype).unbind(2)
        let before = try (3...4).map { try draw([batch, groups, places, width], seed: $0).to(dtype) }
        let caches = try before.map { try $0.clone() }
        let mixed = try withInference {
            try Tensor.attention(queries, storing: projected[0], projected[1], in: (caches[0], caches[1]), at: start, window: 6, scale: 0.2)
        }
        let all = try zip(before, projected).map { cache, x in
            try Tensor.concatenate([cache.narrow(2, start: 0, length: start).transpose(1, 2), x], along: 1)
        }
        let expected = try Tensor.attention(queries, all[0], all[1], window: 6, scale: 0.2)
        #expect(try difference(mixed, expected) < (dtype == .bfloat16 ? 2e-2 : 1e-5))
        for (cache, (old, some)) in zip(caches, zip(before, all)) {
            #expect(try cache.narrow(2, start: 0, length: start + new).transpose(1, 2).array(Float.self) == some.array(Float.self))
            let rest = try [cache, old].map { try $0.narrow(2, start: start + new, length: places - start - new).array(Float.self) }
            #expect(rest[0] == rest[1])
        }
    }

    /// As `indexSelect` does, without touching what is behind.
    @Test(arguments: [[1, 0, 2, 3], [0, 0, 1, 3], [3, 2, 1, 0], [1, 2, 3, 0], [2, 2, 2, 2], [0, 1, 2, 3]]) @Engine
    func reorderingACache(order: [Int]) throws {
        let indices = try Tensor(order.map(Int64.init))
        for (shape, dtype) in [([4, 3, 300, 64], DType.bfloat16), ([4, 2, 70, 8], .int8), ([4, 2, 5000], .float32)] {
            let before = try (draw(shape, seed: 7) * 50).to(dtype)
            for places in [0, 1, shape[2] - 3] {
                let cache = try before.clone()
                try cache.reorderInPlace(order, places: places)
                func part(_ x: Tensor, _ start: Int, _ length: Int) throws -> [Float] {
                    try x.narrow(2, start: start, length: length).to(.float32).array(Float.self)
                }
                #expect(try part(cache, 0, places) == part(before.indexSelect(0, indices), 0, places))
                #expect(try part(cache, places, shape[2] - places) == part(before, places, shape[2] - places))
            }
        }
    }
}
