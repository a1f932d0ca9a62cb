internal import CTorch

extension Tensor {
    /// Whether operations on it are recorded.
    public var requiresGradient: Bool { yy_requires_grad(handle) }

    public func setRequiresGradient(_ required: Bool) throws { try check(yy_set_requires_grad(handle, required), "setRequiresGradient", self) }

    /// The same values, out of the recording.
    public func detach() throws -> Tensor { try Self.make("detach", self) { yy_detach(handle, $0) } }

    /// Adds the derivative of this scalar to `gradient` of every leaf that it was computed from.
    public func backward() throws {
        do {
            try check(yy_backward(handle), "backward", self)
        } catch {
            throw takeFailure() ?? error
        }
    }

    /// What `backward` has summed up, if anything.
    public var gradient: Tensor? {
        get throws {
            var out: yy_tensor?
            try check(yy_grad(handle, &out), "gradient", self)
            return out.map(Tensor.init(owning:))
        }
    }

    public func clearGradient() { yy_clear_grad(handle) }
}

/// Runs `body` without recording.
public func withoutGradient<Result>(_ body: () throws -> Result) rethrows -> Result {
    let before = yy_grad_enabled()
    yy_set_grad_enabled(false)
    defer { yy_set_grad_enabled(before) }
    return try body()
}

/// Runs `body` in inference mode: nothing is recorded or counted, and what it makes can never take part in a gradient.
public func withInference<Result>(_ body: () throws -> Result) rethrows -> Result {
    let guarded = yy_inference_begin()
    defer { yy_inference_end(guarded) }
    return try body()
}

/// Computes `body(inputs)` without keeping what is inside, and computes it again when the gradient is wanted: memory for time (Chen et al. 2016). `body`
/// must give the same value both times, and take every recorded tensor from its inputs: what it captures may only be parameters.
public func recomputing(_ inputs: [Tensor], _ body: @escaping ([Tensor]) throws -> Tensor) throws -> Tensor {
    final class Context {
        let count: Int
        let body: ([Tensor]) throws -> Tensor
        init(_ count: Int, _ body: @escaping ([Tensor]) throws -> Tensor) { (self.count, self.body) = (count, body) }
    }
    let context = Context(inputs.count, body)
    do {
        return try Tensor.make("recomputing", inputs.first, inputs.last) { out in
            yy_recompute(
                inputs.map(\.handle), Int32(inputs.count), Unmanaged.passRetained(context).toOpaque(),
                { raw, handles, out in
                    let context = Unmanaged<Context>.fromOpaque(raw!).takeUnretainedValue()
                    do {
                        let inputs = try UnsafeBufferPointer(start: handles, count: context.count).map { try Tensor(borrowing: $0!) }
                        out!.pointee = try context.body(inputs).retained()
                        return YY_OK
                    } catch {
                        failure = error
                        return YY_OUT_OF_MEMORY
                    }
                },
                { Unmanaged<Context>.fromOpaque($0!).release() }, out)
        }
    } catch {
        throw takeFailure() ?? error
    }
}

/// `recomputing` of one input.
public func recomputing(_ x: Tensor, _ body: @escaping (Tensor) throws -> Tensor) throws -> Tensor {
    try recomputing([x]) { try body($0[0]) }
}

/// The error that a recomputed block threw, on its way through C++. Unsafe: only the engine's thread gets here.
nonisolated(unsafe) private var failure: (any Error)?

private func takeFailure() -> (any Error)? {
    defer { failure = nil }
    return failure
}

extension Tensor {
    /// A second owner of a handle that somebody else keeps.
    init(borrowing handle: yy_tensor) throws { self = try Self.make("alias") { yy_alias(handle, $0) } }

    /// A handle that the receiver of it must release.
    func retained() throws -> yy_tensor {
        var out: yy_tensor?
        try check(yy_alias(handle, &out), "alias", self)
        guard let out else { preconditionFailure("alias made no tensor") }
        return out
    }
}
