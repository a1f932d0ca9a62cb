import Foundation

@testable import YuyanText

let fixtures = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

/// The folder of real tokenizers and texts, nil where `YUYAN_TEST_DATA` does not name one.
let testData = ProcessInfo.processInfo.environment["YUYAN_TEST_DATA"].map { URL(filePath: $0, directoryHint: .isDirectory) }

/// What `make_fixtures.py` wrote.
struct Golden: Decodable {
    struct Entry: Decodable, CustomStringConvertible {
        var name: String
        var ids: [[Int32]]
        var framed: [Int32]
        var decoded: [String]
        var description: String { name }
    }

    var cases: [String]
    var small: [Entry]
    var real: [Entry]

    static let shared: Golden? = try? JSONDecoder().decode(Golden.self, from: Data(contentsOf: fixtures.appending(path: "golden.json")))

    /// The cases' bytes, some of them not valid UTF-8.
    var bytes: [[UInt8]] {
        cases.map { hex in
            stride(from: 0, to: hex.utf8.count, by: 2).compactMap { index in
                let start = hex.utf8.index(hex.utf8.startIndex, offsetBy: index)
                return UInt8(hex[start..<hex.utf8.index(start, offsetBy: 2)], radix: 16)
            }
        }
    }
}

extension Tokenizer {
    func encode(bytes: [UInt8]) -> [Int32] {
        var ids: [Int32] = []
        bytes.withUnsafeBufferPointer { encode(utf8: $0, into: &ids) }
        return ids
    }

    func stream(_ ids: [Int32]) -> String {
        var detokenizer = StreamingDetokenizer(self)
        return ids.map { detokenizer.append($0) }.joined() + detokenizer.finish()
    }
}

/// A folder that is removed after `body`.
func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(path: "yuyan-text-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}

/// Chinese prose of our own with some of everything else.
let sampleText = """
    雨燕是飞得很快的鸟，夏天住在城里的塔楼上。它们在空中吃，在空中喝，甚至在空中睡觉。
    语言模型读很多文字，学着猜下一个字：读得越多，猜得越准。The swift is fast, isn't it?
    一九二三年，2024 年，3.14，１２３；“引号”，《书名》——破折号……
    def add(a, b):
        return a + b  # 相加

    😀 e\u{301} 한국어 ガ

    """
