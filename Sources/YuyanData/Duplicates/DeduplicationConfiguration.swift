/// How copies are found and which of them stays.
public struct DeduplicationConfiguration: Codable, Sendable, Hashable {
    /// What is compared.
    public enum Level: String, Codable, Sendable, CaseIterable {
        /// Lines that many documents share are cut from all but the first.
        case lines
        /// Sentences (up to 。！？!?… or a line break) that many documents share are cut from all but the first.
        case sentences
        /// Of records with the same text, one stays.
        case exact
        /// Of records with nearly the same text, one stays.
        case near
    }

    /// What is compared.
    public var level = Level.near
    /// Characters in a shingle: two texts are as alike as the share of shingles that they have in common. Texts that are shorter are compared as a whole.
    public var shingle = 5
    /// Jaccard similarity of the sets of shingles from which two texts are copies, above 0 and at most 1.
    public var threshold = 0.8
    /// Bands and rows of the MinHash signature; two texts of similarity s meet with probability 1 − (1 − s^rows)^bands. Give both (FineWeb has 14 × 8) or
    /// none: then they are chosen so that a pair at the threshold is found with 99 % (with 50 % where `verify` is off).
    public var bands: Int?
    /// See `bands`.
    public var rows: Int?
    /// Whether the similarity of texts that meet in a band is computed and held against the threshold. It is exact for texts of up to 1,023 different
    /// shingles; for longer ones it is estimated from their 1,024 smallest hashes, with a standard error below 0.016.
    public var verify = true
    /// The metadata key whose number says which copy is best (the highest). nil: the longest text is. Copies that are equally good go by their ids.
    public var quality: String?
    /// A folder that remembers what earlier batches kept: what is like it is dropped, and what is kept now is added to it.
    public var index: String?
    /// Lines and sentences: how many documents may share one.
    public var occurrences = 1
    /// Lines and sentences: shorter ones, in characters without punctuation, always stay.
    public var minimumCharacters = 10

    /// Near duplicates from a similarity of 0.8; the longest stays.
    public init() {}

    /// Throws a `DataError` where a value is out of its range or two contradict each other.
    public func check() throws {
        func refuse(_ key: String, _ value: Any, _ right: String) throws -> Never { throw DataError("\(key) is \(value); it should be \(right)") }
        if !(1...64).contains(shingle) { try refuse("shingle", shingle, "from 1 to 64 characters") }
        if !(threshold > 0 && threshold <= 1) { try refuse("threshold", threshold, "above 0 and at most 1") }
        if (bands == nil) != (rows == nil) { throw DataError("bands and rows go together: give both or neither") }
        if let bands, let rows, bands < 1 || rows < 1 || bands > 256 || rows > 256 || bands * rows > 1024 {
            throw DataError("bands × rows is \(bands) × \(rows); both should be at least 1 and at most 256, and the product at most 1024")
        }
        if occurrences < 1 { try refuse("occurrences", occurrences, "at least 1") }
        if minimumCharacters < 1 { try refuse("minimum_characters", minimumCharacters, "at least 1") }
        if index != nil, level == .lines || level == .sentences {
            throw DataError("an index remembers records; the level \(level.rawValue) has none")
        }
    }
}
