import Foundation
import Testing
import YuyanTensor

@Suite struct EngineTests {
    /// A mark that stays with the thread that runs now. (Its pthread id will not do: asking for it has no effects, so the compiler may ask before
    /// it changes threads.)
    static var mark: UUID {
        let dictionary = Thread.current.threadDictionary
        if let mark = dictionary["EngineTests"] as? UUID { return mark }
        let mark = UUID()
        dictionary["EngineTests"] = mark
        return mark
    }

    @Engine static func thread() -> UUID { mark }

    @Test func allTensorWorkSharesOneThread() async throws {
        let first = await Self.thread()
        let others = await withTaskGroup(of: UUID.self) { group in
            for _ in 0..<20 {
                group.addTask { await Self.thread() }
                group.addTask { await Engine.run { Self.mark } }
            }
            return await group.reduce(into: Set<UUID>()) { $0.insert($1) }
        }
        #expect(others == [first])
        let name = await Engine.run { Thread.current.name }
        #expect(name == "yuyan.engine")
    }

    @Test @Engine func theThreadIsKeptAcrossSuspension() async throws {
        let first = Self.thread()
        await Task.detached { await Task.yield() }.value
        #expect(Self.thread() == first)
    }

    @Test @Engine func backwardStaysOnIt() throws {
        let here = Self.thread()
        var seen: [UUID] = []
        let x = try Tensor.ones([2])
        try x.setRequiresGradient(true)
        let y = try recomputing(x) { x in
            seen.append(Self.mark)
            return try x * 2
        }
        try y.sum().backward()
        #expect(seen == [here, here])
    }

    @Test func resultsAndErrorsComeOut() async throws {
        #expect(try await Engine.run { try Tensor.ones([3]).sum().item() } == 3)
        struct Failure: Error {}
        await #expect(throws: Failure.self) { try await Engine.run { throw Failure() } }
    }

    @Test @Engine func theMachineIsDescribed() {
        #expect(Runtime.torchVersion.hasPrefix("2."))
        #expect(!Runtime.cpuCapability.isEmpty)
        let threads = Runtime.threadCount
        #expect(threads >= 1)
        Runtime.threadCount = 1
        #expect(Runtime.threadCount == 1)
        Runtime.threadCount = threads
        #expect(Runtime.threadCount == threads)
    }
}
