import CXML2

/// A page as libxml2's HTML parser reads it, broken markup mended, in flat arrays: the nodes stand in the order of the page and each knows
/// where its descendants end, so that everything is a loop and no depth of nesting can exhaust the stack.
struct HTMLTree {
    struct Node {
        /// Nil for text and for elements that HTML does not have.
        var element: HTMLElement?
        var isText: Bool
        var parent: Int
        /// One past the last descendant.
        var end: Int
        /// The place of a text in `text`, of an element's attributes in `attributes`.
        var content: Range<Int>
    }

    /// The attributes that mean something here.
    enum Attribute: String, CaseIterable {
        case ariaHidden = "aria-hidden"
        case content, href, id, itemprop, name, property, role, style, hidden
        case `class`
    }

    fileprivate(set) var nodes = [Node(element: nil, isText: false, parent: -1, end: 0, content: 0..<0)]
    fileprivate(set) var text: [UInt8] = []
    fileprivate(set) var attributes: [(name: Attribute, value: String)] = []

    /// Reads any bytes of UTF-8; nothing is an error, nothing is printed or fetched.
    ///
    /// libxml2 looks through all open elements at each end tag, which a page of unclosed tags makes quadratic. What lies below
    /// 1,000 open elements is therefore parsed anew, as if they had been closed there.
    init(_ utf8: [UInt8]) {
        let builder = HTMLTreeBuilder()
        utf8.withUnsafeBufferPointer { bytes in
            var offset = 0
            while let length = builder.parse(UnsafeBufferPointer(rebasing: bytes[offset...])) {
                offset += length
                offset = bytes[offset...].firstIndex(of: UInt8(ascii: ">")).map { $0 + 1 } ?? bytes.count
            }
        }
        self = builder.tree
        nodes[0].end = nodes.count
    }

    func value(_ attribute: Attribute, of node: Int) -> String? {
        guard !nodes[node].isText else { return nil }
        return attributes[nodes[node].content].first { $0.name == attribute }?.value
    }

    /// The descendants that are this element, in order; nothing if there is no such node.
    func descendants(_ element: HTMLElement, of node: Int = 0) -> some Sequence<Int> {
        (node..<nodes[node].end).lazy.filter { nodes[$0].element == element }
    }
}

/// Takes the parser's events. The parser holds it as an unretained pointer while `parse` runs.
private final class HTMLTreeBuilder {
    private static let maximumDepth = 1000
    private static let attributeNames = Dictionary(uniqueKeysWithValues: HTMLTree.Attribute.allCases.map { ($0.rawValue, $0) })

    var tree = HTMLTree(nodes: [HTMLTree.Node(element: nil, isText: false, parent: -1, end: 0, content: 0..<0)])
    private var open = [0]
    private var context: htmlParserCtxtPtr?
    private var stop: Int?

    /// Gives the number of bytes read if the elements became too deep, nil if all was read.
    func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        guard !bytes.isEmpty, let size = Int32(exactly: bytes.count) else { return nil }
        guard let context = bytes.withMemoryRebound(to: CChar.self, { htmlCreateMemoryParserCtxt($0.baseAddress, size) }) else { return nil }
        defer {
            htmlFreeParserCtxt(context)
            self.context = nil
        }
        let options = HTML_PARSE_RECOVER.rawValue | HTML_PARSE_NONET.rawValue | HTML_PARSE_NOERROR.rawValue | HTML_PARSE_NOWARNING.rawValue
        htmlCtxtUseOptions(context, Int32(options | HTML_PARSE_NODEFDTD.rawValue | HTML_PARSE_IGNORE_ENC.rawValue))
        context.pointee.charset = Int32(XML_CHAR_ENCODING_UTF8.rawValue)
        var handler = htmlSAXHandler()
        handler.startElement = { builder, name, attributes in HTMLTreeBuilder.of(builder)?.start(name, attributes) }
        handler.endElement = { builder, _ in HTMLTreeBuilder.of(builder)?.end() }
        handler.characters = { builder, bytes, count in HTMLTreeBuilder.of(builder)?.add(UnsafeBufferPointer(start: bytes, count: Int(count))) }
        handler.ignorableWhitespace = handler.characters
        handler.cdataBlock = handler.characters
        context.pointee.sax.pointee = handler
        context.pointee.userData = Unmanaged.passUnretained(self).toOpaque()
        (self.context, stop, open) = (context, nil, [0])
        htmlParseDocument(context)
        for node in open { tree.nodes[node].end = tree.nodes.count }
        return stop
    }

    private static func of(_ pointer: UnsafeMutableRawPointer?) -> HTMLTreeBuilder? {
        pointer.map { Unmanaged<HTMLTreeBuilder>.fromOpaque($0).takeUnretainedValue() }
    }

    private func start(_ name: UnsafePointer<xmlChar>?, _ values: UnsafeMutablePointer<UnsafePointer<xmlChar>?>?) {
        guard let context, let name, stop == nil else { return }
        let first = tree.attributes.count
        var next = values
        while let pair = next, let attributeName = pair[0] {
            if let attribute = Self.attributeNames[String(cString: attributeName)] {
                tree.attributes.append((attribute, pair[1].map { String(cString: $0) } ?? ""))
            }
            next = pair + 2
        }
        append(HTMLElement(named: String(cString: name)), isText: false, content: first..<tree.attributes.count)
        open.append(tree.nodes.count - 1)
        guard context.pointee.nameNr > Self.maximumDepth else { return }
        stop = max(xmlByteConsumed(context), 0)
        xmlStopParser(context)
    }

    private func end() {
        guard stop == nil, open.count > 1 else { return }
        tree.nodes[open.removeLast()].end = tree.nodes.count
    }

    private func add(_ bytes: UnsafeBufferPointer<xmlChar>) {
        guard stop == nil, let parent = open.last else { return }
        if tree.nodes[parent].element == .script || tree.nodes[parent].element == .style { return }
        let start = tree.text.count
        tree.text.append(contentsOf: bytes)
        let last = tree.nodes.count - 1
        if tree.nodes[last].isText, tree.nodes[last].parent == parent {
            tree.nodes[last].content = tree.nodes[last].content.lowerBound..<tree.text.count
        } else {
            append(nil, isText: true, content: start..<tree.text.count)
        }
    }

    private func append(_ element: HTMLElement?, isText: Bool, content: Range<Int>) {
        let end = tree.nodes.count + 1
        tree.nodes.append(HTMLTree.Node(element: element, isText: isText, parent: open[open.count - 1], end: end, content: content))
    }
}

extension HTMLTree {
    fileprivate init(nodes: [Node]) { self.nodes = nodes }
}
