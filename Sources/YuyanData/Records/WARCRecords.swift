import Foundation

/// The records of a WARC file (ISO 28500, versions 1.0 and 1.1): the texts of a WET file (`conversion`), and pages as they were served (`response`): of
/// these the text is the HTML, marked by the metadata `content_type`. Answers other than success, and pictures and the like, are passed over.
struct WARCRecords: RecordSource {
    var adapter: String? { nil }
    private let file: SourceFile
    private let input: InputBuffer
    private let encoding: TextEncoding
    /// Counts all records, whatever their type.
    private var number = 0
    /// The block that was given last.
    private var used = 0

    init(file: SourceFile, input: InputBuffer, options: ReadingConfiguration) {
        self.file = file
        self.input = input
        encoding = options.encoding
    }

    /// The longest header that is taken.
    private static let maximumHeader = 1 << 20

    mutating func next() throws -> [Record]? {
        input.skip(used)
        used = 0
        guard let offset = try begin() else { return nil }
        number += 1
        let header = try header(offset)
        guard let length = header["content-length"].flatMap(Int.init), length >= 0 else {
            throw error(offset, "has no Content-Length")
        }
        let type = header["warc-type"]?.lowercased()
        guard type == "conversion" || type == "response", length <= input.limit else {
            try skip(length, offset)
            if type != "conversion", type != "response" { return [] }
            throw error(offset, "is longer than \(input.limit) bytes (maximum_record_bytes)")
        }
        try need(length, offset)
        used = length
        let block = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(input.bytes)[..<length])
        var document = Document(id: "\(file.name):\(number)", text: "", source: file.url.path)
        document.metadata["url"] = header["warc-target-uri"].map { $0.trimming("<>") }
        document.metadata["date"] = header["warc-date"]
        if type == "conversion" {
            document.text = try text(block)
        } else {
            guard let page = HTTPResponse(block)?.page else { return [] }
            document.text = page.text
            document.metadata["content_type"] = page.contentType
        }
        return [.document(document)]
    }

    private func error(_ offset: Int, _ what: String) -> DataError {
        DataError("\(file.url.path): the WARC record at byte \(offset) \(what)")
    }

    /// Finds the next record, and gives where it begins; nil at the end. What is no record before it is an error, and left behind.
    private func begin() throws -> Int? {
        let start = input.offset
        var isLost = false
        while true {
            while input.count < 5, try input.fill() {}
            let bytes = input.bytes
            guard let first = bytes.first else {
                if isLost { break }
                return nil
            }
            if first == 0x0D || first == 0x0A {
                input.skip(1)
            } else if bytes.starts(with: "WARC/".utf8) {
                if !isLost { return input.offset }
                break
            } else {
                isLost = true
                try input.skipLine()
            }
        }
        throw DataError("\(file.url.path): a WARC record should begin at byte \(start), with WARC/1.0 or WARC/1.1")
    }

    /// The named fields, their names in lower case. Leaves the block as what is next.
    private func header(_ offset: Int) throws -> [String: String] {
        var fields: [String: String] = [:]
        var start = 0
        var isVersion = true
        while true {
            let length = try line(from: start, offset)
            let line = String(decoding: input.bytes[start..<start + length], as: UTF8.self).trimming("\r\n\t ")
            start += length + 1
            if line.isEmpty { break }
            if isVersion, line != "WARC/1.0", line != "WARC/1.1" {
                input.skip(start)
                throw error(offset, "is of the version \(line), and only WARC/1.0 and WARC/1.1 are read")
            }
            if !isVersion, let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) {
                let name = line[..<colon].lowercased()
                if fields[name] == nil { fields[name] = String(line[line.utf8.index(after: colon)...]).trimming("\t ") }
            }
            isVersion = false
        }
        input.skip(start)
        return fields
    }

    /// The length of the header line at `start`, which has all of it in the buffer.
    private func line(from start: Int, _ offset: Int) throws -> Int {
        var searched = start
        while true {
            if let end = input.lineLength(from: searched) { return end - start }
            searched = input.count
            if searched > Self.maximumHeader {
                input.skip(searched)
                throw error(offset, "has a header without an end")
            }
            if try !input.fill() {
                input.skip(input.count)
                throw error(offset, "is cut off in its header")
            }
        }
    }

    private func need(_ length: Int, _ offset: Int) throws {
        while input.count < length {
            guard try !input.fill() else { continue }
            let there = input.count
            input.skip(there)
            throw error(offset, "is cut off: \(there) of its \(length) bytes are there")
        }
    }

    private func skip(_ length: Int, _ offset: Int) throws {
        var left = length
        while left > input.count {
            left -= input.count
            input.skip(input.count)
            guard try !input.fill() else { continue }
            throw error(offset, "is cut off: \(length - left) of its \(length) bytes are there")
        }
        input.skip(left)
    }

    private func text(_ block: UnsafeRawBufferPointer) throws -> String {
        if encoding != .automatic, let converter = TextConverter(encoding) { return converter.text(block) }
        return try input.text(block.bindMemory(to: UInt8.self), at: input.offset)
    }
}

extension String {
    /// Without these characters at both ends.
    fileprivate func trimming(_ characters: String) -> String {
        let ends = Array(characters.utf8)
        let bytes = utf8.drop { ends.contains($0) }
        guard let last = bytes.lastIndex(where: { !ends.contains($0) }) else { return "" }
        return String(self[bytes.startIndex...last])
    }
}
