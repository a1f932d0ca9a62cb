internal import Foundation
internal import YuyanTensor

/// What a pickle of tensors is made of, without anything having been executed.
///
/// Containers lie in tables and name each other by number, so that no nesting is deep and no cycle is kept alive, whatever the file says.
struct Pickle {
    enum Value {
        case none
        case bool(Bool)
        case integer(Int)
        case number(Double)
        case text(String)
        /// Raw bytes, or an integer beyond 64 bits: not needed.
        case other
        case global(Global)
        /// A tuple or a list: its number in `sequences`.
        case sequence(Int)
        /// Its number in `dictionaries`.
        case dictionary(Int)
        case storage(Int)
        case tensor(Int)
    }

    /// What a pickle may name: these make tensors and hold them, and do nothing else.
    enum Global {
        case orderedDictionary
        case size
        case rebuildTensor
        case rebuildParameter
        case storage(DType)
        case dtype

        init?(_ module: String, _ name: String) {
            switch (module, name) {
            case ("collections", "OrderedDict"): self = .orderedDictionary
            case ("torch", "Size"): self = .size
            case ("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_tensor"): self = .rebuildTensor
            case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
            case ("torch", _):
                if let found = DType.allCases.first(where: { $0.storageName == name }) {
                    self = .storage(found)
                } else if DType(name: name) != nil {
                    self = .dtype
                } else {
                    return nil
                }
            default: return nil
            }
        }
    }

    /// A run of elements that tensors share.
    struct Storage {
        var key: String
        var dtype: DType
        /// Elements.
        var count: Int
    }

    /// A view of a storage, in elements. Nothing in it has been checked.
    struct Tensor {
        var storage: Int
        var offset: Int
        var shape: [Int]
        var strides: [Int]
    }

    fileprivate(set) var sequences: [[Value]] = []
    fileprivate(set) var dictionaries: [[(key: Value, value: Value)]] = []
    fileprivate(set) var storages: [Storage] = []
    fileprivate(set) var tensors: [Tensor] = []
    fileprivate(set) var root = Value.none

    /// Reads one pickle from where `reader` stands to its STOP.
    init(_ reader: inout ByteReader) throws {
        var machine = PickleMachine(reader)
        self = try machine.run()
        reader = machine.reader
    }

    fileprivate init() {}
}

extension DType {
    /// The class of PyTorch's storages of this type.
    var storageName: String {
        switch self {
        case .uint8: "ByteStorage"
        case .int8: "CharStorage"
        case .int16: "ShortStorage"
        case .int32: "IntStorage"
        case .int64: "LongStorage"
        case .float16: "HalfStorage"
        case .float32: "FloatStorage"
        case .float64: "DoubleStorage"
        case .bool: "BoolStorage"
        case .bfloat16: "BFloat16Storage"
        }
    }
}

/// The stack machine of pickle's protocols 2 to 4 (Python's pickletools lists its instructions), as far as tensors need it.
private struct PickleMachine {
    var reader: ByteReader
    private var pickle = Pickle()
    private var stack: [Pickle.Value] = []
    private var marks: [Int] = []
    private var memo: [Int: Pickle.Value] = [:]
    /// Pairs copied into dictionaries by calls: one list could be copied any number of times.
    private var copied = 0

    init(_ reader: ByteReader) { self.reader = reader }

    mutating func run() throws -> Pickle {
        while true {
            let place = reader.position
            let instruction = try reader.integer(UInt8.self, "the pickle")
            if instruction == UInt8(ascii: ".") {
                pickle.root = try pop()
                return pickle
            }
            try step(instruction, at: place)
        }
    }

    private mutating func step(_ instruction: UInt8, at place: Int) throws {
        switch instruction {
        case 0x80: _ = try reader.integer(UInt8.self, "the pickle")  // PROTO
        case 0x95: _ = try reader.integer(UInt64.self, "the pickle")  // FRAME
        case "(": marks.append(stack.count)
        case "0": _ = try pop()
        case "1": _ = try popToMark()
        case "2": stack.append(try top())

        case "N": stack.append(.none)
        case 0x88, 0x89: stack.append(.bool(instruction == 0x88))
        case "J": stack.append(.integer(Int(try reader.integer(Int32.self, "an integer"))))
        case "K": stack.append(.integer(Int(try reader.integer(UInt8.self, "an integer"))))
        case "M": stack.append(.integer(Int(try reader.integer(UInt16.self, "an integer"))))
        case 0x8A: try pushLong(Int(try reader.integer(UInt8.self, "an integer")))
        case 0x8B: try pushLong(try reader.size(Int32.self, "an integer"))
        case "G": stack.append(.number(Double(bitPattern: try reader.integer(UInt64.self, "a number").byteSwapped)))
        case "X": try pushText(try reader.size(UInt32.self, "a text"))
        case 0x8C: try pushText(Int(try reader.integer(UInt8.self, "a text")))
        case 0x8D: try pushText(try reader.size(UInt64.self, "a text"))
        // Strings of Python 2, of which only the ASCII ones can be meant.
        case "U": try pushText(Int(try reader.integer(UInt8.self, "a text")))
        case "T": try pushText(try reader.size(Int32.self, "a text"))
        case "C": try pushBytes(Int(try reader.integer(UInt8.self, "bytes")))
        case "B": try pushBytes(try reader.size(UInt32.self, "bytes"))
        case 0x8E: try pushBytes(try reader.size(UInt64.self, "bytes"))

        case ")": push(sequence: [])
        case "]": push(sequence: [])
        case "t", "l": push(sequence: try popToMark())
        case 0x85, 0x86, 0x87:
            var items: [Pickle.Value] = []
            for _ in 0..<instruction - 0x84 { items.append(try pop()) }
            push(sequence: items.reversed())
        case "a":
            let item = try pop()
            try extend([item])
        case "e": try extend(popToMark())
        case "}": push(dictionary: [])
        case "d":
            let items = try popToMark()
            push(dictionary: [])
            try set(items)
        case "s":
            let value = try pop()
            try set([try pop(), value])
        case "u": try set(popToMark())

        case "c": try pushGlobal(try reader.line("a module"), try reader.line("a name"))
        case 0x93:
            guard case .text(let name) = try pop(), case .text(let module) = try pop() else { throw fault("a name", place) }
            try pushGlobal(module, name)
        case "R": try reduce(place)
        case "b":
            // The attributes of a dictionary (`_metadata` of a state_dict); nothing else has any.
            _ = try pop()
            guard case .dictionary = try top() else { throw fault("an object with attributes", place) }
        case "Q": try pushStorage(place)

        case "q": memo[Int(try reader.integer(UInt8.self, "the pickle"))] = try top()
        case "r": memo[try reader.size(UInt32.self, "the pickle")] = try top()
        case 0x94: memo[memo.count] = try top()
        case "h": try recall(Int(try reader.integer(UInt8.self, "the pickle")), place)
        case "j": try recall(try reader.size(UInt32.self, "the pickle"), place)
        default: throw fault("the instruction 0x\(String(instruction, radix: 16)), which no file of tensors needs", place)
        }
    }

    // MARK: The stack

    private mutating func pop() throws -> Pickle.Value {
        guard stack.count > marks.last ?? 0, let value = stack.popLast() else { throw fault("less on the stack than is taken") }
        return value
    }

    private func top() throws -> Pickle.Value {
        guard stack.count > marks.last ?? 0, let value = stack.last else { throw fault("less on the stack than is taken") }
        return value
    }

    private mutating func popToMark() throws -> [Pickle.Value] {
        guard let mark = marks.popLast() else { throw fault("less on the stack than is taken") }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[mark...])
    }

    private mutating func recall(_ number: Int, _ place: Int) throws {
        guard let value = memo[number] else { throw fault("a value that was never stored", place) }
        stack.append(value)
    }

    private mutating func push(sequence: [Pickle.Value]) {
        stack.append(.sequence(pickle.sequences.count))
        pickle.sequences.append(sequence)
    }

    private mutating func push(dictionary: [(Pickle.Value, Pickle.Value)]) {
        stack.append(.dictionary(pickle.dictionaries.count))
        pickle.dictionaries.append(dictionary)
    }

    private mutating func pushLong(_ count: Int) throws {
        let bytes = try reader.take(count, "an integer")
        guard count <= 8 else { return stack.append(.other) }
        let magnitude = bytes.enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * UInt64($1.offset)) }
        let unused = 64 - 8 * UInt64(count)
        stack.append(.integer(count == 0 ? 0 : Int(Int64(bitPattern: magnitude << unused) >> Int64(unused))))
    }

    private mutating func pushText(_ count: Int) throws { stack.append(.text(try reader.text(count, "a text"))) }

    private mutating func pushBytes(_ count: Int) throws {
        _ = try reader.take(count, "bytes")
        stack.append(.other)
    }

    // MARK: Containers

    private mutating func extend(_ items: [Pickle.Value]) throws {
        guard case .sequence(let list) = try top() else { throw fault("something appended to what is no list") }
        pickle.sequences[list] += items
    }

    /// Keys and values in turn.
    private mutating func set(_ items: [Pickle.Value]) throws {
        guard items.count % 2 == 0, case .dictionary(let table) = try top() else { throw fault("something put into what is no dictionary") }
        for index in stride(from: 0, to: items.count, by: 2) { pickle.dictionaries[table].append((items[index], items[index + 1])) }
    }

    // MARK: Objects

    private mutating func pushGlobal(_ module: String, _ name: String) throws {
        guard let global = Pickle.Global(module, name) else {
            throw WeightsError(
                "\(reader.file): loading this file in Python would use \("\(module).\(name)".quoted); only tensors, numbers, texts, lists and dictionaries are read here, nothing is executed"
            )
        }
        stack.append(.global(global))
    }

    private mutating func reduce(_ place: Int) throws {
        guard case .sequence(let number) = try pop(), case .global(let global) = try pop() else { throw fault("a call", place) }
        let arguments = pickle.sequences[number]
        switch global {
        case .orderedDictionary:
            push(dictionary: [])
            guard let first = arguments.first else { return }
            guard arguments.count == 1, case .sequence(let pairs) = first else { throw fault("a dictionary", place) }
            copied += pickle.sequences[pairs].count
            guard copied <= reader.bytes.count else { throw fault("a list that is copied over and over", place) }
            for pair in pickle.sequences[pairs] {
                guard case .sequence(let number) = pair else { throw fault("a dictionary", place) }
                try set(pickle.sequences[number])
            }
        case .size:
            guard arguments.count == 1, case .sequence = arguments[0] else { throw fault("a shape", place) }
            stack.append(arguments[0])
        case .rebuildTensor:
            guard arguments.count >= 4, case .storage(let storage) = arguments[0], case .integer(let offset) = arguments[1],
                let shape = integers(arguments[2]), let strides = integers(arguments[3])
            else { throw fault("a tensor", place) }
            stack.append(.tensor(pickle.tensors.count))
            pickle.tensors.append(.init(storage: storage, offset: offset, shape: shape, strides: strides))
        case .rebuildParameter:
            guard let first = arguments.first, case .tensor = first else { throw fault("a parameter", place) }
            stack.append(first)
        case .storage, .dtype: throw fault("a call of a dtype", place)
        }
    }

    private func integers(_ value: Pickle.Value) -> [Int]? {
        // 64 dimensions are the limit of libtorch's iterators.
        guard case .sequence(let number) = value, pickle.sequences[number].count <= SafeTensorsHeader.maximumRank else { return nil }
        var integers: [Int] = []
        for item in pickle.sequences[number] {
            guard case .integer(let value) = item else { return nil }
            integers.append(value)
        }
        return integers
    }

    /// ("storage", class, key, device, elements, …): what torch.save puts in place of the data.
    private mutating func pushStorage(_ place: Int) throws {
        guard case .sequence(let number) = try pop() else { throw fault("a storage", place) }
        let parts = pickle.sequences[number]
        guard parts.count >= 5, case .text("storage") = parts[0], case .global(.storage(let dtype)) = parts[1], case .text(let key) = parts[2],
            case .integer(let count) = parts[4], count >= 0
        else { throw fault("a storage", place) }
        if parts.count > 5 {  // a part of another storage, in files older than PyTorch 0.4
            guard case .none = parts[5] else { throw fault("a storage that is part of another", place) }
        }
        stack.append(.storage(pickle.storages.count))
        pickle.storages.append(.init(key: key, dtype: dtype, count: count))
    }

    private func fault(_ what: String, _ place: Int? = nil) -> WeightsError {
        WeightsError("\(reader.file): the pickle is damaged, or not one of tensors: there is \(what) at byte \(place ?? reader.position)")
    }
}

/// Instructions are named by their characters.
private func ~= (character: Unicode.Scalar, instruction: UInt8) -> Bool { UInt32(instruction) == character.value }
