import Foundation

/// The text of HTML: tags, comments, scripts and styles out, character references decoded, a line for each paragraph, heading, list item and row of
/// a table (its cells apart by a tab).
///
/// Of a whole page (one with `<html>`, `<body>` or a doctype) white space is layout and is folded. Anything else is taken as text with some
/// markup in it: what is no markup stays as it is, line breaks and indentation too, and so does what only looks like a tag
/// (`a<b`, `vector<int>`, `<|end|>`) and what stands in Markdown's code. One pass over the bytes; a text with neither `<` nor `&` is given back untouched.
public func htmlText(_ html: String) -> String {
    var html = html
    return html.withUTF8 { bytes in
        var scanner = MarkupScanner(bytes)
        return scanner.text()
    } ?? html
}

/// Takes the markup out of a text. Malformed markup is text; whatever cannot be found (the end of a tag, of a comment) is looked for once
/// only, so that the time is linear in the length.
private struct MarkupScanner {
    /// A piece of markup: where it ends, and what it does to the line.
    private struct Markup {
        enum Effect { case none, lineBreak, cell, preformatted, endOfPreformatted }
        var end: Int
        var effect = Effect.none
    }

    private let bytes: UnsafeBufferPointer<UInt8>
    private var isPage = false
    private var writer = TextWriter()
    /// A fragment's text; a page's is in `writer`.
    private var output: [UInt8] = []
    /// What was last is a line break that a tag made, or a tag before any text: white space of the source up to its own line break is the same break.
    private var isAfterTagBreak = false
    /// The length of `output` with the last line break that a tag made.
    private var tagBreakEnd = 0
    private var isPreformatted = false
    private var code: MarkdownCode
    /// What was looked for in vain: it is not there further on either.
    private var absent: Set<String> = []

    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
        code = MarkdownCode(bytes)
        var index = find(UInt8(ascii: "<"), from: 0)
        while index < min(bytes.count, 1024), !isPage {
            isPage = ["<html", "<body", "<!doctype"].contains { hasPrefix($0, at: index) }
            index = find(UInt8(ascii: "<"), from: index + 1)
        }
    }

    /// Nil if there is nothing to take out.
    mutating func text() -> String? {
        var less = find(UInt8(ascii: "<"), from: 0)
        var ampersand = find(UInt8(ascii: "&"), from: 0)
        guard isPage || less < bytes.count || ampersand < bytes.count else { return nil }
        if !isPage { output.reserveCapacity(bytes.count) }
        var textStart = 0
        while true {
            let mark = min(less, ampersand)
            guard mark < bytes.count else { break }
            var next = mark + 1
            if !isPage, code.contains(mark) {
                // stays
            } else if mark == less {
                if let markup = markup(at: mark) {
                    add(bytes[textStart..<mark])
                    apply(markup.effect)
                    next = markup.end
                    textStart = next
                }
            } else if let (scalar, end) = HTMLEntities.decode(bytes, at: mark) {
                add(bytes[textStart..<mark])
                // In running text a space that does not break is a space; a page's writer folds it.
                add(UTF8.encode(scalar == "\u{A0}" && !isPage ? " " : scalar).map { Array($0) } ?? [])
                next = end
                textStart = end
            }
            if less < next { less = find(UInt8(ascii: "<"), from: next) }
            if ampersand < next { ampersand = find(UInt8(ascii: "&"), from: next) }
        }
        add(bytes[textStart...])
        if isPage { return writer.finish() }
        if tagBreakEnd > 0, output.count == tagBreakEnd { output.removeLast() }
        return String(decoding: output, as: UTF8.self)
    }

    // MARK: Writing

    private mutating func add(_ text: some Collection<UInt8>) {
        if isPage {
            if isPreformatted { writer.appendVerbatim(text) } else { writer.append(text) }
            return
        }
        var text = text[...]
        if isAfterTagBreak {
            let rest = text.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
            guard let first = rest.first else { return }
            if first == 0x0A { text = rest.dropFirst() }
            isAfterTagBreak = false
        }
        output.append(contentsOf: text)
    }

    private mutating func apply(_ effect: Markup.Effect) {
        switch effect {
        case .none: break
        case .cell:
            if isPage { writer.endCell() } else if let last = output.last, last != 0x0A { output.append(0x09) }
        case .lineBreak: breakLine()
        case .preformatted, .endOfPreformatted:
            breakLine()
            isPreformatted = effect == .preformatted
        }
    }

    private mutating func breakLine() {
        if isPage {
            writer.endLine()
            return
        }
        while let last = output.last, last == 0x20 || last == 0x09 { output.removeLast() }
        if output.last == 0x0A { return }
        if !output.isEmpty {
            output.append(0x0A)
            tagBreakEnd = output.count
        }
        isAfterTagBreak = true
    }

    // MARK: Finding markup

    /// The tag, comment or declaration that begins at `start`, where `<` stands.
    private mutating func markup(at start: Int) -> Markup? {
        guard start + 1 < bytes.count else { return nil }
        switch bytes[start + 1] {
        case UInt8(ascii: "!"):
            if hasPrefix("<!--", at: start) {
                return Markup(end: find("-->", from: start + 4).map { $0 + 3 } ?? start + 4)
            }
            guard start + 2 < bytes.count, isASCIILetter(bytes[start + 2]) || bytes[start + 2] == UInt8(ascii: "[") else { return nil }
            return find(">", from: start).map { Markup(end: $0 + 1) }
        case UInt8(ascii: "?"):
            guard hasPrefix("<?xml", at: start) else { return nil }
            return find(">", from: start).map { Markup(end: $0 + 1) }
        case UInt8(ascii: "/"): return tag(at: start, name: start + 2, isClosing: true)
        case let byte where isASCIILetter(byte): return tag(at: start, name: start + 1, isClosing: false)
        default: return nil
        }
    }

    private mutating func tag(at start: Int, name nameStart: Int, isClosing: Bool) -> Markup? {
        var nameEnd = nameStart
        var isCustom = false
        while nameEnd < bytes.count, nameEnd - nameStart < 64 {
            let byte = bytes[nameEnd]
            if byte == UInt8(ascii: "-") || byte == UInt8(ascii: ":") {
                isCustom = true
            } else if !isASCIILetter(byte), !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
                break
            }
            nameEnd += 1
        }
        guard nameEnd > nameStart, isASCIILetter(bytes[nameStart]) else { return nil }
        let name = String(decoding: bytes[nameStart..<nameEnd].lazy.map { $0 | 0x20 }, as: UTF8.self)
        let element = isCustom ? nil : HTMLElement(named: name)
        guard element != nil || isCustom || isPage, looksLikeAttributes(nameEnd), let end = endOfTag(from: nameEnd) else { return nil }
        guard let element else { return Markup(end: end) }
        switch element.kind {
        case .inline: return Markup(end: end)
        case .cell: return Markup(end: end, effect: isClosing ? .none : .cell)
        case .block:
            if element == .pre { return Markup(end: end, effect: isClosing ? .endOfPreformatted : .preformatted) }
            return Markup(end: end, effect: .lineBreak)
        case .invisible:
            if isClosing || bytes[end - 2] == UInt8(ascii: "/") { return Markup(end: end) }
            guard let closing = findClosingTag(name, from: end), let close = find(">", from: closing) else { return Markup(end: end) }
            return Markup(end: close + 1)
        }
    }

    /// In running text, whether what follows a tag's name can belong to the tag: an end, or white space and then an attribute or an end.
    private func looksLikeAttributes(_ start: Int) -> Bool {
        guard start < bytes.count else { return false }
        if bytes[start] == UInt8(ascii: ">") || bytes[start] == UInt8(ascii: "/") { return true }
        guard bytes[start] <= 0x20 else { return false }
        guard !isPage else { return true }
        guard let next = bytes[start...].first(where: { $0 > 0x20 }) else { return false }
        return isASCIILetter(next) || next == UInt8(ascii: ">") || next == UInt8(ascii: "/") || next == UInt8(ascii: "_")
    }

    /// Where the tag ends: after the first `>` that is not within the quotation marks of an attribute's value.
    private mutating func endOfTag(from start: Int) -> Int? {
        var index = start
        var values = 0
        while index < bytes.count, values < 256 {
            let byte = bytes[index]
            if byte == UInt8(ascii: ">") { return index + 1 }
            if byte == UInt8(ascii: "=") {
                values += 1
                index += 1
                while index < bytes.count, bytes[index] <= 0x20 { index += 1 }
                guard index < bytes.count else { break }
                let quote = bytes[index]
                if quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
                    guard let close = find(quote == UInt8(ascii: "'") ? "'" : "\"", from: index + 1) else {
                        return find(">", from: start).map { $0 + 1 }
                    }
                    index = close + 1
                }
                continue
            }
            // A tag holds no other tag: an unclosed one ends here.
            if byte == UInt8(ascii: "<") { return isPage ? index : nil }
            index += 1
        }
        return nil
    }

    private mutating func findClosingTag(_ name: String, from start: Int) -> Int? {
        let mark = "</" + name
        guard !absent.contains(mark) else { return nil }
        var index = find(UInt8(ascii: "<"), from: start)
        while index < bytes.count {
            if hasPrefix(mark, at: index) { return index }
            index = find(UInt8(ascii: "<"), from: index + 1)
        }
        absent.insert(mark)
        return nil
    }

    private mutating func find(_ mark: String, from start: Int) -> Int? {
        guard absent.isEmpty || !absent.contains(mark), let first = mark.utf8.first else { return nil }
        var index = find(first, from: start)
        while index < bytes.count {
            if hasPrefix(mark, at: index) { return index }
            index = find(first, from: index + 1)
        }
        absent.insert(mark)
        return nil
    }

    /// The next place of a byte; the end if there is none.
    private func find(_ byte: UInt8, from start: Int) -> Int {
        guard start < bytes.count, let base = bytes.baseAddress, let place = memchr(base + start, Int32(byte), bytes.count - start) else {
            return bytes.count
        }
        return UnsafeRawPointer(place) - UnsafeRawPointer(base)
    }

    /// Whether `mark`, in lower case, stands here in any case.
    private func hasPrefix(_ mark: String, at start: Int) -> Bool {
        guard start + mark.utf8.count <= bytes.count else { return false }
        return zip(mark.utf8, bytes[start...]).allSatisfy { $0 == $1 || isASCIILetter($1) && $0 == $1 | 0x20 }
    }
}
