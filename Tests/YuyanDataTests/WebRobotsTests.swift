import Foundation
import Testing

@testable import YuyanData

@Suite struct WebRobotsTests {
    private func rules(_ text: String, agent: String = "yuyan") -> RobotsRules { RobotsRules(Array(text.utf8), agent: agent) }

    @Test func groups() {
        let text = """
            # a comment
            User-agent: *
            Disallow: /

            User-Agent: other
            user-agent: YuYan/2.0  # a version and a comment
            Sitemap: https://example.org/sitemap.xml
            Disallow: /private
            Crawl-delay: 2.5

            User-agent: third
            Disallow: /third
            User-agent: yuyan
            Allow: /private/open
            """
        for text in [text, text.replacingOccurrences(of: "\n", with: "\r\n"), text.replacingOccurrences(of: "\n", with: "\r"), "\u{FEFF}" + text] {
            let rules = rules(text)
            #expect(rules.allows("/") && rules.allows("/third") && rules.allows("/private/open/a"))
            #expect(!rules.allows("/private") && !rules.allows("/private/a"))
            #expect(rules.crawlDelay == 2.5)
            #expect(!self.rules(text, agent: "stranger").allows("/a"))
            #expect(!self.rules(text, agent: "yuyanbot").allows("/a"))
            #expect(self.rules(text, agent: "OTHER").crawlDelay == 2.5)
        }
        #expect(rules("User-agent: someone\nDisallow: /").allows("/a"))
        #expect(rules("Disallow: /").allows("/a"))  // rules before any group are nobody's
        #expect(rules("User-agent: *\nDisallow:\n").allows("/a"))
        #expect(rules("User-agent: *\nCrawl-delay: soon\nCrawl-delay: -3").crawlDelay == nil)
    }

    /// The examples of RFC 9309, 2.2.3 and 5.2, and of the longest match.
    @Test(arguments: [
        ("Disallow: /", "/robots.txt", true),
        ("Disallow: /a\nAllow: /a", "/a", true),
        ("Allow: /a\nDisallow: /a", "/a", true),
        ("Allow: /example/page/\nDisallow: /example/page/disallowed.gif", "/example/page/disallowed.gif", false),
        ("Allow: /example/page/\nDisallow: /example/page/disallowed.gif", "/example/page/", true),
        ("Disallow: /example\nAllow: /example/", "/example/x", true),
        ("Disallow: /*.php$", "/a/b.php", false),
        ("Disallow: /*.php$", "/a/b.php?c", true),
        ("Disallow: /*.php$", "/a.php/b.php", false),
        ("Disallow: /a*b*c", "/a-b-b-cd", false),
        ("Disallow: /a*b*c", "/a-b-b-d", true),
        ("Disallow: /a$b", "/a$b", true),
        ("Disallow: /a%24b", "/a$b", false),
        ("Disallow: /a%2Ab", "/a*b", false),
        ("Disallow: /a%2ab", "/axb", true),
        ("Disallow: /雨燕", "/%e9%9b%a8%E7%87%95/a", false),
        ("Disallow: /%E9%9B%A8%E7%87%95", "/雨燕", false),
        ("Disallow: /foo/bar/%62%61%7A", "/foo/bar/baz", false),
        ("Disallow: /a%2Fb", "/a/b", true),
        ("Disallow: /?", "/?q=1", false),
        ("Disallow: /?", "/q", true),
        ("Disallow: *", "/a", false),
        ("Disallow: $", "", true),
    ]) func matching(lines: String, path: String, isAllowed: Bool) {
        #expect(rules("User-agent: *\n" + lines).allows(path) == isAllowed)
    }

    @Test func statuses() {
        let body = Array("User-agent: *\nDisallow: /a".utf8)
        func allows(_ status: Int, _ path: String = "/a") -> Bool { RobotsRules(status: status, body: body, agent: "yuyan").allows(path) }
        #expect(!allows(200) && allows(200, "/b"))
        #expect(allows(404) && allows(403) && allows(410) && allows(302))
        #expect(!allows(500, "/b") && !allows(503, "/b") && !allows(429, "/b"))
    }

    @Test func onlyTheBeginningOfAHugeFileIsRead() {
        let filler = String(repeating: "# 注释\n", count: 60_000)
        let text = "User-agent: *\nDisallow: /a\n" + filler + "Disallow: /b\n"
        #expect(!rules(text).allows("/a") && rules(text).allows("/b"))
        // A line that the limit cuts does not count: `Disallow: /` would forbid everything.
        let head = "User-agent: *\nAllow: /c\n"
        let padding = "#" + String(repeating: "x", count: RobotsRules.maximumBytes - head.utf8.count - 13) + "\n"
        #expect(rules(head + padding + "Disallow: /private").allows("/b"))
    }

    /// `*` and `$` against a slow matcher that tries every split.
    @Test func wildcardsAgreeWithTheSlowWay() {
        func matches(_ pattern: Substring, _ path: Substring) -> Bool {
            guard let first = pattern.first else { return true }
            if first == "*" { return path.indices.contains { matches(pattern.dropFirst(), path[$0...]) } || matches(pattern.dropFirst(), "") }
            if first == "$", pattern.count == 1 { return path.isEmpty }
            return path.first == first && matches(pattern.dropFirst(), path.dropFirst())
        }
        var random = SeededRandom(seed: 9)
        for _ in 0..<5000 {
            let pattern =
                "/" + String((0..<random.number(in: 0...6)).map { _ in random.element(of: ["a", "b", "*"] as [Character]) })
                + (random.number(in: 0...2) == 0 ? "$" : "")
            let path = "/" + String((0..<random.number(in: 0...8)).map { _ in random.element(of: ["a", "b"] as [Character]) })
            #expect(rules("User-agent: *\nDisallow: \(pattern)").allows(path) == !matches(pattern[...], path[...]), "\(pattern) \(path)")
        }
    }

    @Test func damagedFilesDoNoHarm() {
        let text = Array("User-agent: *\nDisallow: /a*b$\nAllow: /%E9%9B%A8\nCrawl-delay: 3\n".utf8)
        var random = SeededRandom(seed: 10)
        for _ in 0..<3000 {
            var bytes = text
            for _ in 0..<random.number(in: 1...8) {
                bytes[random.number(in: 0...bytes.count - 1)] = UInt8(random.number(in: 0...255))
            }
            _ = RobotsRules(bytes, agent: "yuyan").allows("/a/%E9%9B%A8b")
        }
        #expect(rules("User-agent: *\nDisallow: /" + String(repeating: "*a", count: 2000) + "$").allows("/" + String(repeating: "a", count: 1999)))
    }
}
