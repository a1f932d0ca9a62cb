import CSentencePiece

/// A unigram model that normalises nothing as `tokenizer.json`, so that transformers needs no library for what is trained here.
/// nil for other models, which keep the files they came with.
func unigramJSON(_ model: SentencePiece, configuration: JSON) -> [UInt8]? {
    guard configuration["tokenizer_class"]?.text == "PreTrainedTokenizerFast", let unknown = model.unknown else { return nil }
    let pieces = (0..<model.count).map { JSON.array([.string(model.piece($0)), .number(Double(model.score($0)))]) }
    let added = (configuration["added_tokens_decoder"]?.members ?? []).map { key, token in
        var token = token
        token.set("id", .number(Double(String(decoding: key, as: UTF8.self)) ?? 0))
        return token
    }
    func replace(_ old: String, _ new: String) -> JSON {
        .members(("type", .string("Replace")), ("pattern", .members(("String", .string(old)))), ("content", .string(new)))
    }
    let decoders = [replace("▁", " "), .members(("type", .string("ByteFallback"))), .members(("type", .string("Fuse")))]
    let json = JSON.members(
        ("version", .string("1.0")), ("truncation", .null), ("padding", .null), ("added_tokens", .array(added)), ("normalizer", replace(" ", "▁")),
        ("pre_tokenizer", .null), ("post_processor", .null),
        ("decoder", .members(("type", .string("Sequence")), ("decoders", .array(decoders)))),
        (
            "model",
            .members(("type", .string("Unigram")), ("unk_id", .number(Double(unknown))), ("vocab", .array(pieces)), ("byte_fallback", .bool(true)))
        ))
    return json.serialized() + [0x0A]
}
