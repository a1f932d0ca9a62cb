internal import CTorch

/// What can go wrong at run time. Wrong shapes are programming mistakes and trap instead.
public enum TensorError: Error, Sendable, CustomStringConvertible {
    /// A tensor could not be allocated; the text says which operation asked and for how much.
    case outOfMemory(String)
    /// A device that is not there.
    case device(String)
    /// A file that cannot be mapped or read.
    case file(String)

    public var description: String {
        switch self {
        case .outOfMemory(let text), .device(let text), .file(let text): text
        }
    }
}

func lastError() -> String { String(cString: yy_last_error()) }

/// Throws what a user can do something about, traps on what a programmer must mend.
func check(_ status: yy_status, _ operation: StaticString, _ operands: Tensor?...) throws {
    if status == YY_OK { return }
    guard status == YY_BAD_ARGUMENT else { throw TensorError.outOfMemory("\(operation): \(lastError())") }
    stop("\(operation)", operands)
}

/// Ends the program with the operation, its operands and the first line of libtorch's reason.
func stop(_ operation: String, _ operands: [Tensor?]) -> Never {
    let shapes = operands.compactMap { $0.map { "\($0.shape) \($0.dtype)" } }.joined(separator: ", ")
    let reason = lastError().split(separator: "\n", omittingEmptySubsequences: true).first.map(String.init) ?? ""
    fatalError("\(operation)(\(shapes)): \(reason)")
}
