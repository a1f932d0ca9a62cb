import Foundation
import Testing

@testable import YuyanData

@Suite struct WebCrawlerTests {
    private static let robots = "User-agent: *\nDisallow: /item/%E7%A6%81\n"

    private static func page(_ word: String, _ text: String) -> String {
        """
        <html><head><title>\(word)_百科</title></head><body><nav><a href="/">首页</a></nav><main><h1>\(word)</h1>
        <dl class="basicInfo"><dt>中文名</dt><dd>\(word)</dd></dl><p>\(text)</p></main></body></html>
        """
    }

    /// A site with a page for each word that begins with 页.
    private static func site(_ path: String) -> ServedAnswer {
        if path == "/robots.txt" { return .answer(200, body: Array(robots.utf8)) }
        let word = (path.removingPercentEncoding ?? "").replacingOccurrences(of: "/item/", with: "")
        return word.hasPrefix("页") ? .page(page(word, "这是\(word)的正文。")) : .answer(404)
    }

    private func configuration(_ server: LoopbackServer) -> CrawlConfiguration {
        var configuration = CrawlConfiguration()
        configuration.template = server.address + "/item/{word}"
        configuration.contact = "https://example.org/about"
        configuration.timeout = 20
        return configuration
    }

    /// A server, a clock that jumps, a folder: what `respond` answers goes for every path but robots.txt, which allows everything.
    private func crawled(
        _ words: [String], delay: Double = 1, retries: Int = 3, timeout: Double = 20, maximumPages: Int? = nil,
        respond: @escaping @Sendable (String, Int) -> ServedAnswer
    ) async throws -> (report: CrawlReport, requests: [ServedRequest], records: [Document]) {
        let clock = JumpingClock()
        let server = try LoopbackServer(now: { clock.now.offset }, respond: respond)
        defer { server.stop() }
        var configuration = configuration(server)
        (configuration.delay, configuration.retries) = (delay, retries)
        (configuration.timeout, configuration.maximumPages) = (timeout, maximumPages)
        let folder = try TemporaryFolder()
        let report = try await crawl(words: words, configuration: configuration, to: folder.url, clock: clock) { _ in }
        let lines = try Data(contentsOf: folder.file("records.jsonl")).split(separator: 0x0A)
        return (report, server.requests, try lines.map { try JSONDecoder().decode(Document.self, from: $0) })
    }

    private func gaps(_ requests: [ServedRequest]) -> [Double] {
        zip(requests, requests.dropFirst()).map { ($1.time - $0.time) / .seconds(1) }
    }

    @Test func recordsStandInTheOrderOfTheWords() async throws {
        let (report, requests, records) = try await crawled(["页二", "无", "页一", " 页二 ", "", "禁区"]) { path, _ in Self.site(path) }
        #expect(records.map { $0.metadata["word"] } == ["页二", "页一"])
        let document = try #require(records.first)
        #expect(document.text == "这是页二的正文。")
        #expect(document.id.hasSuffix("/item/%E9%A1%B5%E4%BA%8C"))
        #expect(document.source == "127.0.0.1")
        #expect(document.metadata["title"] == "页二")
        #expect(document.metadata["summary"] == "这是页二的正文。")
        #expect(document.metadata["infobox"] == #"{"中文名":"页二"}"#)
        #expect(document.metadata["url"] == document.id)
        #expect(report.words == 4 && report.records == 2 && report.pages == 2 && report.missing == 1 && report.forbidden == 1)
        #expect(report.failed == 0 && report.cached == 0 && report.requests == 4)
        #expect(requests.map(\.path) == ["/robots.txt", "/item/%E9%A1%B5%E4%BA%8C", "/item/%E6%97%A0", "/item/%E9%A1%B5%E4%B8%80"])
        #expect(requests.allSatisfy { $0.userAgent == "yuyan (+https://example.org/about)" })
    }

    @Test func requestsKeepTheDelayApart() async throws {
        let words = (1...6).map { "页\($0)" }
        let short = try await crawled(words, delay: 2.5) { path, _ in Self.site(path) }
        #expect(gaps(short.requests) == [2.5, 2.5, 2.5, 2.5, 2.5, 2.5])
        let asked = try await crawled(words, delay: 2.5) { path, _ in
            path == "/robots.txt" ? .answer(200, body: Array("User-agent: Yuyan\nCrawl-delay: 7\n".utf8)) : Self.site(path)
        }
        #expect(gaps(asked.requests) == [7, 7, 7, 7, 7, 7])
    }

    @Test func realTimeKeepsTheDelayToo() async throws {
        let start = ContinuousClock.now
        let server = try LoopbackServer(now: { start.duration(to: .now) }, respond: { path, _ in Self.site(path) })
        defer { server.stop() }
        var configuration = configuration(server)
        configuration.delay = 0.1
        let folder = try TemporaryFolder()
        try await crawl(words: ["页一", "页二"], configuration: configuration, to: folder.url)
        #expect(gaps(server.requests).count == 2 && gaps(server.requests).allSatisfy { $0 >= 0.1 })
    }

    @Test func retryAfterIsHonoured() async throws {
        let date = "Sat, 07 Mar 2026 08:00:00 GMT"
        let (report, requests, records) = try await crawled(["页一", "页二"]) { path, visit in
            if path.hasSuffix("%80"), visit == 0 { return .answer(429, headers: ["Retry-After": "120"]) }
            if path.hasSuffix("%8C"), visit == 0 { return .answer(503, headers: ["Date": date, "Retry-After": "Sat, 07 Mar 2026 08:05:00 GMT"]) }
            return Self.site(path)
        }
        #expect(records.count == 2 && report.requests == 5)
        #expect(gaps(requests) == [1, 120, 1, 300])
    }

    @Test func aSiteThatAsksForHoursIsLeftAlone() async throws {
        await #expect(throws: DataError("127.0.0.1 asks to come back in 86400 seconds; run again then to go on")) {
            _ = try await crawled(["页一"]) { path, _ in path == "/robots.txt" ? .answer(404) : .answer(429, headers: ["Retry-After": "86400"]) }
        }
    }

    @Test func serverErrorsAreTriedAgainWithGrowingPauses() async throws {
        let (report, requests, records) = try await crawled(["页一"]) { path, visit in
            path == "/robots.txt" || visit == 3 ? Self.site(path) : .answer(500)
        }
        #expect(records.count == 1 && report.requests == 5)
        for (gap, base) in zip(gaps(requests).dropFirst(), [1.0, 2, 4]) { #expect(gap >= max(base * 0.5, 1) && gap < base * 1.5) }

        let lost = try await crawled(["页一", "页二"]) { path, _ in path.hasSuffix("%80") ? .answer(502) : Self.site(path) }
        #expect(lost.report.failed == 1 && lost.report.pages == 1 && lost.report.requests == 6)
        #expect(lost.report.problems.count == 1 && lost.report.problems[0].hasSuffix("/item/%E9%A1%B5%E4%B8%80: the server answered 502, 4 times"))
    }

    @Test func jitterComesFromTheSeed() async throws {
        let clock = JumpingClock()
        let server = try LoopbackServer(now: { clock.now.offset }, respond: { path, _ in path == "/robots.txt" ? .answer(404) : .answer(500) })
        defer { server.stop() }
        var runs: [[Double]] = []
        for seed in [1, 1, 2] {
            var configuration = configuration(server)
            configuration.seed = seed
            let before = server.requests.count
            let folder = try TemporaryFolder()
            _ = try await crawl(words: ["页一"], configuration: configuration, to: folder.url, clock: clock) { _ in }
            runs.append(gaps(Array(server.requests[before...])))
        }
        #expect(runs[0].count == 4 && runs[0] == runs[1] && runs[0] != runs[2])
    }

    @Test func aSiteThatFailsOnAndOnIsLeftAlone() async throws {
        let words = (1...50).map { "页\($0)" }
        do {
            _ = try await crawled(words, retries: 0) { path, _ in path == "/robots.txt" ? .answer(404) : .answer(500)
            }
            Issue.record("no error")
        } catch let error as DataError {
            #expect(error.description.hasPrefix("20 pages on end could not be had"))
        }
    }

    @Test func robotsThatCannotBeReadForbidEverything() async throws {
        let (report, requests, _) = try await crawled(["页一", "页二"], retries: 1) { path, _ in
            path == "/robots.txt" ? .answer(503) : Self.site(path)
        }
        #expect(report.failed == 2 && report.pages == 0)
        #expect(requests.map(\.path) == ["/robots.txt", "/robots.txt"])
        let absent = try await crawled(["页一"]) { path, _ in path == "/robots.txt" ? .answer(403) : Self.site(path) }
        #expect(absent.report.pages == 1)
    }

    @Test func redirectsAreFollowedAndAskRobotsAgain() async throws {
        let (report, requests, records) = try await crawled(["甲", "乙", "丙", "丁"]) { path, _ in
            switch path.removingPercentEncoding ?? "" {
            case "/item/甲": .answer(302, headers: ["Location": "/item/%E9%A1%B5%E7%94%B2?a=1"])
            case "/item/页甲?a=1": .page(Self.page("甲", "转到了这里。"))
            case "/item/乙": .answer(301, headers: ["Location": "/item/%E7%A6%81"])
            case "/item/丙": .answer(302, headers: ["Location": "/item/%E4%B8%99"])
            case "/item/丁": .answer(302, headers: ["Location": "ftp://example.org/file"])
            default: Self.site(path)
            }
        }
        #expect(records.map(\.text) == ["转到了这里。"])
        #expect(records[0].metadata["url"]?.hasSuffix("/item/%E9%A1%B5%E7%94%B2?a=1") == true && records[0].id.hasSuffix("/item/%E7%94%B2"))
        #expect(report.forbidden == 1 && report.failed == 2)
        #expect(requests.count { $0.path == "/item/%E4%B8%99" } == 6)
        #expect(!requests.contains { $0.path == "/item/%E7%A6%81" })
        #expect(report.problems[0].hasSuffix("redirects more than 5 times"))
        #expect(report.problems[1].hasSuffix("redirects to ftp://example.org/file, which is neither http nor https"))
    }

    @Test func brokenAndEndlessAnswers() async throws {
        let (report, requests, records) = try await crawled(
            ["慢", "断", "大", "图", "空", "页一"],
            retries: 1, timeout: 1
        ) { path, visit in
            switch path.removingPercentEncoding ?? "" {
            case "/item/慢": .silence
            case "/item/断": visit == 0 ? .truncated("<p>断") : .page(Self.page("断", "第二次是完整的。"))
            case "/item/大": .answer(200, headers: ["Content-Type": "text/html"], body: [UInt8](repeating: 0x61, count: 9 << 20))
            case "/item/图": .answer(200, headers: ["Content-Type": "image/png"], body: [0x89])
            case "/item/空": .page("<html><body><nav>首页</nav></body></html>")
            default: Self.site(path)
            }
        }
        #expect(records.map(\.text) == ["第二次是完整的。", "这是页一的正文。"])
        #expect(report.failed == 3 && report.empty == 1 && report.pages == 3)
        #expect(
            requests.map { $0.path.removingPercentEncoding ?? "" } == [
                "/robots.txt", "/item/慢", "/item/慢", "/item/断", "/item/断", "/item/大", "/item/图", "/item/空", "/item/页一",
            ])
        #expect(
            report.problems.map { $0.split(separator: ": ").last ?? "" } == [
                "no whole answer within 1.0 seconds, 2 times", "is larger than 8 MB", "is image/png, not HTML",
            ])
    }

    @Test func pagesInOtherEncodings() async throws {
        // 雨燕飞得很快。 in GBK
        let text: [UInt8] = [0xD3, 0xEA, 0xD1, 0xE0, 0xB7, 0xC9, 0xB5, 0xC3, 0xBA, 0xDC, 0xBF, 0xEC, 0xA1, 0xA3]
        let (_, _, records) = try await crawled(["甲", "乙"]) { path, _ in
            switch path {
            case "/item/%E7%94%B2": .answer(200, headers: ["Content-Type": "text/html; charset=GBK"], body: Array("<p>".utf8) + text)
            case "/item/%E4%B9%99": .answer(200, body: Array("<meta charset=gb2312><p>".utf8) + text)
            default: .answer(404)
            }
        }
        #expect(records.map(\.text) == ["雨燕飞得很快。", "雨燕飞得很快。"])
    }

    @Test func aSecondRunAsksForNothing() async throws {
        let folder = try TemporaryFolder()
        let words = ["页一", "无", "禁", "页二"]
        let server = try LoopbackServer { path, _ in Self.site(path) }
        let configuration = configuration(server)
        let first = try await crawl(words: words, configuration: configuration, to: folder.url, clock: JumpingClock()) { _ in }
        let records = try Data(contentsOf: folder.file("records.jsonl"))
        server.stop()
        let second = try await crawl(words: words, configuration: configuration, to: folder.url, clock: JumpingClock()) { _ in }
        #expect(first.requests == 4 && second.requests == 0 && server.requests.count == 4)
        #expect(second.records == 2 && second.cached == 3 && second.missing == 1 && second.forbidden == 1)
        #expect(try Data(contentsOf: folder.file("records.jsonl")) == records)
        let report = try JSONDecoder().decode(CrawlReport.self, from: Data(contentsOf: folder.file("report.json")))
        #expect(report.records == 2 && report.requests == 0)
    }

    @Test func stoppedInTheMiddleAndRunAgainTheRecordsAreTheSame() async throws {
        let words = (1...12).map { $0 % 4 == 0 ? "无\($0)" : "页\($0)" }
        let server = try LoopbackServer { path, _ in Self.site(path) }
        defer { server.stop() }
        let configuration = configuration(server)
        let whole = try TemporaryFolder()
        let report = try await crawl(words: words, configuration: configuration, to: whole.url, clock: JumpingClock()) { _ in }
        #expect(report.records == 9)

        let folder = try TemporaryFolder()
        let file = folder.file("records.jsonl")
        for stop in [1, 5, 9] {
            let before = server.requests.count
            let task = Task { [output = folder.url] in
                try await crawl(words: words, configuration: configuration, to: output, clock: JumpingClock()) { report in
                    if report.words == stop { withUnsafeCurrentTask { $0?.cancel() } }
                }
            }
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(!FileManager.default.fileExists(atPath: file.path))
            #expect(server.requests.count - before <= stop + 1)
        }
        let rest = server.requests.count
        let resumed = try await crawl(words: words, configuration: configuration, to: folder.url, clock: JumpingClock()) { _ in }
        #expect(server.requests.count - rest == 3 && resumed.cached == 9)
        #expect(try Data(contentsOf: file) == Data(contentsOf: whole.file("records.jsonl")))
    }

    @Test func cancellingInterruptsAnAnswerThatDoesNotCome() async throws {
        let (asked, signal) = AsyncStream.makeStream(of: Void.self)
        let server = try LoopbackServer { path, _ in
            if path != "/robots.txt" { signal.yield() }
            return path == "/robots.txt" ? .answer(404) : .silence
        }
        defer { server.stop() }
        var configuration = configuration(server)
        configuration.timeout = 3600
        let folder = try TemporaryFolder()
        let task = Task { [configuration, output = folder.url] in
            try await crawl(words: ["页一"], configuration: configuration, to: output, clock: JumpingClock()) { _ in }
        }
        for await _ in asked { break }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func damagedFilesOfTheCacheAreFetchedAgain() async throws {
        let folder = try TemporaryFolder()
        let server = try LoopbackServer { path, _ in Self.site(path) }
        defer { server.stop() }
        let configuration = configuration(server)
        let words = ["页一", "页二"]
        _ = try await crawl(words: words, configuration: configuration, to: folder.url, clock: JumpingClock()) { _ in }
        let records = try Data(contentsOf: folder.file("records.jsonl"))
        let cached = try FileManager.default.subpathsOfDirectory(atPath: folder.file("cache").path).filter { $0.hasSuffix(".page") }
        #expect(cached.count == 3)
        for (index, name) in cached.sorted().enumerated() {
            let file = folder.file("cache").appendingPathComponent(name)
            var data = try Data(contentsOf: file)
            if index % 2 == 0 { data.removeLast(5) } else { data[data.count - 8] ^= 0xFF }
            try data.write(to: file)
        }
        let again = try await crawl(words: words, configuration: configuration, to: folder.url, clock: JumpingClock()) { _ in }
        #expect(again.requests == 3 && again.cached == 0)
        #expect(try Data(contentsOf: folder.file("records.jsonl")) == records)
    }

    @Test func theCrawlEndsWithAsManyPagesAsAreWanted() async throws {
        let (report, _, records) = try await crawled(["无", "页一", "页二", "页三"], maximumPages: 2) { path, _ in Self.site(path) }
        #expect(records.map { $0.metadata["word"] } == ["页一", "页二"] && report.words == 3)
    }

    @Test func configurationsThatCannotBeUsed() async throws {
        func sentence(_ change: (inout CrawlConfiguration) -> Void) -> String {
            var configuration = CrawlConfiguration()
            configuration.template = "https://example.org/item/{word}"
            configuration.contact = "someone@example.org"
            change(&configuration)
            return errorSentence { try configuration.check() }
        }
        #expect(sentence { _ in } == "no error")
        #expect(
            sentence { $0.template = "https://example.org/" }.hasPrefix(
                #"template "https://example.org/": give an http or https address with {word}"#))
        #expect(sentence { $0.template = "file:///{word}" }.hasPrefix("template"))
        #expect(sentence { $0.contact = "" }.hasPrefix("contact is missing"))
        #expect(sentence { $0.contact = "a\r\nHost: b" }.hasPrefix("contact \"a"))
        #expect(sentence { $0.userAgent = "1" }.hasPrefix("user_agent"))
        #expect(sentence { $0.delay = -1 }.hasPrefix("delay"))
        #expect(sentence { $0.timeout = 0 }.hasPrefix("timeout"))
        #expect(sentence { $0.retries = -1 }.hasPrefix("retries"))
        #expect(sentence { $0.maximumPages = 0 }.hasPrefix("maximum_pages"))
        await #expect(throws: DataError("the word list is empty: give at least one word")) {
            _ = try await crawled([" "]) { path, _ in Self.site(path) }
        }
    }
}
