/// The elements of HTML, with the obsolete ones that old pages use.
enum HTMLElement: String, CaseIterable, Sendable {
    case a, abbr, acronym, address, applet, area, article, aside, audio, b, base, basefont, bdi, bdo, big, blink, blockquote, body, br, button
    case canvas, caption, center, cite, code, col, colgroup, data, datalist, dd, del, details, dfn, dialog, dir, div, dl, dt, em, embed
    case fieldset, figcaption, figure, font, footer, form, frame, frameset, h1, h2, h3, h4, h5, h6, head, header, hgroup, hr, html
    case i, iframe, img, input, ins, kbd, label, legend, li, link, main, map, mark, marquee, math, menu, meta, meter, nav, nobr, noframes, noscript
    case object, ol, optgroup, option, output, p, param, picture, pre, progress, q, rp, rt, ruby, s, samp, script, section, select, small
    case source, span, strike, strong, style, sub, summary, sup, svg, table, tbody, td, template, textarea, tfoot, th, thead, time, title, tr
    case track, tt, u, ul
    case variable = "var"
    case video, wbr

    /// What an element means for the text in it.
    enum Kind: Sendable {
        /// Part of its line.
        case inline
        /// Begins and ends a line.
        case block
        /// A cell of a table's row, which is one line.
        case cell
        /// Its text is not for reading. The pronunciation beside a character (`rt`) would tear the sentence apart.
        case invisible
    }

    var isHeading: Bool {
        switch self {
        case .h1, .h2, .h3, .h4, .h5, .h6: true
        default: false
        }
    }

    /// The element of this name, in lower case.
    init?(named name: String) {
        guard let element = Self.byName[name] else { return nil }
        self = element
    }

    private static let byName = Dictionary(uniqueKeysWithValues: allCases.map { ($0.rawValue, $0) })

    var kind: Kind {
        switch self {
        case .applet, .audio, .canvas, .datalist, .iframe, .map, .noframes, .noscript, .object, .rp, .rt, .script, .select, .style, .svg,
            .template, .video:
            .invisible
        case .td, .th: .cell
        case .address, .article, .aside, .blockquote, .body, .br, .caption, .center, .dd, .details, .dialog, .dir, .div, .dl, .dt, .fieldset,
            .figcaption, .figure, .footer, .form, .frameset, .h1, .h2, .h3, .h4, .h5, .h6, .head, .header, .hgroup, .hr, .html, .legend, .li,
            .main, .menu, .nav, .ol, .option, .p, .pre, .section, .summary, .table, .tbody, .tfoot, .thead, .title, .tr, .ul:
            .block
        default: .inline
        }
    }
}
