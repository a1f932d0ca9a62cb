internal import CTorch

extension Tensor {
    /// An argument of `call`.
    public enum Argument {
        case tensor(Tensor)
        case int(Int)
        case double(Double)
        case bool(Bool)
        case ints([Int])
        case none
    }

    /// Any operator of libtorch by its dispatcher name, for what has no method here: `Tensor.call("aten::roll", [.tensor(x), .ints([1]), .ints([0])])`.
    /// Arguments left out at the end take their defaults.
    public static func call(_ name: String, overload: String = "", _ arguments: [Argument]) throws -> [Tensor] {
        var values: [yy_value] = []
        var buffers: [UnsafeMutableBufferPointer<Int64>] = []
        defer { for buffer in buffers { buffer.deallocate() } }
        for argument in arguments {
            var value = yy_value(kind: YY_NONE, tensor: nil, integer: 0, real: 0, integers: nil, count: 0)
            switch argument {
            case .tensor(let tensor): (value.kind, value.tensor) = (YY_TENSOR, tensor.handle)
            case .int(let int): (value.kind, value.integer) = (YY_INT, Int64(int))
            case .double(let double): (value.kind, value.real) = (YY_DOUBLE, double)
            case .bool(let bool): (value.kind, value.integer) = (YY_BOOLEAN, bool ? 1 : 0)
            case .ints(let ints):
                let buffer = UnsafeMutableBufferPointer<Int64>.allocate(capacity: ints.count)
                _ = buffer.initialize(from: ints.sizes)
                buffers.append(buffer)
                (value.kind, value.integers, value.count) = (YY_INTS, UnsafePointer(buffer.baseAddress), ints.rank)
            case .none: break
            }
            values.append(value)
        }
        var outs = [yy_tensor?](repeating: nil, count: 8)
        var count: Int32 = 8
        let status = yy_call(name, overload, values, Int32(values.count), &outs, &count)
        if status == YY_BAD_ARGUMENT {
            stop(
                name,
                arguments.map {
                    guard case .tensor(let tensor) = $0 else { return nil }
                    return tensor
                })
        }
        try check(status, "call")
        return outs.prefix(Int(count)).compactMap { $0.map(Tensor.init(owning:)) }
    }
}
