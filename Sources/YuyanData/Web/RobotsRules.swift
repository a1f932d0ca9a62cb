import Foundation

/// What a site's robots.txt allows one crawler (RFC 9309).
public struct RobotsRules: Sendable, Hashable {
    private struct Rule: Sendable, Hashable {
        var isAllowed: Bool
        /// Normalised as paths are; `*` stands for any bytes, `$` at the end for the end.
        var pattern: [UInt8]
    }

    /// What is read of a robots.txt (RFC 9309, 2.5 asks for at least 500 KiB).
    public static let maximumBytes = 500 * 1024

    /// The pause between two requests that the site asks for, in seconds; nil if it asks for none.
    public private(set) var crawlDelay: Double?
    private var rules: [Rule] = []

    /// Everything is allowed.
    public static let allowAll = RobotsRules()
    /// Nothing is allowed.
    public static let forbidAll = RobotsRules(rules: [Rule(isAllowed: false, pattern: [UInt8(ascii: "/")])])

    private init(rules: [Rule] = []) { self.rules = rules }

    /// The rules for `agent`, a product token (`yuyan`; its case does not matter): those of all groups that name it, or else of the groups for `*`.
    public init(_ bytes: [UInt8], agent: String) {
        var bytes = bytes[...]
        if bytes.starts(with: byteOrderMark) { bytes = bytes.dropFirst(byteOrderMark.count) }
        if bytes.count > Self.maximumBytes {
            bytes = bytes.prefix(Self.maximumBytes)
            bytes = bytes.prefix { _ in true }.dropLast(bytes.reversed().prefix { $0 != 0x0A && $0 != 0x0D }.count)
        }
        let agent = agent.lowercased()
        var (own, others) = (RobotsRules(), RobotsRules())
        var (isOwn, isOthers, isNamed, isListOfAgents) = (false, false, false, false)
        for line in bytes.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
            let content = line.prefix { $0 != UInt8(ascii: "#") }
            guard let colon = content.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let key = String(decoding: content[..<colon], as: UTF8.self).trimmingCharacters(in: .whitespaces).lowercased()
            let value = String(decoding: content[(colon + 1)...], as: UTF8.self).trimmingCharacters(in: .whitespaces)
            switch key {
            case "user-agent":
                if !isListOfAgents { (isOwn, isOthers) = (false, false) }
                isListOfAgents = true
                // A version after the product token (`yuyan/1.0`) is not part of it.
                let token = value.utf8.prefix { isASCIILetter($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
                if value == "*" { isOthers = true } else if String(decoding: token, as: UTF8.self).lowercased() == agent { isOwn = true }
                isNamed = isNamed || isOwn
            case "allow", "disallow", "crawl-delay":
                isListOfAgents = false
                if isOwn { own.add(key, value) }
                if isOthers { others.add(key, value) }
            default: break  // Sitemap and the like belong to no group
            }
        }
        self = isNamed ? own : others
    }

    /// The rules that follow from the answer to the request for robots.txt (RFC 9309, 2.3.1): a file, or none (4xx: everything is allowed), or a
    /// server in trouble (5xx, and 429: nothing is, for now).
    public init(status: Int, body: [UInt8], agent: String) {
        switch status {
        case 200..<300: self.init(body, agent: agent)
        case 429, 500...: self = .forbidAll
        default: self = .allowAll
        }
    }

    private mutating func add(_ key: String, _ value: String) {
        if key == "crawl-delay" {
            if let seconds = Double(value), seconds >= 0, seconds.isFinite { crawlDelay = max(crawlDelay ?? 0, seconds) }
        } else if !value.isEmpty {
            rules.append(Rule(isAllowed: key == "allow", pattern: Self.normalized(value, isPattern: true)))
        }
    }

    /// Whether a path with its query (`/item/%E9%9B%A8?a=b`) may be fetched: the longest pattern that matches decides, and of two as long the one
    /// that allows (RFC 9309, 2.2.2).
    public func allows(_ path: String) -> Bool {
        let path = Self.normalized(path.isEmpty ? "/" : path, isPattern: false)
        if path == Array("/robots.txt".utf8) { return true }
        var best: Rule?
        for rule in rules where rule.pattern.count >= best?.pattern.count ?? 0 && Self.matches(rule.pattern, path) {
            if let best, best.pattern.count == rule.pattern.count, best.isAllowed { continue }
            best = rule
        }
        return best?.isAllowed ?? true
    }

    /// One spelling of a path (RFC 3986, 6.2.2): unreserved characters plain, everything that is percent-encoded or not ASCII as `%` and two
    /// capitals. A path's own `*` and `$` are encoded, so that only a pattern's are special.
    private static func normalized(_ path: String, isPattern: Bool) -> [UInt8] {
        var output: [UInt8] = []
        let bytes = Array(path.utf8)
        func encode(_ byte: UInt8) {
            let digits = Array("0123456789ABCDEF".utf8)
            output += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%"), index + 2 < bytes.count,
                let value = UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16)
            {
                let isUnreserved = isASCIILetter(value) || (0x30...0x39).contains(value) || "-._~".utf8.contains(value)
                if isUnreserved { output.append(value) } else { encode(value) }
                index += 3
                continue
            }
            let isSpecial = byte == UInt8(ascii: "*") || byte == UInt8(ascii: "$")
            if byte <= 0x20 || byte >= 0x7F || isSpecial && !isPattern { encode(byte) } else { output.append(byte) }
            index += 1
        }
        return output
    }

    /// Goes back to the last `*` only, which is enough for this kind of pattern: the time is at most the product of the lengths.
    private static func matches(_ pattern: [UInt8], _ path: [UInt8]) -> Bool {
        var (index, place) = (0, 0)
        var star: (index: Int, place: Int)?
        while true {
            if index == pattern.count { return true }
            if pattern[index] == UInt8(ascii: "*") {
                star = (index, place)
                index += 1
            } else if pattern[index] == UInt8(ascii: "$"), index == pattern.count - 1, place == path.count {
                return true
            } else if place < path.count, pattern[index] == path[place] {
                index += 1
                place += 1
            } else if let last = star, last.place < path.count {
                star = (last.index, last.place + 1)
                (index, place) = (last.index + 1, last.place + 1)
            } else {
                return false
            }
        }
    }
}
