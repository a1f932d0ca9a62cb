import CData
import Foundation

/// simdjson, with the memory that it keeps from one text to the next.
final class JSONParser {
    private let parser: OpaquePointer

    init() {
        guard let parser = cdata_json_parser_new() else { fatalError("there is no memory for a JSON parser") }
        self.parser = parser
    }

    deinit {
        cdata_json_parser_free(parser)
    }

    /// The values of a text that has `CDATA_JSON_PADDING` bytes behind it, until the next text is parsed; nil where it is not valid.
    func parse(_ bytes: UnsafeMutableBufferPointer<UInt8>) -> JSONTape? {
        var nodes: UnsafePointer<cdata_json_node>?
        var count = 0
        guard let base = bytes.baseAddress, cdata_json_parse(parser, base, bytes.count, &nodes, &count) == 0, let nodes else { return nil }
        return JSONTape(nodes: UnsafeBufferPointer(start: nodes, count: count))
    }

    /// A value that begins on `line` of a file, or the error that names the place of the fault.
    func parse(_ bytes: UnsafeMutableBufferPointer<UInt8>, at offset: Int, line: Int, of input: InputBuffer) throws -> JSONTape {
        if let tape = parse(bytes) { return tape }
        let raw = UnsafeRawBufferPointer(bytes)
        guard isUTF8(raw) else { throw input.notText(raw, at: offset) }
        throw invalidJSON(UnsafeBufferPointer(bytes), of: input.file, line: line)
    }
}

extension JSONValue {
    /// The value that a text stands for. Throws a `DataError` that says what is wrong with it, without a place in a file.
    public init(parsing text: some Sequence<UInt8>) throws {
        var bytes = Array(text)
        let count = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: Int(CDATA_JSON_PADDING)))
        self = try bytes.withUnsafeMutableBufferPointer { buffer in
            let text = UnsafeMutableBufferPointer(rebasing: buffer.prefix(count))
            let parser = JSONParser()
            if let value = withExtendedLifetime(parser, { parser.parse(text)?.value }) { return value }
            let fault = JSONFault.find(in: UnsafeBufferPointer(text)) ?? JSONFault(offset: 0, reason: "it is not UTF-8")
            throw DataError("not valid JSON (\(fault.reason), byte \(fault.offset))")
        }
    }
}

/// Parses one JSON value that begins on `line` of `file`; the error names the line of the fault.
@discardableResult
func parseJSON(_ data: Data, of file: URL, line: Int) throws -> JSONValue {
    var bytes = Array(data)
    bytes.append(contentsOf: repeatElement(0, count: Int(CDATA_JSON_PADDING)))
    return try bytes.withUnsafeMutableBufferPointer { buffer in
        let text = UnsafeMutableBufferPointer(rebasing: buffer.prefix(data.count))
        let parser = JSONParser()
        if let value = withExtendedLifetime(parser, { parser.parse(text)?.value }) { return value }
        throw invalidJSON(UnsafeBufferPointer(text), of: file, line: line)
    }
}

private func invalidJSON(_ bytes: UnsafeBufferPointer<UInt8>, of file: URL, line: Int) -> DataError {
    guard let fault = JSONFault.find(in: bytes) else { return DataError(file, line: line, "not valid JSON (it is too long)") }
    let before = bytes[..<fault.offset]
    let column = fault.offset - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
    return DataError(file, line: line + before.count { $0 == 0x0A }, "not valid JSON (\(fault.reason), column \(column))")
}

/// The values of one parsed text, in its order, flat.
struct JSONTape {
    let nodes: UnsafeBufferPointer<cdata_json_node>

    /// The whole value.
    var value: JSONValue {
        var index = 0
        return value(at: &index)
    }

    /// The value that begins at `index`, which is put behind it.
    func value(at index: inout Int) -> JSONValue {
        let node = nodes[index]
        switch cdata_json_kind(node.kind) {
        case CDATA_JSON_NULL:
            index += 1
            return .null
        case CDATA_JSON_FALSE, CDATA_JSON_TRUE:
            index += 1
            return .bool(cdata_json_kind(node.kind) == CDATA_JSON_TRUE)
        case CDATA_JSON_NUMBER: return .number(JSONNumber(verbatim: text(at: &index)))
        case CDATA_JSON_STRING: return .string(text(at: &index))
        case CDATA_JSON_ARRAY:
            index += 1
            var elements: [JSONValue] = []
            elements.reserveCapacity(Int(node.length))
            for _ in 0..<node.length { elements.append(value(at: &index)) }
            return .array(elements)
        default: return .object(object(at: &index))
        }
    }

    func object(at index: inout Int) -> JSONObject {
        let count = Int(nodes[index].length)
        index += 1
        var members: [JSONObject.Member] = []
        members.reserveCapacity(count)
        for _ in 0..<count {
            let key = text(at: &index)
            members.append(JSONObject.Member(key: key, value: value(at: &index)))
        }
        return JSONObject(members)
    }

    /// A string, or a number as it is written.
    func text(at index: inout Int) -> String {
        let node = nodes[index]
        index += 1
        return String(decoding: UnsafeBufferPointer(start: node.bytes, count: Int(node.length)), as: UTF8.self)
    }

    func kind(at index: Int) -> cdata_json_kind { cdata_json_kind(nodes[index].kind) }

    /// Whether the string at `index` is this one.
    func isText(_ text: StaticString, at index: Int) -> Bool {
        let node = nodes[index]
        return Int(node.length) == text.utf8CodeUnitCount && memcmp(node.bytes, text.utf8Start, text.utf8CodeUnitCount) == 0
    }

    /// The index behind the value that begins at this one.
    func end(of index: Int) -> Int {
        var (index, open) = (index, 1)
        while open > 0 {
            let node = nodes[index]
            switch cdata_json_kind(node.kind) {
            case CDATA_JSON_ARRAY: open += Int(node.length)
            case CDATA_JSON_OBJECT: open += 2 * Int(node.length)
            default: break
            }
            open -= 1
            index += 1
        }
        return index
    }
}
