/// What the class, the id or the role of an element says of it. Words are taken apart at hyphens, underscores and capitals: `lemma-summary`,
/// `lemmaSummary_x1` and `J-summary lemmaSummary` all say `lemmasummary`.
struct NodeRoles: OptionSet {
    let rawValue: UInt8

    /// Around the content: navigation, comments, advertising, buttons for editors.
    static let boilerplate = NodeRoles(rawValue: 1)
    /// An encyclopedia's table of facts.
    static let infobox = NodeRoles(rawValue: 2)
    /// An encyclopedia's opening paragraphs.
    static let lead = NodeRoles(rawValue: 4)
    /// The content itself.
    static let content = NodeRoles(rawValue: 8)
    /// The content of a wiki, which begins with its lead.
    static let wiki = NodeRoles(rawValue: 16)

    private static let vocabulary: [String: NodeRoles] = {
        let words: [(NodeRoles, String)] = [
            (
                .boilerplate,
                """
                nav navbar navigation menu sidebar breadcrumb breadcrumbs footer copyright comment comments related recommend recommended recommendation
                share sharing social ad ads advert advertisement banner toolbar pager pagination toc catalog catalogue catlog tagcloud search login register
                popup modal toast qrcode mweditsection navbox noprint catlinks mwjumplink printfooter editlemma editbtn editbutton contentinfo
                complementary
                """
            ),
            (.infobox, "infobox basicinfo"),
            (.lead, "lemmasummary leadparagraph"),
            (
                .content,
                """
                =main =article articlebody articlecontent articletext postcontent postbody entrycontent maincontent pagecontent newscontent textcontent
                richmediacontent lemmacontent
                """
            ),
            ([.content, .wiki], "mwparseroutput"),
        ]
        // A word with = must be the whole name: `main-wrapper` is no content yet.
        var vocabulary: [String: NodeRoles] = [:]
        for (role, list) in words { for word in list.split(whereSeparator: \.isWhitespace) { vocabulary[String(word), default: []].insert(role) } }
        return vocabulary
    }()

    /// The roles that the value of a `class`, `id`, `role` or `itemprop` speaks of.
    static func roles(in value: String) -> NodeRoles {
        var roles: NodeRoles = []
        for token in value.split(separator: " ") {
            let words = words(of: token.utf8)
            if words.count == 1 { roles.formUnion(vocabulary["=" + words[0]] ?? []) }
            for (index, word) in words.enumerated() {
                var joined = word
                roles.formUnion(vocabulary[joined] ?? [])
                for next in words[(index + 1)...].prefix(2) {
                    joined += next
                    roles.formUnion(vocabulary[joined] ?? [])
                }
            }
        }
        return roles
    }

    private static func words(of token: Substring.UTF8View) -> [String] {
        var words: [String] = []
        var word = ""
        var wasLowercase = false
        for byte in token {
            let isCapital = (0x41...0x5A).contains(byte)
            if !isASCIILetter(byte) || isCapital && wasLowercase, !word.isEmpty {
                words.append(word)
                word = ""
            }
            if isASCIILetter(byte) { word.unicodeScalars.append(Unicode.Scalar(byte | 0x20)) }
            wasLowercase = (0x61...0x7A).contains(byte)
        }
        if !word.isEmpty { words.append(word) }
        return words
    }
}
