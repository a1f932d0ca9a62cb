import Foundation

/// `loss.svg`: the training loss, its smoothed course and the held-out loss over the steps, as one self-contained picture that
/// reads well on light and dark pages.
public struct LossPlot: Sendable, Hashable {
    public struct Point: Sendable, Hashable {
        public var step: Int
        public var value: Double

        public init(step: Int, value: Double) {
            self.step = step
            self.value = value
        }
    }

    public var title: String
    /// A line under the title: model, data, tokens.
    public var subtitle: String
    /// In the order of their steps. A value that is not finite leaves a gap.
    public var training: [Point]
    public var validation: [Point]

    public init(title: String = "训练损失 Training loss", subtitle: String = "", training: [Point], validation: [Point] = []) {
        self.title = title
        self.subtitle = subtitle
        self.training = training
        self.validation = validation
    }

    /// The curves of a run's `metrics.jsonl`.
    public init(title: String = "训练损失 Training loss", subtitle: String = "", records: [MetricsRecord]) {
        func points(_ metric: Metric) -> [Point] {
            records.compactMap { record in record[metric].map { Point(step: record.step, value: $0) } }
        }
        self.init(title: title, subtitle: subtitle, training: points(.loss), validation: points(.validationLoss))
    }

    /// The course of a noisy curve: the mean of the middle half of a window around each point, so that a spike does not bend it.
    /// The window reaches a fiftieth of the points to both sides, less near the start, where the loss falls fast. Long curves
    /// are answered at 800 of their points.
    public static func smoothed(_ points: [Point]) -> [Point] {
        let points = points.filter(\.value.isFinite)
        let count = min(points.count, 800)
        return (0..<count).map { index in
            let centre = count == points.count ? index : index * (points.count - 1) / (count - 1)
            let reach = min(points.count / 50, centre / 4)
            let window = points[(centre - reach)...min(points.count - 1, centre + reach)].map(\.value).sorted()
            let middle = window[(window.count / 4)..<(window.count - window.count / 4)]
            return Point(step: points[centre].step, value: middle.reduce(0, +) / Double(middle.count))
        }
    }

    public func svg() -> String {
        let smooth = Self.smoothed(training)
        let held = validation.filter(\.value.isFinite)
        let frame = Frame(
            steps: (training + validation).map(\.step),
            // The raw curve may leave the picture at a few spikes; the two that matter may not.
            values: Self.withoutSpikes(training) + smooth.map(\.value) + held.map(\.value))

        var body = frame.grid()
        if smooth.isEmpty && held.isEmpty {
            body.append(Self.text("还没有数据 no data yet", x: frame.left + frame.width / 2, y: frame.top + frame.height / 2, "tick", anchor: "middle"))
        }
        body.append("<g clip-path=\"url(#plot)\">")
        body.append(Self.path(frame, training, "raw"))
        body.append(Self.path(frame, smooth, "smooth"))
        body.append(Self.path(frame, held, "held"))
        body.append("</g>")
        for point in held where held.count <= 40 {
            let (x, y) = (Self.number(frame.x(point.step)), Self.number(frame.y(point.value)))
            body.append("<circle class=\"dot\" cx=\"\(x)\" cy=\"\(y)\" r=\"3.2\"/>")
        }
        body += legend(frame, smooth: smooth, held: held)
        return Self.page(title: title, subtitle: subtitle, frame, body)
    }

    /// A picture around what is drawn in a frame. `style` and `darkStyle` are rules for classes of the picture's own.
    static func page(title: String, subtitle: String, _ frame: Frame, style: String = "", darkStyle: String = "", _ body: [String]) -> String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 540" width="960" height="540" role="img" aria-label="\(escaped(title))">
        <style>
        text { font-family: system-ui, -apple-system, "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; fill: #5b6472; font-size: 13px; }
        .title { fill: #1b2330; font-size: 21px; font-weight: 600; }
        .page { fill: #ffffff; stroke: #e3e7ee; }
        .grid { stroke: #e9edf3; }
        .axis { stroke: #aab3c0; }
        .tick { font-variant-numeric: tabular-nums; }
        path { fill: none; stroke-linejoin: round; stroke-linecap: round; }
        .raw { stroke: #7fb0ea; stroke-width: 1; stroke-opacity: .7; }
        .smooth { stroke: #1764c4; stroke-width: 2.4; }
        .held { stroke: #d9622b; stroke-width: 2; }
        .dot { fill: #d9622b; stroke: #ffffff; stroke-width: 1.2; }
        \(style)
        @media (prefers-color-scheme: dark) {
        text { fill: #9aa5b5; }
        .title { fill: #e8edf4; }
        .page { fill: #11161e; stroke: #252d39; }
        .grid { stroke: #212936; }
        .axis { stroke: #4b5666; }
        .raw { stroke: #4f83bf; }
        .smooth { stroke: #6cb2ff; }
        .held { stroke: #ff9a63; }
        .dot { fill: #ff9a63; stroke: #11161e; }
        \(darkStyle)
        }
        </style>
        <clipPath id="plot"><rect x="\(number(frame.left))" y="\(number(frame.top))" width="\(number(frame.width))" \
        height="\(number(frame.height))"/></clipPath>
        <rect class="page" x=".5" y=".5" width="959" height="539" rx="12"/>
        \(text(title, x: frame.left, y: 42, "title"))
        \(text(subtitle, x: frame.left, y: 66, "subtitle"))
        \(body.filter { !$0.isEmpty }.joined(separator: "\n"))
        </svg>

        """
    }

    private func legend(_ frame: Frame, smooth: [Point], held: [Point]) -> [String] {
        func digits(_ point: Point?) -> String { point.map { " " + String(format: "%.3f", $0.value) } ?? "" }
        var rows: [(style: String, label: String)] = []
        if !smooth.isEmpty {
            rows.append(("raw", "每步 each step"))
            rows.append(("smooth", "平滑 smoothed" + digits(smooth.last)))
        }
        if let best = held.min(by: { $0.value < $1.value }), let last = held.last {
            let addition = best.step == last.step ? "" : ", 最低 best\(digits(best)) (\(Self.grouped(best.step)))"
            rows.append(("held", "验证 held-out" + digits(last) + addition))
        }
        // In the upper right corner, which a falling curve leaves free.
        return rows.enumerated().flatMap { index, row in
            let y = frame.top + 20 + 22 * Double(index)
            let right = frame.left + frame.width - 8
            return [
                Self.text(row.label, x: right - 34, y: y + 4.5, "tick", anchor: "end"),
                "<path class=\"\(row.style)\" d=\"M\(Self.number(right - 26)) \(Self.number(y))h26\"/>",
            ]
        }
    }

    static func text(_ string: String, x: Double, y: Double, _ style: String, anchor: String = "start") -> String {
        guard !string.isEmpty else { return "" }
        return "<text class=\"\(style)\" x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\">\(escaped(string))</text>"
    }

    /// One path for a curve. Where several points fall on one column of pixels, only its first, lowest, highest and last are drawn.
    static func path(_ frame: Frame, _ points: [Point], _ style: String) -> String {
        var data = ""
        var pen = "M"
        var column: [Point] = []
        func draw(_ point: Point) {
            // h0 makes a dot of a point that stays alone.
            data += "\(pen)\(number(frame.x(point.step))) \(number(frame.y(point.value)))\(pen == "M" ? "h0" : "")"
            pen = "L"
        }
        func flush() {
            if column.count <= 4 {
                column.forEach(draw)
            } else if let first = column.first, let last = column.last,
                let low = column.min(by: { $0.value < $1.value }), let high = column.max(by: { $0.value < $1.value })
            {
                draw(first)
                for point in low.step < high.step ? [low, high] : [high, low] { draw(point) }
                draw(last)
            }
            column.removeAll(keepingCapacity: true)
        }
        for point in points {
            if let last = column.last, Int(frame.x(last.step)) != Int(frame.x(point.step)) { flush() }
            if point.value.isFinite {
                column.append(point)
            } else {
                flush()
                pen = "M"
            }
        }
        flush()
        return data.isEmpty ? "" : "<path class=\"\(style)\" d=\"\(data)\"/>"
    }

    /// The finite values but the highest 1 %.
    private static func withoutSpikes(_ points: [Point]) -> [Double] {
        let values = points.map(\.value).filter(\.isFinite).sorted()
        return Array(values.prefix(values.count - values.count / 100))
    }

    static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: ">", with: "&gt;").replacingOccurrences(of: "\"", with: "&quot;")
    }

    /// A coordinate with one decimal.
    static func number(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10)"
    }

    /// 12,500
    static func grouped(_ value: Int) -> String {
        var digits = Array(String(abs(value)))
        for position in stride(from: digits.count - 3, to: 0, by: -3) { digits.insert(",", at: position) }
        return (value < 0 ? "-" : "") + String(digits)
    }
}

/// The axes of a plot: the way from data to the page, and the grid.
struct Frame {
    var stepName = "步 step"
    var valueName = "损失 loss (nats)"
    let left = 84.0, top = 88.0, width = 840.0, height = 388.0
    let firstStep: Double, lastStep: Double
    let low: Double, high: Double
    /// A curve that falls to a fraction of its start is a line along the floor unless the scale is logarithmic.
    let isLogarithmic: Bool

    init(steps: [Int], values: [Double]) {
        firstStep = 0
        lastStep = Double(max(1, steps.max() ?? 1))
        let bottom = values.min() ?? 0
        let top = values.max() ?? 1
        isLogarithmic = bottom > 0 && top > 10 * bottom
        if isLogarithmic {
            low = bottom / 1.15
            high = top * 1.15
        } else {
            let margin = max((top - bottom) * 0.06, abs(top) * 1e-3, 1e-6)
            low = bottom >= 0 ? max(0, bottom - margin) : bottom - margin
            high = top + margin
        }
    }

    func x(_ step: Int) -> Double {
        left + width * (Double(step) - firstStep) / (lastStep - firstStep)
    }

    func y(_ value: Double) -> Double {
        let part = isLogarithmic ? log(max(value, low / 10) / low) / log(high / low) : (value - low) / (high - low)
        // Far outside is outside: keeps numbers short.
        return top + height * (1 - min(max(part, -1), 2))
    }

    func grid() -> [String] {
        var parts: [String] = []
        for value in valueTicks {
            let y = LossPlot.number(y(value))
            parts.append("<line class=\"grid\" x1=\"\(LossPlot.number(left))\" x2=\"\(LossPlot.number(left + width))\" y1=\"\(y)\" y2=\"\(y)\"/>")
            parts.append(label(Self.short(value), x: left - 10, y: self.y(value) + 4.5, anchor: "end"))
        }
        for step in stepTicks {
            let x = LossPlot.number(x(step))
            parts.append(
                "<line class=\"axis\" x1=\"\(x)\" x2=\"\(x)\" y1=\"\(LossPlot.number(top + height))\" y2=\"\(LossPlot.number(top + height + 5))\"/>")
            parts.append(label(LossPlot.grouped(step), x: self.x(step), y: top + height + 22, anchor: "middle"))
        }
        let floor = LossPlot.number(top + height)
        parts.append("<line class=\"axis\" x1=\"\(LossPlot.number(left))\" x2=\"\(LossPlot.number(left + width))\" y1=\"\(floor)\" y2=\"\(floor)\"/>")
        parts.append(label(stepName, x: left + width / 2, y: top + height + 46, anchor: "middle"))
        let name = isLogarithmic ? "\(valueName) · 对数 log" : valueName
        let middle = LossPlot.number(top + height / 2)
        parts.append("<text class=\"tick\" transform=\"translate(26 \(middle)) rotate(-90)\" text-anchor=\"middle\">\(name)</text>")
        return parts
    }

    private func label(_ string: String, x: Double, y: Double, anchor: String) -> String {
        "<text class=\"tick\" x=\"\(LossPlot.number(x))\" y=\"\(LossPlot.number(y))\" text-anchor=\"\(anchor)\">\(string)</text>"
    }

    private var stepTicks: [Int] {
        let distance = max(1, Int(Self.roundDistance(lastStep / 4)))
        return Array(stride(from: 0, through: Int(lastStep), by: distance))
    }

    private var valueTicks: [Double] {
        guard isLogarithmic else {
            let distance = Self.roundDistance((high - low) / 4)
            return stride(from: (low / distance).rounded(.up), through: high / distance, by: 1).map { $0 * distance }
        }
        let decades = stride(from: log10(low).rounded(.down), through: log10(high), by: 1)
        return decades.flatMap { decade in [1, 2, 5].map { $0 * pow(10, decade) } }.filter { $0 >= low && $0 <= high }
    }

    /// The largest of 1, 2, 5 times a power of ten that is not above `distance`.
    private static func roundDistance(_ distance: Double) -> Double {
        let power = pow(10, log10(distance).rounded(.down))
        return ([5, 2].first { $0 * power <= distance * 1.001 } ?? 1) * power
    }

    private static func short(_ value: Double) -> String {
        String(format: "%.6g", value)
    }
}
