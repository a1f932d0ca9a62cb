// Keys and values of a cache in 8 bits: how they are rounded, and attention of a few queries over them where they lie (docs/kernels.md).
#include "decode_attention.h"
#include "instructions.h"

#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include <vector>

namespace yy {
namespace {

struct Rows {
    at::Tensor codes, scales;
};

Rows rows(const yy_rows8 &handles) {
    Rows rows{tensor(handles.codes), tensor(handles.scales)};
    TORCH_CHECK(rows.codes.dim() == 4 && rows.codes.scalar_type() == at::kChar && rows.codes.stride(3) == 1, "codes ", rows.codes.sizes(),
                " are no rows of int8");
    TORCH_CHECK(rows.scales.scalar_type() == at::kFloat && rows.scales.sizes() == rows.codes.sizes().slice(0, 3), "scales ", rows.scales.sizes(),
                " and codes ", rows.codes.sizes(), " do not fit");
    return rows;
}

/// Calls `body(row of x, row of codes, scale)` for every row, where x has the shape of the codes.
template <class T, class Body> void eachRow(const at::Tensor &x, const Rows &rows, const Body &body) {
    auto *numbers = static_cast<T *>(x.data_ptr());
    auto *codes = rows.codes.data_ptr<int8_t>();
    auto *scales = rows.scales.data_ptr<float>();
    int64_t groups = x.size(1), tokens = x.size(2);
    parallel(x.size(0) * groups * tokens, std::max<int64_t>(1, 8192 / std::max<int64_t>(1, x.size(3))), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
            int64_t token = i % tokens, group = i / tokens % groups, b = i / tokens / groups;
            auto place = [&](const at::Tensor &a) { return b * a.stride(0) + group * a.stride(1) + token * a.stride(2); };
            body(numbers + place(x), codes + place(rows.codes), scales + place(rows.scales));
        }
    });
}

// MARK: Rounding

/// The largest |x|; not a number where one of them is none, or is infinite.
template <class T> YY_INLINE float size(const T *x, int64_t width) {
#pragma clang fp reassociate(on)
    float lanes[16] = {}, strange = 0;
    int64_t i = 0;
    for (; i + 16 <= width; i += 16)
        for (int j = 0; j < 16; j++) {
            float one = __builtin_fabsf(widen(x[i + j]));
            lanes[j] = lanes[j] > one ? lanes[j] : one;
        }
    for (; i < width; i++) lanes[0] = std::max(lanes[0], __builtin_fabsf(widen(x[i])));
    for (int64_t k = 0; k < width; k++) strange += widen(x[k]) * 0.0f;
    return *std::max_element(lanes, lanes + 16) + strange;
}

/// What numbers up to `size` are multiplied by to be at most `largest`; 0 for those too small to divide by, and for what is not finite.
YY_INLINE float toward(float largest, float size) { return size >= 0x1p-100f ? largest / size : 0; }

/// To the nearest whole number of at most `largest`. (A comparison with what is not a number is false.)
YY_INLINE int32_t nearest(float x, float largest) {
    float bounded = x > largest ? largest : x;
    return bounded >= -largest ? int32_t(__builtin_rintf(bounded)) : -int32_t(largest);
}

template <class T> YY_INLINE void roundRow(const T *x, int8_t *codes, float *scale, int64_t width) {
    float largest = size(x, width), factor = toward(127, largest);
    for (int64_t i = 0; i < width; i++) codes[i] = int8_t(nearest(widen(x[i]) * factor, 127));
    *scale = largest / 127;
}
YY_CLONES void roundOf(const float *x, int8_t *codes, float *scale, int64_t width) { roundRow(x, codes, scale, width); }
YY_CLONES void roundOf(const bf16 *x, int8_t *codes, float *scale, int64_t width) { roundRow(x, codes, scale, width); }

template <class T> YY_INLINE void widenRow(const int8_t *codes, float scale, T *x, int64_t width) {
    for (int64_t i = 0; i < width; i++) store(x[i], float(codes[i]) * scale);
}
YY_CLONES void widenOf(const int8_t *codes, float scale, float *x, int64_t width) { widenRow(codes, scale, x, width); }
YY_CLONES void widenOf(const int8_t *codes, float scale, bf16 *x, int64_t width) { widenRow(codes, scale, x, width); }

void rounded(const at::Tensor &x, const Rows &target) {
    int64_t width = x.size(3);
    if (!x.is_cpu()) {
        auto wide = x.to(at::kFloat), largest = wide.abs().amax(3);
        target.scales.copy_(largest / 127);
        target.codes.copy_((wide * (127 / largest.clamp_min(0x1p-100)).unsqueeze(3)).round());
    } else if (x.scalar_type() == at::kBFloat16) {
        auto dense = x.stride(3) == 1 ? x : x.contiguous();
        eachRow<bf16>(dense, target, [&](const bf16 *row, int8_t *codes, float *scale) { roundOf(row, codes, scale, width); });
    } else {
        auto single = x.to(at::kFloat);
        auto dense = single.stride(3) == 1 ? single : single.contiguous();
        eachRow<float>(dense, target, [&](const float *row, int8_t *codes, float *scale) { roundOf(row, codes, scale, width); });
    }
}

at::Tensor widened(const Rows &rows, at::ScalarType dtype) {
    int64_t width = rows.codes.size(3);
    if (!rows.codes.is_cpu() || !(dtype == at::kFloat || dtype == at::kBFloat16)) {
        return (rows.codes.to(at::kFloat) * rows.scales.unsqueeze(3)).to(dtype);
    }
    auto wide = at::empty(rows.codes.sizes(), rows.codes.options().dtype(dtype));
    if (dtype == at::kFloat) {
        eachRow<float>(wide, rows, [&](float *row, const int8_t *codes, const float *scale) { widenOf(codes, *scale, row, width); });
    } else {
        eachRow<bf16>(wide, rows, [&](bf16 *row, const int8_t *codes, const float *scale) { widenOf(codes, *scale, row, width); });
    }
    return wide;
}

// MARK: Attention

/// What some heads of a group see: rows of `width` codes, `stride…` apart, and their scales.
template <class T> struct View {
    const T *q;
    const int8_t *k, *v;
    const float *scalesK, *scalesV;
    T *o;
    int64_t heads, strideQ, strideK, strideV, keys, width;
    float scale;
};

/// Where the work of one view is done.
struct Scratch {
    float *weights;  // [heads, keys]
    float *sums;     // [heads, width]
    int8_t *halves;  // [heads, 2, width]
};

template <class T> YY_INLINE void attend(const View<T> &view, const Scratch &scratch) {
#pragma clang fp reassociate(on)
    float *weights = scratch.weights, *sums = scratch.sums;
    for (int64_t head = 0; head < view.heads; head++) {
        const T *q = view.q + head * view.strideQ;
        for (int64_t t = 0; t < view.keys; t++) {
            const int8_t *k = view.k + t * view.strideK;
            float dot = 0;
            for (int64_t i = 0; i < view.width; i++) dot += widen(q[i]) * float(k[i]);
            weights[t] = dot * (view.scale * view.scalesK[t]);
        }
        float total = exponentials(weights, view.keys);
        for (int64_t i = 0; i < view.width; i++) sums[i] = 0;
        for (int64_t t = 0; t < view.keys; t++) {
            float weight = weights[t] * view.scalesV[t];
            const int8_t *v = view.v + t * view.strideV;
            for (int64_t i = 0; i < view.width; i++) sums[i] += weight * float(v[i]);
        }
        for (int64_t i = 0; i < view.width; i++) store(view.o[head * view.width + i], sums[i] / total);
    }
}
YY_CLONES void attendOf(const View<float> &view, const Scratch &scratch) { attend(view, scratch); }
YY_CLONES void attendOf(const View<bf16> &view, const Scratch &scratch) { attend(view, scratch); }

#if YY_X86

/// Widths whose products with a query of 16 bits have sums of 32.
constexpr int64_t mostWidth = 512;

/// A query as whole numbers of 16 bits in two bytes, 256·high + low, the high ones first; gives what they are multiplied by, and their sum.
YY_INLINE float split(const bf16 *q, int8_t *halves, int64_t width, int32_t &sum) {
    constexpr float most = 127 * 256;
    float largest = size(q, width), factor = toward(most, largest);
    sum = 0;
    for (int64_t i = 0; i < width; i++) {
        int32_t number = nearest(widen(q[i]) * factor, most);
        auto low = int8_t(number);
        halves[i] = int8_t((number - low) >> 8);
        halves[width + i] = low;
        sum += number;
    }
    return largest / most;
}

/// Lane j of the result is the sum of register j.
YY_AVX512 YY_INLINE __m512i sums(const __m512i *a) {
    __m512i pairs[8], fours[4];
    for (int i = 0; i < 8; i++)
        pairs[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(a[2 * i], a[2 * i + 1]), _mm512_unpackhi_epi32(a[2 * i], a[2 * i + 1]));
    for (int i = 0; i < 4; i++)
        fours[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(pairs[2 * i], pairs[2 * i + 1]), _mm512_unpackhi_epi64(pairs[2 * i], pairs[2 * i + 1]));
    // Each quarter of a register has four sums of a quarter now.
    auto first = _mm512_add_epi32(_mm512_shuffle_i32x4(fours[0], fours[1], 0x88), _mm512_shuffle_i32x4(fours[0], fours[1], 0xdd));
    auto second = _mm512_add_epi32(_mm512_shuffle_i32x4(fours[2], fours[3], 0x88), _mm512_shuffle_i32x4(fours[2], fours[3], 0xdd));
    return _mm512_add_epi32(_mm512_shuffle_i32x4(first, second, 0x88), _mm512_shuffle_i32x4(first, second, 0xdd));
}

/// Products of one key with a query, not yet summed across lanes. Codes are made unsigned, as one operand must be: 128 more each.
YY_AVX512 YY_INLINE __m512i products(const int8_t *key, const int8_t *halves, int64_t width) {
    auto high = _mm512_setzero_si512(), low = high;
    for (int64_t i = 0; i < width; i += 64) {
        auto codes = _mm512_xor_si512(_mm512_loadu_si512(key + i), _mm512_set1_epi8(int8_t(0x80)));
        high = _mm512_dpbusd_epi32(high, codes, _mm512_loadu_si512(halves + i));
        low = _mm512_dpbusd_epi32(low, codes, _mm512_loadu_si512(halves + width + i));
    }
    return _mm512_add_epi32(_mm512_slli_epi32(high, 8), low);
}

/// Adds 64 numbers of one value to the sums of some heads.
template <int64_t heads> YY_AVX512 YY_INLINE void add(const int8_t *value, const float *weights, int64_t keys, __m512 (*mixed)[4]) {
    __m512 numbers[4];
    for (int part = 0; part < 4; part++)
        numbers[part] = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(value + 16 * part))));
    for (int64_t head = 0; head < heads; head++) {
        auto weight = _mm512_set1_ps(weights[head * keys]);
        for (int part = 0; part < 4; part++) mixed[head][part] = _mm512_fmadd_ps(weight, numbers[part], mixed[head][part]);
    }
}

/// Weighted sums of all values: sixteen registers of them, however few heads there are, so that no addition waits for the one before.
template <int64_t heads> YY_AVX512 YY_INLINE void mix(const View<bf16> &view, const Scratch &scratch) {
    constexpr int64_t together = mostHeads / heads;
    const int64_t keys = view.keys, width = view.width;
    for (int64_t i = 0; i < width; i += 64) {
        __m512 mixed[together][heads][4];
        for (auto &row : mixed)
            for (auto &some : row)
                for (auto &one : some) one = _mm512_setzero_ps();
        int64_t t = 0;
        for (; t + together <= keys; t += together)
            for (int64_t row = 0; row < together; row++)
                add<heads>(view.v + (t + row) * view.strideV + i, scratch.weights + t + row, keys, mixed[row]);
        for (; t < keys; t++) add<heads>(view.v + t * view.strideV + i, scratch.weights + t, keys, mixed[0]);
        for (int64_t head = 0; head < heads; head++)
            for (int part = 0; part < 4; part++) {
                auto sum = mixed[0][head][part];
                for (int64_t row = 1; row < together; row++) sum = _mm512_add_ps(sum, mixed[row][head][part]);
                _mm512_storeu_ps(scratch.sums + head * width + i + 16 * part, sum);
            }
    }
}

/// For widths that are multiples of 64, and queries in bfloat16, which lose nothing that counts by it. Scores of 16 keys at a time by products of bytes with the query in 16 bits, whose sums are exact; values in
/// float32.
YY_AVX512 void attendBytes(const View<bf16> &view, const Scratch &scratch) {
    const int64_t keys = view.keys, width = view.width, heads = view.heads;
    float factors[mostHeads];
    __m512i offsets[mostHeads];
    for (int64_t head = 0; head < heads; head++) {
        int32_t sum;
        factors[head] = view.scale * split(view.q + head * view.strideQ, scratch.halves + head * 2 * width, width, sum);
        offsets[head] = _mm512_slli_epi32(_mm512_set1_epi32(sum), 7);
    }
    for (int64_t t = 0; t < keys; t += 16) {
        int64_t here = std::min<int64_t>(16, keys - t);
        auto mask = __mmask16((1u << here) - 1);
        auto scales = _mm512_maskz_loadu_ps(mask, view.scalesK + t);
        const int8_t *k = view.k + t * view.strideK;
        for (int64_t head = 0; head < heads; head++) {
            const int8_t *halves = scratch.halves + head * 2 * width;
            __m512i dots[16];
            if (here == 16) {
                for (int j = 0; j < 16; j++) dots[j] = products(k + j * view.strideK, halves, width);
            } else {
                for (int j = 0; j < 16; j++) dots[j] = j < here ? products(k + j * view.strideK, halves, width) : _mm512_setzero_si512();
            }
            auto numbers = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums(dots), offsets[head]));
            auto scores = _mm512_mul_ps(numbers, _mm512_mul_ps(scales, _mm512_set1_ps(factors[head])));
            _mm512_mask_storeu_ps(scratch.weights + head * keys + t, mask, scores);
        }
    }
    float totals[mostHeads];
    for (int64_t head = 0; head < heads; head++) {
        float *weights = scratch.weights + head * keys;
        totals[head] = exponentials(weights, keys);
        for (int64_t t = 0; t < keys; t++) weights[t] *= view.scalesV[t];
    }
    switch (heads) {
    case 1: mix<1>(view, scratch); break;
    case 2: mix<2>(view, scratch); break;
    case 3: mix<3>(view, scratch); break;
    default: mix<mostHeads>(view, scratch);
    }
    for (int64_t head = 0; head < heads; head++)
        for (int64_t i = 0; i < width; i++) store(view.o[head * width + i], scratch.sums[head * width + i] / totals[head]);
}
#endif

template <class T> at::Tensor attended(const at::Tensor &q, const Rows &keyRows, const Rows &valueRows, bool causal, int64_t window, double scale) {
    const auto &k = keyRows.codes, &v = valueRows.codes;
    auto scalesK = keyRows.scales.stride(2) == 1 ? keyRows.scales : keyRows.scales.contiguous();
    auto scalesV = valueRows.scales.stride(2) == 1 ? valueRows.scales : valueRows.scales.contiguous();
    int64_t batch = q.size(0), queries = q.size(1), heads = q.size(2), width = q.size(3), groups = k.size(1), keys = k.size(2);
    auto o = at::empty({batch, queries, heads, width}, q.options());
    auto *qs = static_cast<T *>(q.data_ptr()), *os = static_cast<T *>(o.data_ptr());
    auto *ks = k.data_ptr<int8_t>(), *vs = v.data_ptr<int8_t>();
    auto *ksScales = scalesK.data_ptr<float>(), *vsScales = scalesV.data_ptr<float>();
#if YY_X86
    bool isFast = instructions().vnni && width % 64 == 0 && width <= mostWidth;
#endif
    Parts parts{batch, queries, heads, groups, keys, width, causal, window};
    parallel(parts.count(), parts.grain(), [&](int64_t begin, int64_t end) {
        std::vector<float> weights(size_t(keys * mostHeads)), sums(size_t(width * mostHeads));
        std::vector<int8_t> halves(size_t(2 * width * mostHeads));
        for (int64_t i = begin; i < end; i++) {
            auto part = parts[i];
            View<T> view{qs + part.batch * q.stride(0) + part.query * q.stride(1) + part.head * q.stride(2),
                         ks + part.batch * k.stride(0) + part.group * k.stride(1) + part.first * k.stride(2),
                         vs + part.batch * v.stride(0) + part.group * v.stride(1) + part.first * v.stride(2),
                         ksScales + part.batch * scalesK.stride(0) + part.group * scalesK.stride(1) + part.first,
                         vsScales + part.batch * scalesV.stride(0) + part.group * scalesV.stride(1) + part.first,
                         os + ((part.batch * queries + part.query) * heads + part.head) * width,
                         part.heads,
                         q.stride(2),
                         k.stride(2),
                         v.stride(2),
                         part.last - part.first,
                         width,
                         float(scale)};
            Scratch scratch{weights.data(), sums.data(), halves.data()};
#if YY_X86
            if constexpr (std::is_same_v<T, bf16>) {
                if (isFast) {
                    attendBytes(view, scratch);
                    continue;
                }
            }
#endif
            attendOf(view, scratch);
        }
    });
    return o;
}

}  // namespace
}  // namespace yy

using namespace yy;

yy_status yy_rows8_store(yy_tensor x, yy_rows8 target) {
    return guarded([&] {
        auto places = rows(target);
        TORCH_CHECK(tensor(x).sizes() == places.codes.sizes(), "rows ", tensor(x).sizes(), " and codes ", places.codes.sizes(), " do not fit");
        c10::NoGradGuard unrecorded;
        rounded(tensor(x), places);
    });
}

yy_status yy_rows8_widen(yy_rows8 handles, yy_dtype dtype, yy_tensor *out) {
    return guarded(out, [&] { return widened(rows(handles), at::ScalarType(dtype)); });
}

yy_status yy_attention8(
    yy_tensor queries, yy_rows8 keys, yy_rows8 values, yy_tensor documents, bool causal, int64_t window, double scale, yy_tensor *out) {
    return guarded(out, [&] {
        const auto &q = tensor(queries);
        auto k = rows(keys), v = rows(values);
        bool known = q.is_cpu() && (q.scalar_type() == at::kBFloat16 || q.scalar_type() == at::kFloat);
        bool recorded = at::GradMode::is_enabled() && q.requires_grad();
        if (!known || recorded || documents || q.dim() != 4 || q.size(1) > mostQueries || q.stride(3) != 1) {
            auto ids = documents ? tensor(documents) : at::Tensor();
            auto wideK = widened(k, q.scalar_type()).transpose(1, 2), wideV = widened(v, q.scalar_type()).transpose(1, 2);
            return attention(q, wideK, wideV, ids, causal, window, scale);
        }
        const auto &codes = k.codes;
        TORCH_CHECK(codes.sizes() == v.codes.sizes() && q.size(0) == codes.size(0) && q.size(3) == codes.size(3) && q.size(2) % codes.size(1) == 0
                        && (!causal || q.size(1) <= codes.size(2)),
                    "attention: queries ", q.sizes(), ", keys ", codes.sizes(), " and values ", v.codes.sizes(), " do not fit");
        TORCH_CHECK(window <= 0 || causal, "attention: a window looks back, so it needs causal attention");
        if (q.scalar_type() == at::kBFloat16) return attended<bf16>(q, k, v, causal, window, scale);
        return attended<float>(q, k, v, causal, window, scale);
    });
}
