// AdamW (Loshchilov & Hutter 2019, algorithm 2) in one pass over memory: the gradient is read in its own precision, the float32 master
// weights and both moments are updated, and the bfloat16 copy that the model computes with is refreshed.
#include "../shim.h"
#include "parallel.h"

#include <c10/core/GradMode.h>

namespace yy {
namespace {

struct Coefficients {
    float rate, beta1, beta2, epsilon, decay, scale, correction1, correction2;
};

template <class Gradient>
YY_INLINE void update(
    float *master, bf16 *copy, const Gradient *gradient, float *first, float *second, int64_t count, const Coefficients &c) {
    for (int64_t i = 0; i < count; i++) {
        float g = widen(gradient[i]) * c.scale;
        float m = c.beta1 * first[i] + (1 - c.beta1) * g;
        float v = c.beta2 * second[i] + (1 - c.beta2) * g * g;
        float w = master[i] * c.decay;
        w -= c.rate * (m * c.correction1) / (__builtin_sqrtf(v * c.correction2) + c.epsilon);
        first[i] = m;
        second[i] = v;
        master[i] = w;
        if (copy) copy[i] = narrow(w);
    }
}

YY_CLONES void updateFloat(float *w, bf16 *c, const float *g, float *m, float *v, int64_t n, const Coefficients &k) {
    c ? update(w, c, g, m, v, n, k) : update(w, static_cast<bf16 *>(nullptr), g, m, v, n, k);
}
YY_CLONES void updateBFloat(float *w, bf16 *c, const bf16 *g, float *m, float *v, int64_t n, const Coefficients &k) {
    c ? update(w, c, g, m, v, n, k) : update(w, static_cast<bf16 *>(nullptr), g, m, v, n, k);
}

YY_CLONES double squaresFloat(const float *x, int64_t count) {
    float lanes[16] = {};
    for (int64_t i = 0; i + 16 <= count; i += 16)
        for (int j = 0; j < 16; j++) lanes[j] += x[i + j] * x[i + j];
    double sum = 0;
    for (float lane : lanes) sum += lane;
    for (int64_t i = count / 16 * 16; i < count; i++) sum += double(x[i]) * x[i];
    return sum;
}
YY_CLONES double squaresBFloat(const bf16 *x, int64_t count) {
    float lanes[16] = {};
    for (int64_t i = 0; i + 16 <= count; i += 16)
        for (int j = 0; j < 16; j++) lanes[j] += widen(x[i + j]) * widen(x[i + j]);
    double sum = 0;
    for (float lane : lanes) sum += lane;
    for (int64_t i = count / 16 * 16; i < count; i++) sum += double(widen(x[i])) * widen(x[i]);
    return sum;
}

/// The same steps in ATen's words, for other devices and dtypes.
void updateAnywhere(const at::Tensor &master, const yy_tensor &copy, const at::Tensor &gradient, const at::Tensor &first,
                    const at::Tensor &second, const Coefficients &c) {
    auto g = gradient.to(at::kFloat) * c.scale;
    first.mul_(c.beta1).add_(g, 1 - c.beta1);
    second.mul_(c.beta2).addcmul_(g, g, 1 - c.beta2);
    master.mul_(c.decay).addcdiv_(first, (second * c.correction2).sqrt_().add_(c.epsilon), -c.rate * c.correction1);
    if (copy) tensor(copy).copy_(master);
}

}  // namespace
}  // namespace yy

using namespace yy;

yy_status yy_adamw_step(yy_tensor w, yy_tensor copy, yy_tensor g, yy_tensor m, yy_tensor v, yy_adamw s) {
    return guarded([&] {
        c10::NoGradGuard unrecorded;
        const auto &master = tensor(w), &gradient = tensor(g), &first = tensor(m), &second = tensor(v);
        TORCH_CHECK(master.sizes() == gradient.sizes(), "weight ", master.sizes(), " and gradient ", gradient.sizes(), " differ in shape");
        TORCH_CHECK(master.sizes() == first.sizes() && master.sizes() == second.sizes() && (!copy || master.sizes() == tensor(copy).sizes()),
                    "weight ", master.sizes(), " and moments ", first.sizes(), ", ", second.sizes(), " or copy differ in shape");
        Coefficients c{
            float(s.learning_rate), float(s.beta1), float(s.beta2), float(s.epsilon), float(1 - s.learning_rate * s.weight_decay),
            float(s.gradient_scale), float(1 / (1 - std::pow(s.beta1, double(s.step)))), float(1 / (1 - std::pow(s.beta2, double(s.step))))};
        bool bfloat = gradient.scalar_type() == at::kBFloat16;
        bool plain = master.is_cpu() && (bfloat || gradient.scalar_type() == at::kFloat)
            && (!copy || tensor(copy).scalar_type() == at::kBFloat16) && master.is_contiguous() && (!copy || tensor(copy).is_contiguous())
            && first.is_contiguous() && second.is_contiguous();
        if (!plain) return updateAnywhere(master, copy, gradient, first, second, c);
        auto dense = gradient.contiguous();
        auto *to = copy ? static_cast<bf16 *>(tensor(copy).data_ptr()) : nullptr;
        auto *weights = master.data_ptr<float>(), *mean = first.data_ptr<float>(), *variance = second.data_ptr<float>();
        parallel(master.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
            auto *target = to ? to + begin : nullptr;
            if (bfloat) {
                updateBFloat(weights + begin, target, static_cast<bf16 *>(dense.data_ptr()) + begin, mean + begin, variance + begin, end - begin, c);
            } else {
                updateFloat(weights + begin, target, dense.data_ptr<float>() + begin, mean + begin, variance + begin, end - begin, c);
            }
        });
    });
}

yy_status yy_sum_of_squares(yy_tensor x, double *out) {
    return guarded([&] {
        auto values = tensor(x).contiguous();
        bool bfloat = values.scalar_type() == at::kBFloat16;
        if (!values.is_cpu() || !(bfloat || values.scalar_type() == at::kFloat)) {
            *out = values.to(at::kFloat).norm().item<double>();
            *out *= *out;
            return;
        }
        // Pieces of one size whatever the number of threads, so that the sum is always the same.
        constexpr int64_t piece = 1 << 14;
        int64_t pieces = (values.numel() + piece - 1) / piece;
        std::vector<double> sums(size_t(pieces), 0.0);
        parallel(pieces, 4, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; i++) {
                int64_t count = std::min(piece, values.numel() - i * piece);
                sums[size_t(i)] = bfloat ? squaresBFloat(static_cast<bf16 *>(values.data_ptr()) + i * piece, count)
                                         : squaresFloat(values.data_ptr<float>() + i * piece, count);
            }
        });
        *out = 0;
        for (double sum : sums) *out += sum;
    });
}
