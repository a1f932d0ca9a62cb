import YuyanModels
import YuyanTensor

/// Where and in which precision a model runs: keys that every task with a model has.
public struct ComputeSettings: ConfigurationSection, Hashable {
    /// The precisions that a model computes in.
    public enum Precision: String, Codable, Sendable, CaseIterable {
        case float32, bfloat16, float16
    }

    public static let help = [
        "device": "cpu, cuda or cuda:N",
        "dtype": "precision of the arithmetic; by default bfloat16 where the processor has it natively, else float32",
        "threads": "processor threads; by default all cores",
    ]

    public var device = "cpu"
    public var dtype: Precision?
    public var threads: Int?

    public init() {}

    /// Settings from a command line.
    public init(device: String, dtype: String?) throws {
        self.device = device
        if let dtype {
            guard let precision = Precision(rawValue: dtype) else {
                throw RequestError("--dtype: expected one of \(Precision.allCases.map(\.rawValue).joined(separator: ", ")), found \"\(dtype)\"")
            }
            self.dtype = precision
        }
        do { try validate() } catch let error as InvalidValue { throw RequestError("--\(error.key): \(error.problem)") }
    }

    func validate() throws {
        if let threads, threads < 1 { throw InvalidValue("threads", "must be at least 1, found \(threads)") }
        guard ["cpu", "cuda"].contains(device) || device.hasPrefix("cuda:") else {
            throw InvalidValue("device", "must be cpu, cuda or cuda:N, found \"\(device)\"")
        }
    }

    /// Refuses what training cannot use: gradients leave the range of float16.
    func validateForTraining() throws {
        try validate()
        if dtype == .float16 { throw InvalidValue("dtype", "must be bfloat16 or float32 for training: gradients overflow in float16") }
    }

    /// The device and precision of a run, chosen where the user did not.
    struct Choice: Sendable {
        var device: Device
        var dtype: DType
        /// `bfloat16 on cpu, 2 threads`
        var description: String
    }

    /// - Parameter stored: the precision of the weights on disk; nil for a new model. Weights stored in float32 are used as they are: small ones are
    ///   usually there to be compared, and large ones are stored in 16 bits.
    func choose(stored: DType? = nil) throws -> Choice {
        if let threads { Runtime.threadCount = threads }
        let device = try Device(device)
        let hasBFloat16 = device != .cpu || Runtime.hasNativeBFloat16
        let wished = dtype.flatMap { DType(name: $0.rawValue) } ?? stored ?? .bfloat16
        let chosen = dtype == nil && wished != .float32 && !hasBFloat16 ? .float32 : wished
        let threads = device == .cpu ? ", \(Runtime.threadCount) threads" : ""
        return Choice(device: device, dtype: chosen, description: "\(chosen.name) on \(device)\(threads)")
    }
}
