// The last layer and its loss together, a few rows of logits at a time. With 21k–150k words and a long batch the logits would be the largest
// tensor of a step, three times over (logits, log-softmax, gradient). Here the gradient of each chunk replaces its logits while they are still in
// the cache, so the way back only scales what is already there.
#include "../shim.h"
#include "parallel.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

namespace yy {
namespace {

/// Rows of logits become (softmax − one-hot)·scale in place; gives the sum of −log p[target].
template <class T>
YY_INLINE double rowsOf(T *logits, const int64_t *targets, int64_t rows, int64_t words, int64_t ignored, float scale) {
    double loss = 0;
    for (int64_t row = 0; row < rows; row++) {
        T *x = logits + row * words;
        int64_t target = targets[row];
        if (target == ignored) {
            std::memset(x, 0, sizeof(T) * size_t(words));
            continue;
        }
        float highest = maximum(x, words), right = widen(x[target]);
        constexpr int64_t block = 512;
        double sum = 0;
        for (int64_t start = 0; start < words; start += block) {
            int64_t end = std::min(words, start + block);
            sum += sumOfExponentials(x + start, end - start, 1, highest);
        }
        loss += std::log(sum) + highest - right;
        float factor = scale / float(sum);
        for (int64_t i = 0; i < words; i++) store(x[i], exponential(widen(x[i]) - highest) * factor);
        store(x[target], (float(std::exp(double(right) - highest) / sum) - 1) * scale);
    }
    return loss;
}

YY_CLONES double rowsFloat(float *x, const int64_t *t, int64_t rows, int64_t words, int64_t ignored, float scale) {
    return rowsOf(x, t, rows, words, ignored, scale);
}
YY_CLONES double rowsBFloat(bf16 *x, const int64_t *t, int64_t rows, int64_t words, int64_t ignored, float scale) {
    return rowsOf(x, t, rows, words, ignored, scale);
}

double lossAndGradient(at::Tensor logits, const at::Tensor &targets, int64_t ignored, float scale) {
    int64_t rows = logits.size(0), words = logits.size(1);
    bool bfloat = logits.scalar_type() == at::kBFloat16;
    if (!logits.is_cpu() || !(bfloat || logits.scalar_type() == at::kFloat)) {
        auto real = logits.to(at::kFloat);
        auto kept = targets.ne(ignored).unsqueeze(1);
        auto index = at::where(kept, targets.unsqueeze(1), at::zeros({}, targets.options()));
        auto log = at::log_softmax(real, 1);
        auto loss = (log.gather(1, index).neg() * kept).sum();
        auto gradient = log.exp_();
        gradient.scatter_add_(1, index, -kept.to(at::kFloat));
        logits.copy_(gradient.mul_(kept.to(at::kFloat) * scale));
        return loss.item<double>();
    }
    std::vector<double> losses(size_t(rows), 0.0);
    auto *ids = targets.data_ptr<int64_t>();
    parallel(rows, 1, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; row++) {
            losses[size_t(row)] = bfloat ? rowsBFloat(static_cast<bf16 *>(logits.data_ptr()) + row * words, ids + row, 1, words, ignored, scale)
                                         : rowsFloat(logits.data_ptr<float>() + row * words, ids + row, 1, words, ignored, scale);
        }
    });
    double loss = 0;
    for (double one : losses) loss += one;
    return loss;
}

/// Bytes of logits that may wait for the weight's gradient.
constexpr int64_t kept = int64_t(1) << 27;

struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &hidden, const at::Tensor &weight,
                              const at::Tensor &targets, int64_t ignored, double divisor, int64_t chunk, bool wantedHidden, bool wantedWeight) {
        TORCH_CHECK(hidden.dim() == 2 && weight.dim() == 2 && hidden.size(1) == weight.size(1) && targets.dim() == 1
                        && targets.size(0) == hidden.size(0),
                    "hidden ", hidden.sizes(), ", weight ", weight.sizes(), " and targets ", targets.sizes(), " do not fit");
        auto x = hidden.detach().contiguous(), w = weight.detach();
        auto ids = targets.contiguous();
        if (ids.is_cpu()) {
            for (const int64_t *id = ids.data_ptr<int64_t>(), *end = id + ids.numel(); id < end; id++) {
                TORCH_CHECK(*id == ignored || (*id >= 0 && *id < w.size(0)), "target ", *id, " is not among ", w.size(0), " words");
            }
        }
        int64_t rows = x.size(0);
        auto gradientHidden = wantedHidden ? at::empty_like(x) : at::Tensor();
        at::Tensor gradientWeight;
        // The weight's gradient is one product for as many rows as fit: every product more is a pass more over a matrix of the weight's size.
        int64_t together = std::max<int64_t>(1, kept / int64_t(w.size(0) * w.element_size()) / chunk) * chunk;
        auto logits = at::empty({std::min(rows, wantedWeight ? together : chunk), w.size(0)}, x.options());
        double loss = 0;
        for (int64_t first = 0; first < rows; first += logits.size(0)) {
            int64_t end = std::min(rows, first + logits.size(0));
            for (int64_t start = first; start < end; start += chunk) {
                int64_t count = std::min(chunk, end - start);
                auto here = logits.narrow(0, start - first, count);
                at::mm_out(here, x.narrow(0, start, count), w.t());
                loss += lossAndGradient(here, ids.narrow(0, start, count), ignored, float(1 / divisor));
                if (!wantedHidden) continue;
                auto to = gradientHidden.narrow(0, start, count);
                at::mm_out(to, here, w);
            }
            if (!wantedWeight) continue;
            auto step = at::mm(logits.narrow(0, 0, end - first).t(), x.narrow(0, first, end - first));
            if (rows <= together) {
                gradientWeight = step;
            } else if (!gradientWeight.defined()) {
                gradientWeight = step.to(at::kFloat);
            } else {
                gradientWeight.add_(step);
            }
        }
        if (gradientWeight.defined()) gradientWeight = gradientWeight.to(w.scalar_type());
        context->save_for_backward({gradientHidden, gradientWeight});
        return at::full({}, loss / divisor, x.options().dtype(at::kFloat));
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
        auto saved = context->get_saved_variables();
        double scale = gradients[0].item<double>();
        auto scaled = [&](const at::Tensor &t) { return scale == 1 || !t.defined() ? t : t * scale; };
        return {scaled(saved[0]), scaled(saved[1]), {}, {}, {}, {}, {}, {}};
    }
};

}  // namespace
}  // namespace yy

using namespace yy;

yy_status yy_linear_cross_entropy(
    yy_tensor hidden, yy_tensor weight, yy_tensor targets, int64_t ignored, double divisor, int64_t rows, yy_tensor *out) {
    return guarded(out, [&] {
        const auto &x = tensor(hidden), &w = tensor(weight);
        // Inside a Function recording is always off: ask here.
        bool recorded = at::GradMode::is_enabled();
        return LinearCrossEntropy::apply(
            x, w, tensor(targets), ignored, divisor, rows, recorded && x.requires_grad(), recorded && w.requires_grad());
    });
}
