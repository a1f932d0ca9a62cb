// Attention of a few queries over a cache: one pass over keys and values where they lie. Heads that share keys and values read them together.
#include "decode_attention.h"
#include "instructions.h"

#include <ATen/ops/empty.h>

#include <vector>

namespace yy {
namespace {

/// What some heads of a group see: rows of `width` numbers, `stride…` apart.
template <class T> struct View {
    const T *q, *k, *v;
    T *o;
    int64_t heads, strideQ, strideK, strideV, keys, width;
    float scale;
};

template <class T> YY_INLINE void attend(const View<T> &view, float *scores, float *sum) {
#pragma clang fp reassociate(on)
    for (int64_t head = 0; head < view.heads; head++) {
        const T *q = view.q + head * view.strideQ;
        for (int64_t t = 0; t < view.keys; t++) {
            const T *k = view.k + t * view.strideK;
            float dot = 0;
            for (int64_t i = 0; i < view.width; i++) dot += widen(q[i]) * widen(k[i]);
            scores[t] = dot * view.scale;
        }
        float total = exponentials(scores, view.keys);
        for (int64_t i = 0; i < view.width; i++) sum[i] = 0;
        for (int64_t t = 0; t < view.keys; t++) {
            float p = scores[t];
            const T *v = view.v + t * view.strideV;
            for (int64_t i = 0; i < view.width; i++) sum[i] += p * widen(v[i]);
        }
        for (int64_t i = 0; i < view.width; i++) store(view.o[head * view.width + i], sum[i] / total);
    }
}
YY_CLONES void attendFloat(const View<float> &view, float *scores, float *sum) { attend(view, scores, sum); }
YY_CLONES void attendBFloat(const View<bf16> &view, float *scores, float *sum) { attend(view, scores, sum); }

#if YY_X86

/// Lane j of the result is the sum of register j.
YY_AVX512_BF16 YY_INLINE __m512 sums(const __m512 *a) {
    __m512 pairs[8], fours[4];
    for (int i = 0; i < 8; i++) pairs[i] = _mm512_add_ps(_mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]), _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]));
    for (int i = 0; i < 4; i++) {
        auto x = _mm512_castps_pd(pairs[2 * i]), y = _mm512_castps_pd(pairs[2 * i + 1]);
        fours[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)), _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
    }
    // Each quarter of a register has four sums of a quarter now.
    auto first = _mm512_add_ps(_mm512_shuffle_f32x4(fours[0], fours[1], 0x88), _mm512_shuffle_f32x4(fours[0], fours[1], 0xdd));
    auto second = _mm512_add_ps(_mm512_shuffle_f32x4(fours[2], fours[3], 0x88), _mm512_shuffle_f32x4(fours[2], fours[3], 0xdd));
    return _mm512_add_ps(_mm512_shuffle_f32x4(first, second, 0x88), _mm512_shuffle_f32x4(first, second, 0xdd));
}

/// For widths that are multiples of 64: scores of 16 keys at a time by pairs of bfloat16, values by float32 for all of the heads together.
template <int heads> YY_AVX512_BF16 void attendPairs(const View<bf16> &view, float *scores) {
    constexpr int chains = heads == 1 ? 2 : 1;  // of keys, so that one sum does not wait for another
    const int64_t keys = view.keys, width = view.width;
    for (int64_t head = 0; head < heads; head++) {
        const bf16 *q = view.q + head * view.strideQ;
        for (int64_t t = 0; t < keys; t += 16) {
            int64_t here = std::min<int64_t>(16, keys - t);
            __m512 dots[16];
            for (auto &dot : dots) dot = _mm512_setzero_ps();
            for (int64_t i = 0; i < width; i += 64) {
                auto left = __m512bh(_mm512_loadu_si512(q + i)), right = __m512bh(_mm512_loadu_si512(q + i + 32));
                auto add = [&](int64_t j) YY_AVX512_BF16 __attribute__((always_inline)) {
                    const bf16 *k = view.k + (t + j) * view.strideK + i;
                    dots[j] = _mm512_dpbf16_ps(dots[j], left, __m512bh(_mm512_loadu_si512(k)));
                    dots[j] = _mm512_dpbf16_ps(dots[j], right, __m512bh(_mm512_loadu_si512(k + 32)));
                };
                if (here == 16) {
                    for (int64_t j = 0; j < 16; j++) add(j);
                } else {
                    for (int64_t j = 0; j < here; j++) add(j);
                }
            }
            auto mask = __mmask16((1u << here) - 1);
            _mm512_mask_storeu_ps(scores + head * keys + t, mask, _mm512_mul_ps(sums(dots), _mm512_set1_ps(view.scale)));
        }
    }
    float totals[heads];
    for (int64_t head = 0; head < heads; head++) totals[head] = exponentials(scores + head * keys, keys);
    for (int64_t i = 0; i < width; i += 64) {
        __m512 mixed[chains][heads][4];
        for (auto &chain : mixed)
            for (auto &some : chain)
                for (auto &one : some) one = _mm512_setzero_ps();
        auto add = [&](int64_t t, int chain) YY_AVX512_BF16 __attribute__((always_inline)) {
            const bf16 *v = view.v + t * view.strideV + i;
            __m512 values[4] = {sixteen(v), sixteen(v + 16), sixteen(v + 32), sixteen(v + 48)};
            for (int head = 0; head < heads; head++) {
                auto p = _mm512_set1_ps(scores[head * keys + t]);
                for (int part = 0; part < 4; part++) mixed[chain][head][part] = _mm512_fmadd_ps(p, values[part], mixed[chain][head][part]);
            }
        };
        int64_t t = 0;
        for (; t + chains <= keys; t += chains)
            for (int chain = 0; chain < chains; chain++) add(t + chain, chain);
        for (; t < keys; t++) add(t, 0);
        for (int head = 0; head < heads; head++)
            for (int part = 0; part < 4; part++) {
                auto sum = mixed[0][head][part];
                if constexpr (chains == 2) sum = _mm512_add_ps(sum, mixed[1][head][part]);
                auto rounded = _mm512_cvtneps_pbh(_mm512_div_ps(sum, _mm512_set1_ps(totals[head])));
                _mm256_storeu_si256(reinterpret_cast<__m256i *>(view.o + head * width + i + 16 * part), __m256i(rounded));
            }
    }
}
constexpr decltype(&attendPairs<1>) attendSome[mostHeads] = {attendPairs<1>, attendPairs<2>, attendPairs<3>, attendPairs<4>};
#endif

template <class T> at::Tensor attended(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, bool causal, int64_t window, double scale) {
    int64_t batch = q.size(0), queries = q.size(1), heads = q.size(2), width = q.size(3), keys = k.size(1), groups = k.size(2);
    auto o = at::empty({batch, queries, heads, width}, q.options());
    auto *qs = static_cast<T *>(q.data_ptr()), *ks = static_cast<T *>(k.data_ptr()), *vs = static_cast<T *>(v.data_ptr());
    auto *os = static_cast<T *>(o.data_ptr());
    Parts parts{batch, queries, heads, groups, keys, width, causal, window};
    parallel(parts.count(), parts.grain(), [&](int64_t begin, int64_t end) {
        std::vector<float> scores(size_t(keys * mostHeads)), sum(static_cast<size_t>(width));
        for (int64_t i = begin; i < end; i++) {
            auto part = parts[i];
            View<T> view{qs + part.batch * q.stride(0) + part.query * q.stride(1) + part.head * q.stride(2),
                         ks + part.batch * k.stride(0) + part.group * k.stride(2) + part.first * k.stride(1),
                         vs + part.batch * v.stride(0) + part.group * v.stride(2) + part.first * v.stride(1),
                         os + ((part.batch * queries + part.query) * heads + part.head) * width,
                         part.heads,
                         q.stride(2),
                         k.stride(1),
                         v.stride(1),
                         part.last - part.first,
                         width,
                         float(scale)};
            if constexpr (sizeof(T) == 4) {
                attendFloat(view, scores.data(), sum.data());
            } else {
#if YY_X86
                if (instructions().bfloat16 && width % 64 == 0) {
                    attendSome[view.heads - 1](view, scores.data());
                    continue;
                }
#endif
                attendBFloat(view, scores.data(), sum.data());
            }
        }
    });
    return o;
}

}  // namespace

at::Tensor decodeAttention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, bool causal, int64_t window, double scale) {
    return q.scalar_type() == at::kBFloat16 ? attended<bf16>(q, k, v, causal, window, scale) : attended<float>(q, k, v, causal, window, scale);
}

}  // namespace yy
