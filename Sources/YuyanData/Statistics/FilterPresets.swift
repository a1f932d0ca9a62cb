extension FilterConfiguration.Preset {
    /// FineWeb-2 (Penedo et al., 2025), configuration cmn_Hani, as published. There a word comes from a segmenter and has 1.6 characters, here it is one
    /// character, and shorter rows repeat more: these are stricter here than there.
    private static let fineweb2: [Statistic: Bounds] = [
        .duplicateLineShare: .init(maximum: 0.287), .top2GramShare: .init(maximum: 0.256), .top3GramShare: .init(maximum: 0.201),
        .top4GramShare: .init(maximum: 0.171), .duplicate5GramShare: .init(maximum: 0.198), .duplicate6GramShare: .init(maximum: 0.182),
        .duplicate7GramShare: .init(maximum: 0.167), .duplicate8GramShare: .init(maximum: 0.154), .duplicate9GramShare: .init(maximum: 0.14),
        .duplicate10GramShare: .init(maximum: 0.127), .endPunctuationShare: .init(minimum: 0.106), .newlineRatio: .init(maximum: 0.178),
        .chineseScore: .init(minimum: 0.692),
    ]

    /// The same thresholds for rows of as many characters as the words have: 2 words are 3 characters, 5, 6 and 8 words are 8, 10 and 13; line ends
    /// for each character.
    private static let repetition: [Statistic: Bounds] = [
        .top2GramShare: .init(maximum: 0.256), .top3GramShare: .init(maximum: 0.256), .top4GramShare: .init(maximum: 0.201),
        .duplicate8GramShare: .init(maximum: 0.198), .duplicate10GramShare: .init(maximum: 0.182), .duplicate13GramShare: .init(maximum: 0.154),
    ]

    /// The bounds of the set.
    public var bounds: [Statistic: Bounds] {
        switch self {
        case .none: [:]
        case .fineweb2Chinese: Self.fineweb2
        case .gopher:
            // Table A1 and section A.1.1 of the paper. 50 to 100,000 English words are about 1.5 times as many Chinese characters, and four fifths of
            // words with a letter are half of the characters Han.
            Self.repetition.merging([
                .characters: .init(minimum: 75, maximum: 150_000), .hanShare: .init(minimum: 0.5), .symbolShare: .init(maximum: 0.1),
                .listLineShare: .init(maximum: 0.9), .ellipsisLineShare: .init(maximum: 0.3), .stopWordShare: .init(minimum: 0.05),
                .duplicateLineShare: .init(maximum: 0.3), .duplicateLineCharacterShare: .init(maximum: 0.2),
                .duplicateParagraphShare: .init(maximum: 0.3), .duplicateParagraphCharacterShare: .init(maximum: 0.2),
            ]) { $1 }
        case .web:
            Self.repetition.merging([
                .characters: .init(minimum: 200), .hanShare: .init(minimum: 0.3), .symbolShare: .init(maximum: 0.25),
                .chineseScore: .init(minimum: 0.692), .replacementShare: .init(maximum: 0.01), .mojibakeShare: .init(maximum: 0.05),
                .meanLineLength: .init(minimum: 10), .listLineShare: .init(maximum: 0.9), .ellipsisLineShare: .init(maximum: 0.3),
                .endPunctuationShare: .init(minimum: 0.106), .newlineRatio: .init(maximum: 0.178), .stopWordShare: .init(minimum: 0.02),
                .duplicateLineShare: .init(maximum: 0.287), .characterRepetition: .init(maximum: 0.5),
            ]) { $1 }
        case .books:
            [
                .characters: .init(minimum: 500), .hanShare: .init(minimum: 0.5), .symbolShare: .init(maximum: 0.1),
                .chineseScore: .init(minimum: 0.8), .replacementShare: .init(maximum: 0.001), .mojibakeShare: .init(maximum: 0.01),
                .stopWordShare: .init(minimum: 0.05), .duplicateLineCharacterShare: .init(maximum: 0.2),
                .duplicate13GramShare: .init(maximum: 0.154),
            ]
        case .dialogue:
            [
                .characters: .init(minimum: 4), .hanShare: .init(minimum: 0.3), .symbolShare: .init(maximum: 0.3),
                .chineseScore: .init(minimum: 0.6), .replacementShare: .init(maximum: 0.001), .mojibakeShare: .init(maximum: 0.01),
                .characterRepetition: .init(maximum: 0.5),
            ]
        }
    }
}
