// Rotary positions: pairs of elements turn by an angle that grows with the token's position (Su et al. 2021, "RoFormer"). The way back turns the other way.
#include "../shim.h"
#include "parallel.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/index_select.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace yy {
namespace {

template <class T> YY_INLINE void turn(const T *x, T *y, const float *c, const float *s, int64_t half, float direction) {
    for (int64_t i = 0; i < half; i++) {
        float a = widen(x[i]), b = widen(x[half + i]), sine = direction * s[i];
        store(y[i], a * c[i] - b * sine);
        store(y[half + i], b * c[i] + a * sine);
    }
}
YY_CLONES void turnOf(const float *x, float *y, const float *c, const float *s, int64_t half, float direction) { turn(x, y, c, s, half, direction); }
YY_CLONES void turnOf(const bf16 *x, bf16 *y, const float *c, const float *s, int64_t half, float direction) { turn(x, y, c, s, half, direction); }

/// `positions` [batch, token] int64 on the tables' device; undefined: `start`, `start` + 1, …
template <class T>
at::Tensor turned(const at::Tensor &x, const at::Tensor &cosines, const at::Tensor &sines, const at::Tensor &positions, int64_t start,
                  float direction) {
    auto y = at::empty_like(x, x.options(), at::MemoryFormat::Contiguous);
    int64_t tokens = x.size(1), heads = x.size(2), width = x.size(3), half = width / 2;
    auto *from = static_cast<T *>(x.data_ptr());
    auto *to = static_cast<T *>(y.data_ptr());
    auto *c = cosines.data_ptr<float>(), *s = sines.data_ptr<float>();
    auto *at = positions.defined() ? positions.data_ptr<int64_t>() : nullptr;
    int64_t strides[] = {x.stride(0), x.stride(1), x.stride(2)};
    parallel(x.size(0) * tokens, std::max<int64_t>(1, 8192 / (heads * width)), [&](int64_t begin, int64_t end) {
        for (int64_t token = begin; token < end; token++) {
            int64_t row = (at ? at[token] : start + token % tokens) * half;
            auto *source = from + token / tokens * strides[0] + token % tokens * strides[1];
            for (int64_t head = 0; head < heads; head++) {
                turnOf(source + head * strides[2], to + (token * heads + head) * width, c + row, s + row, half, direction);
            }
        }
    });
    return y;
}

/// [batch, token]: `start`, `start` + 1, …
at::Tensor numbered(const at::Tensor &x, int64_t start) {
    return at::arange(start, start + x.size(1), x.options().dtype(at::kLong)).expand({x.size(0), x.size(1)}).contiguous();
}

at::Tensor rotated(const at::Tensor &x, const at::Tensor &cosines, const at::Tensor &sines, const at::Tensor &positions, int64_t start,
                   float direction) {
    bool bfloat = x.scalar_type() == at::kBFloat16;
    if (x.is_cpu() && (bfloat || x.scalar_type() == at::kFloat)) {
        auto rows = x.stride(3) == 1 ? x : x.contiguous();
        return bfloat ? turned<bf16>(rows, cosines, sines, positions, start, direction)
                      : turned<float>(rows, cosines, sines, positions, start, direction);
    }
    auto places = positions.defined() ? positions : numbered(x, start);
    auto angle = [&](const at::Tensor &table) {
        return table.index_select(0, places.reshape({-1})).view({x.size(0), x.size(1), 1, -1});
    };
    int64_t half = x.size(3) / 2;
    auto wide = x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
    auto a = wide.narrow(3, 0, half), b = wide.narrow(3, half, half), c = angle(cosines), s = angle(sines) * direction;
    return at::cat({a * c - b * s, b * c + a * s}, 3).to(x.scalar_type());
}

struct Rotation : torch::autograd::Function<Rotation> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &x, const at::Tensor &cosines, const at::Tensor &sines,
                              const at::Tensor &positions) {
        if (x.requires_grad()) context->save_for_backward({cosines, sines, positions});
        return rotated(x, cosines, sines, positions, 0, 1);
    }
    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
        auto saved = context->get_saved_variables();
        return {rotated(gradients[0], saved[0], saved[1], saved[2], 0, -1), {}, {}, {}};
    }
};

}  // namespace
}  // namespace yy

using namespace yy;

yy_status yy_rotate(yy_tensor x, yy_tensor cosines, yy_tensor sines, yy_tensor positions, int64_t start, yy_tensor *out) {
    return guarded(out, [&] {
        const auto &a = tensor(x), &c = tensor(cosines), &s = tensor(sines);
        TORCH_CHECK(a.dim() == 4 && c.dim() == 2 && c.sizes() == s.sizes() && a.size(3) == 2 * c.size(1), "rotate: ", a.sizes(),
                    " and angles ", c.sizes(), " do not fit");
        int64_t batch = a.size(0), tokens = a.size(1);
        TORCH_CHECK(positions || start + tokens <= c.size(0), "rotate: positions up to ", start + tokens, ", and angles for ", c.size(0));
        auto at = positions ? tensor(positions).contiguous() : at::Tensor();
        TORCH_CHECK(!positions || (at.dim() == 2 && at.size(0) == batch && at.size(1) == tokens), "rotate: positions ",
                    at.defined() ? at.sizes() : at::IntArrayRef(), " and ", a.sizes(), " do not fit");
        if (positions && at.is_cpu()) {
            auto *places = at.data_ptr<int64_t>();
            for (int64_t i = 0; i < at.numel(); i++) {
                TORCH_CHECK(places[i] >= 0 && places[i] < c.size(0), "rotate: position ", places[i], ", and angles for ", c.size(0));
            }
        }
        if (!(at::GradMode::is_enabled() && a.requires_grad())) return rotated(a, c, s, at, start, 1);
        return Rotation::apply(a, c, s, positions ? at : numbered(a, start));
    });
}
