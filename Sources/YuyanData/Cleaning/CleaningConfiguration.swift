/// Which mending a text gets: a section that is given is done, in the order of the properties here.
public struct CleaningConfiguration: Codable, Sendable, Hashable {
    /// Control and invisible characters, text in the wrong encoding. First of all: normalisation would change the characters that lead back from it.
    public var control: ControlConfiguration?
    /// Unicode normalisation and line ends.
    public var normalize: NormalizeConfiguration?
    /// Traditional → simplified characters.
    public var simplify: SimplifyConfiguration?
    /// Tags and entities.
    public var html: MarkupConfiguration?
    /// Web addresses.
    public var links: LinksConfiguration?
    /// Spaces and blank lines.
    public var whitespace: WhitespaceConfiguration?
    /// Lines that are not the text.
    public var lines: LinesConfiguration?

    /// Nothing is done.
    public init() {}

    /// The cleaners in order; throws where one cannot be had.
    public func cleaners() throws -> [any TextCleaner] {
        var cleaners: [any TextCleaner] = []
        if let control { cleaners.append(ControlCleaner(control)) }
        if let normalize { cleaners.append(NormalizeCleaner(normalize)) }
        if let simplify { cleaners.append(try SimplifyCleaner(simplify)) }
        if let html { cleaners.append(MarkupCleaner(html)) }
        if let links { cleaners.append(LinksCleaner(links)) }
        if let whitespace { cleaners.append(WhitespaceCleaner(whitespace)) }
        if let lines { cleaners.append(LinesCleaner(lines)) }
        return cleaners
    }
}

extension Record {
    /// Mends each of its texts by all cleaners in turn; gives the number of places that each changed, without those that changed none.
    public mutating func clean(with cleaners: [any TextCleaner]) -> [String: Int] {
        var changes: [String: Int] = [:]
        for cleaner in cleaners {
            var count = 0
            changeTexts { count += cleaner.clean(&$0) }
            if count > 0 { changes[cleaner.name, default: 0] += count }
        }
        return changes
    }
}
