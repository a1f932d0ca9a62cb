import Foundation

/// Rows of horizontal bars with a name and a number; several values of a row stand one below the other on one scale.
struct Bars {
    struct Row {
        /// HTML.
        var name: String
        var values: [Double]
        var label: String
    }

    let rows: [Row]
    /// The style of each value.
    let classes: [String]

    var html: String {
        let greatest = rows.flatMap(\.values).max() ?? 0
        let lines = rows.map { row in
            let bars = zip(row.values, classes).map { value, style in
                "<i class=\"\(style)\" style=\"width:\(shortNumber(greatest > 0 ? value / greatest * 100 : 0))%\"></i>"
            }
            return "<div class=\"what\">\(row.name)</div><div class=\"bars\">\(bars.joined())</div><div class=\"count\">\(row.label)</div>"
        }
        return "<div class=\"bargrid\">\n\(lines.joined(separator: "\n"))\n</div>"
    }
}

/// The distribution of one statistic with its limits, as SVG.
struct Histogram {
    private static let (width, height, bins) = (300.0, 96.0, 48)
    private static let bottom = 76.0

    private let distribution: RunSummary.Distribution
    private let isLogarithmic: Bool
    private let low: Double
    private let high: Double

    /// Of values in order. The ends leave out the outermost half per cent; lengths and the like, which spread over decades, stand on a logarithmic scale.
    init(_ distribution: RunSummary.Distribution) {
        self.distribution = distribution
        let values = distribution.values
        func quantile(_ share: Double) -> Double { values[Int(share * Double(values.count - 1))] }
        var (low, high) = (quantile(0.002), quantile(0.995))
        isLogarithmic = values[0] >= 0 && high > 20 && high > 12 * Swift.max(1, quantile(0.5))
        if isLogarithmic { low = Swift.max(1, low) }
        // The limits are in the picture, and something of what lies outside them.
        if let min = distribution.threshold?.min, values[0] < min || min < low {
            let beyond = isLogarithmic ? Swift.max(1, min / 2) : min - 0.12 * Swift.max(0, high - min)
            low = Swift.min(low, Swift.max(Swift.min(values[0], min), beyond))
            if isLogarithmic { low = Swift.max(1, low) }
        }
        if let max = distribution.threshold?.max, values[values.count - 1] > max || max > high {
            let beyond = isLogarithmic ? max * 2 : max + 0.12 * Swift.max(0, max - low)
            high = Swift.max(high, Swift.min(Swift.max(values[values.count - 1], max), beyond))
        }
        if high <= low { (low, high) = (low - 0.5, high + 0.5) }
        if !isLogarithmic {
            // A little room, and zero where it is near: shares begin there.
            if low > 0, low < 0.25 * high { low = 0 }
            high += (high - low) * 0.02
        }
        self.low = low
        self.high = high
    }

    private func x(_ value: Double) -> Double {
        let place = isLogarithmic ? log(Swift.max(value, low) / low) / log(high / low) : (value - low) / (high - low)
        return Swift.min(1, Swift.max(0, place)) * Self.width
    }

    private func value(at x: Double) -> Double {
        let place = x / Self.width
        return isLogarithmic ? low * pow(high / low, place) : low + (high - low) * place
    }

    var svg: String {
        let step = Self.width / Double(Self.bins)
        // Bins that a limit runs through are cut in two, so that colour tells inside from outside exactly.
        let limits = [distribution.threshold?.min, distribution.threshold?.max].compactMap(\.self)
        var edges = (0...Self.bins).map { Double($0) * step }
        for limit in limits.map(x) where limit > 0.5 && limit < Self.width - 0.5 { edges.append(limit) }
        edges.sort()
        // What lies beyond the ends is not drawn.
        var places = distribution.values.drop { $0 < low }.prefix { $0 <= high }
        var bars: [(start: Double, end: Double, density: Double, isOutside: Bool)] = []
        for (index, (start, end)) in zip(edges, edges.dropFirst()).enumerated() where end - start > 0.01 {
            let border = value(at: end)
            let isLast = index == edges.count - 2
            let inside = isLast ? places : places.prefix { $0 < border }
            places = places.dropFirst(inside.count)
            let isOutside = distribution.threshold?.violation(value(at: (start + end) / 2)) != nil
            bars.append((start, end, Double(inside.count) / (end - start), isOutside))
        }
        // The root keeps a spike from flattening everything else.
        let greatest = bars.map(\.density).max() ?? 0
        func path(_ isOutside: Bool) -> String {
            bars.filter { $0.isOutside == isOutside && $0.density > 0 }.map { bar in
                let height = Swift.max(1, (bar.density / greatest).squareRoot() * (Self.bottom - 14))
                let width = Swift.max(0.4, bar.end - bar.start - 0.8)
                return "M\(point(bar.start)) \(point(Self.bottom))v\(point(-height))h\(point(width))v\(point(height))z"
            }.joined()
        }
        var parts = ["<path class=\"inside\" d=\"\(path(false))\"/>", "<path class=\"outside\" d=\"\(path(true))\"/>"]
        parts.append("<line class=\"axis\" x1=\"0\" y1=\"\(point(Self.bottom))\" x2=\"\(point(Self.width))\" y2=\"\(point(Self.bottom))\"/>")
        for limit in limits {
            let place = x(limit)
            let anchor = place > Self.width / 2 ? "end" : "start"
            parts.append("<line class=\"limit\" x1=\"\(point(place))\" y1=\"0\" x2=\"\(point(place))\" y2=\"\(point(Self.bottom))\"/>")
            parts.append(
                "<text class=\"limit\" x=\"\(point(place + (anchor == "end" ? -4 : 4)))\" y=\"9\" text-anchor=\"\(anchor)\">\(tick(limit))</text>")
        }
        for place in [0.0, 0.5, 1.0] {
            let anchor = place == 0 ? "start" : place == 1 ? "end" : "middle"
            let x = place * Self.width
            parts.append("<text x=\"\(point(x))\" y=\"\(point(Self.height - 5))\" text-anchor=\"\(anchor)\">\(tick(value(at: x)))</text>")
        }
        let name = escaped(distribution.name)
        return "<svg viewBox=\"0 0 \(point(Self.width)) \(point(Self.height))\" role=\"img\" aria-label=\"\(name)\">\(parts.joined())</svg>"
    }

    private func point(_ value: Double) -> String { shortNumber((value * 10).rounded() / 10) }

    /// Two or three figures.
    private func tick(_ value: Double) -> String {
        let magnitude = abs(value)
        if magnitude >= 10000 { return compact(Int(value.rounded())) }
        let scale = magnitude >= 100 ? 1.0 : magnitude >= 10 ? 10.0 : magnitude >= 1 ? 100.0 : 1000.0
        return shortNumber((value * scale).rounded() / scale)
    }
}

/// Files gathered under a dozen names: the files themselves, or the folders that hold them.
struct SourceGroups {
    private static let most = 12
    private let depth: Int
    private let common: Int

    init(_ sources: [String]) {
        let paths = sources.map(Self.components)
        var common = 0
        if let first = paths.first {
            while common < first.count - 1, paths.allSatisfy({ $0.count > common + 1 && $0[common] == first[common] }) { common += 1 }
        }
        let deepest = paths.map(\.count).max() ?? 0
        var depth = max(common + 1, deepest)
        while depth > common + 1, Set(paths.map { $0[..<min(depth, $0.count)] }).count > Self.most { depth -= 1 }
        (self.common, self.depth) = (common, depth)
    }

    func name(of source: String) -> String {
        let path = Self.components(source)
        let name = path[min(common, path.count)..<max(min(common, path.count), min(depth, path.count))].joined(separator: "/")
        return name.isEmpty ? "—" : name + (path.count > depth ? "/" : "")
    }

    private static func components(_ source: String) -> [String] { source.split(separator: "/").map(String.init) }
}
