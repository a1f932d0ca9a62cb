// y = x·Wᵀ + b for a few rows of x: the time of decoding is the time of reading W once. Each thread streams its own rows of W, in bfloat16,
// and multiplies in float32. ATen's linear reaches under half of the memory's speed here.
#include "../shim.h"
#include "parallel.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <c10/core/GradMode.h>

#include <vector>

namespace yy {
namespace {

constexpr int64_t mostRows = 4;

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

/// Outputs [begin, end) of `rows` rows: x [rows, width] float32, w [outputs, width] bfloat16, y [rows, outputs] bfloat16.
template <int rows> YY_INLINE void multiply(const float *x, const bf16 *w, const bf16 *b, bf16 *y, int64_t width, int64_t outputs, int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; o++) {
        const bf16 *row = w + o * width;
        Lanes even[rows], odd[rows];
        for (int r = 0; r < rows; r++) even[r] = odd[r] = Lanes{};
        int64_t i = 0;
        for (; i + 32 <= width; i += 32) {
            Lanes first, second, left, right;
            load(first, row + i);
            load(second, row + i + 16);
            for (int r = 0; r < rows; r++) {
                load(left, x + r * width + i);
                load(right, x + r * width + i + 16);
                even[r] += left * first;
                odd[r] += right * second;
            }
        }
        for (int r = 0; r < rows; r++) {
            float total = sum(even[r] + odd[r]);
            for (int64_t j = i; j < width; j++) total += x[r * width + j] * widen(row[j]);
            y[r * outputs + o] = narrow(b ? total + widen(b[o]) : total);
        }
    }
}
YY_CLONES void multiply1(const float *x, const bf16 *w, const bf16 *b, bf16 *y, int64_t k, int64_t n, int64_t s, int64_t e) { multiply<1>(x, w, b, y, k, n, s, e); }
YY_CLONES void multiply2(const float *x, const bf16 *w, const bf16 *b, bf16 *y, int64_t k, int64_t n, int64_t s, int64_t e) { multiply<2>(x, w, b, y, k, n, s, e); }
YY_CLONES void multiply3(const float *x, const bf16 *w, const bf16 *b, bf16 *y, int64_t k, int64_t n, int64_t s, int64_t e) { multiply<3>(x, w, b, y, k, n, s, e); }
YY_CLONES void multiply4(const float *x, const bf16 *w, const bf16 *b, bf16 *y, int64_t k, int64_t n, int64_t s, int64_t e) { multiply<4>(x, w, b, y, k, n, s, e); }

at::Tensor matvec(const at::Tensor &x, const at::Tensor &w, const at::Tensor *bias) {
    int64_t width = w.size(1), outputs = w.size(0), rows = x.numel() / width;
    auto sizes = x.sizes().vec();
    sizes.back() = outputs;
    auto y = at::empty(sizes, x.options());
    auto dense = x.contiguous();
    std::vector<float> wide(size_t(x.numel()));
    auto *from = static_cast<bf16 *>(dense.data_ptr());
    for (size_t i = 0; i < wide.size(); i++) wide[i] = widen(from[i]);
    auto *weights = static_cast<bf16 *>(w.data_ptr()), *b = bias ? static_cast<bf16 *>(bias->data_ptr()) : nullptr;
    auto *to = static_cast<bf16 *>(y.data_ptr());
    constexpr decltype(&multiply1) kernels[] = {multiply1, multiply2, multiply3, multiply4};
    auto *kernel = kernels[rows - 1];
    parallel(outputs, std::max<int64_t>(1, (1 << 15) / width), [&](int64_t begin, int64_t end) {
        kernel(wide.data(), weights, b, to, width, outputs, begin, end);
    });
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
