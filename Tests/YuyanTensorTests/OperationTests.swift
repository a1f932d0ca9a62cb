import Foundation
import Testing
import YuyanTensor

/// Operations against plain loops over Double.
@Suite struct OperationTests {
    @Test @Engine func elementwiseFunctions() throws {
        let x = try draw([3, 7])
        let values = try x.array(Double.self)
        let positive = try x.abs() + 0.1
        let positives = try positive.array(Double.self)
        func sigmoid(_ x: Double) -> Double { 1 / (1 + Foundation.exp(-x)) }

        #expect(try difference(x.exp(), values.map { Foundation.exp($0) }) < 1e-14)
        #expect(try difference(positive.log(), positives.map { Foundation.log($0) }) < 1e-14)
        #expect(try difference(positive.sqrt(), positives.map { $0.squareRoot() }) < 1e-14)
        #expect(try difference(positive.rsqrt(), positives.map { 1 / $0.squareRoot() }) < 1e-14)
        #expect(try difference(x.abs(), values.map(Swift.abs)) == 0)
        #expect(try difference(x.square(), values.map { $0 * $0 }) < 1e-14)
        #expect(try difference(positive.pow(1.7), positives.map { Foundation.pow($0, 1.7) }) < 1e-13)
        #expect(try difference(x.sin(), values.map { Foundation.sin($0) }) < 1e-14)
        #expect(try difference(x.cos(), values.map { Foundation.cos($0) }) < 1e-14)
        #expect(try difference(x.tanh(), values.map { Foundation.tanh($0) }) < 1e-14)
        #expect(try difference(x.sigmoid(), values.map(sigmoid)) < 1e-14)
        #expect(try difference(x.relu(), values.map { Swift.max($0, 0) }) == 0)
        #expect(try difference(x.silu(), values.map { $0 * sigmoid($0) }) < 1e-14)
        #expect(try difference(x.gelu(), values.map { $0 / 2 * (1 + erf($0 / 2.0.squareRoot())) }) < 1e-14)
        let tanhGELU = values.map { $0 / 2 * (1 + Foundation.tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }
        #expect(try difference(x.geluTanh(), tanhGELU) < 1e-14)
        #expect(try difference(x.clamp(-0.5, 1), values.map { Swift.min(Swift.max($0, -0.5), 1) }) == 0)
        #expect(try difference(-x, values.map { -$0 }) == 0)
    }

    @Test @Engine func arithmetic() throws {
        let (a, b) = (try draw([2, 5], seed: 1), try draw([2, 5], seed: 2))
        let pairs = Array(zip(try a.array(Double.self), try b.array(Double.self)))
        #expect(try difference(a + b, pairs.map { $0 + $1 }) == 0)
        #expect(try difference(a - b, pairs.map { $0 - $1 }) == 0)
        #expect(try difference(a * b, pairs.map { $0 * $1 }) == 0)
        #expect(try difference(a / b, pairs.map { $0 / $1 }) < 1e-14)
        #expect(try difference(a.maximum(b), pairs.map { Swift.max($0, $1) }) == 0)
        #expect(try difference(a.minimum(b), pairs.map { Swift.min($0, $1) }) == 0)
        #expect(try difference(a + 2.5, pairs.map { a, _ in a + 2.5 }) == 0)
        #expect(try difference(a - 2.5, pairs.map { a, _ in a - 2.5 }) == 0)
        #expect(try difference(a * 2.5, pairs.map { a, _ in a * 2.5 }) == 0)
        #expect(try difference(a / 2.5, pairs.map { a, _ in a / 2.5 }) < 1e-15)
    }

    @Test @Engine func aWholeNumberKeepsIntegersIntegers() throws {
        let large = Int64(1) << 40
        let ids = try Tensor([large, large + 1, 3] as [Int64])
        #expect(try (ids + 1).dtype == .int64)
        #expect(try (ids + 1).array(Int64.self) == [large + 1, large + 2, 4])
        #expect(try (ids - 1).array(Int64.self) == [large - 1, large, 2])
        #expect(try (ids * 2).array(Int64.self) == [large * 2, large * 2 + 2, 6])
        #expect(try (ids .== Double(large + 1)).array(Bool.self) == [false, true, false])
        #expect(try (ids .> Double(large)).array(Bool.self) == [false, true, false])
        #expect(try ids.clamp(0, 5).array(Int64.self) == [5, 5, 3])
        #expect(try ids.clamp(0, 5).dtype == .int64)
        #expect(try (Tensor([3] as [Int64]) + 0.5).array(Double.self) == [3.5])
        #expect(try (Tensor([3] as [Int64]) / 2).array(Double.self) == [1.5])
        #expect(try (Tensor([3] as [Int64]) / 1).dtype == .float32)
    }

    @Test @Engine func shapesBroadcast() throws {
        let (column, row) = (try Tensor([1, 2, 3] as [Double], shape: [3, 1]), try Tensor([10, 20] as [Double]))
        #expect(try (column + row).array(Double.self) == [11, 21, 12, 22, 13, 23])
        #expect(try (column * row).shape == [3, 2])
        #expect(try (Tensor.ones([4, 1, 2]) + Tensor.ones([3, 1])).shape == [4, 3, 2])
        #expect(try column.expand(3, 4).array(Double.self) == [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3])
    }

    @Test @Engine func comparisonsAndChoices() throws {
        let (a, b) = (try Tensor([1, 2, 3] as [Float]), try Tensor([3, 2, 1] as [Float]))
        #expect(try (a .== b).array(Bool.self) == [false, true, false])
        #expect(try (a .!= b).array(Bool.self) == [true, false, true])
        #expect(try (a .< b).array(Bool.self) == [true, false, false])
        #expect(try (a .<= b).array(Bool.self) == [true, true, false])
        #expect(try (a .> b).array(Bool.self) == [false, false, true])
        #expect(try (a .>= b).array(Bool.self) == [false, true, true])
        #expect(try (a .== 2).array(Bool.self) == [false, true, false])
        #expect(try (a .!= 2).array(Bool.self) == [true, false, true])
        #expect(try (a .< 2).array(Bool.self) == [true, false, false])
        #expect(try (a .<= 2).array(Bool.self) == [true, true, false])
        #expect(try (a .> 2).array(Bool.self) == [false, false, true])
        #expect(try (a .>= 2).array(Bool.self) == [false, true, true])
        let (low, high) = (try a .< 2, try a .> 2)
        #expect(try low.or(high).array(Bool.self) == [true, false, true])
        #expect(try low.and(high).array(Bool.self) == [false, false, false])
        #expect(try low.not().array(Bool.self) == [false, true, true])
        #expect(try Tensor([1, .nan, .infinity] as [Float]).isFinite().array(Bool.self) == [true, false, false])
        #expect(try Tensor.choose(where: low, a, b).array(Float.self) == [1, 2, 1])
        #expect(try a.maskedFill(high, -9).array(Float.self) == [1, 2, -9])
        let square = try Tensor.ones([3, 3])
        #expect(try square.lowerTriangle().array(Int32.self) == [1, 0, 0, 1, 1, 0, 1, 1, 1])
        #expect(try square.lowerTriangle(diagonal: 1).array(Int32.self) == [1, 1, 0, 1, 1, 1, 1, 1, 1])
    }

    @Test @Engine func reductions() throws {
        let x = try draw([3, 4])
        let values = try x.array(Double.self)
        let rows = (0..<3).map { Array(values[$0 * 4..<$0 * 4 + 4]) }
        let columns = (0..<4).map { column in rows.map { $0[column] } }
        func sum(_ values: [Double]) -> Double { values.reduce(0, +) }
        func logSumExp(_ values: [Double]) -> Double { Foundation.log(sum(values.map { Foundation.exp($0) })) }

        #expect(try Swift.abs(x.sum().item() - sum(values)) < 1e-13)
        #expect(try Swift.abs(x.mean().item() - sum(values) / 12) < 1e-14)
        #expect(try x.max().item() == values.max())
        #expect(try x.min().item() == values.min())
        #expect(try difference(x.sum(along: 0), columns.map(sum)) < 1e-14)
        #expect(try difference(x.mean(along: -1), rows.map { sum($0) / 4 }) < 1e-14)
        #expect(try difference(x.max(along: 1), rows.compactMap { $0.max() }) == 0)
        #expect(try difference(x.min(along: 0), columns.compactMap { $0.min() }) == 0)
        #expect(try x.argmax(along: 1).array(Int64.self) == rows.map { row in Int64(row.indices.max { row[$0] < row[$1] } ?? -1) })
        #expect(try difference(x.logSumExp(along: 1), rows.map(logSumExp)) < 1e-14)
        #expect(try difference(x.softmax(along: 1), rows.flatMap { row in row.map { Foundation.exp($0 - logSumExp(row)) } }) < 1e-14)
        #expect(try difference(x.logSoftmax(along: 1), rows.flatMap { row in row.map { $0 - logSumExp(row) } }) < 1e-14)
        #expect(try difference(x.cumulativeSum(along: 1), rows.flatMap { row in row.indices.map { sum(Array(row[...$0])) } }) < 1e-14)
        #expect(try x.sum(along: 1, keep: true).shape == [3, 1] && x.sum(along: 1).shape == [3])
    }

    @Test @Engine func largestAndSorted() throws {
        let x = try Tensor([3, 1, 2, 2, 5, 4] as [Float], shape: [2, 3])
        let top = try x.topK(2)
        #expect(try top.values.array(Float.self) == [3, 2, 5, 4])
        #expect(try top.indices.array(Int64.self) == [0, 2, 1, 2])
        let ascending = try x.sorted()
        #expect(try ascending.values.array(Float.self) == [1, 2, 3, 2, 4, 5])
        #expect(try ascending.indices.array(Int64.self) == [1, 2, 0, 0, 2, 1])
        #expect(try Tensor([1, 1, 1, 1] as [Float]).sorted(descending: true).indices.array(Int64.self) == [0, 1, 2, 3])
    }

    @Test @Engine func matrixProducts() throws {
        let (a, b) = (try draw([2, 3, 4], seed: 1), try draw([4, 5], seed: 2))
        let (x, y) = (try a.array(Double.self), try b.array(Double.self))
        var expected: [Double] = []
        for row in 0..<6 {
            for column in 0..<5 { expected.append((0..<4).reduce(0) { $0 + x[row * 4 + $1] * y[$1 * 5 + column] }) }
        }
        let product = try a.matmul(b)
        #expect(product.shape == [2, 3, 5])
        #expect(try difference(product, expected) < 1e-14)
        #expect(try difference(a.to(.float32).matmul(b.to(.float32)), expected) < 1e-5)
    }

    @Test @Engine func indexing() throws {
        let x = try Tensor.arange(0, 12).reshape(3, 4)
        #expect(try x.select(1, -1).array(Int64.self) == [3, 7, 11])
        #expect(try x.narrow(1, start: 1, length: 2).array(Int64.self) == [1, 2, 5, 6, 9, 10])
        #expect(try x.indexSelect(0, Tensor([2, 0, 2] as [Int64])).array(Int64.self) == [8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11])
        #expect(try x.gather(1, Tensor([3, 0, 1] as [Int64], shape: [3, 1])).array(Int64.self) == [3, 4, 9])
        let row = try Tensor.arange(0, 4).unsqueeze(0)
        #expect(try Tensor.concatenate([x, row]).shape == [4, 4])
        #expect(try Tensor.concatenate([x, x], along: 1).select(0, 1).array(Int64.self) == [4, 5, 6, 7, 4, 5, 6, 7])
        #expect(try Tensor.stack([x, x], along: 1).shape == [3, 2, 4])
    }

    @Test @Engine func anyOperatorByName() throws {
        let x = try Tensor.arange(0, 6).reshape(2, 3)
        let rolled = try Tensor.call("aten::roll", [.tensor(x), .ints([1]), .ints([1])])
        #expect(rolled.count == 1)
        #expect(try rolled[0].array(Int64.self) == [2, 0, 1, 5, 3, 4])
        #expect(try Tensor.call("aten::roll", [.tensor(x), .ints([1])])[0].array(Int64.self) == [5, 0, 1, 2, 3, 4])  // dims left out
        let extremes = try Tensor.call("aten::aminmax", [.tensor(x), .int(1), .bool(true)])
        #expect(try extremes.map { try $0.array(Int64.self) } == [[0, 3], [2, 5]])
        #expect(extremes[0].shape == [2, 1])
        let norm = try Tensor.call("aten::norm", overload: "Scalar", [.tensor(Tensor([3, 4] as [Double])), .double(2)])
        #expect(try norm[0].item() == 5)
        let all = try Tensor.call("aten::clamp", [.tensor(x), .none, .int(2)])
        #expect(try all[0].array(Int64.self) == [0, 1, 2, 2, 2, 2])
    }
}
