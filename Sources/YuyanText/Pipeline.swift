final class Pipeline: Sendable {
    let files: TokenizerFiles
    let vocabulary = Vocabulary()
    let special = SpecialTokens()
    let fingerprint = ""
    init(files: TokenizerFiles) throws { self.files = files }
}
