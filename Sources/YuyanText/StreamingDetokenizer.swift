/// Text from ids as they come: what is handed out is complete Unicode scalars, and all of it together is what `decode` gives.
/// Special tokens add nothing.
public struct StreamingDetokenizer: Sendable {
    private let decoder: Decoder
    private var state = Decoder.State()
    private var pending: [UInt8] = []

    public init(_ tokenizer: Tokenizer) {
        decoder = tokenizer.pipeline.decoder
    }

    /// The text that this token completes, often empty.
    public mutating func append(_ id: Int32) -> String {
        decoder.append(id, skippingSpecial: true, &state, to: &pending)
        let complete = pending.count - incompleteSuffix(of: pending)
        guard complete > 0 else { return "" }
        defer { pending.removeFirst(complete) }
        return decoder.text(of: pending[..<complete])
    }

    /// What is left at the end: an incomplete scalar comes out as U+FFFD. The next `append` starts a new text.
    public mutating func finish() -> String {
        defer {
            pending = []
            state = Decoder.State()
        }
        return decoder.text(of: pending)
    }
}
