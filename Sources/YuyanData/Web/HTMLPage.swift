import Foundation

/// What a web page says: title, summary, infobox and body, with navigation, advertising and scripts left out. Any bytes make a page;
/// what cannot be found is empty.
public struct HTMLPage: Sendable, Hashable {
    /// The heading of the page where `<title>` repeats it (with the site's name, as a rule), else `<title>`.
    public let title: String
    /// An encyclopedia's opening paragraphs, else the page's description of itself, else the first paragraph.
    public let summary: String
    /// The facts of an encyclopedia's infobox, of definition lists and of two-column tables, in order.
    public let infobox: [InfoboxEntry]
    /// The main content: a line for each paragraph, heading, list item and table row (its cells apart by tabs).
    public let body: String
    /// The encoding that the bytes were read in: `UTF-8`, `GB18030`, `BIG5-HKSCS`.
    public let charset: String
    /// Where the page is from.
    public let url: String?
    private let base: String?
    private let references: [String]

    /// Reads a page from its bytes; `contentType` is the HTTP header of that name, which may tell the encoding.
    public init(_ bytes: [UInt8], contentType: String? = nil, url: String? = nil) {
        let (text, charset) = Charset.decode(bytes, contentType: contentType)
        self.init(text, charset: charset, url: url)
    }

    /// Reads a page from its text.
    public init(_ html: String, url: String? = nil) {
        self.init(html, charset: "UTF-8", url: url)
    }

    private init(_ html: String, charset: String, url: String?) {
        // A NUL ends a text for libxml2.
        let tree = HTMLTree(html.utf8.map { $0 == 0 ? 0x20 : $0 })
        let extraction = ContentExtraction(tree)
        let content = extraction.namedContent()
        let (lines, text) = extraction.lines(of: content ?? 0) { extraction.roles[$0].contains(.infobox) }
        var kept = content == nil ? ContentExtraction.content(of: lines) : lines
        if kept.isEmpty { kept = lines.filter { $0.linkBytes * 2 < $0.text.count } }
        var body = kept.map { (text: String(decoding: text[$0.text], as: UTF8.self), isHeading: $0.isHeading) }
        let title = Self.title(extraction)
        if let first = body.first, first.isHeading, first.text == title { body.removeFirst() }

        let firstParagraph = body.first { !$0.isHeading }?.text ?? ""
        let isWiki = content.map { extraction.roles[$0].contains(.wiki) } ?? false
        let lead = tree.nodes.indices.first { extraction.roles[$0].contains(.lead) && !extraction.isLeftOut[$0] && extraction.length(of: $0) > 0 }
        let leadText = lead.map { lead in extraction.text(of: lead) { extraction.roles[$0].contains(.infobox) } }
        self.title = title
        self.summary = leadText ?? (isWiki && !firstParagraph.isEmpty ? firstParagraph : Self.description(tree) ?? firstParagraph)
        self.infobox = extraction.infobox()
        let isLeadOutside = content.map { content in lead.map { !(content..<tree.nodes[content].end).contains($0) } ?? false } ?? false
        self.body = ((isLeadOutside ? [leadText ?? ""] : []) + body.map(\.text)).joined(separator: "\n")
        self.charset = charset
        self.url = url
        base = tree.descendants(.base).lazy.compactMap { tree.value(.href, of: $0) }.first
        references = tree.descendants(.a).compactMap { tree.value(.href, of: $0) }
    }

    /// The http and https addresses that the page links to, in order, each once and without its fragment.
    public var links: [String] {
        let page = url.flatMap { URL(string: $0) }
        let base = base.flatMap { URL(string: $0, relativeTo: page) } ?? page
        var seen: Set<String> = []
        return references.compactMap { reference in
            let address = reference.prefix { $0 != "#" }.trimmingCharacters(in: .whitespacesAndNewlines)
            guard !address.isEmpty, let target = URL(string: address, relativeTo: base)?.absoluteURL else { return nil }
            guard target.scheme == "http" || target.scheme == "https", seen.insert(target.absoluteString).inserted else { return nil }
            return target.absoluteString
        }
    }

    private static func title(_ extraction: ContentExtraction) -> String {
        let tree = extraction.tree
        func line(of node: Int) -> String {
            var writer = TextWriter()
            for node in tree.nodes[node..<tree.nodes[node].end] where node.isText { writer.append(tree.text[node.content]) }
            return writer.finish()
        }
        let title = tree.descendants(.title).lazy.map(line).first { !$0.isEmpty } ?? meta("og:title", tree) ?? ""
        let headings = tree.descendants(.h1).map(line).filter { !$0.isEmpty }
        return headings.first { title.isEmpty || title.contains($0) } ?? title
    }

    private static func description(_ tree: HTMLTree) -> String? { meta("description", tree) ?? meta("og:description", tree) }

    private static func meta(_ name: String, _ tree: HTMLTree) -> String? {
        for node in tree.descendants(.meta) where (tree.value(.name, of: node) ?? tree.value(.property, of: node))?.lowercased() == name {
            var writer = TextWriter()
            writer.append((tree.value(.content, of: node) ?? "").utf8)
            let text = writer.finish()
            if !text.isEmpty { return text }
        }
        return nil
    }
}
