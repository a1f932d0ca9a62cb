import Foundation
import Testing

@testable import YuyanData

func cpu() -> Double {
    var u = rusage()
    getrusage(1, &u)
    return Double(u.ru_utime.tv_sec) + Double(u.ru_utime.tv_usec) * 1e-6
}
func best(_ name: String, _ bytes: Int, _ body: () -> Void) {
    var b = 1e9
    for _ in 0..<5 {
        let s = cpu()
        body()
        b = min(b, cpu() - s)
    }
    print("SCRATCH \(name): \(Double(bytes) / b / 1e6) MB/s (\(b*1000) ms)")
}
@Suite struct Scratch {
    @Test func speed() throws {
        let weekly = try FileManager.default.contentsOfDirectory(at: testData!.appendingPathComponent("text/weekly"), includingPropertiesForKeys: nil)
            .sorted { $0.path < $1.path }.map { try! String(contentsOf: $0, encoding: .utf8) }
        let bytes = weekly.reduce(0) { $0 + $1.utf8.count }
        best("htmlText markdown", bytes) { for t in weekly { _ = htmlText(t) } }
        let joined = weekly.joined()
        best("htmlText joined", bytes) { _ = htmlText(joined) }
        var diffs = 0
        for t in weekly {
            let h = htmlText(t)
            if h != t {
                diffs += 1
                if diffs < 12 {
                    let a = t.split(separator: "\n")
                    let b = Set(h.split(separator: "\n"))
                    for l in a where !b.contains(l) { print("SCRATCH -", l.prefix(200)) }
                }
            }
        }
        print("SCRATCH diffs", diffs, weekly.count)
        let html =
            "<!doctype html><html><head><title>周刊</title></head><body><nav><a href='/'>首页</a></nav><article>"
            + weekly.map {
                "<div class=\"post-\(1)\"><h2>一</h2>"
                    + $0.split(separator: "\n").map {
                        "<p class=\"para\">\($0.replacingOccurrences(of: "<", with: "&lt;").replacingOccurrences(of: "&", with: "&amp;"))</p>\n"
                    }.joined() + "</div>"
            }.joined() + "</article></body></html>"
        let ub = Array(html.utf8)
        best("htmlText page", ub.count) { _ = htmlText(html) }
        best("HTMLTree", ub.count) { _ = HTMLTree(ub) }
        best("HTMLPage", ub.count) { _ = HTMLPage(ub) }
        for piece in [
            "<a =\"", "<a ", "<!--", "<!-- ", "<script>", "<a href='", "&#", "&amp", "</i>", "<b></i>", "<", "<p", "<?xml ", "<![", "\"", "<title>",
            "<svg>", "<b>", "<dl><dt>", "<table><tr><td>", "<article>",
        ] {
            let t = String(repeating: piece, count: 8_000_000 / piece.utf8.count)
            var s = cpu()
            _ = htmlText(t)
            let a = cpu() - s
            s = cpu()
            _ = HTMLPage(t)
            let b = cpu() - s
            s = cpu()
            _ = HTMLPage(String(repeating: "<b>", count: 50_000) + t)
            let c = cpu() - s
            print("SCRATCH hostile \(piece): text \(a) s, page \(b) s, deep \(c) s")
        }
    }
}
