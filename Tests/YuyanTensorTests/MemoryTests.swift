import Testing
import YuyanTensor

/// The allocator: what it counts, what it keeps, and how it fails.
@Suite struct MemoryTests {
    @Engine static func round() throws {
        let weight = try draw([256, 256], seed: 1).to(.float32)
        try weight.setRequiresGradient(true)
        var x = try draw([300, 256], seed: 2).to(.float32)
        for _ in 0..<4 { x = try x.linear(weight).gelu() }
        let targets = try Tensor([Int64](repeating: 5, count: 300))
        try Tensor.linearCrossEntropy(x, weight, targets: targets, divisor: 300, rows: 128).backward()
    }

    @Test @Engine func aSecondRoundTakesNothingNew() throws {
        try Self.round()
        let first = MemoryStatistics.current
        MemoryStatistics.resetPeak()
        try Self.round()
        let second = MemoryStatistics.current
        #expect(second.held + second.live == first.held + first.live)
        #expect(second.live == first.live, "every tensor of the round is gone")
        #expect(second.peak > first.live)
    }

    @Test @Engine func blocksAreCountedAndGivenBack() throws {
        let before = MemoryStatistics.current
        MemoryStatistics.resetPeak()
        #expect(MemoryStatistics.current.peak == before.live)
        var tensor: Tensor? = try Tensor.zeros([1 << 20])
        #expect(tensor?.count == 1 << 20)
        let during = MemoryStatistics.current
        #expect(during.live - before.live >= 4 << 20)
        #expect(during.live - before.live <= (4 << 20) * 9 / 8)
        tensor = nil
        let after = MemoryStatistics.current
        #expect(after.live == before.live)
        #expect(after.peak == during.live)
        #expect(after.held >= 4 << 20)
        MemoryStatistics.trim()
        #expect(MemoryStatistics.current.held == 0)
        #expect(MemoryStatistics.current.live == before.live)
    }

    @Test @Engine func aBlockServesItsSizeClass() throws {
        MemoryStatistics.trim()
        let before = MemoryStatistics.current.live
        // The border of a class, one element more, and the smallest kept size.
        for count in [1 << 15, (1 << 15) - 1, (1 << 15) + 1, 9 << 12, (9 << 12) + 1, 1 << 13, (1 << 13) - 1, 1_000_003] {
            for _ in 0..<3 {
                let tensor = try Tensor.full([count], 3)
                #expect(try tensor.sum().item() == Double(3 * count) && tensor.withBytes { Int(bitPattern: $0.baseAddress) } % 64 == 0)
            }
        }
        #expect(MemoryStatistics.current.live == before)
    }

    @Test @Engine func aTensorTooLargeIsAnErrorAndTheProcessGoesOn() throws {
        let before = MemoryStatistics.current.live
        let elements = 1 << 46  // of 4 bytes: more than an address space holds
        let error = #expect(throws: TensorError.self) { try Tensor.empty([elements]) }
        guard case .outOfMemory(let text) = error else {
            Issue.record("\(String(describing: error)) is not outOfMemory")
            return
        }
        #expect(text.contains("empty") && text.contains("\(elements * 4) bytes") && text.contains("\(before) bytes are in use"))
        #expect(!text.contains("\n"))
        #expect(MemoryStatistics.current.live == before)

        let small = try Tensor.ones([1])
        #expect(throws: TensorError.self) { try small.expand(elements).contiguous() }
        #expect(throws: TensorError.self) { try small.expand(elements) + 1 }
        #expect(throws: TensorError.self) { try recomputing(small) { try $0.expand(elements).contiguous() } }
        #expect(MemoryStatistics.current.live == before + small.withBytes { $0.count })
        #expect(try (small + 1).item() == 2)
    }
}
