import Testing
import YuyanTensor

@Suite struct GeneratorTests {
    @Test @Engine func oneSeedGivesOneStream() throws {
        let (a, b, other) = (try Generator(seed: 7), try Generator(seed: 7), try Generator(seed: 8))
        for shape in [[3], [5, 7], [1000]] {
            let (first, second) = (try a.normal(shape), try b.normal(shape))
            #expect(try first.array(Float.self) == second.array(Float.self))
            #expect(try first.array(Float.self) != other.normal(shape).array(Float.self))
        }
        #expect(try a.uniform([9]).array(Float.self) == b.uniform([9]).array(Float.self))
        #expect(try a.integers(-5..<5, [9]).array(Int64.self) == b.integers(-5..<5, [9]).array(Int64.self))
    }

    @Test @Engine func aKeptStateContinuesExactly() throws {
        let generator = try Generator(seed: 3)
        // An odd count leaves half of a Box–Muller pair behind: the state has to know.
        _ = try generator.normal([5])
        _ = try generator.uniform([3])
        let state = try generator.state
        func next(_ generator: Generator) throws -> [Double] {
            try generator.normal([7], dtype: .float64).array(Double.self) + generator.uniform([20]).array(Double.self)
                + generator.integers(0..<1_000_000, [5]).array(Double.self)
        }
        let expected = try next(generator)
        let other = try Generator(seed: 99)
        try other.setState(state)
        #expect(try next(other) == expected)
        try generator.setState(state)
        #expect(try next(generator) == expected)
    }

    @Test @Engine func theMomentsAreRight() throws {
        let generator = try Generator(seed: 5)
        let normal = try generator.normal([200_000], dtype: .float64)
        #expect(try abs(normal.mean().item()) < 0.01)
        #expect(try abs(normal.square().mean().item() - 1) < 0.02)
        let uniform = try generator.uniform([200_000])
        #expect(try abs(uniform.mean().item() - 0.5) < 0.01)
        #expect(try uniform.min().item() >= 0 && uniform.max().item() < 1)
        let integers = try generator.integers(-2..<3, [10_000])
        #expect(integers.dtype == .int64)
        #expect(try Set(integers.array(Int64.self)) == [-2, -1, 0, 1, 2])
        #expect(try generator.normal([4], dtype: .bfloat16).dtype == .bfloat16)
    }

    @Test @Engine func multinomialFollowsTheProbabilities() throws {
        let generator = try Generator(seed: 11)
        let probabilities = try Tensor([0.1, 0, 0.6, 0.3] as [Float]).expand(20_000, 4)
        let drawn = try generator.multinomial(probabilities)
        #expect(drawn.shape == [20_000, 1] && drawn.dtype == .int64)
        let values = try drawn.array(Int64.self)
        for (position, probability) in [0.1, 0, 0.6, 0.3].enumerated() {
            let share = Double(values.count { $0 == position }) / 20_000
            #expect(abs(share - probability) < 0.015, "position \(position)")
        }
        let pair = try generator.multinomial(Tensor([1, 0, 1] as [Float]), count: 2).array(Int64.self)
        #expect(Set(pair) == [0, 2])
    }
}
