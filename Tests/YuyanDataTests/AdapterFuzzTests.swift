import Foundation
import Testing
import YuyanText

@testable import YuyanData

/// Samples of every adapter, damaged at random: each gives records or a `DataError`, and what stands beside the damage is read as before.
@Suite struct AdapterFuzzTests {
    /// A JSON value with one part of it changed.
    private func damaged(_ value: Any, _ random: inout SeededRandom) -> Any {
        let goesDown = random.number(in: 0...3) > 0
        if goesDown, var object = value as? [String: Any], !object.isEmpty {
            let key = random.element(of: object.keys.sorted())
            switch random.number(in: 0...9) {
            case 0: object[key] = nil
            case 1: object[random.element(of: names)] = object[key]
            default: object[key] = damaged(object[key] ?? NSNull(), &random)
            }
            return object
        }
        if goesDown, var list = value as? [Any], !list.isEmpty {
            let index = random.number(in: 0...list.count - 1)
            switch random.number(in: 0...9) {
            case 0: list.remove(at: index)
            case 1: list.append(contentsOf: list)
            default: list[index] = damaged(list[index], &random)
            }
            return list
        }
        switch random.number(in: 0...9) {
        case 0: return NSNull()
        case 1: return [Any]()
        case 2: return [String: Any]()
        case 3: return random.element(of: ["", "\u{0}", "Human:", "Human:\nAssistant:", "\u{FEFF}𠮷[SEP]", "false", "-1e400", "assistant"])
        case 4: return random.element(of: [0, -1, 1e300, 4_294_967_296, 0.5])
        case 5: return random.number(in: 0...1) == 0
        case 6: return [value, value]
        case 7: return ["text": value, "role": value, "replies": [value]]
        case 8: return (0..<random.number(in: 1...60)).reduce(value) { nested, _ in [nested] }
        default: return (0..<random.number(in: 1...60)).reduce(value) { nested, _ in ["role": "assistant", "text": "文", "replies": [nested]] }
        }
    }

    private let names = [
        "text", "content", "prompt", "messages", "chosen", "rejected", "answers", "context", "question", "turns", "data", "metadata", "id", "source",
        "meta",
        "history", "system", "input", "output", "conversations", "instances", "qas", "message_tree_id", "src_txt", "role", "score",
    ]

    private func parsed(_ json: String) throws -> Any { try JSONSerialization.jsonObject(with: Data(json.utf8)) }

    private func text(_ value: Any) throws -> String? {
        guard JSONSerialization.isValidJSONObject(value) else { return nil }
        return String(decoding: try JSONSerialization.data(withJSONObject: value), as: UTF8.self)
    }

    @Test func damagedRecordsNeverCrash() throws {
        var random = SeededRandom(seed: 20)
        var (read, refused) = (0, 0)
        for round in 0..<8000 {
            let sample = adapterSamples[round % adapterSamples.count]
            var value = try parsed(sample.json)
            for _ in 0...random.number(in: 0...2) { value = damaged(value, &random) }
            guard value is [String: Any], let json = try text(value) else { continue }
            // Guessed; as what it was; as something else.
            for adapter in [nil, sample.adapter, random.element(of: Adapter.all).name] {
                do {
                    var reader = AdapterReader(try adapter.map(Adapter.named))
                    _ = try reader.records(fields(json)) + reader.finish()
                    read += 1
                } catch {
                    #expect(error is DataError && !"\(error)".contains("\n"), "\(json)")
                    refused += 1
                }
            }
        }
        #expect(read > 2000 && refused > 2000)
    }

    /// A reader that met an error goes on with the next record.
    @Test func whatIsNotDamagedIsStillRead() throws {
        var random = SeededRandom(seed: 21)
        for round in 0..<2000 {
            let sample = adapterSamples[round % adapterSamples.count]
            if sample.adapter == "oasst1-messages" { continue }  // its records hang together
            let expected = try adapted(sample.json).records
            guard let json = try text(damaged(parsed(sample.json), &random)), json.hasPrefix("{") else { continue }
            var reader = AdapterReader()
            #expect(try reader.records(fields(sample.json)) == expected)
            // A record that became a message of a table waits there for its neighbours.
            _ = try? reader.records(fields(json))
            _ = try? reader.finish()
            #expect(try reader.records(fields(sample.json)) == expected)
        }
    }

    /// Tables of messages with parents, ids and trees at random.
    @Test func damagedTablesOfMessagesNeverCrash() throws {
        var random = SeededRandom(seed: 22)
        for _ in 0..<1000 {
            var reader = AdapterReader()
            for row in 0..<random.number(in: 1...12) {
                let id = random.number(in: 0...9) == 0 ? random.number(in: 0...row) : row
                let parent = random.number(in: 0...2) == 0 ? "null" : "\"\(random.number(in: 0...row))\""
                let role = random.element(of: ["prompter", "assistant", "assistant", "谁"])
                let json =
                    #"{"message_id": "\#(id)", "parent_id": \#(parent), "message_tree_id": "\#(random.number(in: 0...1))", "role": "\#(role)", "text": "\#(row)"}"#
                do { _ = try reader.records(fields(json, line: row)) } catch { #expect(error is DataError) }
            }
            do { _ = try reader.finish() } catch { #expect(error is DataError) }
            #expect(try reader.finish().isEmpty)
        }
    }

    /// A tree as deep as JSON may be, and one that is a long list of replies to replies.
    @Test func deepTreesNeedNoStack() throws {
        var reader = AdapterReader()
        for row in 0..<50_000 {
            let parent = row == 0 ? "null" : "\"\(row - 1)\""
            let role = row % 2 == 0 ? "prompter" : "assistant"
            let json = #"{"message_id": "\#(row)", "parent_id": \#(parent), "message_tree_id": "t", "role": "\#(role)", "text": "文"}"#
            #expect(try reader.records(fields(json, line: row)).isEmpty)
        }
        #expect(try reader.finish().map { $0.conversation?.messages.count } == [50_000])
    }
}
