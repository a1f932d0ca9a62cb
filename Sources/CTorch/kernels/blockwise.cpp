// Float32 numbers as 8 bits in blocks of 256, each with the scale of its largest (Dettmers et al. 2022), and AdamW whose moments are kept so.
#include "dynamic8.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/bucketize.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/rand.h>
#include <c10/core/GradMode.h>

namespace yy {
namespace {

/// 1 / the scale of a block; 0 for one that is too small to divide by.
YY_INLINE float inverse(float scale) { return scale > 1e-37f ? 1 / scale : 0; }

template <class Codes>
YY_INLINE void encode(const float *x, uint8_t *codes, float *scale, int64_t begin, int64_t count, const Codes &table, bool stochastic, uint64_t key) {
    float largest = 0;
    for (int64_t i = 0; i < count; i++) largest = std::max(largest, __builtin_fabsf(x[i]));
    float factor = inverse(largest);
    for (int64_t i = 0; i < count; i++) {
        float uniform = stochastic ? float(bits(key, begin + i) >> 8) * 0x1p-24f : 0.5f;
        codes[i] = table.code(x[i] * factor, uniform);
    }
    *scale = largest;
}
YY_CLONES void encodeSigned(const float *x, uint8_t *codes, float *scale, int64_t begin, int64_t count, bool stochastic, uint64_t key) {
    encode(x, codes, scale, begin, count, Signed8::shared(), stochastic, key);
}
YY_CLONES void encodeUnsigned(const float *x, uint8_t *codes, float *scale, int64_t begin, int64_t count, bool stochastic, uint64_t key) {
    encode(x, codes, scale, begin, count, Unsigned8::shared(), stochastic, key);
}

YY_CLONES void decode(const uint8_t *codes, const float *scales, float *y, int64_t begin, int64_t end, const float *values) {
    for (int64_t i = begin; i < end; i++) y[i] = values[codes[i]] * scales[i / dynamicBlock];
}

const float *valuesOf(bool isSigned) { return isSigned ? Signed8::shared().value.data() : Unsigned8::shared().value.data(); }

at::Tensor valuesOn(bool isSigned, const at::Tensor &like) {
    return at::from_blob(const_cast<float *>(valuesOf(isSigned)), {256}, at::kFloat).clone().to(like.device());
}

int64_t blocksOf(int64_t count) { return (count + dynamicBlock - 1) / dynamicBlock; }

/// Writes the codes and scales of float32 numbers; without a key the nearest, with one rounded at random.
void quantizeInto(const at::Tensor &x, const at::Tensor &codes, const at::Tensor &scales, bool isSigned, std::optional<uint64_t> key) {
    if (!x.is_cpu()) {
        auto values = valuesOn(isSigned, x);
        auto blocks = at::constant_pad_nd(x.reshape(-1), {0, scales.numel() * dynamicBlock - x.numel()}).reshape({-1, dynamicBlock});
        scales.copy_(std::get<0>(blocks.abs().max(1)));
        auto parts = (blocks / scales.unsqueeze(1)).nan_to_num_(0).reshape(-1).narrow(0, 0, x.numel());
        auto lower = (at::bucketize(parts, values, /*out_int32=*/false, /*right=*/true) - 1).clamp_(0, 254);
        auto below = values.index_select(0, lower), above = values.index_select(0, lower + 1);
        auto uniform = at::full_like(parts, 0.5);
        if (key) {
            auto generator = at::globalContext().getAcceleratorHooksInterface(x.device().type()).getNewGenerator(x.device().index());
            generator.set_current_seed(*key);
            uniform = at::rand(parts.sizes(), generator, parts.options());
        }
        codes.copy_((lower + ((parts - below) / (above - below) + uniform).floor_().to(at::kLong)).reshape(codes.sizes()));
        return;
    }
    auto dense = x.contiguous();
    parallel(scales.numel(), 64, [&](int64_t begin, int64_t end) {
        for (int64_t block = begin; block < end; block++) {
            int64_t at = block * dynamicBlock;
            (isSigned ? encodeSigned : encodeUnsigned)(
                dense.data_ptr<float>() + at, codes.data_ptr<uint8_t>() + at, scales.data_ptr<float>() + block, at,
                std::min(dynamicBlock, dense.numel() - at), key.has_value(), key.value_or(0));
        }
    });
}

struct Coefficients {
    float rate, beta1, beta2, epsilon, decay, scale, correction1, correction2;
};

/// One block: moments are widened, updated, used, and rounded again at random, so that they are right in the mean however small a change is.
template <class Gradient>
YY_INLINE void update(float *master, bf16 *copy, const Gradient *gradient, uint8_t *mean, float *meanScale, uint8_t *root, float *rootScale,
                      int64_t begin, int64_t count, const Coefficients &c, uint64_t key) {
    const auto &with = Signed8::shared();
    const auto &without = Unsigned8::shared();
    float first[dynamicBlock], second[dynamicBlock];
    float highestMean = 0, highestRoot = 0;
    for (int64_t i = 0; i < count; i++) {
        float g = widen(gradient[i]) * c.scale;
        float m = c.beta1 * (with.value[mean[i]] * *meanScale) + (1 - c.beta1) * g;
        float r = without.value[root[i]] * *rootScale;
        r = __builtin_sqrtf(c.beta2 * r * r + (1 - c.beta2) * g * g);
        float w = master[i] * c.decay - c.rate * (m * c.correction1) / (r * c.correction2 + c.epsilon);
        first[i] = m;
        second[i] = r;
        master[i] = w;
        if (copy) copy[i] = narrow(w);
        highestMean = std::max(highestMean, __builtin_fabsf(m));
        highestRoot = std::max(highestRoot, r);
    }
    float meanFactor = inverse(highestMean), rootFactor = inverse(highestRoot);
    for (int64_t i = 0; i < count; i++) {
        uint32_t random = bits(key, begin + i);
        mean[i] = with.code(first[i] * meanFactor, float(random >> 16) * 0x1p-16f);
        uint8_t code = without.code(second[i] * rootFactor, float(random & 0xffff) * 0x1p-16f);
        // Never from something to nothing: the next update divides by it.
        root[i] = code == 0 && second[i] * rootFactor > 0 ? uint8_t(1) : code;
    }
    *meanScale = highestMean;
    *rootScale = highestRoot;
}
YY_CLONES void updateFloat(float *w, bf16 *copy, const float *g, uint8_t *m, float *ms, uint8_t *r, float *rs, int64_t begin, int64_t count,
                           const Coefficients &c, uint64_t key) {
    update(w, copy, g, m, ms, r, rs, begin, count, c, key);
}
YY_CLONES void updateBFloat(float *w, bf16 *copy, const bf16 *g, uint8_t *m, float *ms, uint8_t *r, float *rs, int64_t begin, int64_t count,
                            const Coefficients &c, uint64_t key) {
    update(w, copy, g, m, ms, r, rs, begin, count, c, key);
}

}  // namespace

at::Tensor dequantizeBlocks(const at::Tensor &codes, const at::Tensor &scales, bool isSigned) {
    if (!codes.is_cpu()) {
        auto wide = scales.unsqueeze(1).expand({-1, dynamicBlock}).reshape(-1).narrow(0, 0, codes.numel());
        return (valuesOn(isSigned, codes).index_select(0, codes.reshape(-1).to(at::kInt)) * wide).reshape(codes.sizes());
    }
    auto y = at::empty(codes.sizes(), codes.options().dtype(at::kFloat));
    parallel(codes.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
        decode(codes.data_ptr<uint8_t>(), scales.data_ptr<float>(), y.data_ptr<float>(), begin, end, valuesOf(isSigned));
    });
    return y;
}

std::pair<at::Tensor, at::Tensor> quantizeBlocks(const at::Tensor &x, bool isSigned, std::optional<uint64_t> key) {
    auto codes = at::empty(x.sizes(), x.options().dtype(at::kByte)), scales = at::empty({blocksOf(x.numel())}, x.options());
    quantizeInto(x, codes, scales, isSigned, key);
    return {codes, scales};
}

}  // namespace yy

using namespace yy;

yy_status yy_blockwise_quantize(yy_tensor x, bool is_signed, const uint64_t *seed, yy_tensor *codes, yy_tensor *scales) {
    return guarded([&] {
        c10::NoGradGuard unrecorded;
        auto [made, with] = quantizeBlocks(tensor(x).to(at::kFloat), is_signed, seed ? std::optional(scrambled(*seed)) : std::nullopt);
        *codes = handle(made);
        *scales = handle(with);
    });
}

yy_status yy_blockwise_dequantize(yy_tensor codes, yy_tensor scales, bool is_signed, yy_tensor *out) {
    return guarded(out, [&] { return dequantizeBlocks(tensor(codes), tensor(scales), is_signed); });
}

yy_status yy_adamw8_step(
    yy_tensor w, yy_tensor copy, yy_tensor g, yy_tensor m, yy_tensor mScales, yy_tensor r, yy_tensor rScales, yy_adamw s, uint64_t seed) {
    return guarded([&] {
        c10::NoGradGuard unrecorded;
        const auto &master = tensor(w), &gradient = tensor(g), &mean = tensor(m), &root = tensor(r);
        const auto &meanScales = tensor(mScales), &rootScales = tensor(rScales);
        TORCH_CHECK(master.sizes() == gradient.sizes() && master.sizes() == mean.sizes() && master.sizes() == root.sizes()
                        && (!copy || master.sizes() == tensor(copy).sizes()),
                    "weight ", master.sizes(), ", gradient ", gradient.sizes(), " and moments ", mean.sizes(), ", ", root.sizes(),
                    " differ in shape");
        TORCH_CHECK(meanScales.numel() == blocksOf(master.numel()) && rootScales.numel() == blocksOf(master.numel()),
                    "weight ", master.sizes(), " has ", blocksOf(master.numel()), " blocks, not ", meanScales.numel());
        // ε and the correction are those of the second moment, whose root is kept.
        Coefficients c{
            float(s.learning_rate), float(s.beta1), float(s.beta2), float(s.epsilon), float(1 - s.learning_rate * s.weight_decay),
            float(s.gradient_scale), float(1 / (1 - std::pow(s.beta1, double(s.step)))), float(1 / std::sqrt(1 - std::pow(s.beta2, double(s.step))))};
        bool bfloat = gradient.scalar_type() == at::kBFloat16;
        bool plain = master.is_cpu() && (bfloat || gradient.scalar_type() == at::kFloat)
            && (!copy || (tensor(copy).scalar_type() == at::kBFloat16 && tensor(copy).is_contiguous())) && master.is_contiguous();
        auto key = scrambled(seed);
        if (!plain) {
            auto d = gradient.to(at::kFloat) * c.scale;
            auto first = dequantizeBlocks(mean, meanScales, true).mul_(c.beta1).add_(d, 1 - c.beta1);
            auto second = dequantizeBlocks(root, rootScales, false).square_().mul_(c.beta2).addcmul_(d, d, 1 - c.beta2).sqrt_();
            master.mul_(c.decay).addcdiv_(first, (second * c.correction2).add_(c.epsilon), -c.rate * c.correction1);
            if (copy) tensor(copy).copy_(master);
            quantizeInto(first, mean, meanScales, true, key);
            quantizeInto(second, root, rootScales, false, scrambled(key));
            root.copy_(root.maximum((second > 0).to(at::kByte)));
            return;
        }
        auto dense = gradient.contiguous();
        auto *to = copy ? static_cast<bf16 *>(tensor(copy).data_ptr()) : nullptr;
        parallel(meanScales.numel(), 64, [&](int64_t begin, int64_t end) {
            for (int64_t block = begin; block < end; block++) {
                int64_t at = block * dynamicBlock, count = std::min(dynamicBlock, master.numel() - at);
                auto *weights = master.data_ptr<float>() + at;
                auto *target = to ? to + at : nullptr;
                auto *first = mean.data_ptr<uint8_t>() + at, *second = root.data_ptr<uint8_t>() + at;
                auto *firstScale = meanScales.data_ptr<float>() + block, *secondScale = rootScales.data_ptr<float>() + block;
                if (bfloat) {
                    auto *from = static_cast<bf16 *>(dense.data_ptr()) + at;
                    updateBFloat(weights, target, from, first, firstScale, second, secondScale, at, count, c, key);
                } else {
                    updateFloat(weights, target, dense.data_ptr<float>() + at, first, firstScale, second, secondScale, at, count, c, key);
                }
            }
        });
    });
}
