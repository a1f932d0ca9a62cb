import Foundation
import Testing
import YuyanTensor

@Suite struct EngineTests {
    @Engine static func thread() -> ObjectIdentifier { ObjectIdentifier(Thread.current) }

    @Test func allTensorWorkSharesOneThread() async throws {
        let first = await Self.thread()
        let others = await withTaskGroup(of: ObjectIdentifier.self) { group in
            for _ in 0..<20 {
                group.addTask { await Self.thread() }
                group.addTask { await Engine.run { ObjectIdentifier(Thread.current) } }
            }
            return await group.reduce(into: Set<ObjectIdentifier>()) { $0.insert($1) }
        }
        #expect(others == [first])
        #expect(await Engine.run { Thread.current.name } == "yuyan.engine")
    }

    @Test @Engine func theThreadIsKeptAcrossSuspension() async throws {
        let (before, first) = (pthread_self(), Self.thread())
        await Task.detached { await Task.yield() }.value
        #expect(pthread_equal(before, pthread_self()) != 0)
        #expect(Self.thread() == first)
    }

    @Test @Engine func backwardStaysOnIt() throws {
        let here = Self.thread()
        var seen: [ObjectIdentifier] = []
        let x = try Tensor.ones([2])
        try x.setRequiresGradient(true)
        let y = try recomputing(x) { x in
            seen.append(ObjectIdentifier(Thread.current))
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
