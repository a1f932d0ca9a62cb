internal import CTorch
import Foundation

/// Where a tensor lives: the CPU, or one CUDA GPU.
public enum Device: Sendable, Hashable, CustomStringConvertible {
    case cpu
    case cuda(Int)

    /// `cpu`, `cuda` (the first GPU) or `cuda:N`.
    public init(_ name: String) throws {
        if name == "cpu" {
            self = .cpu
        } else if name == "cuda" {
            self = .cuda(0)
        } else if name.hasPrefix("cuda:"), let index = Int(name.dropFirst(5)), index >= 0 {
            self = .cuda(index)
        } else {
            throw TensorError.device("unknown device \"\(name)\": cpu, cuda or cuda:N would be right")
        }
        if case .cuda(let index) = self {
            try Runtime.loadCUDA()
            guard index < Runtime.cudaDeviceCount else {
                throw TensorError.device("there is no device cuda:\(index): this machine has \(Runtime.cudaDeviceCount) CUDA devices")
            }
        }
    }

    public var description: String {
        switch self {
        case .cpu: "cpu"
        case .cuda(let index): "cuda:\(index)"
        }
    }

    var index: Int32 {
        switch self {
        case .cpu: -1
        case .cuda(let index): Int32(index)
        }
    }

    /// Waits until all work given to the device is done.
    public func synchronize() throws { try check(yy_synchronize(index), "synchronize") }
}

/// The library underneath and the machine it runs on.
public enum Runtime {
    public static var torchVersion: String { String(cString: yy_torch_version()) }
    /// The instruction set that libtorch's own kernels use: `AVX512`, `AVX2`, `DEFAULT`, ...
    public static var cpuCapability: String { String(cString: yy_cpu_capability()) }
    /// Whether the processor multiplies bfloat16 natively.
    public static var hasNativeBFloat16: Bool { yy_cpu_has_bfloat16() }
    public static var threadCount: Int {
        get { Int(yy_thread_count()) }
        set { yy_set_thread_count(Int32(newValue)) }
    }
    /// Runs `body`, a pass over a few rows, so that our own kernels share threads that wait awake, and libtorch's operations run on this thread alone.
    ///
    /// Each kernel of such a pass takes microseconds: libtorch's threads would come late, and hold the processors for milliseconds after each of its operations.
    @Engine public static func withTeam<Result>(_ body: () throws -> Result) rethrows -> Result {
        let before = yy_team_begin()
        defer { yy_team_end(before) }
        return try body()
    }
    /// Bytes of main memory that a program can still take: the system's, or what its control group leaves; nil where the system does not say.
    public static var availableMemory: Int? {
        /// The number behind a word at the beginning of a line; of a file without words the only one.
        func number(_ word: String, in file: String) -> Int? {
            let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
            let line = text.split(separator: "\n").first { $0.hasPrefix(word) }
            return line?.split(separator: " ").lazy.compactMap { Int($0) }.first
        }
        guard let system = number("MemAvailable:", in: "/proc/meminfo").map({ $0 * 1024 }) else { return nil }
        let group = "/sys/fs/cgroup/memory."
        guard let limit = number("", in: group + "max"), let used = number("", in: group + "current") else { return system }
        // What is kept of files can be given back.
        return min(system, limit - used + (number("file ", in: group + "stat") ?? 0))
    }
    /// 0 until `loadCUDA` has succeeded.
    public static var cudaDeviceCount: Int { Int(yy_cuda_count()) }

    /// libtorch_cuda is not linked: a CPU build has none. It is loaded when a CUDA device is first asked for.
    public static func loadCUDA() throws {
        guard yy_cuda_load() == YY_OK else { throw TensorError.device("CUDA cannot be used: \(lastError())") }
    }
}

/// What CPU tensors take, in bytes.
public struct MemoryStatistics: Sendable {
    /// In tensors now.
    public var live: Int
    /// The highest `live` since the start or `resetPeak`.
    public var peak: Int
    /// Kept for reuse.
    public var held: Int

    public static var current: MemoryStatistics {
        let statistics = yy_memory_statistics()
        return MemoryStatistics(live: Int(statistics.live), peak: Int(statistics.peak), held: Int(statistics.held))
    }

    public static func resetPeak() { yy_memory_reset_peak() }
    /// Gives the kept blocks back to the system.
    public static func trim() { yy_memory_trim() }
}
