// y = x·Wᵀ + b for a few rows of x: the time of decoding is the time of reading W once. Each thread streams its own rows of W, in bfloat16,
// where they lie. ATen's linear reaches under half of the memory's speed here.
#include "../shim.h"
#include "instructions.h"
#include "parallel.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <c10/core/GradMode.h>

#include <vector>

namespace yy {
namespace {

constexpr int64_t mostRows = 16;

/// x [rows, width], w [outputs, width], b [outputs] or null, y [rows, outputs].
struct Product {
    /// x, for processors that do not multiply bfloat16.
    const float *wide;
    /// x as [⌈width/32⌉, rows, 32], for those that do: rows that lie a power of two apart would drive each other out of the cache.
    const bf16 *interleaved;
    const bf16 *w, *b;
    bf16 *y;
    int64_t rows, width, outputs;

    void put(int64_t row, int64_t output, float sum) const { y[row * outputs + output] = narrow(b ? sum + widen(b[output]) : sum); }
};

typedef float Lanes __attribute__((vector_size(64)));
typedef uint32_t Bits __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32)));

// Vectors are passed by reference: by value their calling convention would depend on the instruction set.
YY_INLINE void load(Lanes &to, const bf16 *from) {
    Halves halves;
    std::memcpy(&halves, from, sizeof halves);
    Bits bits = __builtin_convertvector(halves, Bits) << 16;
    std::memcpy(&to, &bits, sizeof to);
}
YY_INLINE void load(Lanes &to, const float *from) { std::memcpy(&to, from, sizeof to); }
YY_INLINE float sum(const Lanes &lanes) {
    float total = 0;
    for (int i = 0; i < 16; i++) total += lanes[i];
    return total;
}

/// Outputs [begin, end) of `rows` rows from `first` on, in float32.
template <int rows> YY_INLINE void widened(const Product &p, int64_t first, int64_t begin, int64_t end) {
    const float *x = p.wide + first * p.width;
    for (int64_t o = begin; o < end; o++) {
        const bf16 *row = p.w + o * p.width;
        Lanes even[rows], odd[rows];
        for (int r = 0; r < rows; r++) even[r] = odd[r] = Lanes{};
        int64_t i = 0;
        for (; i + 32 <= p.width; i += 32) {
            Lanes one, two, left, right;
            load(one, row + i);
            load(two, row + i + 16);
            for (int r = 0; r < rows; r++) {
                load(left, x + r * p.width + i);
                load(right, x + r * p.width + i + 16);
                even[r] += left * one;
                odd[r] += right * two;
            }
        }
        for (int r = 0; r < rows; r++) {
            float total = sum(even[r] + odd[r]);
            for (int64_t j = i; j < p.width; j++) total += x[r * p.width + j] * widen(row[j]);
            p.put(first + r, o, total);
        }
    }
}

/// Some outputs at a time, so that what four rows have read of W is near when the next four want it.
YY_INLINE void multiply(const Product &p, int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; o += 8) {
        int64_t until = std::min(o + 8, end), row = 0;
        for (; row + 4 <= p.rows; row += 4) widened<4>(p, row, o, until);
        if (p.rows - row == 3) widened<3>(p, row, o, until);
        if (p.rows - row == 2) widened<2>(p, row, o, until);
        if (p.rows - row == 1) widened<1>(p, row, o, until);
    }
}
void multiplyPortable(const Product &p, int64_t begin, int64_t end) { multiply(p, begin, end); }

#if YY_X86
YY_AVX2 void multiplyAVX2(const Product &p, int64_t begin, int64_t end) { multiply(p, begin, end); }
YY_AVX512 void multiplyAVX512(const Product &p, int64_t begin, int64_t end) { multiply(p, begin, end); }

YY_AVX512_BF16 YY_INLINE __m512bh pairs(const bf16 *from, __mmask32 mask) { return __m512bh(_mm512_maskz_loadu_epi16(mask, from)); }

/// Sums of rows [first, first + rows) of a few outputs over the inputs [from, until), added to sums[output][row]. Products of pairs of bfloat16 are summed
/// into float32 as they lie: nothing is widened.
template <int rows, int outputs>
YY_AVX512_BF16 YY_INLINE void addPairs(const Product &p, int64_t first, int64_t output, int64_t from, int64_t until, float *sums) {
    const int64_t ahead = outputs == 1 ? 4096 : outputs * p.width;  // weights; by itself the hardware stops at the end of a page
    constexpr int chains = rows <= 2 ? 4 : rows <= 4 ? 2 : 1;      // sums that do not wait for each other
    const bf16 *w = p.w + output * p.width, *x = p.interleaved + from * p.rows + first * 32;
    __m512 lanes[chains][outputs][rows];
    for (auto &chain : lanes)
        for (auto &some : chain)
            for (auto &one : some) one = _mm512_setzero_ps();
    int64_t i = from;
    for (; i + 32 * chains <= until; i += 32 * chains) {
        for (int c = 0; c < chains; c++, x += 32 * p.rows) {
            for (int o = 0; o < outputs; o++) {
                const bf16 *at = w + o * p.width + i + 32 * c;
                auto weights = pairs(at, ~__mmask32(0));
                _mm_prefetch(reinterpret_cast<const char *>(at + ahead), _MM_HINT_T0);
                for (int r = 0; r < rows; r++) lanes[c][o][r] = _mm512_dpbf16_ps(lanes[c][o][r], weights, pairs(x + r * 32, ~__mmask32(0)));
            }
        }
    }
    for (; i < until; i += 32, x += 32 * p.rows) {
        auto mask = until - i >= 32 ? ~__mmask32(0) : __mmask32((1u << (until - i)) - 1);
        for (int o = 0; o < outputs; o++) {
            auto weights = pairs(w + o * p.width + i, mask);
            for (int r = 0; r < rows; r++) lanes[0][o][r] = _mm512_dpbf16_ps(lanes[0][o][r], weights, pairs(x + r * 32, mask));
        }
    }
    for (int o = 0; o < outputs; o++)
        for (int r = 0; r < rows; r++) {
            for (int c = 1; c < chains; c++) lanes[0][o][r] = _mm512_add_ps(lanes[0][o][r], lanes[c][o][r]);
            sums[o * mostRows + first + r] += _mm512_reduce_add_ps(lanes[0][o][r]);
        }
}
/// Many rows take three outputs at a time, which share what is read of x: it does not fit the nearest cache.
template <int rows>
YY_AVX512_BF16 void addSome(const Product &p, int64_t first, int64_t begin, int64_t end, int64_t from, int64_t until, float *sums) {
    constexpr int outputs = rows <= 4 ? 1 : 3;
    int64_t o = begin;
    for (; o + outputs <= end; o += outputs) addPairs<rows, outputs>(p, first, o, from, until, sums + (o - begin) * mostRows);
    for (; o < end; o++) addPairs<rows, 1>(p, first, o, from, until, sums + (o - begin) * mostRows);
}
/// More than eight rows go in two halves, over some inputs of some outputs at a time, so that a half's x is read again from the nearest cache and the
/// weights from the next.
void multiplyBFloat(const Product &p, int64_t begin, int64_t end) {
    constexpr decltype(&addSome<1>) kernels[] = {addSome<1>, addSome<2>, addSome<3>, addSome<4>, addSome<5>, addSome<6>, addSome<7>, addSome<8>};
    constexpr int64_t outputs = 24;
    int64_t halves = p.rows > 8 ? 2 : 1, half = (p.rows + halves - 1) / halves, inputs = halves == 2 ? 1024 : p.width;
    for (int64_t o = begin; o < end; o += outputs) {
        int64_t until = std::min(o + outputs, end);
        float sums[outputs * mostRows] = {};
        for (int64_t i = 0; i < p.width; i += inputs)
            for (int64_t first = 0; first < p.rows; first += half) {
                kernels[std::min(half, p.rows - first) - 1](p, first, o, until, i, std::min(i + inputs, p.width), sums);
            }
        for (int64_t at = o; at < until; at++)
            for (int64_t row = 0; row < p.rows; row++) p.put(row, at, sums[(at - o) * mostRows + row]);
    }
}
#endif

at::Tensor matvec(const at::Tensor &x, const at::Tensor &w, const at::Tensor *bias) {
    int64_t width = w.size(1), outputs = w.size(0), rows = x.numel() / width;
    auto sizes = x.sizes().vec();
    sizes.back() = outputs;
    auto y = at::empty(sizes, x.options());
    auto dense = x.contiguous();
    auto *from = static_cast<bf16 *>(dense.data_ptr());
    Product product{nullptr, nullptr, static_cast<bf16 *>(w.data_ptr()), bias ? static_cast<bf16 *>(bias->data_ptr()) : nullptr,
                    static_cast<bf16 *>(y.data_ptr()), rows, width, outputs};
    std::vector<float> wide;
    at::Tensor interleaved;  // a tensor's memory begins on a cache line
    auto *kernel = multiplyPortable;
#if YY_X86
    if (instructions().avx2) kernel = multiplyAVX2;
    if (instructions().avx512) kernel = multiplyAVX512;
    if (instructions().bfloat16) {
        kernel = multiplyBFloat;
        interleaved = at::empty({(width + 31) / 32, rows, 32}, x.options());
        auto *to = static_cast<bf16 *>(interleaved.data_ptr());
        for (int64_t row = 0; row < rows; row++)
            for (int64_t i = 0; i < width; i += 32) {
                std::memcpy(to + i * rows + row * 32, from + row * width + i, size_t(std::min<int64_t>(32, width - i)) * sizeof(bf16));
            }
        product.interleaved = to;
    }
#endif
    if (!product.interleaved) {
        wide.resize(size_t(x.numel()));
        for (size_t i = 0; i < wide.size(); i++) wide[i] = widen(from[i]);
        product.wide = wide.data();
    }
    parallel(outputs, std::max<int64_t>(1, (1 << 15) / width), [&](int64_t begin, int64_t end) { kernel(product, begin, end); });
    return y;
}

}  // namespace
}  // namespace yy

using namespace yy;

yy_status yy_linear(yy_tensor input, yy_tensor weight, yy_tensor bias, yy_tensor *out) {
    return guarded(out, [&] {
        const auto &x = tensor(input), &w = tensor(weight);
        TORCH_CHECK(w.dim() == 2 && x.dim() >= 1 && x.size(-1) == w.size(1), "linear: input ", x.sizes(), " and weight ", w.sizes(), " do not fit");
        TORCH_CHECK(!bias || tensor(bias).numel() == w.size(0), "linear: weight ", w.sizes(), " and bias ", tensor(bias).sizes(), " do not fit");
        bool recorded = c10::GradMode::is_enabled() && (x.requires_grad() || w.requires_grad() || (bias && tensor(bias).requires_grad()));
        bool few = x.numel() > 0 && x.numel() <= mostRows * w.size(1);
        bool bfloat = x.scalar_type() == at::kBFloat16 && w.scalar_type() == at::kBFloat16;
        bool dense = w.is_contiguous() && (!bias || (tensor(bias).is_contiguous() && tensor(bias).scalar_type() == at::kBFloat16));
        if (x.is_cpu() && few && bfloat && dense && !recorded) return matvec(x, w, bias ? &tensor(bias) : nullptr);
        return at::linear(x, w, optional(bias));
    });
}
