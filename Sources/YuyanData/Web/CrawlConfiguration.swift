import Foundation

/// How an encyclopedia is crawled.
public struct CrawlConfiguration: Codable, Sendable, Hashable {
    /// The address of a word's page, with `{word}` where the word goes, percent-encoded in UTF-8: `https://example.org/item/{word}`.
    public var template = ""
    /// An e-mail address or a page where the site's owner can reach whoever crawls; it is sent with each request. Required.
    public var contact = ""
    /// The name of the crawler: the product token that robots.txt is read for, perhaps with a version (`yuyan/1.0`).
    public var userAgent = "yuyan"
    /// Seconds between an answer and the next request to the same host; a longer `Crawl-delay` in robots.txt is kept.
    public var delay = 1.0
    /// Seconds that one answer may take.
    public var timeout = 30.0
    /// How often a request is repeated after a time-out, a broken connection, 429 or 5xx.
    public var retries = 3
    /// The crawl ends with this many pages found; nil takes all words.
    public var maximumPages: Int?
    /// Of the jitter in the pauses before a repetition.
    public var seed = 0

    /// The defaults; `template` and `contact` must be set.
    public init() {}

    /// Throws one sentence about the first value that cannot be used.
    public func check() throws {
        let parts = template.components(separatedBy: "{word}")
        let sample = URL(string: parts.joined(separator: "a"))
        guard parts.count > 1, let sample, sample.scheme == "http" || sample.scheme == "https", sample.host?.isEmpty == false else {
            throw DataError("template \"\(template)\": give an http or https address with {word} in it, such as https://example.org/item/{word}")
        }
        guard !contact.isEmpty else {
            throw DataError("contact is missing: a crawler says whom to write to; give an e-mail address or the address of a page")
        }
        for (name, text) in [("contact", contact), ("user_agent", userAgent)]
        where text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value > 0x7E }) {
            throw DataError("\(name) \"\(text)\": give printable ASCII characters, which is all that an HTTP header can carry")
        }
        guard !product.isEmpty else { throw DataError("user_agent \"\(userAgent)\": give a name of letters, - and _, such as yuyan") }
        guard delay >= 0, delay.isFinite else { throw DataError("delay \(delay): give seconds, 0 or more") }
        guard timeout > 0, timeout.isFinite else { throw DataError("timeout \(timeout): give seconds, more than 0") }
        guard retries >= 0 else { throw DataError("retries \(retries): give 0 or more") }
        if let maximumPages, maximumPages < 1 { throw DataError("maximum_pages \(maximumPages): give 1 or more, or leave it out") }
    }

    /// The product token (RFC 9309, 2.2.1).
    var product: String {
        String(decoding: userAgent.utf8.prefix { isASCIILetter($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }, as: UTF8.self)
    }

    func address(of word: String) -> String {
        let unreserved = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return template.replacingOccurrences(of: "{word}", with: word.addingPercentEncoding(withAllowedCharacters: unreserved) ?? word)
    }
}

/// What a crawl did.
public struct CrawlReport: Codable, Sendable, Hashable {
    /// Words that were dealt with, each once.
    public var words = 0
    /// Pages that gave a record.
    public var records = 0
    /// Pages found.
    public var pages = 0
    /// Words without a page: 404 or 410.
    public var missing = 0
    /// Pages that robots.txt forbids.
    public var forbidden = 0
    /// Pages that could not be had; the next run asks for them again.
    public var failed = 0
    /// Pages found without any text.
    public var empty = 0
    /// Words that the cache answered.
    public var cached = 0
    /// Requests that were sent, robots.txt and repetitions included.
    public var requests = 0
    /// Why pages failed, a sentence for each; at most 1,000.
    public var problems: [String] = []
    /// Time on the clock.
    public var seconds = 0.0

    /// A report of nothing yet.
    public init() {}
}
