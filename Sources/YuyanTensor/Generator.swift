internal import CTorch

/// A source of random numbers whose state can be kept and put back.
public final class Generator {
    private let handle: yy_generator
    public let device: Device

    public init(seed: UInt64, device: Device = .cpu) throws {
        var out: yy_generator?
        try check(yy_generator_new(seed, device.index, &out), "Generator")
        guard let out else { preconditionFailure("no generator was made") }
        (handle, self.device) = (out, device)
    }

    deinit { yy_generator_release(handle) }

    /// Everything it needs to go on from here.
    public var state: [UInt8] {
        get throws { try Tensor.make("state") { yy_generator_state(handle, $0) }.array(UInt8.self) }
    }

    public func setState(_ state: [UInt8]) throws {
        let bytes = try Tensor(state)  // named: a temporary is gone once its handle is read
        try check(yy_generator_set_state(handle, bytes.handle), "setState", bytes)
    }

    /// N(0, 1).
    public func normal(_ shape: [Int], dtype: DType = .float32) throws -> Tensor {
        try Tensor.make("normal") { yy_randn(shape.sizes, shape.rank, handle, Tensor.options(dtype, device), $0) }
    }

    /// Uniform in [0, 1).
    public func uniform(_ shape: [Int], dtype: DType = .float32) throws -> Tensor {
        try Tensor.make("uniform") { yy_rand(shape.sizes, shape.rank, handle, Tensor.options(dtype, device), $0) }
    }

    /// Integers in the range, int64.
    public func integers(_ range: Range<Int>, _ shape: [Int]) throws -> Tensor {
        try Tensor.make("integers") {
            yy_randint(Int64(range.lowerBound), Int64(range.upperBound), shape.sizes, shape.rank, handle, Tensor.options(.int64, device), $0)
        }
    }

    /// `count` positions drawn without replacement from each row of probabilities [..., n], int64.
    public func multinomial(_ probabilities: Tensor, count: Int = 1) throws -> Tensor {
        try Tensor.make("multinomial", probabilities) { yy_multinomial(probabilities.handle, Int64(count), handle, $0) }
    }
}
