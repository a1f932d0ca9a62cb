public import Foundation

/// Fetches the pages of an encyclopedia for a list of words, politely, and writes what they say to `folder`: `records.jsonl` (documents in the
/// order of the words; metadata `word`, `title`, `summary`, `infobox` as JSON, `url`), `report.json`, and `cache/` with the pages as they came.
///
/// One request at a time, `delay` seconds apart for each host, and what robots.txt says is done. Interrupted (cancel the task) and run again
/// it asks only for what is not in the cache; the records depend on the pages alone. `progress` is called after each word.
///
/// Throws `DataError` for a configuration that cannot be used, for a folder that cannot be written, and when the site cannot or does not want to be
/// crawled now; `CancellationError` when cancelled, within one request.
@discardableResult
public func crawl(
    words: [String], configuration: CrawlConfiguration, to folder: URL, progress: (CrawlReport) -> Void = { _ in }
) async throws -> CrawlReport {
    try await crawl(words: words, configuration: configuration, to: folder, clock: ContinuousClock(), progress: progress)
}

func crawl<Time: Clock>(
    words: [String], configuration: CrawlConfiguration, to folder: URL, clock: Time, progress: (CrawlReport) -> Void
) async throws -> CrawlReport where Time.Duration == Duration {
    try configuration.check()
    var seen: Set<String> = []
    let words = words.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }.filter { !$0.isEmpty && seen.insert($0).inserted }
    guard !words.isEmpty else { throw DataError("the word list is empty: give at least one word") }
    do {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
        throw DataError("\(folder.path): cannot make the folder: \(error.localizedDescription)")
    }
    let start = clock.now
    let cache = PageCache(folder: folder.appendingPathComponent("cache"))
    var crawler = Crawler(configuration: configuration, cache: cache, clock: clock)
    defer { crawler.close() }
    var found: [String] = []
    for word in words where crawler.report.pages < configuration.maximumPages ?? .max {
        try Task.checkCancellation()
        if try await crawler.visit(word) { found.append(word) }
        crawler.report.seconds = start.duration(to: clock.now).seconds
        progress(crawler.report)
    }
    var report = crawler.report
    report.records = try writeRecords(of: found, configuration, cache, to: folder.appendingPathComponent("records.jsonl"))
    report.empty = report.pages - report.records
    report.seconds = start.duration(to: clock.now).seconds
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    try encoder.encode(report).write(to: folder.appendingPathComponent("report.json"), options: .atomic)
    return report
}

/// Reads the pages from the cache, some at a time on all cores, and gives the number of records.
private func writeRecords(of words: [String], _ configuration: CrawlConfiguration, _ cache: PageCache, to file: URL) throws -> Int {
    let writer = try RecordWriter(file)
    var count = 0
    for start in stride(from: 0, to: words.count, by: 64) {
        try Task.checkCancellation()
        let documents = try parallelMap(Array(words[start..<min(start + 64, words.count)])) { try document(of: $0, configuration, cache) }
        for document in documents where !isBlank(document.text) {
            try writer.append(.document(document))
            count += 1
        }
    }
    try writer.finish()
    return count
}

private func document(of word: String, _ configuration: CrawlConfiguration, _ cache: PageCache) throws -> Document {
    let address = configuration.address(of: word)
    guard let page = cache.page(address) else { throw DataError("\(cache.folder.path): the page \(address) has gone from the cache; run again") }
    let html = HTMLPage(page.body, contentType: page.header.headers["content-type"], url: page.header.finalURL)
    var metadata = ["word": word, "title": html.title, "summary": html.summary, "url": page.header.finalURL]
    if !html.infobox.isEmpty { metadata["infobox"] = try json(html.infobox) }
    return Document(id: address, text: html.body, source: URL(string: address)?.host ?? address, metadata: metadata.filter { !$0.value.isEmpty })
}

/// An object with its keys in the order of the page.
private func json(_ entries: [InfoboxEntry]) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    func quoted(_ text: String) throws -> String { String(decoding: try encoder.encode(text), as: UTF8.self) }
    return try "{" + entries.map { try "\(quoted($0.key)):\(quoted($0.value))" }.joined(separator: ",") + "}"
}

/// Fetches pages into the cache.
private struct Crawler<Time: Clock> where Time.Duration == Duration {
    /// A page that cannot be had: a sentence without the address.
    private struct PageFailure: Error {
        var reason: String
        /// Asking again would be of no use.
        var isFinal = false
    }

    private struct Forbidden: Error {}

    private struct Host {
        var rules: RobotsRules?
        /// Why its robots.txt could not be read: it is not asked for again in this run.
        var failure: PageFailure?
        var delay: Duration
        /// No request before this.
        var nextRequest: Time.Instant?
    }

    private static var maximumRedirects: Int { 5 }
    private static var maximumPageBytes: Int { 8 << 20 }
    /// A site that fails so many pages on end is left alone.
    private static var maximumFailures: Int { 20 }
    private static var longestRetryAfter: Double { 3600 }
    /// How long a robots.txt may be relied on (RFC 9309, 2.4).
    private static var robotsLifetime: Double { 86400 }

    private let configuration: CrawlConfiguration
    private let cache: PageCache
    private let clock: Time
    private let client: HTTPClient
    private var hosts: [String: Host] = [:]
    private var failuresOnEnd = 0
    var report = CrawlReport()

    init(configuration: CrawlConfiguration, cache: PageCache, clock: Time) {
        (self.configuration, self.cache, self.clock) = (configuration, cache, clock)
        client = HTTPClient(
            userAgent: "\(configuration.userAgent) (+\(configuration.contact))", timeout: configuration.timeout, maximumBytes: Self.maximumPageBytes)
    }

    func close() { client.close() }

    /// Sees to it that the cache has the word's page; false if there is none to have.
    mutating func visit(_ word: String) async throws -> Bool {
        let address = configuration.address(of: word)
        report.words += 1
        do {
            var page = cache.page(address)?.header
            if page != nil { report.cached += 1 } else { page = try await fetch(address) }
            if let failure = page?.failure { throw PageFailure(reason: failure, isFinal: true) }
            failuresOnEnd = 0
            if page?.status == 200 { report.pages += 1 } else { report.missing += 1 }
            return page?.status == 200
        } catch is Forbidden {
            report.forbidden += 1
        } catch let failure as PageFailure {
            report.failed += 1
            if report.problems.count < 1000 { report.problems.append("\(address): \(failure.reason)") }
            if !failure.isFinal { failuresOnEnd += 1 }
            if failuresOnEnd == Self.maximumFailures {
                throw DataError(
                    "\(failuresOnEnd) pages on end could not be had, the last being \(address) (\(failure.reason)); run again later to go on")
            }
        }
        return false
    }

    /// Follows redirects to the page and keeps it, or keeps that there is none.
    private mutating func fetch(_ address: String) async throws -> CachedPage.Header {
        guard var url = URL(string: address) else { throw PageFailure(reason: "is no valid address", isFinal: true) }
        for _ in 0...Self.maximumRedirects {
            guard try await rules(for: url).allows(Self.path(of: url)) else { throw Forbidden() }
            let answer: HTTPAnswer
            do {
                answer = try await request(url)
            } catch HTTPFailure.tooLarge {
                return try keep(address, url, status: 200, failure: "is larger than \(Self.maximumPageBytes >> 20) MB")
            }
            if let target = try Self.redirect(answer, from: url) {
                url = target
                continue
            }
            switch answer.status {
            case 200:
                let type = answer.headers["content-type"]?.lowercased() ?? "text/html"
                guard type.contains("html") || type.hasPrefix("text/plain") else {
                    return try keep(address, url, status: 200, failure: "is \(type), not HTML")
                }
                return try keep(address, url, status: 200, headers: answer.headers, body: answer.body)
            case 404, 410: return try keep(address, url, status: answer.status)
            default: throw PageFailure(reason: "the server answered \(answer.status)")
            }
        }
        throw PageFailure(reason: "redirects more than \(Self.maximumRedirects) times", isFinal: true)
    }

    private func keep(
        _ address: String, _ url: URL, status: Int, headers: [String: String] = [:], body: [UInt8] = [], failure: String? = nil
    ) throws -> CachedPage.Header {
        let header = CachedPage.Header(
            url: address, finalURL: url.absoluteString, status: status, headers: headers, fetched: Date().timeIntervalSince1970, failure: failure)
        try cache.store(CachedPage(header: header, body: body))
        return header
    }

    /// Where an answer sends us; nil if it is no redirect.
    private static func redirect(_ answer: HTTPAnswer, from url: URL) throws -> URL? {
        guard [301, 302, 303, 307, 308].contains(answer.status) else { return nil }
        guard let location = answer.headers["location"], let target = URL(string: location, relativeTo: url)?.absoluteURL else {
            throw PageFailure(reason: "redirects to no valid address", isFinal: true)
        }
        guard target.scheme == "http" || target.scheme == "https", target.host?.isEmpty == false else {
            throw PageFailure(reason: "redirects to \(target.absoluteString), which is neither http nor https", isFinal: true)
        }
        return target
    }

    /// The path and the query, percent-encoded, as robots.txt means it.
    private static func path(of url: URL) -> String {
        let components = URLComponents(url: url, resolvingAgainstBaseURL: true)
        return (components?.percentEncodedPath ?? "/") + (components?.percentEncodedQuery.map { "?" + $0 } ?? "")
    }

    // MARK: robots.txt

    private static func name(of url: URL) -> String { "\(url.scheme ?? "")://\(url.host ?? ""):\(url.port ?? (url.scheme == "https" ? 443 : 80))" }

    /// The rules of the address's host, fetched before its first page and kept for a day.
    private mutating func rules(for url: URL) async throws -> RobotsRules {
        let name = Self.name(of: url)
        if let rules = hosts[name]?.rules { return rules }
        if let failure = hosts[name]?.failure { throw failure }
        let address = name + "/robots.txt"
        let status: Int
        let body: [UInt8]
        if let cached = cache.page(address), Date().timeIntervalSince1970 - cached.header.fetched < Self.robotsLifetime {
            (status, body) = (cached.header.status, cached.body)
        } else {
            do {
                (status, body) = try await fetchRobots(address)
            } catch let failure as PageFailure {
                hosts[name]?.failure = failure
                throw failure
            }
        }
        let rules = RobotsRules(status: status, body: body, agent: configuration.product)
        let delay = Duration.seconds(max(configuration.delay, rules.crawlDelay ?? 0))
        var host = hosts[name] ?? Host(delay: delay)
        // The request for robots.txt itself was before the delay was known.
        if let next = host.nextRequest { host.nextRequest = next.advanced(by: delay - host.delay) }
        host.delay = delay
        host.rules = rules
        hosts[name] = host
        return rules
    }

    private mutating func fetchRobots(_ address: String) async throws -> (status: Int, body: [UInt8]) {
        guard var url = URL(string: address) else { throw PageFailure(reason: "is no valid address", isFinal: true) }
        var answer = HTTPAnswer(status: 404, headers: [:], body: [])  // after too many redirects it counts as absent (RFC 9309, 2.3.1.2)
        for _ in 0...Self.maximumRedirects {
            do {
                let next = try await request(url)
                guard let target = try Self.redirect(next, from: url) else {
                    answer = next
                    break
                }
                url = target
            } catch HTTPFailure.tooLarge {
                throw PageFailure(reason: "\(address) is larger than \(Self.maximumPageBytes >> 20) MB, so nothing may be fetched")
            } catch let failure as PageFailure {
                throw PageFailure(reason: "\(address) could not be read, so nothing may be fetched for now: \(failure.reason)")
            }
        }
        let body = Array(answer.body.prefix(RobotsRules.maximumBytes + 1))
        _ = try keep(address, url, status: answer.status, headers: answer.headers, body: body)
        return (answer.status, body)
    }

    // MARK: Requests

    /// One answer that is neither 429 nor 5xx, after as many repetitions as are allowed: exponential back-off with jitter, or as long as
    /// `Retry-After` says.
    private mutating func request(_ url: URL) async throws -> HTTPAnswer {
        let name = Self.name(of: url)
        var host = hosts[name] ?? Host(delay: .seconds(configuration.delay))
        defer { hosts[name] = host }
        var reason = ""
        for attempt in 0...configuration.retries {
            if let next = host.nextRequest, next > clock.now { try await clock.sleep(until: next, tolerance: nil) }
            try Task.checkCancellation()
            report.requests += 1
            var pause = backOff(url, attempt)
            do {
                defer { host.nextRequest = clock.now.advanced(by: host.delay) }
                let answer = try await client.get(url)
                guard answer.status == 429 || answer.status >= 500 else { return answer }
                reason = "the server answered \(answer.status)"
                if let seconds = Self.retryAfter(answer) {
                    guard seconds <= Self.longestRetryAfter else {
                        throw DataError("\(url.host ?? name) asks to come back in \(Int(min(seconds, 1e9))) seconds; run again then to go on")
                    }
                    pause = max(pause, seconds)
                }
            } catch HTTPFailure.timedOut {
                reason = "no whole answer within \(configuration.timeout) seconds"
            } catch HTTPFailure.connection(let what) {
                reason = "the connection failed: \(what)"
            }
            host.nextRequest = clock.now.advanced(by: max(host.delay, .seconds(pause)))
        }
        throw PageFailure(reason: configuration.retries == 0 ? reason : "\(reason), \(configuration.retries + 1) times")
    }

    /// Seconds: 1, 2, 4 … 64 (or more, if `delay` is longer than one), times 0.5 to 1.5.
    private func backOff(_ url: URL, _ attempt: Int) -> Double {
        var random = SeededRandom(seed: UInt64(bitPattern: Int64(configuration.seed)), stableHash(url.absoluteString), UInt64(attempt))
        let jitter = 0.5 + Double(random.next() >> 11) / Double(1 << 53)
        return max(configuration.delay, 1) * Double(1 << min(attempt, 6)) * jitter
    }

    /// Seconds, from a number or from a date (RFC 9110, 10.2.3) counted from the server's own.
    static func retryAfter(_ answer: HTTPAnswer) -> Double? {
        guard let value = answer.headers["retry-after"] else { return nil }
        if let seconds = Double(value), seconds.isFinite { return max(seconds, 0) }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(secondsFromGMT: 0)
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
        let now = answer.headers["date"].flatMap(format.date(from:)) ?? Date()
        return format.date(from: value).map { max($0.timeIntervalSince(now), 0) }
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
