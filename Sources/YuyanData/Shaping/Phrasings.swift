import Foundation
import YuyanText

/// How records are asked in many phrasings.
public struct TemplateConfiguration: Codable, Sendable, Hashable {
    /// A JSON list of phrasings with `{input}` (the question), `{text}` (a document's text), `{target}` (the answer) and the names of metadata in the
    /// places where they go; or `{"phrasings": […], "held_out": […]}`. A phrasing is a text, or `{"input": "…", "target": "…"}` where the answer is
    /// written anew too.
    public var file = ""
    /// How many different phrasings to draw for each record.
    public var perRecord = 1
    /// The share of the phrasings that is held out, where the file names none.
    public var heldOutFraction = 0.0

    /// To be given a file.
    public init() {}
}

/// One way of asking.
private struct Phrasing: Sendable {
    var input: FactTemplate
    var target: FactTemplate?
    var usesText: Bool
}

/// The phrasings of a file, those to learn from and those to be measured by.
struct Phrasings: Sendable {
    private let fields: [String]
    private let learnt: [Phrasing]
    private let heldOut: [Phrasing]
    private let perRecord: Int

    var hasHeldOut: Bool { !heldOut.isEmpty }

    init(_ configuration: TemplateConfiguration, seed: UInt64) throws {
        guard !configuration.file.isEmpty else { throw DataError("templates.file is missing: it should name a JSON list of phrasings") }
        guard configuration.perRecord > 0 else { throw DataError("templates.per_record is \(configuration.perRecord), and should be at least 1") }
        guard (0..<1).contains(configuration.heldOutFraction) else {
            throw DataError("templates.held_out_fraction is \(configuration.heldOutFraction), and should be at least 0 and below 1")
        }
        perRecord = configuration.perRecord
        let file = URL(fileURLWithPath: configuration.file)
        let sheet: PhrasingSheet
        do { sheet = try JSONDecoder().decode(PhrasingSheet.self, from: Data(readText(file).utf8)) } catch let error as DecodingError {
            throw DataError("\(file.path): \(error.sentence); it should be a list of phrasings, or {\"phrasings\": […], \"held_out\": […]}")
        }
        var (learnt, heldOut) = (sheet.phrasings, sheet.heldOut)
        if configuration.heldOutFraction > 0 {
            guard heldOut.isEmpty else {
                throw DataError("\(file.path): the file names the phrasings that are held out; leave templates.held_out_fraction out")
            }
            let count = min(max(1, Int((configuration.heldOutFraction * Double(learnt.count)).rounded())), learnt.count - 1)
            let chances = learnt.map { mix(stableHash($0.input + "\u{0}" + ($0.target ?? "")) ^ seed) }
            let chosen = Set(learnt.indices.sorted { (chances[$0], $0) < (chances[$1], $1) }.prefix(max(count, 0)))
            heldOut = learnt.indices.filter(chosen.contains).map { learnt[$0] }
            learnt = learnt.indices.filter { !chosen.contains($0) }.map { learnt[$0] }
        }
        guard !learnt.isEmpty else { throw DataError("\(file.path): there are no phrasings to learn from") }
        if let leak = heldOut.first(where: learnt.contains) {
            throw DataError("\(file.path): the phrasing \"\(leak.input)\" is both learnt and held out")
        }
        let sources = (learnt + heldOut).flatMap { [$0.input, $0.target ?? ""] }
        let fields = try Set(sources.flatMap { try FactTemplate.columns(in: $0, place: file.path) }).sorted()
        func phrasing(_ written: PhrasingSheet.Phrasing) throws -> Phrasing {
            Phrasing(
                input: try FactTemplate(written.input, columns: fields, place: file.path),
                target: try written.target.map { try FactTemplate($0, columns: fields, place: file.path) },
                usesText: try FactTemplate.columns(in: written.input, place: file.path).contains("text"))
        }
        self.fields = fields
        self.learnt = try learnt.map(phrasing)
        self.heldOut = try heldOut.map(phrasing)
    }

    /// The record in phrasings drawn from those to learn from, or from the others; none where it lacks what each of them needs.
    func phrase(_ record: Record, heldOut isHeldOut: Bool, random: SeededRandom) -> [Record] {
        var random = random
        let metadata = record.metadata
        let row = fields.map { field -> String? in
            let value =
                switch field {
                case "input": record.question
                case "text": if case .document(let document) = record { document.text } else { nil as String? }
                case "target": record.answer
                default: metadata[field]
                }
            return value.flatMap { isBlank($0) ? nil : $0 }
        }
        var phrased = (isHeldOut ? heldOut : learnt).compactMap { $0.applied(to: record, row: row) }
        random.shuffle(&phrased)
        phrased = Array(phrased.prefix(perRecord))
        if phrased.count > 1 {
            for index in phrased.indices { phrased[index].id += "~\(index + 1)" }
        }
        return phrased
    }
}

extension Phrasing {
    /// A phrasing that quotes a document whole and names no answer makes a document; else a document is the answer.
    fileprivate func applied(to record: Record, row: [String?]) -> Record? {
        guard let input = input.filled(row) else { return nil }
        guard let target else {
            if usesText, case .document(var document) = record {
                document.text = input
                return .document(document)
            }
            return record.asking(input)
        }
        guard let target = target.filled(row) else { return nil }
        return record.asking(input).answering(target)
    }
}

extension Record {
    /// A pair's target, the answer of a conversation with one; nil elsewhere.
    fileprivate var answer: String? {
        switch self {
        case .pair(let pair): return pair.target
        case .conversation(let conversation):
            let answers = conversation.messages.filter { $0.role == "assistant" }
            return answers.count == 1 ? answers[0].content : nil
        case .document, .comparison: return nil
        }
    }

    /// The record with another answer; nil where it has several.
    fileprivate func answering(_ answer: String) -> Record? {
        switch self {
        case .pair(var pair):
            pair.target = answer
            return .pair(pair)
        case .conversation(var conversation):
            let answers = conversation.messages.indices.filter { conversation.messages[$0].role == "assistant" }
            guard answers.count == 1 else { return nil }
            conversation.messages[answers[0]].content = answer
            return .conversation(conversation)
        case .document, .comparison: return nil
        }
    }
}

/// The file as it is written.
private struct PhrasingSheet: Decodable {
    struct Phrasing: Decodable, Hashable {
        var input: String
        var target: String?

        private enum CodingKeys: String, CodingKey {
            case input, target
        }

        init(from decoder: any Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {
                input = text
            } else {
                let values = try decoder.container(keyedBy: CodingKeys.self)
                input = try values.decode(String.self, forKey: .input)
                target = try values.decodeIfPresent(String.self, forKey: .target)
            }
        }
    }

    var phrasings: [Phrasing]
    var heldOut: [Phrasing]

    private enum CodingKeys: String, CodingKey {
        case phrasings
        case heldOut = "held_out"
    }

    init(from decoder: any Decoder) throws {
        if var list = try? decoder.unkeyedContainer() {
            (phrasings, heldOut) = ([], [])
            while !list.isAtEnd { phrasings.append(try list.decode(Phrasing.self)) }
        } else {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            phrasings = try values.decode([Phrasing].self, forKey: .phrasings)
            heldOut = try values.decodeIfPresent([Phrasing].self, forKey: .heldOut) ?? []
        }
    }
}
