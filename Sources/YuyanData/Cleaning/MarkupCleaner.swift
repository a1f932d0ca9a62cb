import CXML2
import Foundation

/// `html`: tags and entities in texts that are not whole pages.
public struct MarkupConfiguration: Codable, Sendable, Hashable {
    /// Also takes Markdown's links and images for the text that they show: `[雨燕](https://…)` → `雨燕`.
    public var markdown = false

    /// HTML only.
    public init() {}
}

/// Takes the markup out of fragments: comments, scripts and styles with their content, tags of HTML's elements (block ones leave a line end), and
/// entities, once. What only looks like a tag (`a<b`, `<三>`) stays.
public struct MarkupCleaner: TextCleaner {
    public let name = "html"
    private let configuration: MarkupConfiguration

    /// A cleaner.
    public init(_ configuration: MarkupConfiguration = .init()) {
        self.configuration = configuration
    }

    public func clean(_ text: inout String) -> Int {
        edit(&text, removeTags) + (configuration.markdown ? edit(&text, removeLinks) : 0)
    }

    // MARK: HTML

    private func removeTags(_ edits: inout TextEdits) {
        let bytes = edits.source
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            guard byte == UInt8(ascii: "<") || byte == UInt8(ascii: "&") else {
                index += 1
                continue
            }
            if byte == UInt8(ascii: "&") {
                if let (value, end) = characterReference(in: bytes, at: index) {
                    edits.replace(index..<end, with: value)
                    index = end
                } else {
                    index += 1
                }
            } else if let (end, replacement) = Self.tag(in: bytes, at: index) {
                switch replacement {
                case .none: edits.remove(index..<end)
                case .space:
                    let before = edits.byte(before: index)
                    if before == nil || before == 0x20 || before == 0x0A {
                        edits.remove(index..<end)
                    } else {
                        edits.replace(index..<end, with: CollectionOfOne(0x20))
                    }
                case .line:
                    let before = edits.byte(before: index)
                    if before == nil || before == 0x0A || end < bytes.count && (bytes[end] == 0x0A || bytes[end] == 0x0D) {
                        edits.remove(index..<end)
                    } else {
                        edits.replace(index..<end, with: CollectionOfOne(0x0A))
                    }
                }
                index = end
            } else {
                index += 1
            }
        }
    }

    private enum Replacement { case none, space, line }

    /// The end of the markup that begins with `<` at `start`, and what stands for it; nil where it is no markup.
    private static func tag(in bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> (end: Int, Replacement)? {
        var index = start + 1
        guard index < bytes.count else { return nil }
        if bytes[index] == UInt8(ascii: "!") {
            if hasPrefix("<!--", in: bytes, at: start) { return find("-->", in: bytes, from: start + 4).map { ($0 + 3, .none) } }
            guard hasPrefix("<!doctype", in: bytes, at: start) || hasPrefix("<![cdata[", in: bytes, at: start) else { return nil }
            return position(of: UInt8(ascii: ">"), in: bytes, from: index).map { ($0 + 1, .none) }
        }
        if bytes[index] == UInt8(ascii: "?") {
            guard hasPrefix("<?xml", in: bytes, at: start) || hasPrefix("<?php", in: bytes, at: start) else { return nil }
            return find("?>", in: bytes, from: index).map { ($0 + 2, .none) }
        }
        let isEnd = bytes[index] == UInt8(ascii: "/")
        if isEnd { index += 1 }
        let nameStart = index
        var name: UInt64 = 0  // names of up to eight letters, as a number; longer ones by hash
        while index < bytes.count, isNameByte(bytes[index]) {
            name = name &* 0x100_0000_01B3 &+ UInt64(lowercased(bytes[index]))
            index += 1
        }
        guard index > nameStart, index < bytes.count, let kind = elements[name] else { return nil }
        guard let end = tagEnd(in: bytes, from: index) else { return nil }
        guard kind == .raw, !isEnd, bytes[end - 2] != UInt8(ascii: "/") else {
            switch kind {
            case .block: return (end, .line)
            case .cell: return (end, isEnd ? .none : .space)
            case .inline, .raw: return (end, .none)
            }
        }
        // The content goes too, up to the end tag of the same name.
        var search = end
        while let close = find("</", in: bytes, from: search) {
            let nameEnd = close + 2 + (index - nameStart)
            if nameEnd < bytes.count, !isNameByte(bytes[nameEnd]),
                (0..<index - nameStart).allSatisfy({ lowercased(bytes[close + 2 + $0]) == lowercased(bytes[nameStart + $0]) }),
                let closeEnd = tagEnd(in: bytes, from: nameEnd)
            {
                return (closeEnd, .none)
            }
            search = close + 2
        }
        return (end, .none)
    }

    /// The end of a tag whose name ends at `start`: the first `>` outside quotes, before the next `<`.
    private static func tagEnd(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
        var index = start
        var quote: UInt8 = 0
        switch bytes[index] {
        case UInt8(ascii: ">"), UInt8(ascii: "/"), 0x20, 0x09, 0x0A, 0x0D: break
        default: return nil
        }
        let limit = min(bytes.count, start + 1 << 16)
        while index < limit {
            let byte = bytes[index]
            if quote != 0 {
                if byte == quote { quote = 0 }
            } else if byte == UInt8(ascii: ">") {
                return index + 1
            } else if byte == UInt8(ascii: "<") {
                return nil
            } else if (byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")) && bytes[index - 1] == UInt8(ascii: "=") {
                quote = byte
            }
            index += 1
        }
        return nil
    }

    private static func find(_ text: StaticString, in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
        var index = start
        while let found = position(of: text.utf8Start[0], in: bytes, from: index) {
            if hasPrefix(text, in: bytes, at: found) { return found }
            index = found + 1
        }
        return nil
    }

    @inline(__always)
    private static func isNameByte(_ byte: UInt8) -> Bool {
        lowercased(byte) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ":")
    }

    private enum Kind { case block, cell, inline, raw }

    /// The elements of HTML, the old ones included, by the hash of their names.
    private static let elements: [UInt64: Kind] = {
        let names: [(Kind, String)] = [
            (.raw, "script style xmp"),
            (
                .block,
                """
                address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset figcaption figure footer form frameset
                h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li main menu nav ol optgroup option p pre search section summary table tbody tfoot
                thead title tr ul
                """
            ),
            (.cell, "td th"),
            (
                .inline,
                """
                a abbr acronym applet area audio b base basefont bdi bdo big blink button canvas cite code col colgroup data datalist del dfn em embed
                font frame i iframe img input ins kbd label link map mark marquee meta meter nobr noframes noscript object output param picture progress
                q rp rt ruby s samp select slot small source span strike strong sub sup svg path g template textarea time track tt u var video wbr
                o:p v:shape w:wrap st1:chsdate
                """
            ),
        ]
        var elements: [UInt64: Kind] = [:]
        for (kind, list) in names {
            for name in list.split(whereSeparator: \.isWhitespace) {
                elements[name.utf8.reduce(0) { $0 &* 0x100_0000_01B3 &+ UInt64($1) }] = kind
            }
        }
        return elements
    }()

    // MARK: Markdown

    /// `[text](target)` and `![text](target)` → `text`, also one in the other; `[text][reference]` and the lines that define references go as well.
    private func removeLinks(_ edits: inout TextEdits) {
        let bytes = edits.source
        var pending: [Range<Int>] = []  // the rest of links whose text is being read, innermost last
        var index = 0
        while index < bytes.count {
            if let rest = pending.last, index == rest.lowerBound {
                edits.remove(rest)
                index = rest.upperBound
                pending.removeLast()
                continue
            }
            guard bytes[index] == UInt8(ascii: "["), index == 0 || bytes[index - 1] != UInt8(ascii: "\\") else {
                index += 1
                continue
            }
            if index == 0 || bytes[index - 1] == 0x0A, let end = Self.referenceDefinition(in: bytes, at: index) {
                edits.remove(index..<end)
                index = end
                continue
            }
            guard let rest = Self.linkRest(in: bytes, at: index), pending.last.map({ rest.upperBound <= $0.lowerBound }) ?? true else {
                index += 1
                continue
            }
            let isImage = index > 0 && bytes[index - 1] == UInt8(ascii: "!")
            edits.remove(index - (isImage ? 1 : 0)..<index + 1)
            pending.append(rest)
            index += 1
        }
    }

    /// From the `]` that closes the bracket at `start` to the end of the target after it; nil where this is no link.
    private static func linkRest(in bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> Range<Int>? {
        let limit = min(bytes.count, start + 2048)
        var depth = 0
        var index = start
        while index < limit {
            switch bytes[index] {
            case UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "]"): depth -= 1
            case 0x0A: return nil
            default: break
            }
            if depth == 0 { break }
            index += 1
        }
        guard depth == 0, index + 1 < limit else { return nil }
        let close = index
        index += 1
        let (open, shut): (UInt8, UInt8)
        switch bytes[index] {
        case UInt8(ascii: "("): (open, shut) = (UInt8(ascii: "("), UInt8(ascii: ")"))
        case UInt8(ascii: "["): (open, shut) = (UInt8(ascii: "["), UInt8(ascii: "]"))
        default: return nil
        }
        depth = 0
        while index < limit {
            let byte = bytes[index]
            if byte == open { depth += 1 }
            if byte == shut { depth -= 1 }
            if byte == 0x0A { return nil }
            index += 1
            if depth == 0 { return close..<index }
        }
        return nil
    }

    /// The end of a line `[name]: target` that begins at `start`, its line end included.
    private static func referenceDefinition(in bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> Int? {
        let line = UnsafeBufferPointer(rebasing: bytes[..<(position(of: 0x0A, in: bytes, from: start) ?? bytes.count)])
        guard let close = position(of: UInt8(ascii: "]"), in: line, from: start + 1), close > start + 1, close + 2 < line.count,
            bytes[close + 1] == UInt8(ascii: ":")
        else { return nil }
        var target = close + 2
        while target < line.count, bytes[target] == 0x20 { target += 1 }
        guard hasPrefix("http", in: line, at: target) || target < line.count && bytes[target] == UInt8(ascii: "<") else { return nil }
        return min(line.count + 1, bytes.count)
    }
}

/// The bytes of the character reference at `start`, and where it ends; nil where there is none. `&nbsp;` is a plain space: it is there for the layout.
/// What nobody sees (`&shy;`, `&#8203;`) becomes nothing.
private func characterReference(in bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> (value: [UInt8], end: Int)? {
    guard let (scalar, end) = HTMLEntities.decode(bytes, at: start), bytes[end - 1] == UInt8(ascii: ";") else { return nil }
    if scalar.value == 0xA0 { return ([0x20], end) }
    return (ControlCleaner.verdict(scalar.value) == .keep ? Array(String(scalar).utf8) : [], end)
}
