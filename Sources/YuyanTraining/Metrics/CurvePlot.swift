/// Several curves over one axis, as a self-contained picture in the manner of `loss.svg`.
public struct CurvePlot: Sendable, Hashable {
    public struct Curve: Sendable, Hashable {
        public var label: String
        /// From left to right. A value that is not finite leaves a gap.
        public var points: [LossPlot.Point]

        public init(_ label: String, _ points: [LossPlot.Point]) { (self.label, self.points) = (label, points) }
    }

    public var title: String
    public var subtitle: String
    /// What the two axes count.
    public var horizontal: String
    public var vertical: String
    /// At most four: so many colours are told apart.
    public var curves: [Curve]

    public init(title: String, subtitle: String = "", horizontal: String, vertical: String, curves: [Curve]) {
        precondition(curves.count <= 4, "\(curves.count) curves in one picture")
        (self.title, self.subtitle, self.horizontal, self.vertical, self.curves) = (title, subtitle, horizontal, vertical, curves)
    }

    private static let colours = ["#1764c4", "#d9622b", "#2c8a57", "#8a4fbf"]
    private static let darkColours = ["#6cb2ff", "#ff9a63", "#63c993", "#c495f0"]

    public func svg() -> String {
        var frame = Frame(steps: curves.flatMap { $0.points.map(\.step) }, values: curves.flatMap { $0.points.map(\.value).filter(\.isFinite) })
        (frame.stepName, frame.valueName) = (horizontal, vertical)
        var body = frame.grid()
        body.append("<g clip-path=\"url(#plot)\">")
        for (number, curve) in curves.enumerated() { body.append(LossPlot.path(frame, curve.points, "c\(number)")) }
        body.append("</g>")
        // Above the plot, where no curve can be in the way.
        for (number, curve) in curves.enumerated() {
            let x = frame.left + frame.width * Double(number) / Double(curves.count)
            body.append("<path class=\"c\(number)\" d=\"M\(LossPlot.number(x)) 80h22\"/>")
            body.append(LossPlot.text(curve.label, x: x + 28, y: 84.5, "tick"))
        }
        func rules(_ colours: [String]) -> String {
            curves.indices.map { ".c\($0) { stroke: \(colours[$0]); stroke-width: 2; }" }.joined(separator: " ")
        }
        return LossPlot.page(
            title: title, subtitle: subtitle, frame, style: rules(Self.colours), darkStyle: rules(Self.darkColours), body)
    }
}
