import YuyanText

/// Open Assistant's messages form trees: a prompt, several answers to it, several prompts after each (Köpf et al., "OpenAssistant Conversations", 2023).
extension Adapter {
    static let messageTrees = Adapter(
        "oasst1", "OASST1 trees: message_tree_id, prompt{text, role, replies …} → a conversation for each branch, best-ranked first",
        [["message_tree_id", "prompt"]]
    ) { fields in
        guard let prompt = try fields.object("prompt") else { throw fields.error("the field \"prompt\" should be an object, not null") }
        var tree = MessageTree()
        var open: [(message: Fields, parent: Int?)] = [(prompt, nil)]
        while let (message, parent) = open.popLast() {
            let index = try tree.append(message, parent: parent)
            guard message.has("replies") else { continue }
            open += try message.objects("replies").reversed().map { ($0, index) }
        }
        let metadata = try treeMetadata(root: prompt, tree: fields)
        let branches = try tree.branches(from: 0, at: fields)
        return branches.enumerated().map { ordinal, branch in
            fields.conversation(branch.messages, metadata: metadata, suffix: branches.count > 1 ? "#\(ordinal + 1)" : "")
        }
    }

    /// The messages of a tree stand together.
    static let messageTable = Adapter(
        "oasst1-messages", "OASST1 messages, a line each, those of a tree together: message_id, parent_id, message_tree_id, role, text, rank …",
        [Signature(["message_id", "message_tree_id", "role", "text"])],
        .runs(key: "message_tree_id") { run in
            var indices: [String: Int] = [:]
            for (index, message) in run.enumerated() {
                guard indices.updateValue(index, forKey: try message.requiredText("message_id")) == nil else {
                    throw message.error("the message \"\(try message.requiredText("message_id"))\" is there twice")
                }
            }
            var tree = MessageTree()
            var root: Int?
            for (index, message) in run.enumerated() {
                let parent = try message.text("parent_id").flatMap { isBlank($0) ? nil : $0 }
                if let parent, indices[parent] == nil {
                    throw message.error("the message answers \"\(parent)\", which is not among its neighbours; sort the file by message_tree_id")
                }
                if parent == nil {
                    guard root == nil else { throw message.error("the message tree has a second message without a parent_id") }
                    root = index
                }
                try tree.append(message, parent: parent.flatMap { indices[$0] })
            }
            guard let root else { throw run[0].error("the message tree has no message without a parent_id") }
            let metadata = try treeMetadata(root: run[root], tree: run[root])
            return try tree.branches(from: root, at: run[root]).map { run[$0.leaf].conversation($0.messages, metadata: metadata) }
        })

    private static func treeMetadata(root: Fields, tree: Fields) throws -> [String: String] {
        var metadata: [String: String] = [:]
        metadata["lang"] = try root.text("lang")
        metadata["message_tree_id"] = try tree.text("message_tree_id")
        metadata["tree_state"] = try tree.text("tree_state")
        return metadata
    }
}

/// Messages that answer each other.
private struct MessageTree {
    private struct Node {
        let message: Message
        let rank: Double
        /// Whether it was deleted or its reviewers rejected it.
        let isLeftOut: Bool
        let parent: Int?
        var replies: [Int] = []
    }

    private var nodes: [Node] = []

    /// Adds a message; its parent may come later.
    @discardableResult mutating func append(_ fields: Fields, parent: Int?) throws -> Int {
        let message = Message(role: try fields.role("role"), content: try fields.requiredText("text"))
        let isLeftOut = try fields.isTrue("deleted") || fields.isFalse("review_result")
        nodes.append(Node(message: message, rank: try fields.number("rank") ?? .infinity, isLeftOut: isLeftOut, parent: parent))
        return nodes.count - 1
    }

    /// The conversations from `root` to each assistant's message after which no assistant speaks, in the order of the ranks (0 is best; without a rank,
    /// last and in file order). Of a tree in which no assistant speaks the first message alone, which readers count as empty.
    func branches(from root: Int, at place: Fields) throws -> [(leaf: Int, messages: [Message])] {
        var replies = [[Int]](repeating: [], count: nodes.count)
        for (index, node) in nodes.enumerated() where !node.isLeftOut {
            if let parent = node.parent { replies[parent].append(index) }
        }
        var order = nodes[root].isLeftOut ? [] : [root]
        var next = 0
        while next < order.count {
            order += replies[order[next]]
            next += 1
        }
        // From the leaves up: only what leads to an assistant's message is of use.
        var speaks = [Bool](repeating: false, count: nodes.count)
        for index in order.reversed() {
            replies[index] = bestFirst(replies[index].filter { speaks[$0] }, by: { -nodes[$0].rank })
            speaks[index] = nodes[index].message.role == "assistant" || !replies[index].isEmpty
        }
        guard speaks[root] else { return [(root, nodes[root].isLeftOut ? [] : [nodes[root].message])] }

        var branches: [(leaf: Int, messages: [Message])] = []
        var path = [root]
        var position = [0]
        var length = 0
        while let index = path.last, let reply = position.last {
            if reply < replies[index].count {
                position[position.count - 1] += 1
                path.append(replies[index][reply])
                position.append(0)
                continue
            }
            if replies[index].isEmpty {
                length += path.count
                guard length <= 1_000_000 else { throw place.error("the message tree has branches of more than a million messages in all") }
                branches.append((index, path.map { nodes[$0].message }))
            }
            path.removeLast()
            position.removeLast()
        }
        return branches
    }
}
