import ArgumentParser
import Foundation
import YuyanRecipes
import YuyanText

struct TokenizerGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer", abstract: "Train a tokenizer, encode and decode text.",
        subcommands: [TokenizerTrain.self, TokenizerEncode.self, TokenizerDecode.self])
}

struct TokenizerTrain: StageCommand {
    typealias Configuration = TokenizerTask
    static let path = "yuyan tokenizer train"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct TokenizerEncode: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "encode", abstract: "Text to token ids: one line of space-separated ids for each line.")

    @Option(help: ArgumentHelp("A Hugging Face folder with a tokenizer.", valueName: "folder"))
    var tokenizer: String

    @Argument(help: "A text file; standard input without one.")
    var file: String?

    @Flag(help: "Add the special tokens that the tokenizer puts around a text.")
    var specialTokens = false

    @Flag(help: "Print one JSON object for each line.")
    var json = false

    func run() throws {
        let tokenizer = try TokenizerFolder.load(tokenizer)
        let input = try TextInput.open(file)
        guard json else { return try tokenizer.encodeLines(from: input, to: .standardOutput, addingSpecialTokens: specialTokens) }
        try TextInput.forEachLine(of: input) { line, _ in
            StandardOutput.line(TaskResult.json(Encoded(ids: tokenizer.encode(line, addingSpecialTokens: specialTokens))))
        }
    }

    private struct Encoded: Encodable {
        var ids: [Int32]
    }
}

struct TokenizerDecode: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode", abstract: "Token ids to text: the way back of encode. Special tokens are written out.")

    @Option(help: ArgumentHelp("A Hugging Face folder with a tokenizer.", valueName: "folder"))
    var tokenizer: String

    @Argument(help: "A file with a line of space-separated ids for each text; standard input without one.")
    var file: String?

    @Flag(help: "Print one JSON object for each line.")
    var json = false

    func run() throws {
        let tokenizer = try TokenizerFolder.load(tokenizer)
        let input = try TextInput.open(file)
        let name = file ?? "standard input"
        try TextInput.forEachLine(of: input) { line, number in
            let ids = try line.split(whereSeparator: \.isWhitespace).map { word in
                guard let id = Int32(word), id >= 0, id < tokenizer.vocabularySize else {
                    throw RequestError(
                        "\(name):\(number): \"\(word)\" is not a token id: a whole number from 0 to \(tokenizer.vocabularySize - 1) is expected")
                }
                return id
            }
            let text = tokenizer.decode(ids, skippingSpecialTokens: false)
            StandardOutput.line(json ? TaskResult.json(Decoded(text: text)) : text)
        }
    }

    private struct Decoded: Encodable {
        var text: String
    }
}

/// A tokenizer that the user named.
enum TokenizerFolder {
    static func load(_ path: String) throws -> Tokenizer {
        guard FileManager.default.fileExists(atPath: path) else { throw RequestError("--tokenizer: there is no folder \"\(path)\"") }
        do {
            return try Tokenizer(contentsOf: URL(fileURLWithPath: path, isDirectory: true))
        } catch let error as TokenizerError {
            throw RequestError(error.description)
        }
    }
}

/// Lines from a file or standard input.
enum TextInput {
    static func open(_ path: String?) throws -> FileHandle {
        guard let path, path != "-" else { return .standardInput }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { throw RequestError("there is no file \"\(path)\"") }
        guard !isFolder.boolValue else { throw RequestError("\(path): this is a folder, a text file is expected") }
        return try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    }

    /// Calls `body` with each line and its number from 1; what is not UTF-8 is replaced by U+FFFD.
    static func forEachLine(of input: FileHandle, _ body: (String, Int) throws -> Void) throws {
        var rest = Data()
        var number = 0
        while true {
            let chunk = input.availableData
            rest.append(chunk)
            var start = rest.startIndex
            while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
                number += 1
                try body(String(decoding: rest[start..<end], as: UTF8.self), number)
                start = end + 1
            }
            rest = Data(rest[start...])
            guard !chunk.isEmpty else { break }
        }
        if !rest.isEmpty { try body(String(decoding: rest, as: UTF8.self), number + 1) }
    }
}
