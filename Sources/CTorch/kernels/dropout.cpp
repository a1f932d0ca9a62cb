// Inverted dropout (Srivastava et al. 2014). Whether element i stays is a hash of (seed, i): nothing is kept for the way back, a recomputed
// layer draws the same mask, and a resumed run continues exactly.
#include "../shim.h"
#include "hash.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

namespace yy {
namespace {

template <class T> YY_INLINE void mask(const T *x, T *y, int64_t begin, int64_t end, uint64_t key, uint32_t threshold, float scale) {
    for (int64_t i = begin; i < end; i++) {
        bool stays = bits(key, i) >= threshold;
        store(y[i], stays ? widen(x[i]) * scale : 0.0f);
    }
}
YY_CLONES void maskFloat(const float *x, float *y, int64_t begin, int64_t end, uint64_t key, uint32_t threshold, float scale) {
    mask(x, y, begin, end, key, threshold, scale);
}
YY_CLONES void maskBFloat(const bf16 *x, bf16 *y, int64_t begin, int64_t end, uint64_t key, uint32_t threshold, float scale) {
    mask(x, y, begin, end, key, threshold, scale);
}

at::Tensor masked(const at::Tensor &input, double probability, uint64_t seed) {
    auto x = input.contiguous();
    bool bfloat = x.scalar_type() == at::kBFloat16;
    float scale = float(1 / (1 - probability));
    if (!x.is_cpu() || !(bfloat || x.scalar_type() == at::kFloat)) {
        auto generator = x.is_cpu() ? at::detail::createCPUGenerator(seed)
                                    : at::globalContext().getAcceleratorHooksInterface(x.device().type()).getNewGenerator(x.device().index());
        generator.set_current_seed(seed);
        return x * at::empty_like(x).bernoulli_(1 - probability, generator).mul_(scale);
    }
    auto y = at::empty_like(x);
    auto key = scrambled(seed);
    auto threshold = uint32_t(std::min(probability * 4294967296.0, 4294967295.0));
    parallel(x.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
        if (bfloat) {
            maskBFloat(static_cast<bf16 *>(x.data_ptr()), static_cast<bf16 *>(y.data_ptr()), begin, end, key, threshold, scale);
        } else {
            maskFloat(x.data_ptr<float>(), y.data_ptr<float>(), begin, end, key, threshold, scale);
        }
    });
    return y;
}

struct Dropout : torch::autograd::Function<Dropout> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &x, double probability, int64_t seed) {
        context->saved_data["probability"] = probability;
        context->saved_data["seed"] = seed;
        return masked(x, probability, uint64_t(seed));
    }
    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
        return {masked(gradients[0], context->saved_data["probability"].toDouble(), uint64_t(context->saved_data["seed"].toInt())), {}, {}};
    }
};

}  // namespace
}  // namespace yy

using namespace yy;

yy_status yy_dropout(yy_tensor x, double probability, uint64_t seed, yy_tensor *out) {
    return guarded(out, [&] {
        TORCH_CHECK(probability >= 0 && probability < 1, "dropout takes a probability in [0, 1), not ", probability);
        return probability == 0 ? tensor(x) : Dropout::apply(tensor(x), probability, int64_t(seed));
    });
}
