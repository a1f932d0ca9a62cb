import YuyanText

/// Records as bytes for files that live as long as one command: a kind, then strings as length and UTF-8.
extension Record {
    func encode(into bytes: inout [UInt8]) {
        func append(_ number: Int) { withUnsafeBytes(of: UInt32(number).littleEndian) { bytes += $0 } }
        func append(_ text: String) {
            append(text.utf8.count)
            bytes += text.utf8
        }
        func append(_ messages: [Message]) {
            append(messages.count)
            for message in messages {
                append(message.role)
                append(message.content)
            }
        }
        let kind: UInt8 =
            switch self {
            case .document: 0
            case .conversation: 1
            case .pair: 2
            case .comparison: 3
            }
        bytes.append(kind)
        append(id)
        append(source)
        append(metadata.count)
        for (name, value) in metadata.sorted(by: { $0.key < $1.key }) {
            append(name)
            append(value)
        }
        switch self {
        case .document(let document): append(document.text)
        case .conversation(let conversation): append(conversation.messages)
        case .pair(let pair):
            append(pair.input)
            append(pair.target)
        case .comparison(let comparison):
            append(comparison.prompt)
            append(comparison.answers.count)
            for answer in comparison.answers {
                append(answer.text)
                withUnsafeBytes(of: answer.score.bitPattern.littleEndian) { bytes += $0 }
            }
        }
    }

    /// The record that `encode` wrote as these bytes.
    init(encoded bytes: UnsafeRawBufferPointer) {
        var decoder = ByteDecoder(bytes: bytes)
        let kind = decoder.byte()
        let (id, source) = (decoder.text(), decoder.text())
        var metadata: [String: String] = [:]
        for _ in 0..<decoder.number() { metadata[decoder.text()] = decoder.text() }
        func messages() -> [Message] { (0..<decoder.number()).map { _ in Message(role: decoder.text(), content: decoder.text()) } }
        switch kind {
        case 0: self = .document(Document(id: id, text: decoder.text(), source: source, metadata: metadata))
        case 1: self = .conversation(Conversation(id: id, messages: messages(), source: source, metadata: metadata))
        case 2: self = .pair(Pair(id: id, input: decoder.text(), target: decoder.text(), source: source, metadata: metadata))
        default:
            let prompt = messages()
            let answers = (0..<decoder.number()).map { _ in Comparison.Answer(text: decoder.text(), score: Double(bitPattern: decoder.word())) }
            self = .comparison(Comparison(id: id, prompt: prompt, answers: answers, source: source, metadata: metadata))
        }
    }
}

/// Reads what was written with lengths before it.
struct ByteDecoder {
    let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    mutating func byte() -> UInt8 {
        defer { position += 1 }
        return bytes[position]
    }

    mutating func number() -> Int {
        defer { position += 4 }
        return Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
    }

    mutating func word() -> UInt64 {
        defer { position += 8 }
        return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
    }

    mutating func text() -> String {
        let count = number()
        defer { position += count }
        return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[position..<position + count]), as: UTF8.self)
    }
}
