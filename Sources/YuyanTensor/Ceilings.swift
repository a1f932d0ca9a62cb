/// What this machine can do at most, measured: the yardstick for every speed that is reported.
public enum Ceilings {
    /// FLOP/s of a square matrix product, the best of a few.
    @Engine public static func matrixProduct(_ dtype: DType, device: Device = .cpu, size: Int = 1024, repeats: Int = 12) throws -> Double {
        let generator = try Generator(seed: 0)
        let a = try generator.normal([size, size]).to(dtype, device: device)
        let b = try generator.normal([size, size]).to(dtype, device: device)
        let seconds = try best(of: repeats, on: device) { _ = try a.matmul(b) }
        return 2 * Double(size * size * size) / seconds
    }

    /// Bytes/s of copying, read and written counted: 256 MB from one tensor to another.
    @Engine public static func copyBandwidth(device: Device = .cpu, repeats: Int = 6) throws -> Double {
        let count = 64 << 20
        let source = try Tensor.ones([count], device: device)
        let target = try Tensor.zeros([count], device: device)
        return try 8 * Double(count) / best(of: repeats, on: device) { try target.copy(from: source) }
    }

    /// Bytes/s of reading memory: the sum of 1 GB, far more than caches hold. What decoding, which reads all weights for each token, is held against.
    @Engine public static func readBandwidth(device: Device = .cpu, repeats: Int = 6) throws -> Double {
        let count = 256 << 20
        let source = try Tensor.ones([count], device: device)
        return try 4 * Double(count) / best(of: repeats, on: device) { _ = try source.sum() }
    }

    private static func best(of repeats: Int, on device: Device, _ work: () throws -> Void) throws -> Double {
        let clock = ContinuousClock()
        var best = Double.infinity
        for _ in 0..<repeats {
            let start = clock.now
            try work()
            try device.synchronize()
            best = min(best, (clock.now - start) / .seconds(1))
        }
        return best
    }
}
