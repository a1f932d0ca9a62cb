import Testing
import YuyanTensor

/// Making tensors, reading them, and views of them.
@Suite struct TensorTests {
    @Test @Engine func hostValuesComeBackAsTheyWent() throws {
        func expectSame<Element: TensorElement & Equatable>(_ values: [Element]) throws {
            let tensor = try Tensor(values, shape: [2, values.count / 2])
            #expect(tensor.dtype == Element.dtype)
            #expect(tensor.shape == [2, values.count / 2] && tensor.rank == 2 && tensor.count == values.count)
            #expect(tensor.device == .cpu && tensor.isContiguous)
            #expect(try tensor.array(Element.self) == values)
        }
        try expectSame([UInt8.min, 1, 2, .max])
        try expectSame([Int8.min, -1, 2, .max])
        try expectSame([Int16.min, -1, 2, .max])
        try expectSame([Int32.min, -1, 2, .max])
        try expectSame([Int64.min, -1, 2, .max])
        try expectSame([-Float.infinity, -0.1, 2, .greatestFiniteMagnitude])
        try expectSame([-Double.infinity, -0.1, 2, .leastNonzeroMagnitude])
        try expectSame([true, false, false, true])
    }

    @Test(arguments: DType.allCases) @Engine func everyDTypeIsMadeAndRead(dtype: DType) throws {
        #expect(DType(name: dtype.name) == dtype)
        for tensor in [try Tensor.ones([3, 2], dtype: dtype), try Tensor(1, dtype: dtype).expand(3, 2).contiguous()] {
            #expect(tensor.dtype == dtype && tensor.shape == [3, 2])
            #expect(tensor.withBytes { $0.count } == 6 * dtype.size)
            #expect(try tensor.array(Double.self) == [1, 1, 1, 1, 1, 1])
            #expect(try tensor.array(Int32.self) == [1, 1, 1, 1, 1, 1])
            #expect(try tensor.array(Bool.self) == [true, true, true, true, true, true])
        }
        #expect(try Tensor.zeros([2], dtype: dtype).array(Float.self) == [0, 0])
        #expect(try Tensor.empty([4, 0], dtype: dtype).array(Float.self) == [])
        #expect(try Tensor.ones([], dtype: dtype).item() == 1)
        #expect(dtype.isFloatingPoint == [.float16, .bfloat16, .float32, .float64].contains(dtype))
    }

    @Test @Engine func unknownNamesAreRefused() throws {
        #expect(DType(name: "float8") == nil)
        #expect(try Device("cpu") == .cpu && Device.cpu.description == "cpu" && Device.cuda(1).description == "cuda:1")
        let error = #expect(throws: TensorError.self) { try Device("tpu") }
        #expect(error?.description == "unknown device \"tpu\": cpu, cuda or cuda:N would be right")
    }

    @Test @Engine func bfloat16RoundsToTheNearestEven() throws {
        // One unit of the last place at 1 is 2⁻⁷: halves go to the even neighbour.
        let unit = 1.0 / 128
        let rounded = try Tensor([1 + unit / 2, 1 + 1.5 * unit, 1 + 0.6 * unit, -3.14159]).to(.bfloat16).array(Double.self)
        #expect(rounded == [1, 1 + 2 * unit, 1 + unit, -3.140625])
    }

    @Test @Engine func arangeCounts() throws {
        #expect(try Tensor.arange(0, 5).array(Int64.self) == [0, 1, 2, 3, 4])
        #expect(try Tensor.arange(-3, 4, step: 3, dtype: .float32).array(Float.self) == [-3, 0, 3])
        #expect(try Tensor.arange(0, 0).count == 0)
    }

    @Test @Engine func sizesCountFromBothEnds() throws {
        let tensor = try Tensor.zeros([2, 3, 5])
        #expect(tensor.size(0) == 2 && tensor.size(2) == 5 && tensor.size(-1) == 5 && tensor.size(-3) == 2)
        #expect(tensor.description == "Tensor[2, 3, 5] float32 on cpu")
    }

    @Test @Engine func viewsShareMemory() throws {
        let base = try Tensor.arange(0, 12, dtype: .float32)
        let matrix = try base.reshape(3, 4)
        try matrix.select(0, 1).fillInPlace(7)
        #expect(try base.array(Float.self) == [0, 1, 2, 3, 7, 7, 7, 7, 8, 9, 10, 11])
        try matrix.transpose(0, 1).narrow(0, start: 3, length: 1).fillInPlace(-1)
        #expect(try base.array(Float.self) == [0, 1, 2, -1, 7, 7, 7, -1, 8, 9, 10, -1])
        try matrix.permute(1, 0).unsqueeze(0).squeeze(0).select(1, 0).addInPlace(Tensor.ones([4]), scale: 10)
        #expect(try base.array(Float.self) == [10, 11, 12, 9, 7, 7, 7, -1, 8, 9, 10, -1])

        let copy = try base.clone()
        try base.multiplyInPlace(0)
        #expect(try copy.item(at: 0) == 10 && base.item(at: 0) == 0)
        let other = base  // the same memory, as in PyTorch
        try other.fillInPlace(3)
        #expect(try base.item(at: 5) == 3)
    }

    @Test @Engine func aViewOutlivesItsBase() throws {
        func middle() throws -> Tensor { try Tensor.arange(0, 100_000).narrow(0, start: 50_000, length: 3) }
        let view = try middle()
        _ = try Tensor.zeros([100_000], dtype: .int64)
        #expect(try view.array(Int64.self) == [50_000, 50_001, 50_002])
    }

    @Test @Engine func stridedViewsAreReadInOrder() throws {
        let view = try Tensor.arange(0, 6).reshape(2, 3).transpose(0, 1)
        #expect(!view.isContiguous && view.shape == [3, 2])
        #expect(try view.array(Int64.self) == [0, 3, 1, 4, 2, 5])
        #expect(try view.contiguous().isContiguous)
        #expect(try view.reshape(6).array(Int32.self) == [0, 3, 1, 4, 2, 5])
    }

    @Test @Engine func copyConvertsAndBroadcasts() throws {
        let target = try Tensor.zeros([2, 3], dtype: .int32)
        try target.copy(from: Tensor([1.9, 2, 3] as [Float]))
        #expect(try target.array(Int32.self) == [1, 2, 3, 1, 2, 3])
    }

    @Test @Engine func bytesAreInPlace() throws {
        let tensor = try Tensor([1, 2, 3] as [Int32])
        tensor.withBytes { $0.storeBytes(of: 9, toByteOffset: 4, as: Int32.self) }
        #expect(try tensor.array(Int32.self) == [1, 9, 3])
    }
}

extension Tensor {
    /// One element of a vector.
    func item(at index: Int) throws -> Double { try select(0, index).item() }
}
