// GELU with tanh (Hendrycks & Gimpel 2016) and its derivative in one pass each. As 1 + tanh(u) = 2σ(2u), it is x·σ(2u) with
// u = √(2/π)·(x + 0.044715·x³): one exponential, where ATen evaluates a correctly rounded tanh.
#include "../shim.h"
#include "parallel.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace yy {
namespace {

constexpr float rate = 0.7978845608028654f, cubic = 0.044715f;

/// σ(z) by an exponential of a number that is not positive.
YY_INLINE float sigmoid(float z) {
    float e = exponential(z < 0 ? z : -z);
    return (z < 0 ? e : 1.0f) / (1.0f + e);
}

template <class T> YY_INLINE void value(const T *x, T *y, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
        float v = widen(x[i]);
        store(y[i], v * sigmoid(2 * rate * (v + cubic * v * v * v)));
    }
}

template <class T> YY_INLINE void derivative(const T *x, const T *gradient, T *y, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
        float v = widen(x[i]);
        float s = sigmoid(2 * rate * (v + cubic * v * v * v));
        float slope = 2 * rate * (1 + 3 * cubic * v * v);
        store(y[i], widen(gradient[i]) * (s + v * s * (1 - s) * slope));
    }
}

YY_CLONES void valueOf(const float *x, float *y, int64_t b, int64_t e) { value(x, y, b, e); }
YY_CLONES void valueOf(const bf16 *x, bf16 *y, int64_t b, int64_t e) { value(x, y, b, e); }
YY_CLONES void derivativeOf(const float *x, const float *g, float *y, int64_t b, int64_t e) { derivative(x, g, y, b, e); }
YY_CLONES void derivativeOf(const bf16 *x, const bf16 *g, bf16 *y, int64_t b, int64_t e) { derivative(x, g, y, b, e); }

constexpr int64_t grain = 1 << 13;

at::Tensor values(const at::Tensor &x) {
    auto y = at::empty_like(x);
    parallel(x.numel(), grain, [&](int64_t begin, int64_t end) {
        if (x.scalar_type() == at::kBFloat16) {
            valueOf(static_cast<bf16 *>(x.data_ptr()), static_cast<bf16 *>(y.data_ptr()), begin, end);
        } else {
            valueOf(x.data_ptr<float>(), y.data_ptr<float>(), begin, end);
        }
    });
    return y;
}

struct Gelu : torch::autograd::Function<Gelu> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &input) {
        auto x = input.contiguous();
        if (input.requires_grad()) context->save_for_backward({x});
        return values(x);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
        auto x = context->get_saved_variables()[0], gradient = gradients[0].contiguous();
        auto y = at::empty_like(x);
        parallel(x.numel(), grain, [&](int64_t begin, int64_t end) {
            if (x.scalar_type() == at::kBFloat16) {
                derivativeOf(static_cast<bf16 *>(x.data_ptr()), static_cast<bf16 *>(gradient.data_ptr()), static_cast<bf16 *>(y.data_ptr()), begin, end);
            } else {
                derivativeOf(x.data_ptr<float>(), gradient.data_ptr<float>(), y.data_ptr<float>(), begin, end);
            }
        });
        return {y};
    }
};

}  // namespace
}  // namespace yy

using namespace yy;

yy_status yy_gelu_tanh(yy_tensor a, yy_tensor *out) {
    return guarded(out, [&] {
        const auto &x = tensor(a);
        bool plain = x.is_cpu() && (x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kFloat);
        if (!plain) return at::gelu(x, "tanh");
        return at::GradMode::is_enabled() && x.requires_grad() ? Gelu::apply(x) : values(x.contiguous());
    });
}
