/// One fact of an encyclopedia's table of facts.
public struct InfoboxEntry: Sendable, Codable, Hashable {
    /// What is told: `中文名`.
    public var key: String
    /// What it is; several lines where the page has several.
    public var value: String

    /// A fact.
    public init(key: String, value: String) {
        self.key = key
        self.value = value
    }
}

extension ContentExtraction {
    /// The facts of the tables and definition lists that are called info boxes. Where none is, those of definition lists and of tables in which every
    /// row is a heading and a value.
    func infobox() -> [InfoboxEntry] {
        let named = outermost(tree.nodes.indices.filter { roles[$0].contains(.infobox) })
        if !named.isEmpty { return merged(named.flatMap { entries(of: $0) }) }
        let visible = visibleNodes()
        let lists = outermost(visible.filter { tree.nodes[$0].element == .dl }).filter { entries(of: $0).count > 1 }
        // Pages are laid out in tables too: only one that holds no other is a table of facts.
        let tables = visible.filter { tree.nodes[$0].element == .table }
        let innermost = zip(tables, tables.dropFirst() + [tree.nodes.count]).filter { $1 >= tree.nodes[$0].end }.map(\.0)
        return merged((lists + innermost.filter(isTableOfFacts)).sorted().flatMap { entries(of: $0) })
    }

    private func outermost(_ nodes: [Int]) -> [Int] {
        var end = 0
        return nodes.filter { node in
            guard node >= end else { return false }
            end = tree.nodes[node].end
            return true
        }
    }

    /// Pairs of `dt` and the `dd` after it, and rows of two cells, in the order of the page.
    private func entries(of root: Int) -> [InfoboxEntry] {
        var entries: [InfoboxEntry] = []
        var term = ""
        var index = root
        while index < tree.nodes[root].end {
            let node = tree.nodes[index]
            if isLeftOut[index], index != root {
                index = node.end
                continue
            }
            switch node.element {
            case .dt: term = text(of: index)
            case .dd: add(term, text(of: index), to: &entries)
            case .tr:
                term = ""
                let cells = cells(of: index)
                if cells.count == 2 {
                    add(text(of: cells[0]), text(of: cells[1]), to: &entries)
                    index = node.end
                    continue
                }
            default: break
            }
            index = node.element == .dt || node.element == .dd ? node.end : index + 1
        }
        return entries
    }

    private func cells(of row: Int) -> [Int] {
        var cells: [Int] = []
        var child = row + 1
        while child < tree.nodes[row].end {
            if tree.nodes[child].element?.kind == .cell { cells.append(child) }
            child = tree.nodes[child].end
        }
        return cells
    }

    private func isTableOfFacts(_ table: Int) -> Bool {
        let rows = tree.descendants(.tr, of: table).map { cells(of: $0).map { tree.nodes[$0].element } }
        return rows.count > 1 && rows.allSatisfy { $0 == [.th, .td] }
    }

    private func add(_ key: String, _ value: String, to entries: inout [InfoboxEntry]) {
        let key = Self.tidied(key)
        if !key.isEmpty, !value.isEmpty { entries.append(InfoboxEntry(key: key, value: value)) }
    }

    /// Without the colon at the end and without the spaces that widen a Chinese key (`别    名`).
    private static func tidied(_ key: String) -> String {
        var scalars = Array(key.unicodeScalars.map { $0.properties.isWhitespace ? " " : $0 })
        while let last = scalars.last, last == ":" || last == "：" || last == " " { scalars.removeLast() }
        let isHan = scalars.allSatisfy { $0 == " " || $0.value >= 0x2E80 }
        if isHan { scalars.removeAll { $0 == " " } }
        return String(String.UnicodeScalarView(scalars))
    }

    /// One entry for each key, where it stood first, with the values of all on lines of their own.
    private func merged(_ entries: [InfoboxEntry]) -> [InfoboxEntry] {
        var places: [String: Int] = [:]
        var merged: [InfoboxEntry] = []
        for entry in entries {
            if let place = places[entry.key] {
                merged[place].value += "\n" + entry.value
            } else {
                places[entry.key] = merged.count
                merged.append(entry)
            }
        }
        return merged
    }
}
