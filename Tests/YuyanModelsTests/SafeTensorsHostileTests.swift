import Foundation
import Testing
import YuyanTensor

@testable import YuyanModels

/// SplitMix64 (Steele et al. 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Files that must be refused, and with which sentence.
@Suite struct SafeTensorsHostileTests {
    /// One tensor `a` with these fields and 12 bytes of data.
    private static func one(_ fields: String) -> String { "{\"a\":{\(fields)}}" }

    static let refused: [(header: String, reason: String)] = [
        // Offsets.
        (
            one(#""dtype":"F32","shape":[3],"data_offsets":[0,16]"#),
            "tensor \"a\": its data end at byte 16 of 12: the file is truncated or the header is wrong"
        ),
        (one(#""dtype":"F32","shape":[2],"data_offsets":[0,12]"#), "tensor \"a\": shape [2] of F32 takes 8 bytes, data_offsets [0, 12] are 12"),
        (one(#""dtype":"F32","shape":[3],"data_offsets":[12,0]"#), "tensor \"a\": its data_offsets [12, 0] end before they begin"),
        (one(#""dtype":"F32","shape":[2],"data_offsets":[4,12]"#), "the 4 bytes before tensor \"a\" belong to no tensor"),
        (one(#""dtype":"F32","shape":[2],"data_offsets":[0,8]"#), "the last 4 bytes belong to no tensor"),
        (one(#""dtype":"F32","shape":[3],"data_offsets":[-12,0]"#), "tensor \"a\": an offset is negative"),
        (one(#""dtype":"F32","shape":[3],"data_offsets":[0]"#), "tensor \"a\": its data_offsets are missing: [begin, end] would be right"),
        (one(#""dtype":"F32","shape":[3],"data_offsets":[0,12,12]"#), "tensor \"a\": more than 2 numbers stand where an offset belongs"),
        (one(#""dtype":"F32","shape":[3],"data_offsets":[0,18446744073709551628]"#), "tensor \"a\": an offset is too large to be true"),
        ("{}", "the last 12 bytes belong to no tensor"),
        (
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
            "the data of tensor \"b\" overlap those of \"a\""
        ),
        (
            #"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#,
            "the data of tensor \"b\" overlap those of \"a\""
        ),
        (
            #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#,
            "the 4 bytes before tensor \"b\" belong to no tensor"
        ),
        // Shapes.
        (one(#""dtype":"F32","shape":[-3],"data_offsets":[0,12]"#), "tensor \"a\": a dimension is negative"),
        (one(#""dtype":"F32","shape":[3.0],"data_offsets":[0,12]"#), "tensor \"a\": a dimension is not a whole number"),
        (one(#""dtype":"F32","shape":[3e0],"data_offsets":[0,12]"#), "tensor \"a\": a dimension is not a whole number"),
        (one(#""dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,12]"#), "tensor \"a\": a dimension is too large to be true"),
        (
            one(#""dtype":"F32","shape":[4294967296,4294967296,3],"data_offsets":[0,12]"#),
            "tensor \"a\": its shape [4294967296, 4294967296, 3] is too large to be true"
        ),
        // 2^62 elements of 4 bytes wrap to 0; a dimension of 0 does not hide the others.
        (
            one(#""dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]"#),
            "tensor \"a\": its shape [4611686018427387904] is too large to be true"
        ),
        (
            one(#""dtype":"F32","shape":[0,4611686018427387904,2],"data_offsets":[0,0]"#),
            "tensor \"a\": its shape [0, 4611686018427387904, 2] is too large to be true"
        ),
        (
            one(#""dtype":"U8","shape":["# + [String](repeating: "1", count: 65).joined(separator: ",") + #"],"data_offsets":[0,1]"#),
            "tensor \"a\": more than 64 numbers stand where a dimension belongs"
        ),
        // Fields.
        (
            one(#""dtype":"F8_E5M2","shape":[12],"data_offsets":[0,12]"#),
            "tensor \"a\": its dtype \"F8_E5M2\" is unknown: BF16, BOOL, F16, F32, F64, I16, I32, I64, I8, U8 can be read"
        ),
        (one(#""shape":[3],"data_offsets":[0,12]"#), "tensor \"a\": its dtype is missing"),
        (one(#""dtype":"F32","data_offsets":[0,12]"#), "tensor \"a\": its shape is missing"),
        (one(#""dtype":"F32","shape":[3]"#), "tensor \"a\": its data_offsets are missing: [begin, end] would be right"),
        (
            one(#""dtype":"F32","shape":[3],"data_offsets":[0,12],"strides":[1]"#),
            "tensor \"a\": \"strides\" is not a key of a tensor: dtype, shape and data_offsets are"
        ),
        (one(#""dtype":"F32","shape":[3],"shape":[3],"data_offsets":[0,12]"#), "tensor \"a\": the key \"shape\" is there twice"),
        (
            #"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#,
            "the key \"a\" is there twice"
        ),
        (#"{"__metadata__":{"k":"1","k":"2"}}"#, "the key \"k\" is there twice"),
        (#"{"__metadata__":{"k":1}}"#, "the header is not valid JSON: \" is expected at byte 21"),
        // JSON.
        ("", "not a safetensors file: its header does not begin with {"),
        ("[]", "not a safetensors file: its header does not begin with {"),
        ("{", "the header is not valid JSON: \" is expected at byte 1"),
        (#"{"a"#, "the header is not valid JSON: the string at byte 2 is not closed"),
        (#"{"a":[]}"#, "tensor \"a\": the header is not valid JSON: { is expected at byte 5"),
        (#"{"a":{"dtype":null}}"#, "tensor \"a\": the header is not valid JSON: \" is expected at byte 14"),
        (#"{"a":{"shape":[01]}}"#, "tensor \"a\": the header is not valid JSON: the number at byte 15 begins with 0"),
        (#"{"a":{"shape":[1,]}}"#, "tensor \"a\": the header is not valid JSON: a number is expected at byte 17"),
        (#"{"a":{"shape":[[1]]}}"#, "tensor \"a\": the header is not valid JSON: a number is expected at byte 15"),
        ("{}{}", "the header is not valid JSON: there is more after its closing brace"),
        ("{\"a\u{1}\":{}}", "the header is not valid JSON: a control character stands in the string at byte 2"),
        (#"{"\x":{}}"#, "the header is not valid JSON: the escape at byte 3 is unknown"),
        (#"{"\u12"#, "the header is not valid JSON: the escape at byte 6 is cut off"),
        (#"{"\ud83d":{}}"#, "the header is not valid JSON: the escape at byte 3 is unknown"),
        (#"{"\ud83d\u0041":{}}"#, "the header is not valid JSON: the escape at byte 3 is unknown"),
        (String(repeating: "{\"a\":", count: 100_000), "tensor \"a\": \"a\" is not a key of a tensor: dtype, shape and data_offsets are"),
        (
            #"{"two\n"# + String(repeating: "长", count: 200) + #"":0}"#,
            "tensor \"two\\n" + String(repeating: "长", count: 96) + "…\": the header is not valid JSON: { is expected at byte 609"
        ),
    ]

    @Test(arguments: refused) func aWrongHeaderIsRefused(header: String, reason: String) throws {
        let folder = try ScratchFolder()
        let url = try folder.file("a.safetensors", safeTensors(header, data: Data(repeating: 0, count: 12)))
        #expect(sentence { _ = try SafeTensorsFile(url) } == "\(url.path): \(reason)")
    }

    @Test func aFileThatIsNotSafetensorsIsRefused() throws {
        let folder = try ScratchFolder()
        func refusal(_ bytes: Data) throws -> String {
            let url = try folder.file("a", bytes)
            return sentence { _ = try SafeTensorsFile(url) }.replacing(url.path + ": ", with: "")
        }
        func length(_ value: UInt64) -> Data { withUnsafeBytes(of: value.littleEndian) { Data($0) } }
        #expect(try refusal(Data()) == "a safetensors file has at least 8 bytes, this one has 0")
        #expect(try refusal(Data([1, 0, 0])) == "a safetensors file has at least 8 bytes, this one has 3")
        #expect(try refusal(length(3) + Data("{}".utf8)) == "truncated, or not a safetensors file: the header should be 3 bytes, 2 are there")
        let limit = "are the limit"
        #expect(try refusal(length(100_000_001)) == "not a safetensors file: its header would be 100000001 bytes, and 100000000 \(limit)")
        #expect(try refusal(length(.max)) == "not a safetensors file: its header would be 18446744073709551615 bytes, and 100000000 \(limit)")
        #expect(try refusal(Data("PK\u{3}\u{4}a zip archive, as pytorch_model.bin is".utf8)).hasPrefix("not a safetensors file: its header would be"))
        // Not UTF-8.
        #expect(
            try refusal(length(6) + Data([0x7B, 0x22, 0xC3, 0x28, 0x22, 0x7D])) == "the header is not valid JSON: the string at byte 2 is not UTF-8")
    }

    @Test @Engine func aBoolIsZeroOrOne() throws {
        let folder = try ScratchFolder()
        let header = #"{"mask":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}}"#
        let url = try folder.file("a.safetensors", safeTensors(header, data: Data([0, 1, 2])))
        let file = try SafeTensorsFile(url)
        #expect(sentence { _ = try file.tensor("mask") } == "\(url.path): tensor \"mask\": a BOOL is 0 or 1, not 2")
    }

    // MARK: Fuzzing

    /// A sound file; there is no digit in a name and no empty tensor, so that every digit matters.
    private static let sound: Data = {
        let tensors: [(name: String, dtype: DType, shape: [Int])] = [
            ("x", .float64, [3]), ("wte", .float32, [12, 5]), ("h.ln", .int32, [7]), ("偏", .bfloat16, [2, 3, 2]), ("mask", .bool, []),
            ("y", .uint8, [10, 1]),
        ]
        let header = SafeTensorsHeader.encode(tensors, metadata: ["format": "pt", "note": "the sound one"])
        return header + Data(repeating: 1, count: tensors.reduce(0) { $0 + $1.shape.reduce($1.dtype.size, *) })
    }()
    private static let headerLength = sound.withUnsafeBytes { Int($0.loadUnaligned(as: UInt64.self)) }

    private func parse(_ data: Data) throws -> SafeTensorsHeader { try data.withUnsafeBytes { try SafeTensorsHeader($0, file: "fuzz") } }

    /// Makes the header longer by `delta` in its own words too, so that only the change itself can be found.
    private func adjusted(_ data: Data, by delta: Int) -> Data {
        withUnsafeBytes(of: UInt64(Self.headerLength + delta).littleEndian) { Data($0) } + data.dropFirst(8)
    }

    @Test func everyShorterFileIsRefused() throws {
        #expect(try parse(Self.sound).names.count == 6)
        for count in 0..<Self.sound.count { #expect(throws: WeightsError.self) { try parse(Data(Self.sound.prefix(count))) } }
    }

    /// Damage after which no header is sound: each must be refused.
    @Test func corruptedHeadersAreRefused() throws {
        var random = SplitMix(state: 20_240_229)
        let json = 8..<8 + Self.headerLength
        let digits = json.filter { (0x30...0x39).contains(Self.sound[$0]) }
        let marks = json.filter { "{}[]\":,".utf8.contains(Self.sound[$0]) }
        for round in 0..<20_000 {
            var data = Self.sound
            let kind = round % 8
            switch kind {
            case 0:  // another digit
                let place = digits.randomElement(using: &random) ?? 0
                data[place] = 0x30 + (data[place] - 0x30 + .random(in: 1...9, using: &random)) % 10
            case 1:  // one digit more
                let place = digits.randomElement(using: &random) ?? 0
                data.insert(.random(in: 0x31...0x39, using: &random), at: place)
                data = adjusted(data, by: 1)
            case 2:  // a mark less
                data.remove(at: marks.randomElement(using: &random) ?? 0)
                data = adjusted(data, by: -1)
            case 3:  // a mark twice
                let place = marks.randomElement(using: &random) ?? 0
                data.insert(data[place], at: place)
                data = adjusted(data, by: 1)
            case 4:  // a control character
                data.insert(.random(in: 0..<9, using: &random), at: .random(in: json, using: &random))
                data = adjusted(data, by: 1)
            case 5:  // bytes that are not UTF-8
                let start = Int.random(in: json, using: &random)
                for place in start..<min(start + .random(in: 1...9, using: &random), json.upperBound) { data[place] = 0xFF }
            case 6:  // another length
                let place = Int.random(in: 0..<8, using: &random)
                data[place] ^= .random(in: 1...255, using: &random)
            default:  // data that nobody asked for
                for _ in 0..<Int.random(in: 1...100, using: &random) { data.append(.random(in: 0...255, using: &random)) }
            }
            #expect(throws: WeightsError.self, "round \(round), kind \(kind)") { try parse(data) }
        }
    }

    /// Any damage at all: what is not refused must be sound all the same.
    @Test @Engine func whateverOpensCanBeRead() throws {
        var random = SplitMix(state: 7)
        let folder = try ScratchFolder()
        let words = [
            "{", "}", "[", "]", "\"", ":", ",", "0", "-1", "18446744073709551615", "9223372036854775807", "\\u", "\"F64\"", " ", "null", "1e9",
        ]
        var opened = 0
        for round in 0..<20_000 {
            var data = Self.sound
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0..<8 + Self.headerLength, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: data[place] = .random(in: 0...255, using: &random)
                case 1:
                    data.replaceSubrange(
                        place..<place + .random(in: 0...4, using: &random), with: Data((words.randomElement(using: &random) ?? "").utf8))
                default: data.swapAt(place, .random(in: 8..<8 + Self.headerLength, using: &random))
                }
            }
            let header: SafeTensorsHeader
            do { header = try parse(data) } catch {
                #expect(error is WeightsError)
                continue
            }
            let covered = header.names.reduce(0) { $0 + (header.entries[$1]?.bytes.count ?? 0) }
            #expect(header.entries.values.allSatisfy { $0.shape.reduce($0.dtype.size, *) == $0.bytes.count && $0.bytes.upperBound <= data.count })
            opened += 1
            guard covered > 0, opened % 50 == 0 else { continue }
            let file = try SafeTensorsFile(try folder.file("\(round)", data))
            for name in file.names { #expect(try file.tensor(name).array(Double.self).count == file.entry(name)?.shape.reduce(1, *)) }
        }
        #expect(opened > 0)
    }
}
