/// Finds what a page is about among what stands around it.
///
/// First by what the page says itself: `nav`, `footer`, `aside`, `form` and classes that name boilerplate go, `article`, `main` and classes that
/// name content stay. Where nothing names the content, the blocks decide by the length and the link density of themselves and their two
/// neighbours: the decision tree "NumWordsRules" of Kohlschütter, Fankhauser and Nejdl, "Boilerplate Detection using Shallow Text
/// Features" (WSDM 2010), with 5 bytes of UTF-8 for a word, which is right for Chinese (5.1: 1.7 characters) and English (5 and a space).
struct ContentExtraction {
    /// One line of text.
    struct Line {
        var text: Range<Int>
        var isHeading: Bool
        /// Bytes of it that are links.
        var linkBytes: Int
        /// The line belongs to a block together with its neighbours of the same number: a paragraph's siblings, a list's items.
        var block: Int
    }

    let tree: HTMLTree
    private(set) var roles: [NodeRoles]
    /// Whether a node, and all that is in it, is no content.
    private(set) var isLeftOut: [Bool]
    /// The bytes of text, white space aside, before each node.
    private let textBefore: [Int]
    /// The same without what is left out.
    private var visibleBefore: [Int] = []

    init(_ tree: HTMLTree) {
        self.tree = tree
        var textBefore: [Int] = []
        var total = 0
        var invisibleEnd = 0
        for (index, node) in tree.nodes.enumerated() {
            textBefore.append(total)
            if node.element?.kind == .invisible { invisibleEnd = max(invisibleEnd, node.end) }
            if node.isText, index >= invisibleEnd { total += tree.text[node.content].count { $0 > 0x20 } }
        }
        textBefore.append(total)
        self.textBefore = textBefore
        roles = Self.roles(of: tree)
        isLeftOut = []
        isLeftOut = tree.nodes.indices.map(isBoilerplate)
        var (visible, leftOutEnd) = (0, 0)
        for index in tree.nodes.indices {
            visibleBefore.append(visible)
            if isLeftOut[index] { leftOutEnd = max(leftOutEnd, tree.nodes[index].end) }
            if index >= leftOutEnd, tree.nodes[index].isText { visible += textBefore[index + 1] - textBefore[index] }
        }
        visibleBefore.append(visible)
    }

    private static func roles(of tree: HTMLTree) -> [NodeRoles] {
        var known: [String: NodeRoles] = [:]
        return tree.nodes.map { node in
            guard !node.isText else { return [] }
            var roles: NodeRoles = []
            for (name, value) in tree.attributes[node.content] where name == .class || name == .id || name == .role || name == .itemprop {
                if known[value] == nil { known[value] = NodeRoles.roles(in: value) }
                roles.formUnion(known[value] ?? [])
            }
            return roles
        }
    }

    /// Bytes of text in a node, white space aside.
    func length(of node: Int) -> Int { textBefore[tree.nodes[node].end] - textBefore[node] }

    private func isBoilerplate(_ index: Int) -> Bool {
        let node = tree.nodes[index]
        guard !node.isText else { return false }
        if let element = node.element {
            if element.kind == .invisible || element == .title { return true }
            if element == .sup, isReference(index) { return true }
        }
        if roles[index].contains(.infobox) { return false }
        let style = tree.value(.style, of: index)?.filter { $0 != " " } ?? ""
        if style.contains("display:none") || tree.value(.hidden, of: index) != nil || tree.value(.ariaHidden, of: index) == "true" { return true }
        switch node.element {
        case .nav, .footer, .button, .menu, .dialog, .textarea, .input: return true
        case .html, .body, .main, .article: return false
        // Some pages are one form, or stand in a column that is called a side bar: never most of the page.
        case .header, .aside, .form: return length(of: index) * 2 <= length(of: 0)
        default: return roles[index].contains(.boilerplate) && length(of: index) * 2 <= length(of: 0)
        }
    }

    /// Whether a `sup` only points to a footnote: `[3]`, `[1-2]`.
    private func isReference(_ index: Int) -> Bool {
        guard length(of: index) <= 12 else { return false }
        let text = tree.nodes[index..<tree.nodes[index].end].lazy.filter(\.isText).flatMap { tree.text[$0.content] }.filter { $0 > 0x20 }
        return text.first == UInt8(ascii: "[") && text.last == UInt8(ascii: "]")
    }

    // MARK: Lines

    /// The lines of a node, without what is left out and without the nodes that `passesOver` names.
    func lines(of root: Int, passesOver: (Int) -> Bool = { _ in false }) -> (lines: [Line], text: [UInt8]) {
        var writer = TextWriter()
        var lines: [Line] = []
        var openBlocks: [(end: Int, node: Int)] = []
        var (linkEnd, headingEnd, preformattedEnd, lineLinks, isHeading) = (0, 0, 0, 0, false)
        func endLine() {
            guard let text = writer.endLine() else { return }
            let innermost = openBlocks.last?.node ?? root
            // Paragraphs, items and rows with the same parent make one block; of text that stands in its parent directly, the parent is the block.
            let isItem = [.p, .li, .tr, .dt, .dd, .div].contains(tree.nodes[innermost].element)
            lines.append(Line(text: text, isHeading: isHeading, linkBytes: lineLinks, block: isItem ? tree.nodes[innermost].parent : innermost))
            (lineLinks, isHeading) = (0, false)
        }
        let end = tree.nodes[root].end
        var index = root
        while index < end {
            while let block = openBlocks.last, block.end <= index {
                endLine()
                openBlocks.removeLast()
            }
            let node = tree.nodes[index]
            if node.isText {
                let text = tree.text[node.content]
                if index < linkEnd { lineLinks += text.count { $0 > 0x20 } }
                if index < headingEnd { isHeading = true }
                if index < preformattedEnd {
                    for (number, line) in text.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
                        if number > 0 { endLine() }
                        writer.appendVerbatim(line)
                    }
                } else {
                    writer.append(text)
                }
                index += 1
                continue
            }
            if isLeftOut[index] || index != root && passesOver(index) {
                if node.element?.kind == .block { endLine() }
                index = node.end
                continue
            }
            switch node.element?.kind {
            case .block:
                endLine()
                openBlocks.append((node.end, index))
            case .cell: writer.endCell()
            case .inline, .invisible, nil: break
            }
            switch node.element {
            case .a where tree.value(.href, of: index) != nil: linkEnd = max(linkEnd, node.end)
            case .pre: preformattedEnd = max(preformattedEnd, node.end)
            case .h1, .h2, .h3, .h4, .h5, .h6: headingEnd = max(headingEnd, node.end)
            default: break
            }
            index += 1
        }
        endLine()
        return (lines, writer.output)
    }

    /// The lines of a node as one text.
    func text(of node: Int, passesOver: (Int) -> Bool = { _ in false }) -> String {
        let text = lines(of: node, passesOver: passesOver).text
        return String(decoding: text.dropLast(), as: UTF8.self)
    }

    // MARK: Content

    /// The node that the page itself calls its content, if it holds at least half of what is not left out: of several, the innermost
    /// that holds nearly as much as the largest.
    func namedContent() -> Int? {
        let candidates = visibleNodes().filter {
            tree.nodes[$0].element == .main || tree.nodes[$0].element == .article || roles[$0].contains(.content)
        }
        let sizes = candidates.map { visibleLength(of: $0) }
        guard let largest = sizes.max(), largest > 0, largest * 2 >= visibleLength(of: 0) else { return nil }
        return Array(zip(candidates, sizes)).last { $0.1 * 5 >= largest * 4 }?.0
    }

    /// The nodes in order, what is left out passed over.
    func visibleNodes() -> [Int] {
        var nodes: [Int] = []
        var index = 0
        while index < tree.nodes.count {
            if isLeftOut[index] {
                index = tree.nodes[index].end
            } else {
                nodes.append(index)
                index += 1
            }
        }
        return nodes
    }

    private func visibleLength(of node: Int) -> Int { visibleBefore[tree.nodes[node].end] - visibleBefore[node] }

    /// The lines that are content, by the paper's decision tree over blocks. A heading goes with what it stands over.
    static func content(of lines: [Line]) -> [Line] {
        struct Block {
            var words = 0.0
            var linkDensity = 0.0
            var isHeading = false
            var lines: Range<Int>
        }
        var blocks: [Block] = []
        for (index, line) in lines.enumerated() {
            if index > 0, lines[index - 1].block == line.block, lines[index - 1].isHeading == line.isHeading, let last = blocks.indices.last {
                blocks[last].lines = blocks[last].lines.lowerBound..<index + 1
            } else {
                blocks.append(Block(isHeading: line.isHeading, lines: index..<index + 1))
            }
        }
        for index in blocks.indices {
            let bytes = lines[blocks[index].lines].reduce(0) { $0 + $1.text.count }
            let links = lines[blocks[index].lines].reduce(0) { $0 + $1.linkBytes }
            blocks[index].words = Double(bytes) / 5
            blocks[index].linkDensity = Double(links) / Double(max(bytes, 1))
        }
        let none = Block(lines: 0..<0)
        func isContent(_ index: Int) -> Bool {
            let (current, previous) = (blocks[index], index > 0 ? blocks[index - 1] : none)
            let next = index + 1 < blocks.count ? blocks[index + 1] : none
            if current.linkDensity > 0.333333 { return false }
            if previous.linkDensity > 0.555556 { return current.words > 40 || next.words > 17 }
            return current.words > 16 || next.words > 15 || previous.words > 4
        }
        var kept = blocks.indices.map(isContent)
        for index in blocks.indices.reversed() where blocks[index].isHeading {
            kept[index] = index + 1 < blocks.count && kept[index + 1]
        }
        return zip(blocks, kept).filter(\.1).flatMap { lines[$0.0.lines] }
    }
}
