// Linear layers whose matrix has 8 or 4 bits a weight and a float16 scale for each group of inputs (the numbers of GGUF's Q8_0 and Q4_0 where
// the group is 32). Activations are rounded to 8 bits by blocks of 32, and products are made in integers.
#include "../shim.h"
#include "quantized.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <vector>

namespace yy {
namespace {

/// Rows that pass a tile together: their sums and activations stay in the nearest cache.
constexpr int64_t rowsTogether = 16;

int64_t up(int64_t count, int64_t part) { return (count + part - 1) / part; }

/// A matrix [outputs, inputs], checked.
struct Matrix {
    const uint8_t *codes;
    const uint16_t *scales;
    int bits;
    int64_t outputs, inputs, tiles, blocks, groups, blocksOfGroup;

    /// The sizes alone.
    Matrix(int bits, int64_t group, int64_t outputs, int64_t inputs)
        : codes(nullptr), scales(nullptr), bits(bits), outputs(outputs), inputs(inputs), tiles(up(outputs, tileOutputs)),
          blocks(up(inputs, blockInputs)) {
        TORCH_CHECK(bits == 8 || bits == 4, "quantised matrices have 8 or 4 bits, not ", bits);
        TORCH_CHECK(group >= 0 && group % blockInputs == 0, "a group is a multiple of ", blockInputs, " inputs, or 0 for all, not ", group);
        blocksOfGroup = group == 0 ? std::max<int64_t>(blocks, 1) : group / blockInputs;
        groups = up(blocks, blocksOfGroup);
    }

    explicit Matrix(const yy_quantized &m) : Matrix(m.bits, m.group, m.rows, m.columns) {
        const auto &c = tensor(m.codes), &s = tensor(m.scales);
        TORCH_CHECK(c.is_cpu() && c.is_contiguous() && c.scalar_type() == at::kByte && c.sizes() == at::IntArrayRef({tiles, blocks, bytes()}),
                    "quantised matrix [", outputs, ", ", inputs, "]: codes ", c.sizes(), " do not fit");
        TORCH_CHECK(s.is_cpu() && s.is_contiguous() && s.scalar_type() == at::kHalf && s.sizes() == at::IntArrayRef({tiles, groups, tileOutputs}),
                    "quantised matrix [", outputs, ", ", inputs, "]: scales ", s.sizes(), " do not fit");
        codes = static_cast<const uint8_t *>(c.data_ptr());
        scales = static_cast<const uint16_t *>(s.data_ptr());
    }

    int64_t bytes() const { return bits == 8 ? blockBytes<8> : blockBytes<4>; }
    int64_t groupInputs() const { return blocksOfGroup * blockInputs; }
    Tile tile(int64_t index) const { return {codes + index * blocks * bytes(), scales + index * groups * tileOutputs, blocksOfGroup}; }

    DotKernel kernel() const {
#if YY_X86
        if (instructions().vnni) return bits == 8 ? dotVNNI<8> : dotVNNI<4>;
        if (instructions().avx2) return bits == 8 ? dotAVX2<8> : dotAVX2<4>;
#endif
        return bits == 8 ? dotPortable<8> : dotPortable<4>;
    }
};

// MARK: Rounding

/// Integers for a group of weights and their scale.
YY_INLINE float roundGroup8(const float *x, int8_t *q, int64_t count) {
    float largest = 0;
    for (int64_t i = 0; i < count; i++) {
        float a = __builtin_fabsf(x[i]);
        largest = a > largest || a != a ? a : largest;  // once a NaN, always one
    }
    float scale = roundHalf(largest / 127);
    float inverse = scale > 0 ? 1 / scale : 0;
    if (!(inverse < INFINITY)) inverse = 0;
    for (int64_t i = 0; i < count; i++) {
        float n = __builtin_rintf(x[i] * inverse);
        n = n < -127 ? -127 : n;
        q[i] = int8_t(n > 127 ? 127.0f : n == n ? n : 0.0f);
    }
    return scale;
}

YY_INLINE float steps(float value, float inverse) {
    float n = __builtin_rintf(value * inverse);
    n = n < -8 ? -8 : n;
    return n > 7 ? 7.0f : n;
}

/// With 4 bits, the largest number is −8 times the scale; of some smaller and larger scales the one with the least squared error is taken.
YY_INLINE float roundGroup4(const float *x, int8_t *q, int64_t count) {
    float extreme = 0;
    for (int64_t i = 0; i < count; i++) {
        bool larger = __builtin_fabsf(x[i]) > __builtin_fabsf(extreme);
        extreme = larger || x[i] != x[i] ? x[i] : extreme;
    }
    float best = roundHalf(extreme / -8), least = INFINITY;
    if (!(__builtin_fabsf(extreme) < INFINITY)) return NAN;
    for (int candidate = -6; candidate <= 6; candidate++) {
        float scale = roundHalf(extreme / (-8 + 0.15f * float(candidate)));
        if (scale == 0) continue;
        float inverse = 1 / scale;
        if (!(__builtin_fabsf(inverse) < INFINITY)) continue;
        float lanes[16] = {};
        int64_t i = 0;
        for (; i + 16 <= count; i += 16)
            for (int j = 0; j < 16; j++) {
                float off = x[i + j] - scale * steps(x[i + j], inverse);
                lanes[j] += off * off;
            }
        for (; i < count; i++) {
            float off = x[i] - scale * steps(x[i], inverse);
            lanes[0] += off * off;
        }
        float error = 0;
        for (float lane : lanes) error += lane;
        if (error < least) {
            least = error;
            best = scale;
        }
    }
    float inverse = best == 0 ? 0 : 1 / best;
    for (int64_t i = 0; i < count; i++) q[i] = int8_t(steps(x[i], inverse < INFINITY ? inverse : 0));
    return best;
}
YY_CLONES float roundGroup(int bits, const float *x, int8_t *q, int64_t count) {
    return bits == 8 ? roundGroup8(x, q, count) : roundGroup4(x, q, count);
}

/// Puts output o's numbers of one block into its tile.
template <int bits> void place(const int8_t *q, int64_t count, uint8_t *block, int64_t o) {
    for (int64_t i = 0; i < blockInputs; i++) {
        int64_t quad = i / quadInputs, at = o * quadInputs + i % quadInputs;
        auto code = uint8_t(int32_t(i < count ? q[i] : 0) + zeroOf<bits>);
        if (bits == 8) {
            block[quad * tileOutputs * quadInputs + at] = code;
        } else {
            auto &pair = block[quad % (blockQuads / 2) * tileOutputs * quadInputs + at];
            pair = quad < blockQuads / 2 ? uint8_t(code | (pair & 0xf0)) : uint8_t(code << 4 | (pair & 15));
        }
    }
}

/// Fills a new matrix; `group(output, group, first input, count, q)` gives numbers and a scale as float16's bits.
template <class Group> yy_quantized build(const Matrix &sizes, int64_t group, Group &&body) {
    auto codes = at::empty({sizes.tiles, sizes.blocks, sizes.bytes()}, at::kByte);
    auto scales = at::zeros({sizes.tiles, sizes.groups, tileOutputs}, at::kHalf);
    auto *toCodes = static_cast<uint8_t *>(codes.data_ptr());
    auto *toScales = static_cast<uint16_t *>(scales.data_ptr());
    parallel(sizes.tiles, 1, [&](int64_t begin, int64_t end) {
        std::vector<int8_t> q(size_t(sizes.groupInputs()), 0);
        for (int64_t tile = begin; tile < end; tile++) {
            for (int64_t o = 0; o < tileOutputs; o++) {
                int64_t output = tile * tileOutputs + o;
                for (int64_t g = 0; g < sizes.groups; g++) {
                    int64_t first = g * sizes.groupInputs(), count = std::min(sizes.groupInputs(), sizes.inputs - first);
                    if (output < sizes.outputs) {
                        toScales[(tile * sizes.groups + g) * tileOutputs + o] = body(output, g, first, count, q.data());
                    } else {
                        count = 0;
                    }
                    for (int64_t b = 0; b < sizes.blocksOfGroup && g * sizes.blocksOfGroup + b < sizes.blocks; b++) {
                        auto *block = toCodes + (tile * sizes.blocks + g * sizes.blocksOfGroup + b) * sizes.bytes();
                        int64_t here = std::clamp<int64_t>(count - b * blockInputs, 0, blockInputs);
                        sizes.bits == 8 ? place<8>(q.data() + b * blockInputs, here, block, o) : place<4>(q.data() + b * blockInputs, here, block, o);
                    }
                }
            }
        }
    });
    return {handle(codes), handle(scales), sizes.bits, group, sizes.outputs, sizes.inputs};
}

// MARK: Widening

/// Outputs [first, first + count) of a tile as numbers, one after the other.
template <int bits, class T> YY_INLINE void widenTile(const Tile &tile, int64_t inputs, int64_t first, int64_t count, T *to) {
    for (int64_t block = 0; block * blockInputs < inputs; block++) {
        const uint8_t *codes = tile.codes + block * blockBytes<bits>;
        const uint16_t *scales = tile.scales + block / tile.blocksOfGroup * tileOutputs;
        int64_t here = std::min(blockInputs, inputs - block * blockInputs);
        for (int64_t o = first; o < first + count; o++) {
            T wide[blockInputs];
            float scale = widenHalf(scales[o]);
            for (int64_t i = 0; i < blockInputs; i++) store(wide[i], scale * float(number<bits>(codes, i, o)));
            std::memcpy(to + (o - first) * inputs + block * blockInputs, wide, size_t(here) * sizeof(T));
        }
    }
}
template <class T> YY_INLINE void widenRows(int bits, const Tile &tile, int64_t inputs, int64_t first, int64_t count, T *to) {
    bits == 8 ? widenTile<8>(tile, inputs, first, count, to) : widenTile<4>(tile, inputs, first, count, to);
}
YY_CLONES void widenRowsOf(int bits, const Tile &tile, int64_t inputs, int64_t first, int64_t count, float *to) {
    widenRows(bits, tile, inputs, first, count, to);
}
YY_CLONES void widenRowsOf(int bits, const Tile &tile, int64_t inputs, int64_t first, int64_t count, bf16 *to) {
    widenRows(bits, tile, inputs, first, count, to);
}

/// Outputs of the tiles [begin, end), [outputs, inputs] in float32 or bfloat16.
at::Tensor dense(const Matrix &m, int64_t begin, int64_t end, at::ScalarType dtype) {
    int64_t first = begin * tileOutputs, outputs = std::min(end * tileOutputs, m.outputs) - first;
    auto y = at::empty({outputs, m.inputs}, dtype);
    auto *to = y.data_ptr();
    parallel(end - begin, std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, m.inputs * tileOutputs)), [&](int64_t from, int64_t until) {
        for (int64_t t = from; t < until; t++) {
            int64_t at = t * tileOutputs, count = std::min(tileOutputs, outputs - at);
            if (dtype == at::kFloat) {
                widenRowsOf(m.bits, m.tile(begin + t), m.inputs, 0, count, static_cast<float *>(to) + at * m.inputs);
            } else {
                widenRowsOf(m.bits, m.tile(begin + t), m.inputs, 0, count, static_cast<bf16 *>(to) + at * m.inputs);
            }
        }
    });
    return y;
}

// MARK: Products

/// Activations rounded to 8 bits by blocks of 32, and −zero·Σ of each block.
struct Rounded {
    std::vector<int8_t> values;
    std::vector<float> scales;
    std::vector<int32_t> offsets;
};

/// One row; blocks of a row are `rows` apart.
template <class T> YY_INLINE void roundRow(const T *x, int64_t inputs, int64_t rows, int32_t zero, int8_t *q, float *scales, int32_t *offsets) {
    for (int64_t first = 0; first < inputs; first += blockInputs, q += rows * blockInputs, scales += rows, offsets += rows) {
        float wide[blockInputs] = {};
        int64_t here = std::min(blockInputs, inputs - first);
        if (here == blockInputs) {
            for (int64_t i = 0; i < blockInputs; i++) wide[i] = widen(x[first + i]);
        } else {
            for (int64_t i = 0; i < here; i++) wide[i] = widen(x[first + i]);
        }
        uint32_t largest = 0;  // of numbers without their sign, the order is that of their bits; NaN is above all
        for (float number : wide) {
            uint32_t bits;
            std::memcpy(&bits, &number, 4);
            largest = std::max(largest, bits & 0x7fffffffu);
        }
        float top;
        std::memcpy(&top, &largest, 4);
        // What is not finite makes the whole block NaN, and so the sums.
        bool sound = largest < 0x7f800000u;
        float inverse = sound && top >= 0x1p-120f ? 127 / top : 0;
        int32_t sum = 0;
        for (int64_t i = 0; i < blockInputs; i++) {
            auto n = int32_t(__builtin_rintf(sound ? wide[i] * inverse : 0.0f));
            q[i] = int8_t(n);
            sum += n;
        }
        *scales = sound ? top / 127 : NAN;
        *offsets = -zero * sum;
    }
}
YY_CLONES void roundRowOf(const float *x, int64_t n, int64_t r, int32_t z, int8_t *q, float *s, int32_t *o) { roundRow(x, n, r, z, q, s, o); }
YY_CLONES void roundRowOf(const bf16 *x, int64_t n, int64_t r, int32_t z, int8_t *q, float *s, int32_t *o) { roundRow(x, n, r, z, q, s, o); }

#if YY_X86
/// `roundRow`, the same to the bit, in a quarter of the time.
template <class T> YY_AVX512 void roundRowAVX512(const T *x, int64_t inputs, int64_t rows, int32_t zero, int8_t *q, float *scales, int32_t *offsets) {
    auto magnitude = _mm512_set1_epi32(0x7fffffff);
    int64_t first = 0;
    for (; first + blockInputs <= inputs; first += blockInputs, q += rows * blockInputs, scales += rows, offsets += rows) {
        auto left = sixteen(x + first), right = sixteen(x + first + 16);
        auto sizes = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(left), magnitude), _mm512_and_si512(_mm512_castps_si512(right), magnitude));
        uint32_t largest = _mm512_reduce_max_epu32(sizes);
        float top;
        std::memcpy(&top, &largest, 4);
        bool sound = largest < 0x7f800000u;
        auto inverse = _mm512_set1_ps(sound && top >= 0x1p-120f ? 127 / top : 0);
        auto kept = __mmask16(sound ? 0xffff : 0);
        auto a = _mm512_cvtps_epi32(_mm512_maskz_mul_ps(kept, left, inverse)), b = _mm512_cvtps_epi32(_mm512_maskz_mul_ps(kept, right, inverse));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(q), _mm512_cvtepi32_epi8(a));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(q + 16), _mm512_cvtepi32_epi8(b));
        *scales = sound ? top / 127 : NAN;
        *offsets = -zero * _mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
    }
    if (first < inputs) roundRowOf(x + first, inputs - first, rows, zero, q, scales, offsets);
}
#endif

/// Sums of one tile, with the bias, to their place in y.
template <class T> YY_INLINE void put(const float *sums, const T *bias, T *y, int64_t rows, int64_t count, int64_t stride) {
    float added[tileOutputs] = {};
    for (int64_t o = 0; bias && o < count; o++) added[o] = widen(bias[o]);
    for (int64_t row = 0; row < rows; row++) {
        T values[tileOutputs];
        for (int64_t o = 0; o < tileOutputs; o++) store(values[o], sums[row * tileOutputs + o] + added[o]);
        std::memcpy(y + row * stride, values, size_t(count) * sizeof(T));
    }
}
YY_CLONES void putOf(const float *s, const float *b, float *y, int64_t rows, int64_t count, int64_t stride) { put(s, b, y, rows, count, stride); }
YY_CLONES void putOf(const float *s, const bf16 *b, bf16 *y, int64_t rows, int64_t count, int64_t stride) { put(s, b, y, rows, count, stride); }

/// y = x·Wᵀ + b in integers. A tile stays in the cache while all rows pass, some at a time.
template <class T> at::Tensor product(const at::Tensor &x, const Matrix &m, const at::Tensor &biases) {
    int64_t rows = x.size(0), padded = m.blocks * blockInputs;
    auto y = at::empty({rows, m.outputs}, x.options());
    thread_local Rounded rounded;  // kept from layer to layer
    rounded.values.resize(size_t(rows * padded));
    rounded.scales.resize(size_t(rows * m.blocks));
    rounded.offsets.resize(size_t(rows * m.blocks));
    auto *values = rounded.values.data();
    auto *scales = rounded.scales.data();
    auto *offsets = rounded.offsets.data();
    auto *from = static_cast<const T *>(x.data_ptr());
    int32_t zero = m.bits == 8 ? zeroOf<8> : zeroOf<4>;
    void (*round)(const T *, int64_t, int64_t, int32_t, int8_t *, float *, int32_t *) = roundRowOf;
#if YY_X86
    if (instructions().avx512) round = roundRowAVX512<T>;
#endif
    parallel(rows, std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, padded)), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; row++) {
            int64_t first = row / rowsTogether * rowsTogether, together = std::min(rowsTogether, rows - first);
            int64_t place = first * m.blocks + row - first;  // of the row's first block
            auto *q = values + first * padded + (row - first) * blockInputs;
            round(from + row * m.inputs, m.inputs, together, zero, q, scales + place, offsets + place);
        }
    });
    auto *to = static_cast<T *>(y.data_ptr());
    auto *bias = biases.defined() ? static_cast<const T *>(biases.data_ptr()) : nullptr;
    auto kernel = m.kernel();
    parallel(m.tiles, std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, rows * padded * tileOutputs)), [&](int64_t begin, int64_t end) {
        alignas(64) float sums[rowsTogether * tileOutputs];
        for (int64_t tile = begin; tile < end; tile++) {
            int64_t output = tile * tileOutputs, count = std::min(tileOutputs, m.outputs - output);
            for (int64_t row = 0; row < rows; row += rowsTogether) {
                int64_t together = std::min(rowsTogether, rows - row);
                kernel(m.tile(tile), {together, m.blocks, values + row * padded, scales + row * m.blocks, offsets + row * m.blocks}, sums);
                putOf(sums, bias ? bias + output : nullptr, to + row * m.outputs + output, together, count, m.outputs);
            }
        }
    });
    return y;
}

}  // namespace
}  // namespace yy

using namespace yy;

yy_status yy_quantize(yy_tensor weight, int bits, int64_t group, yy_quantized *out) {
    return guarded([&] {
        c10::NoGradGuard unrecorded;
        auto w = tensor(weight).detach().contiguous();
        TORCH_CHECK(w.dim() == 2, "a matrix is quantised, not ", w.sizes());
        bool bfloat = w.scalar_type() == at::kBFloat16;
        w = bfloat ? w.cpu() : w.to(at::kCPU, at::kFloat);
        Matrix sizes(bits, group, w.size(0), w.size(1));
        auto *data = w.data_ptr();
        *out = build(sizes, group, [&](int64_t output, int64_t, int64_t first, int64_t count, int8_t *q) {
            int64_t at = output * sizes.inputs + first;
            thread_local std::vector<float> wide;
            wide.resize(size_t(count));
            for (int64_t i = 0; i < count; i++) {
                wide[size_t(i)] = bfloat ? widen(static_cast<const bf16 *>(data)[at + i]) : static_cast<const float *>(data)[at + i];
            }
            return narrowHalf(roundGroup(bits, wide.data(), q, count));
        });
    });
}

yy_status yy_quantized_pack(yy_tensor numbers, yy_tensor scales, int bits, int64_t group, yy_quantized *out) {
    return guarded([&] {
        auto n = tensor(numbers).contiguous(), s = tensor(scales).contiguous();
        TORCH_CHECK(n.dim() == 2 && n.is_cpu() && n.scalar_type() == at::kChar, "numbers are a matrix of int8 on the CPU, not ", n.sizes(), " ",
                    n.scalar_type());
        Matrix sizes(bits, group, n.size(0), n.size(1));
        TORCH_CHECK(s.is_cpu() && s.scalar_type() == at::kHalf && s.sizes() == at::IntArrayRef({sizes.outputs, sizes.groups}), "scales ", s.sizes(),
                    " ", s.scalar_type(), " do not fit numbers ", n.sizes(), " in groups of ", group);
        auto *from = static_cast<const int8_t *>(n.data_ptr());
        auto *with = static_cast<const uint16_t *>(s.data_ptr());
        *out = build(sizes, group, [&](int64_t output, int64_t g, int64_t first, int64_t count, int8_t *q) {
            std::memcpy(q, from + output * sizes.inputs + first, size_t(count));
            return with[output * sizes.groups + g];
        });
    });
}

yy_status yy_quantized_dequantize(yy_quantized matrix, yy_dtype dtype, yy_tensor *out) {
    return guarded(out, [&] {
        Matrix m(matrix);
        bool direct = dtype == YY_FLOAT32 || dtype == YY_BFLOAT16;
        auto y = dense(m, 0, m.tiles, direct ? at::ScalarType(dtype) : at::kFloat);
        return direct ? y : y.to(at::ScalarType(dtype));
    });
}

yy_status yy_quantized_rows(yy_quantized matrix, yy_tensor indices, yy_dtype dtype, yy_tensor *out) {
    return guarded(out, [&] {
        Matrix m(matrix);
        auto ids = tensor(indices).contiguous();
        TORCH_CHECK(ids.is_cpu() && ids.scalar_type() == at::kLong, "indices are int64 on the CPU, not ", ids.scalar_type());
        TORCH_CHECK(dtype == YY_FLOAT32 || dtype == YY_BFLOAT16, "rows are float32 or bfloat16");
        auto sizes = ids.sizes().vec();
        sizes.push_back(m.inputs);
        auto y = at::empty(sizes, at::ScalarType(dtype));
        auto *at = ids.data_ptr<int64_t>();
        auto *to = y.data_ptr();
        for (int64_t i = 0; i < ids.numel(); i++) TORCH_CHECK(at[i] >= 0 && at[i] < m.outputs, "row ", at[i], " of ", m.outputs);
        parallel(ids.numel(), 16, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; i++) {
                auto tile = m.tile(at[i] / tileOutputs);
                int64_t o = at[i] % tileOutputs;
                if (dtype == YY_FLOAT32) {
                    widenRowsOf(m.bits, tile, m.inputs, o, 1, static_cast<float *>(to) + i * m.inputs);
                } else {
                    widenRowsOf(m.bits, tile, m.inputs, o, 1, static_cast<bf16 *>(to) + i * m.inputs);
                }
            }
        });
        return y;
    });
}

yy_status yy_quantized_linear(yy_tensor input, yy_quantized matrix, yy_tensor bias, yy_tensor *out) {
    return guarded(out, [&] {
        Matrix m(matrix);
        const auto &x = tensor(input);
        TORCH_CHECK(x.dim() >= 1 && x.size(-1) == m.inputs, "linear: input ", x.sizes(), " and weight [", m.outputs, ", ", m.inputs, "] do not fit");
        TORCH_CHECK(!bias || tensor(bias).numel() == m.outputs, "linear: weight [", m.outputs, ", ", m.inputs, "] and bias ", tensor(bias).sizes(),
                    " do not fit");
        TORCH_CHECK(!(c10::GradMode::is_enabled() && x.requires_grad()), "linear: a quantised matrix is for inference and gives no gradients");
        bool bfloat = x.scalar_type() == at::kBFloat16;
        TORCH_CHECK(x.is_cpu() && (bfloat || x.scalar_type() == at::kFloat), "linear: a quantised matrix takes float32 or bfloat16 on the CPU, not ",
                    x.scalar_type());
        auto sizes = x.sizes().vec();
        sizes.back() = m.outputs;
        auto rows = x.reshape({-1, m.inputs}).contiguous();
        if (rows.numel() == 0) return at::zeros(sizes, x.options());
        auto b = bias ? tensor(bias).to(x.scalar_type()).contiguous() : at::Tensor();
        return (bfloat ? product<bf16>(rows, m, b) : product<float>(rows, m, b)).view(sizes);
    });
}
