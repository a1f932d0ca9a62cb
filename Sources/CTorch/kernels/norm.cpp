// Normalisation, and the gate of a feed-forward layer, in one call each: spelled out, a decoding step would cross into ATen up to ten times for every one of them.
#include "../shim.h"
#include "parallel.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/layer_norm.h>
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

template <class T> YY_INLINE void standardise(const T *x, const T *w, const T *b, T *y, int64_t width, float epsilon) {
    float sums[16] = {}, squares[16] = {};
    int64_t whole = width / 16 * 16;
    for (int64_t i = 0; i < whole; i += 16)
        for (int j = 0; j < 16; j++) sums[j] += widen(x[i + j]);
    for (int64_t i = whole; i < width; i++) sums[0] += widen(x[i]);
    float mean = 0, variance = 0;
    for (float sum : sums) mean += sum / float(width);
    for (int64_t i = 0; i < whole; i += 16)
        for (int j = 0; j < 16; j++) squares[j] += (widen(x[i + j]) - mean) * (widen(x[i + j]) - mean);
    for (int64_t i = whole; i < width; i++) squares[0] += (widen(x[i]) - mean) * (widen(x[i]) - mean);
    for (float square : squares) variance += square / float(width);
    float scale = 1 / std::sqrt(variance + epsilon);
    if (b) {
        for (int64_t i = 0; i < width; i++) store(y[i], (widen(x[i]) - mean) * scale * widen(w[i]) + widen(b[i]));
    } else {
        for (int64_t i = 0; i < width; i++) store(y[i], (widen(x[i]) - mean) * scale * widen(w[i]));
    }
}
YY_CLONES void standardiseOf(const float *x, const float *w, const float *b, float *y, int64_t n, float e) { standardise(x, w, b, y, n, e); }
YY_CLONES void standardiseOf(const bf16 *x, const bf16 *w, const bf16 *b, bf16 *y, int64_t n, float e) { standardise(x, w, b, y, n, e); }

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

template <class T> YY_INLINE void add(const T *x, const T *more, T *sum, int64_t width) {
    for (int64_t i = 0; i < width; i++) store(sum[i], widen(x[i]) + widen(more[i]));
}
YY_CLONES void addOf(const float *x, const float *more, float *sum, int64_t n) { add(x, more, sum, n); }
YY_CLONES void addOf(const bf16 *x, const bf16 *more, bf16 *sum, int64_t n) { add(x, more, sum, n); }

struct Normed {
    at::Tensor sum, y;
};

/// What `body(row of the sum, row of the result, width)` makes of each row of x + more, or of x where `more` is null.
template <class Body> Normed byRow(const at::Tensor &x, const yy_tensor &more, const Body &body) {
    Normed normed{more ? at::empty_like(x) : x, at::empty_like(x)};
    int64_t width = x.size(-1), rows = width > 0 ? x.numel() / width : 0;
    auto each = [&](auto *from) {
        using T = decltype(from);
        auto *added = more ? static_cast<T>(tensor(more).data_ptr()) : nullptr;
        auto *sum = static_cast<T>(normed.sum.data_ptr()), *to = static_cast<T>(normed.y.data_ptr());
        parallel(rows, std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(width, 1)), [&](int64_t begin, int64_t end) {
            for (int64_t at = begin * width; at < end * width; at += width) {
                if (added) addOf(from + at, added + at, sum + at, width);
                body(sum + at, to + at, width);
            }
        });
    };
    x.scalar_type() == at::kBFloat16 ? each(static_cast<bf16 *>(x.data_ptr())) : each(x.data_ptr<float>());
    return normed;
}

/// Gives both, or the second alone where `sum` is null.
void give(Normed &&normed, yy_tensor *sum, yy_tensor *out) {
    if (sum) *sum = handle(std::move(normed.sum));
    *out = handle(std::move(normed.y));
}

}  // namespace
}  // namespace yy

using namespace yy;

yy_status yy_rms_norm(yy_tensor input, yy_tensor more, yy_tensor weight, double epsilon, yy_tensor *sum, yy_tensor *out) {
    return guarded([&] {
        const auto &x = tensor(input), &w = tensor(weight);
        TORCH_CHECK(x.dim() >= 1 && w.dim() == 1 && x.size(-1) == w.size(0), "rmsNorm: ", x.sizes(), " and weight ", w.sizes(), " do not fit");
        TORCH_CHECK(!more || tensor(more).sizes() == x.sizes(), "rmsNorm: ", x.sizes(), " and ", more ? tensor(more).sizes() : x.sizes(), " do not fit");
        if (!isFused(x, w) || (more && !isFused(x, tensor(more)))) {
            auto total = more ? x + tensor(more) : x, wide = total.to(at::kFloat);
            auto scaled = wide * (wide * wide).mean(-1, true).add(epsilon).rsqrt();
            return give({total, scaled.to(total.scalar_type()) * w}, sum, out);
        }
        auto normed = byRow(x, more, [&](auto *from, auto *to, int64_t width) {
            normaliseOf(from, static_cast<decltype(to)>(w.data_ptr()), to, width, float(epsilon));
        });
        give(std::move(normed), sum, out);
    });
}

yy_status yy_layer_norm(yy_tensor input, yy_tensor more, yy_tensor weight, yy_tensor bias, double epsilon, yy_tensor *sum, yy_tensor *out) {
    return guarded([&] {
        const auto &x = tensor(input), &w = tensor(weight);
        TORCH_CHECK(!more || tensor(more).sizes() == x.sizes(), "layerNorm: ", x.sizes(), " and ", more ? tensor(more).sizes() : x.sizes(), " do not fit");
        bool fits = x.dim() >= 1 && w.dim() == 1 && x.size(-1) == w.size(0) && (!bias || tensor(bias).sizes() == w.sizes());
        if (!fits || !isFused(x, w) || (bias && !isFused(x, tensor(bias))) || (more && !isFused(x, tensor(more)))) {
            auto total = more ? x + tensor(more) : x;
            return give({total, at::layer_norm(total, w.sizes(), w, optional(bias), epsilon)}, sum, out);
        }
        auto normed = byRow(x, more, [&](auto *from, auto *to, int64_t width) {
            using T = decltype(to);
            standardiseOf(from, static_cast<T>(w.data_ptr()), bias ? static_cast<T>(tensor(bias).data_ptr()) : nullptr, to, width, float(epsilon));
        });
        give(std::move(normed), sum, out);
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
