import Foundation
import Testing

@testable import YuyanTensor

/// Integers as Swift numbers, from the definition: the plain reference.
private struct Plain {
    var numbers: [Int8]
    var scales: [Float]
    let outputs, inputs, group: Int

    /// Rounds as GGUF's quantisers do: 8 bits by the largest absolute value, 4 bits so that the largest number becomes −8.
    init(_ weights: [Float], outputs: Int, inputs: Int, bits: Int, group: Int?) {
        (self.outputs, self.inputs, self.group) = (outputs, inputs, group ?? inputs)
        (numbers, scales) = ([], [])
        for o in 0..<outputs {
            for start in stride(from: 0, to: inputs, by: self.group) {
                let part = weights[o * inputs + start..<o * inputs + min(start + self.group, inputs)]
                let extreme = part.max { abs($0) < abs($1) } ?? 0
                let scale = Float(Float16(bits == 8 ? abs(extreme) / 127 : extreme / -8))
                scales.append(scale)
                numbers += part.map { scale == 0 ? 0 : Int8(min(max(($0 / scale).rounded(), bits == 8 ? -127 : -8), bits == 8 ? 127 : 7)) }
            }
        }
    }

    var groups: Int { (inputs + group - 1) / group }
    func value(_ o: Int, _ i: Int) -> Double { Double(numbers[o * inputs + i]) * Double(scales[o * groups + i / group]) }
    var values: [Double] { (0..<outputs).flatMap { o in (0..<inputs).map { value(o, $0) } } }
}

private let schemes: [IntegerQuantization] = [.int8, .int8(group: 32), .int8(group: 96), .int4, .int4(group: 64), .int4(group: nil)]
private let shapes = [(1, 1), (16, 32), (17, 33), (45, 100), (3, 257), (100, 64), (130, 300)]

@Suite(.serialized) struct QuantizedMatrixTests {
    @Test func schemesAsText() {
        for (text, scheme) in [("int8", .int8), ("int8:32", .int8(group: 32)), ("int4", .int4(group: 32)), ("int4:-1", .int4(group: nil))]
            as [(String, IntegerQuantization)]
        {
            #expect(IntegerQuantization(rawValue: text) == scheme)
            #expect(IntegerQuantization(rawValue: scheme.rawValue) == scheme)
        }
        for text in ["", "int3", "int4:", "int4:31", "int4:0", "int8:32:1", "int8:-2"] {
            #expect(IntegerQuantization(rawValue: text) == nil, "\(text)")
        }
    }

    /// Numbers and scales that somebody else has found come out as they went in, whatever the sizes.
    @Test(arguments: schemes, shapes) @Engine func holdsTheNumbersItIsGiven(scheme: IntegerQuantization, shape: (Int, Int)) throws {
        let weights = try draw([shape.0, shape.1], seed: 3)
        let plain = Plain(try weights.array(Float.self), outputs: shape.0, inputs: shape.1, bits: scheme.bits, group: scheme.group)
        let scales = try Tensor(plain.scales, shape: [shape.0, plain.groups]).to(.float16)
        let matrix = try QuantizedMatrix(numbers: Tensor(plain.numbers, shape: [shape.0, shape.1]), scales: scales, scheme)
        #expect(try difference(matrix.dequantized(.float32), Tensor(plain.values, shape: [shape.0, shape.1])) < 1e-7)
        #expect(try difference(matrix.dequantized(.bfloat16), Tensor(plain.values, shape: [shape.0, shape.1])) < 4e-3)
        let indices: [Int64] = [0, Int64(shape.0 - 1), Int64(shape.0 / 2), 0]
        let rows = try matrix.rows(Tensor(indices, shape: [2, 2]), .float32)
        #expect(rows.shape == [2, 2, shape.1])
        let expected = indices.flatMap { o in (0..<shape.1).map { plain.value(Int(o), $0) } }
        #expect(try difference(rows, Tensor(expected, shape: [2, 2, shape.1])) < 1e-7)
        let parts = QuantizedMatrix.partShapes(scheme, shape: [shape.0, shape.1])
        #expect(matrix.codes.shape == parts.codes && matrix.scales.shape == parts.scales)
    }

    /// No rounding is worse than the plain one.
    @Test(arguments: schemes, shapes) @Engine func roundsWell(scheme: IntegerQuantization, shape: (Int, Int)) throws {
        for (seed, size) in [(5, 1.0), (6, 1e-4), (7, 300)] {
            let weights = try (draw([shape.0, shape.1], seed: UInt64(seed)) * size).to(.float32)
            let plain = Plain(try weights.array(Float.self), outputs: shape.0, inputs: shape.1, bits: scheme.bits, group: scheme.group)
            let matrix = try QuantizedMatrix(weights, scheme)
            let error = try (matrix.dequantized(.float64) - weights.to(.float64)).square().sum().item()
            let plainError = try (Tensor(plain.values, shape: weights.shape) - weights.to(.float64)).square().sum().item()
            #expect(error <= plainError * 1.0001 + 1e-30, "\(size)")
            #expect(try QuantizedMatrix(weights.to(.bfloat16), scheme).isFinite)
        }
    }

    /// Every instruction set gives the same bits, and they are near the product in float64.
    @Test(arguments: schemes, shapes) @Engine func products(scheme: IntegerQuantization, shape: (Int, Int)) throws {
        defer { InstructionLimit.avx512.impose() }
        let matrix = try QuantizedMatrix(draw([shape.0, shape.1], seed: 1), scheme)
        let bias = try draw([shape.0], seed: 2)
        for rows in [1, 2, 5, 16, 17, 35] {
            let x = try draw([rows, shape.1], seed: 3)
            let exact = try x.matmul(matrix.dequantized(.float64).transpose(0, 1)) + bias
            for dtype in [DType.float32, .bfloat16] {
                InstructionLimit.portable.impose()
                let first = try matrix.linear(x.to(dtype), bias.to(dtype))
                #expect(first.dtype == dtype && first.shape == [rows, shape.0])
                #expect(try difference(first, exact) < (dtype == .float32 ? 1e-2 : 2e-2), "\(rows)")
                for limit in InstructionLimit.allCases {
                    limit.impose()
                    let again = try matrix.linear(x.to(dtype), bias.to(dtype))
                    #expect(try again.to(.float32).array(Float.self) == first.to(.float32).array(Float.self), "\(rows) rows, \(limit)")
                }
            }
        }
    }

    /// A row's result does not depend on the rows beside it, on threads, or on how x lies.
    @Test(arguments: [IntegerQuantization.int8, .int4]) @Engine func aRowIsARow(scheme: IntegerQuantization) throws {
        let matrix = try QuantizedMatrix(draw([70, 129], seed: 1), scheme)
        let x = try draw([2, 20, 129], seed: 2).to(.float32)
        let all = try matrix.linear(x)
        #expect(all.shape == [2, 20, 70])
        for row in [0, 7, 19] {
            #expect(try matrix.linear(x.select(1, row)).array(Float.self) == all.select(1, row).contiguous().array(Float.self))
        }
        #expect(try matrix.linear(x.select(0, 0).select(0, 3)).shape == [70])
        let strided = try Tensor.stack([x, x], along: 3).select(3, 1)
        #expect(try !strided.isContiguous && matrix.linear(strided).array(Float.self) == all.array(Float.self))
        #expect(try matrix.linear(.zeros([0, 129])).shape == [0, 70])
        #expect(try matrix.linear(.zeros([3, 129])).abs().max().item() == 0)
    }

    /// What is not a number stays none, in its own row alone.
    @Test(arguments: [Double.nan, .infinity, -.infinity]) @Engine func numbersThatAreNone(value: Double) throws {
        defer { InstructionLimit.avx512.impose() }
        let matrix = try QuantizedMatrix(draw([40, 64], seed: 1), .int8)
        var numbers = try draw([3, 64], seed: 2).array(Float.self)
        numbers[64 + 11] = Float(value)
        for limit in InstructionLimit.allCases {
            limit.impose()
            let y = try matrix.linear(Tensor(numbers, shape: [3, 64])).array(Float.self)
            #expect(y[0..<40].allSatisfy(\.isFinite) && y[40..<80].allSatisfy(\.isNaN) && y[80...].allSatisfy(\.isFinite))
        }
        for scheme in schemes {
            #expect(try !QuantizedMatrix(Tensor(numbers, shape: [3, 64]), scheme).isFinite)
            #expect(try !QuantizedMatrix(Tensor([Float](repeating: 3e7, count: 64), shape: [1, 64]), scheme).isFinite)
        }
    }

    @Test @Engine func takesTheMemoryThatItsNameSays() throws {
        let weights = try Tensor.ones([64, 128])
        #expect(try QuantizedMatrix(weights, .int8).byteCount == 64 * 128 + 64 * 2)
        #expect(try QuantizedMatrix(weights, .int8(group: 32)).byteCount == 64 * 128 / 32 * 34)
        #expect(try QuantizedMatrix(weights, .int4).byteCount == 64 * 128 / 32 * 18)
    }

    /// bfloat16 by each instruction set, against float64.
    @Test(arguments: InstructionLimit.allCases, shapes) @Engine func bfloat16Products(limit: InstructionLimit, shape: (Int, Int)) throws {
        defer { InstructionLimit.avx512.impose() }
        limit.impose()
        let weights = try draw([shape.0, shape.1], seed: 1).to(.bfloat16)
        let bias = try draw([shape.0], seed: 2).to(.bfloat16)
        for rows in 1...17 {
            let x = try draw([rows, shape.1], seed: 3).to(.bfloat16)
            let exact = try x.to(.float64).matmul(weights.to(.float64).transpose(0, 1))
            #expect(try difference(x.linear(weights), exact) < 8e-3, "\(rows)")
            #expect(try difference(x.linear(weights, bias), exact + bias.to(.float64)) < 8e-3, "\(rows)")
        }
    }
}
