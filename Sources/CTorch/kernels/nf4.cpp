// A frozen matrix in half a byte a weight: NormalFloat4 with double quantisation (Dettmers et al. 2023, "QLoRA", section 3). The matrix is
// widened when it is multiplied with, forward and again on the way back, and never kept wide.
#include "dynamic8.h"

#include <ATen/ops/bucketize.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/stack.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace yy {
namespace {

/// Weights that share one scale.
constexpr int64_t block = 64;

/// Quantiles of N(0, 1) scaled to [−1, 1], with an exact zero (appendix E).
alignas(64) constexpr float codes16[16] = {
    -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f,
    -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
    0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f};

/// The codes of one block, the first of two in the high half of a byte, and its largest absolute value. `count` may be odd at the end.
template <class T> YY_INLINE void encode(const T *x, uint8_t *codes, float *scale, int64_t count) {
    float largest = 0;
    for (int64_t i = 0; i < count; i++) {
        float a = __builtin_fabsf(widen(x[i]));
        largest = a > largest || a != a ? a : largest;  // once a NaN, always one
    }
    float factor = largest > 0 ? 1 / largest : 0;
    uint8_t found[block] = {};
    for (int64_t i = 0; i < count; i++) {
        float part = widen(x[i]) * factor;
        int code = 0;
        for (int k = 0; k < 15; k++) code += part > (codes16[k] + codes16[k + 1]) * 0.5f;
        found[i] = uint8_t(code);
    }
    for (int64_t i = 0; i < (count + 1) / 2; i++) codes[i] = uint8_t(found[2 * i] << 4 | found[2 * i + 1]);
    *scale = largest;
}
YY_CLONES void encodeFloat(const float *x, uint8_t *codes, float *scale, int64_t count) { encode(x, codes, scale, count); }
YY_CLONES void encodeBFloat(const bf16 *x, uint8_t *codes, float *scale, int64_t count) { encode(x, codes, scale, count); }

template <class T> YY_INLINE void decode(const uint8_t *codes, float scale, T *y, int64_t count) {
    float values[16];
    for (int k = 0; k < 16; k++) values[k] = codes16[k] * scale;
    for (int64_t i = 0; i < count / 2; i++) {
        store(y[2 * i], values[codes[i] >> 4]);
        store(y[2 * i + 1], values[codes[i] & 15]);
    }
    if (count % 2) store(y[count - 1], values[codes[count / 2] >> 4]);
}
YY_CLONES void decodeFloat(const uint8_t *codes, float scale, float *y, int64_t count) { decode(codes, scale, y, count); }
YY_CLONES void decodeBFloat(const uint8_t *codes, float scale, bf16 *y, int64_t count) { decode(codes, scale, y, count); }

/// [rows, columns] from its codes and the scale of each block.
at::Tensor dequantize(const at::Tensor &codes, const at::Tensor &scales, int64_t rows, int64_t columns, at::ScalarType dtype) {
    int64_t count = rows * columns;
    bool bfloat = dtype == at::kBFloat16;
    if (!codes.is_cpu() || !(bfloat || dtype == at::kFloat)) {
        auto values = at::from_blob(const_cast<float *>(codes16), {16}, at::kFloat).to(codes.device());
        auto wide = codes.to(at::kInt);
        auto pairs = at::stack({wide.bitwise_right_shift(4), wide.bitwise_and(15)}, 1).reshape(-1).narrow(0, 0, count);
        auto each = scales.unsqueeze(1).expand({-1, block}).reshape(-1).narrow(0, 0, count);
        return (values.index_select(0, pairs) * each).to(dtype).reshape({rows, columns});
    }
    auto y = at::empty({rows, columns}, codes.options().dtype(dtype));
    auto *from = codes.data_ptr<uint8_t>();
    auto *with = scales.data_ptr<float>();
    parallel(scales.numel(), 256, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
            int64_t at = i * block, here = std::min(block, count - at);
            if (bfloat) {
                decodeBFloat(from + at / 2, with[i], static_cast<bf16 *>(y.data_ptr()) + at, here);
            } else {
                decodeFloat(from + at / 2, with[i], y.data_ptr<float>() + at, here);
            }
        }
    });
    return y;
}

/// The scales of the blocks are themselves 8 bits in blocks of 256, around their mean.
struct Matrix {
    at::Tensor codes, scales, scaleScales;
    double mean;
    int64_t rows, columns;

    explicit Matrix(const yy_nf4 &m)
        : codes(tensor(m.codes)), scales(tensor(m.scales)), scaleScales(tensor(m.scale_scales)), mean(m.mean), rows(m.rows), columns(m.columns) {}

    at::Tensor dense(at::ScalarType dtype) const {
        return dequantize(codes, dequantizeBlocks(scales, scaleScales, true).add_(mean), rows, columns, dtype);
    }
};

struct Frozen : torch::CustomClassHolder {
    Matrix matrix;
    explicit Frozen(const yy_nf4 &m) : matrix(m) {}
};

struct Linear4 : torch::autograd::Function<Linear4> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &x, c10::intrusive_ptr<Frozen> weight,
                              const std::optional<at::Tensor> &bias) {
        context->saved_data["weight"] = c10::IValue::make_capsule(weight);
        return at::linear(x, weight->matrix.dense(x.scalar_type()), bias);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
        auto weight = c10::static_intrusive_pointer_cast<Frozen>(context->saved_data["weight"].toCapsule());
        return {at::matmul(gradients[0], weight->matrix.dense(gradients[0].scalar_type())), {}, {}};
    }
};

}  // namespace
}  // namespace yy

using namespace yy;

yy_status yy_nf4_quantize(yy_tensor weight, yy_nf4 *out) {
    return guarded([&] {
        c10::NoGradGuard unrecorded;
        auto w = tensor(weight).contiguous();
        TORCH_CHECK(w.dim() == 2, "a matrix is quantised, not ", w.sizes());
        auto device = w.device();
        bool bfloat = w.scalar_type() == at::kBFloat16;
        w = bfloat ? w.cpu() : w.to(at::kCPU, at::kFloat);
        int64_t count = w.numel(), blocks = (count + block - 1) / block;
        auto codes = at::empty({(count + 1) / 2}, w.options().dtype(at::kByte));
        auto scales = at::empty({blocks}, w.options().dtype(at::kFloat));
        parallel(blocks, 256, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; i++) {
                int64_t at = i * block, here = std::min(block, count - at);
                auto *to = codes.data_ptr<uint8_t>() + at / 2;
                auto *with = scales.data_ptr<float>() + i;
                if (bfloat) {
                    encodeBFloat(static_cast<bf16 *>(w.data_ptr()) + at, to, with, here);
                } else {
                    encodeFloat(w.data_ptr<float>() + at, to, with, here);
                }
            }
        });
        double mean = blocks > 0 ? scales.mean().item<double>() : 0;
        auto [scaleCodes, scaleScales] = quantizeBlocks(scales.sub_(mean), true, std::nullopt);
        *out = {handle(codes.to(device)), handle(scaleCodes.to(device)), handle(scaleScales.to(device)), mean, w.size(0), w.size(1)};
    });
}

yy_status yy_nf4_dequantize(yy_nf4 matrix, yy_dtype dtype, yy_tensor *out) {
    return guarded(out, [&] { return Matrix(matrix).dense(at::ScalarType(dtype)); });
}

yy_status yy_nf4_linear(yy_tensor input, yy_nf4 m, yy_tensor bias, yy_tensor *out) {
    return guarded(out, [&] {
        const auto &x = tensor(input);
        TORCH_CHECK(x.dim() >= 1 && x.size(-1) == m.columns, "linear: input ", x.sizes(), " and weight [", m.rows, ", ", m.columns, "] do not fit");
        return Linear4::apply(x, c10::make_intrusive<Frozen>(m), optional(bias));
    });
}
