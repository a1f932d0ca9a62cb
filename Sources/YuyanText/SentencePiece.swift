import CSentencePiece

/// A SentencePiece model in the library's hands.
final class SentencePiece: @unchecked Sendable {  // the library's processor is immutable once loaded, its encoding and decoding thread-safe
    private let model: OpaquePointer
    private let unigram: UnigramModel?

    init(_ bytes: [UInt8], name: String) throws {
        var error: UnsafeMutablePointer<CChar>?
        guard let model = bytes.withUnsafeBytes({ yuyan_sp_load($0.baseAddress, $0.count, &error) }) else {
            throw TokenizerError("\(name) is not a SentencePiece model: \(taken(error)).")
        }
        self.model = model
        unigram = UnigramModel(bytes)
    }

    deinit {
        yuyan_sp_free(model)
    }

    var count: Int32 { yuyan_sp_size(model) }
    var bos: Int32? { optional(yuyan_sp_bos(model)) }
    var eos: Int32? { optional(yuyan_sp_eos(model)) }
    var pad: Int32? { optional(yuyan_sp_pad(model)) }
    var unknown: Int32? { optional(yuyan_sp_unk(model)) }

    func piece(_ id: Int32) -> [UInt8] {
        var length = 0
        guard let start = yuyan_sp_piece(model, id, &length) else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: length))
    }

    func kind(_ id: Int32) -> yuyan_sp_kind { yuyan_sp_piece_kind(model, id) }

    func score(_ id: Int32) -> Float { yuyan_sp_score(model, id) }

    /// Appends the ids of valid UTF-8.
    func encode(_ text: UnsafeBufferPointer<UInt8>, into ids: inout IDBuffer) {
        if let unigram { return unigram.encode(text, into: &ids) }
        var result: UnsafeMutablePointer<Int32>?
        var count = 0
        var error: UnsafeMutablePointer<CChar>?
        let encoded = text.withMemoryRebound(to: CChar.self) { yuyan_sp_encode(model, $0.baseAddress, $0.count, &result, &count, &error) }
        // The library fails only on a model that is not loaded and on memory that is not there.
        guard encoded, let result else { preconditionFailure("SentencePiece cannot encode: \(taken(error))") }
        ids.append(contentsOf: result, count: count)
        yuyan_sp_release(result)
    }

    /// The library's own decoding, which `Decoder` is tested against.
    func decode(_ ids: [Int32]) -> String {
        var text: UnsafeMutablePointer<CChar>?
        var length = 0
        var error: UnsafeMutablePointer<CChar>?
        guard yuyan_sp_decode(model, ids, ids.count, &text, &length, &error), let text else {
            preconditionFailure("SentencePiece cannot decode: \(taken(error))")
        }
        defer { yuyan_sp_release(text) }
        return String(decoding: UnsafeRawBufferPointer(start: text, count: length), as: UTF8.self)
    }

    private func optional(_ id: Int32) -> Int32? { id >= 0 ? id : nil }
}

/// The library's message, freed.
func taken(_ message: UnsafeMutablePointer<CChar>?) -> String {
    guard let message else { return "out of memory" }
    defer { yuyan_sp_release(message) }
    return String(cString: message)
}
