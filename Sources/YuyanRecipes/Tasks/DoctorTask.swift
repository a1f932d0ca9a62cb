import Foundation
import YuyanTensor

/// Report what this installation and machine can do.
public struct DoctorTask: TaskConfiguration {
    public static let task = "doctor"
    public static let summary = "Report libtorch, devices, threads and measured ceilings"
    public static let help: [String: String] = [:]
    public static let writesFiles = false

    public init() {}

    /// Speeds in billions a second: floating-point operations, bytes.
    public struct Report: Encodable, Sendable, CustomStringConvertible {
        var libtorch: String
        var processor: String
        var cores: Int
        var threads: Int
        var instructionSet: String
        var nativeBfloat16: Bool
        var memoryGb: Double
        var devices: [String]
        var cuda: String
        var float32Gflops: Double
        var bfloat16Gflops: Double
        var copyGbPerSecond: Double
        var readGbPerSecond: Double

        public var description: String {
            """
            libtorch     \(libtorch), kernels for \(instructionSet)
            processor    \(processor), \(cores) cores, \(threads) threads; bfloat16 \(nativeBfloat16 ? "native" : "not native, slow")
            memory       \(Int(memoryGb)) GB
            devices      \(devices.joined(separator: ", "))
            CUDA         \(cuda)
            float32      \(Int(float32Gflops)) GFLOP/s   (matrix product 1024³, best of several)
            bfloat16     \(Int(bfloat16Gflops)) GFLOP/s
            copy         \(Int(copyGbPerSecond)) GB/s      (read and written)
            read         \(Int(readGbPerSecond)) GB/s
            """
        }
    }

    public func run(in stage: StageContext) async throws -> Report {
        try await Engine.run {
            var devices = ["cpu"]
            var cuda = "available"
            do {
                try Runtime.loadCUDA()
                devices += (0..<Runtime.cudaDeviceCount).map { "cuda:\($0)" }
            } catch let error as TensorError {
                cuda = "not available: \(error)"
            }
            return Report(
                libtorch: Runtime.torchVersion, processor: Self.processor, cores: ProcessInfo.processInfo.activeProcessorCount,
                threads: Runtime.threadCount, instructionSet: Runtime.cpuCapability, nativeBfloat16: Runtime.hasNativeBFloat16,
                memoryGb: (Double(ProcessInfo.processInfo.physicalMemory) / 1e9).rounded(), devices: devices, cuda: cuda,
                float32Gflops: (try Ceilings.matrixProduct(.float32) / 1e9).rounded(),
                bfloat16Gflops: (try Ceilings.matrixProduct(.bfloat16) / 1e9).rounded(),
                copyGbPerSecond: (try Ceilings.copyBandwidth() / 1e9).rounded(),
                readGbPerSecond: (try Ceilings.readBandwidth() / 1e9).rounded())
        }
    }

    private static var processor: String {
        let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
        let name = lines.first { $0.hasPrefix("model name") }?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
        return name ?? "unknown"
    }
}
