// Root mean square normalisation, and the gate of a feed-forward layer, in one pass each: spelled out, a decode step of a LLaMA would cross into ATen ten times
// for every one of them.
#include "../shim.h"
#include "parallel.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/silu.h>
#include <c10/core/InferenceMode.h>

namespace yy {
namespace {

/// Rounded to x's type before the weight is multiplied, as transformers does.
template <class T> YY_INLINE void normalise(const T *x, const T *w, T *y, int64_t width, float epsilon) {
    float lanes[16] = {};
    int64_t i = 0;
    for (; i + 16 <= width; i += 16)
        for (int j = 0; j < 16; j++) lanes[j] += widen(x[i + j]) * widen(x[i + j]);
    for (; i < width; i++) lanes[0] += widen(x[i]) * widen(x[i]);
    float sum = 0;
    for (float lane : lanes) sum += lane;
    float scale = 1 / std::sqrt(sum / float(width) + epsilon);
    for (int64_t k = 0; k < width; k++) {
        T rounded;
        store(rounded, widen(x[k]) * scale);
        store(y[k], widen(rounded) * widen(w[k]));
    }
}
YY_CLONES void normaliseOf(const float *x, const float *w, float *y, int64_t n, float e) { normalise(x, w, y, n, e); }
YY_CLONES void normaliseOf(const bf16 *x, const bf16 *w, bf16 *y, int64_t n, float e) { normalise(x, w, y, n, e); }

/// x·σ(x), rounded as a layer of its own would be, times `by`.
template <class T> YY_INLINE void gate(const T *x, const T *by, T *y, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
        float v = widen(x[i]), e = exponential(-__builtin_fabsf(v));
        T rounded;
        store(rounded, v * ((v < 0 ? e : 1.0f) / (1 + e)));
        store(y[i], widen(rounded) * widen(by[i]));
    }
}
YY_CLONES void gateOf(const float *x, const float *by, float *y, int64_t b, int64_t e) { gate(x, by, y, b, e); }
YY_CLONES void gateOf(const bf16 *x, const bf16 *by, bf16 *y, int64_t b, int64_t e) { gate(x, by, y, b, e); }

/// In inference only: training computes alike whether it records or not, and recomputes the same bits on the way back.
bool isFused(const at::Tensor &a, const at::Tensor &b) {
    return c10::InferenceMode::is_enabled() && a.is_cpu() && b.is_cpu() && a.scalar_type() == b.scalar_type() && a.is_contiguous() && b.is_contiguous()
           && (a.scalar_type() == at::kBFloat16 || a.scalar_type() == at::kFloat);
}

}  // namespace
}  // namespace yy

using namespace yy;

yy_status yy_rms_norm(yy_tensor input, yy_tensor weight, double epsilon, yy_tensor *out) {
    return guarded(out, [&] {
        const auto &x = tensor(input), &w = tensor(weight);
        TORCH_CHECK(x.dim() >= 1 && w.dim() == 1 && x.size(-1) == w.size(0), "rmsNorm: ", x.sizes(), " and weight ", w.sizes(), " do not fit");
        if (!isFused(x, w)) {
            auto wide = x.to(at::kFloat);
            auto scaled = wide * (wide * wide).mean(-1, true).add(epsilon).rsqrt();
            return scaled.to(x.scalar_type()) * w;
        }
        auto y = at::empty_like(x);
        int64_t width = w.size(0), rows = width > 0 ? x.numel() / width : 0;
        parallel(rows, std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(width, 1)), [&](int64_t begin, int64_t end) {
            for (int64_t row = begin; row < end; row++) {
                if (x.scalar_type() == at::kBFloat16) {
                    auto *from = static_cast<bf16 *>(x.data_ptr()), *to = static_cast<bf16 *>(y.data_ptr());
                    normaliseOf(from + row * width, static_cast<bf16 *>(w.data_ptr()), to + row * width, width, float(epsilon));
                } else {
                    normaliseOf(x.data_ptr<float>() + row * width, w.data_ptr<float>(), y.data_ptr<float>() + row * width, width, float(epsilon));
                }
            }
        });
        return y;
    });
}

yy_status yy_silu_gated(yy_tensor input, yy_tensor factor, yy_tensor *out) {
    return guarded(out, [&] {
        const auto &x = tensor(input), &by = tensor(factor);
        TORCH_CHECK(x.sizes() == by.sizes(), "siluGated: ", x.sizes(), " and ", by.sizes(), " do not fit");
        if (!isFused(x, by)) return at::silu(x) * by;
        auto y = at::empty_like(x);
        parallel(x.numel(), 1 << 13, [&](int64_t begin, int64_t end) {
            if (x.scalar_type() == at::kBFloat16) {
                gateOf(static_cast<bf16 *>(x.data_ptr()), static_cast<bf16 *>(by.data_ptr()), static_cast<bf16 *>(y.data_ptr()), begin, end);
            } else {
                gateOf(x.data_ptr<float>(), by.data_ptr<float>(), y.data_ptr<float>(), begin, end);
            }
        });
        return y;
    });
}
