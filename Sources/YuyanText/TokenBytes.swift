/// The bytes that each token adds to a text. They depend on where it stands: a leading space is dropped at the start of a text, and WordPiece puts a space
/// between words.
public struct TokenBytes: Sendable {
    /// What of the text before a token decides about its bytes.
    public struct Place: Sendable, Hashable {
        fileprivate var state: Decoder.State
    }

    private let decoder: Decoder
    /// Ids are below this.
    public let count: Int

    public init(_ tokenizer: Tokenizer) {
        (decoder, count) = (tokenizer.pipeline.decoder, tokenizer.vocabularySize)
    }

    /// The beginning of a text.
    public var start: Place { Place(state: decoder.canonical(Decoder.State())) }

    /// The bytes that a token adds here, and the place behind it. Special tokens add none.
    public func bytes(of id: Int32, at place: Place) -> (bytes: [UInt8], next: Place) {
        var (bytes, state): ([UInt8], Decoder.State) = ([], place.state)
        decoder.append(id, skippingSpecial: true, &state, to: &bytes)
        return (bytes, Place(state: decoder.canonical(state)))
    }
}
