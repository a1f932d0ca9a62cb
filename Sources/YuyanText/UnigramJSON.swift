import CSentencePiece

/// A unigram model that normalises nothing as `tokenizer.json`, so that transformers needs no library for what is trained here; nil for other models.
func unigramJSON(_ model: SentencePiece, configuration: JSON) -> [UInt8]? {
    nil
}
