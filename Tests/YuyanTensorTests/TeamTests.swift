import Foundation
import Testing

@testable import YuyanTensor

/// The threads that share the products of a decoding step (CTorch/kernels/team.cpp).
@Suite struct TeamTests {
    /// Products right after each other, and others that come when the threads have fallen asleep, with a team that grows and shrinks.
    @Test @Engine func everyPieceIsDoneOnce() throws {
        let threads = Runtime.threadCount
        defer { Runtime.threadCount = threads }
        let weight = try draw([1003, 96], seed: 1).to(.bfloat16)
        let rounded = try QuantizedMatrix(draw([1003, 96], seed: 1), .int4)
        let inputs = try (0..<40).map { try draw([1, 96], seed: UInt64($0 + 2)).to(.bfloat16) }
        func products() throws -> [[Float]] {
            try inputs.enumerated().flatMap { number, x in
                if number % 10 == 9 { usleep(1000) }
                return try [x.linear(weight).array(Float.self), rounded.linear(x).array(Float.self)]
            }
        }
        let expected = try products()
        for count in [2, 5, 3, 1, 4] {
            Runtime.threadCount = count
            for _ in 0..<10 { #expect(try Runtime.withTeam(products) == expected, "\(count) threads") }
        }
    }

    @Test @Engine func libtorchGetsItsThreadsBack() throws {
        struct Stop: Error {}
        let threads = Runtime.threadCount
        defer { Runtime.threadCount = threads }
        Runtime.threadCount = 3
        Runtime.withTeam {
            #expect(Runtime.threadCount == 1)
            Runtime.withTeam {}
            #expect(Runtime.threadCount == 1)
        }
        #expect(Runtime.threadCount == 3)
        #expect(throws: Stop.self) { try Runtime.withTeam { throw Stop() } }
        #expect(Runtime.threadCount == 3)
    }
}
