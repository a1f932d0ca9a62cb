internal import CTorch
import Foundation

/// The one thread on which all tensor work runs.
///
/// OpenMP makes a pool of threads for each thread that calls it: work that hops between threads would oversubscribe the machine. What is
/// isolated to `Engine` stays on its thread, and tensors, which are not `Sendable`, stay with it.
@globalActor public actor Engine {
    public static let shared = Engine()

    private static let thread = EngineThread()

    public nonisolated var unownedExecutor: UnownedSerialExecutor { Self.thread.asUnownedSerialExecutor() }

    /// Runs `body` on the engine's thread.
    public static func run<Result: Sendable>(_ body: @Engine @Sendable () throws -> Result) async rethrows -> Result {
        try await body()
    }
}

/// A serial executor on a thread of its own.
/// Unchecked: `jobs` is only touched under `condition`.
private final class EngineThread: SerialExecutor, @unchecked Sendable {
    private let condition = NSCondition()
    private var jobs: [UnownedJob] = []

    init() {
        yy_start()
        let thread = Thread { [unowned self] in work() }
        thread.stackSize = 64 << 20  // recursion of the differentiation of deep models
        thread.start()
        thread.name = "yuyan.engine"  // now: on Linux a thread that has not started cannot be named
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        condition.withLock {
            jobs.append(job)
            condition.signal()
        }
    }

    private func work() {
        while true {
            let ready = condition.withLock {
                while jobs.isEmpty { condition.wait() }
                defer { jobs.removeAll(keepingCapacity: true) }
                return jobs
            }
            for job in ready { job.runSynchronously(on: asUnownedSerialExecutor()) }
        }
    }
}
