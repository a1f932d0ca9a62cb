// Attention on CPUs by blocks of queries that see only the keys they may: memory stays bounded and the upper half of a causal score matrix is
// never computed. Scores are made by batched matrix products in the model's dtype, the softmax between them here in float32. The way back
// recomputes the probabilities from each row's log-sum (Dao et al. 2022, "FlashAttention", appendix B.4).
#include "decode_attention.h"

#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

namespace yy {
namespace {

constexpr int64_t blockOfQueries = 128;

/// The keys that a query may see are one range [low, high): causality cuts the end, its document cuts both, a window the beginning.
struct Ranges {
    int64_t queries, keys;
    std::vector<int32_t> low, high;  // [batch, query]

    Ranges(const at::Tensor &documents, bool causal, int64_t window, int64_t batch, int64_t queries, int64_t keys)
        : queries(queries), keys(keys), low(size_t(batch * queries), 0), high(size_t(batch * queries), int32_t(keys)) {
        if (!causal && !documents.defined()) return;
        int64_t offset = keys - queries;
        std::vector<int32_t> start(static_cast<size_t>(keys), 0), end(static_cast<size_t>(keys), int32_t(keys));
        for (int64_t b = 0; b < batch; b++) {
            if (documents.defined()) {
                auto *ids = documents.data_ptr<int32_t>() + b * keys;
                for (int64_t i = 1; i < keys; i++) start[size_t(i)] = ids[i] == ids[i - 1] ? start[size_t(i - 1)] : int32_t(i);
                for (int64_t i = keys - 2; i >= 0; i--) end[size_t(i)] = ids[i] == ids[i + 1] ? end[size_t(i + 1)] : int32_t(i + 1);
            }
            for (int64_t i = 0; i < queries; i++) {
                auto at = size_t(b * queries + i), position = size_t(offset + i);
                low[at] = std::max(start[position], window > 0 ? int32_t(position + 1) - int32_t(window) : 0);
                high[at] = causal ? int32_t(position + 1) : end[position];
            }
        }
    }

    /// One past the last key that any query of [begin, end) sees.
    int64_t reach(bool causal, int64_t end) const { return causal ? keys - queries + end : keys; }
};

/// Scores become probabilities in place; gives the log of the row's sum.
template <class T> YY_INLINE float softmaxRow(T *x, int64_t low, int64_t high, int64_t keys, float scale) {
    float top = maximum(x + low, high - low) * scale;
    float sum = sumOfExponentials(x + low, high - low, scale, top);
    float inverse = 1 / sum;
    for (int64_t i = low; i < high; i++) store(x[i], exponential(widen(x[i]) * scale - top) * inverse);
    for (int64_t i = 0; i < low; i++) x[i] = 0;
    for (int64_t i = high; i < keys; i++) x[i] = 0;
    return top + std::log(sum);
}

/// Scores become probabilities, gradients of probabilities become gradients of scores, both in place.
template <class T>
YY_INLINE void backwardRow(T *scores, T *gradient, int64_t low, int64_t high, int64_t keys, float scale, float logSum, float delta) {
    for (int64_t i = low; i < high; i++) {
        float exponent = widen(scores[i]) * scale - logSum;
        float p = exponential(exponent > 0 ? 0 : exponent);
        store(gradient[i], p * (widen(gradient[i]) - delta) * scale);
        store(scores[i], p);
    }
    for (int64_t i = 0; i < low; i++) scores[i] = gradient[i] = 0;
    for (int64_t i = high; i < keys; i++) scores[i] = gradient[i] = 0;
}

template <class T> YY_INLINE float dot(const T *a, const T *b, int64_t count) {
#pragma clang fp reassociate(on)
    float sum = 0;
    for (int64_t i = 0; i < count; i++) sum += widen(a[i]) * widen(b[i]);
    return sum;
}

/// Sums of blocks are kept in float32.
template <class T> YY_INLINE void addRow(float *sum, const T *x, int64_t count) {
    for (int64_t i = 0; i < count; i++) sum[i] += widen(x[i]);
}
YY_CLONES void addRowOf(float *sum, const float *x, int64_t n) { addRow(sum, x, n); }
YY_CLONES void addRowOf(float *sum, const bf16 *x, int64_t n) { addRow(sum, x, n); }

YY_CLONES float softmaxRowOf(float *x, int64_t l, int64_t h, int64_t n, float s) { return softmaxRow(x, l, h, n, s); }
YY_CLONES float softmaxRowOf(bf16 *x, int64_t l, int64_t h, int64_t n, float s) { return softmaxRow(x, l, h, n, s); }
YY_CLONES void backwardRowOf(float *x, float *g, int64_t l, int64_t h, int64_t n, float s, float z, float d) { backwardRow(x, g, l, h, n, s, z, d); }
YY_CLONES void backwardRowOf(bf16 *x, bf16 *g, int64_t l, int64_t h, int64_t n, float s, float z, float d) { backwardRow(x, g, l, h, n, s, z, d); }
YY_CLONES float dotOf(const float *a, const float *b, int64_t n) { return dot(a, b, n); }
YY_CLONES float dotOf(const bf16 *a, const bf16 *b, int64_t n) { return dot(a, b, n); }

/// [batch, token, head, width] → [batch·heads, token, width], each group of keys repeated for the heads that share it.
at::Tensor byHead(const at::Tensor &x, int64_t heads) {
    auto t = x.transpose(1, 2);
    int64_t groups = t.size(1);
    if (groups != heads) {
        t = t.unsqueeze(2).expand({t.size(0), groups, heads / groups, t.size(2), t.size(3)});
    }
    return t.reshape({-1, x.size(1), x.size(3)});
}

/// The way back of `byHead`: sums over the heads of a group.
at::Tensor byToken(const at::Tensor &x, int64_t batch, int64_t groups) {
    auto t = x.view({batch, groups, -1, x.size(1), x.size(2)});
    return (t.size(2) == 1 ? t.squeeze(2) : t.sum(2)).transpose(1, 2);
}

template <class T> struct Blocked {
    static void softmax(at::Tensor &scores, const Ranges &ranges, int64_t heads, int64_t first, float scale, float *logSums) {
        int64_t rows = scores.size(1), keys = scores.size(2);
        auto *data = static_cast<T *>(scores.data_ptr());
        parallel(scores.size(0) * rows, 16, [&](int64_t begin, int64_t end) {
            for (int64_t r = begin; r < end; r++) {
                int64_t head = r / rows, query = first + r % rows;
                auto at = size_t(head / heads * ranges.queries + query);
                logSums[head * ranges.queries + query] = softmaxRowOf(data + r * keys, ranges.low[at], ranges.high[at], keys, scale);
            }
        });
    }

    static void backward(at::Tensor &scores, at::Tensor &gradient, const Ranges &ranges, int64_t heads, int64_t first, float scale,
                         const float *logSums, const float *deltas) {
        int64_t rows = scores.size(1), keys = scores.size(2);
        auto *s = static_cast<T *>(scores.data_ptr()), *g = static_cast<T *>(gradient.data_ptr());
        parallel(scores.size(0) * rows, 16, [&](int64_t begin, int64_t end) {
            for (int64_t r = begin; r < end; r++) {
                int64_t head = r / rows, query = first + r % rows, row = head * ranges.queries + query;
                auto at = size_t(head / heads * ranges.queries + query);
                backwardRowOf(s + r * keys, g + r * keys, ranges.low[at], ranges.high[at], keys, scale, logSums[row], deltas[row]);
            }
        });
    }

    /// Adds [heads, rows, width] to the first rows of each head of a float32 sum.
    static void add(at::Tensor &sum, const at::Tensor &part) {
        int64_t count = part.size(1) * part.size(2), stride = sum.size(1) * sum.size(2);
        auto *to = sum.data_ptr<float>();
        auto *from = static_cast<T *>(part.data_ptr());
        parallel(part.size(0), 1, [&](int64_t begin, int64_t end) {
            for (int64_t head = begin; head < end; head++) addRowOf(to + head * stride, from + head * count, count);
        });
    }

    /// δ = Σ o·do of each row, [batch·heads, token] of two contiguous [batch, token, head, width].
    static at::Tensor deltas(const at::Tensor &o, const at::Tensor &gradient) {
        int64_t batch = o.size(0), tokens = o.size(1), heads = o.size(2), width = o.size(3);
        auto result = at::empty({batch * heads, tokens}, o.options().dtype(at::kFloat));
        auto *a = static_cast<T *>(o.data_ptr()), *b = static_cast<T *>(gradient.data_ptr());
        auto *to = result.template data_ptr<float>();
        parallel(batch * tokens, 8, [&](int64_t begin, int64_t end) {
            for (int64_t token = begin; token < end; token++) {
                for (int64_t head = 0; head < heads; head++) {
                    int64_t at = (token * heads + head) * width, row = (token / tokens * heads + head) * tokens + token % tokens;
                    to[row] = dotOf(a + at, b + at, width);
                }
            }
        });
        return result;
    }
};

template <class F> void byType(const at::Tensor &x, F &&body) {
    x.scalar_type() == at::kBFloat16 ? body(Blocked<bf16>{}) : body(Blocked<float>{});
}

struct BlockedAttention : torch::autograd::Function<BlockedAttention> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &queries, const at::Tensor &keys,
                              const at::Tensor &values, const std::optional<at::Tensor> &packed, bool causal, int64_t window,
                              double scale) {
        int64_t batch = queries.size(0), heads = queries.size(2);
        auto documents = packed.value_or(at::Tensor());  // optional, because a Function takes no undefined tensor
        auto q = byHead(queries, heads), k = byHead(keys, heads), v = byHead(values, heads);
        Ranges ranges(documents, causal, window, batch, q.size(1), k.size(1));
        auto o = at::empty({batch, q.size(1), heads, q.size(2)}, q.options());
        auto logSums = at::empty({q.size(0), q.size(1)}, q.options().dtype(at::kFloat));
        for (int64_t first = 0; first < q.size(1); first += blockOfQueries) {
            int64_t count = std::min(blockOfQueries, q.size(1) - first), reach = ranges.reach(causal, first + count);
            auto scores = at::bmm(q.narrow(1, first, count), k.narrow(1, 0, reach).transpose(1, 2));
            byType(q, [&](auto kernel) { kernel.softmax(scores, ranges, heads, first, float(scale), logSums.data_ptr<float>()); });
            auto mixed = at::bmm(scores, v.narrow(1, 0, reach));
            o.narrow(1, first, count).copy_(mixed.view({batch, heads, count, o.size(3)}).transpose(1, 2));
        }
        if (queries.requires_grad() || keys.requires_grad() || values.requires_grad()) {
            // Laid out by head, they need not be copied again on the way back. Shared keys are kept once.
            bool shared = keys.size(2) != heads;
            context->save_for_backward({q, shared ? keys : k, shared ? values : v, documents, o, logSums});
            context->saved_data["causal"] = causal;
            context->saved_data["window"] = window;
            context->saved_data["scale"] = scale;
        }
        return o;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
        auto saved = context->get_saved_variables();
        bool causal = context->saved_data["causal"].toBool();
        float scale = float(context->saved_data["scale"].toDouble());
        const auto &q = saved[0], &o = saved[4], &logSums = saved[5];
        int64_t batch = o.size(0), heads = o.size(2);
        bool shared = saved[1].dim() == 4;
        int64_t groups = shared ? saved[1].size(2) : heads;
        auto k = shared ? byHead(saved[1], heads) : saved[1], v = shared ? byHead(saved[2], heads) : saved[2];
        auto byTokens = gradients[0].contiguous();
        auto gradient = byHead(byTokens, heads);
        Ranges ranges(saved[3], causal, context->saved_data["window"].toInt(), batch, q.size(1), k.size(1));
        auto gradientQ = at::empty_like(q);
        auto gradientK = at::zeros(k.sizes(), k.options().dtype(at::kFloat)), gradientV = at::zeros_like(gradientK);
        byType(q, [&](auto kernel) {
            auto deltas = kernel.deltas(o, byTokens);
            for (int64_t first = 0; first < q.size(1); first += blockOfQueries) {
                int64_t count = std::min(blockOfQueries, q.size(1) - first), reach = ranges.reach(causal, first + count);
                auto queriesHere = q.narrow(1, first, count), gradientHere = gradient.narrow(1, first, count);
                auto keysHere = k.narrow(1, 0, reach), valuesHere = v.narrow(1, 0, reach);
                auto scores = at::bmm(queriesHere, keysHere.transpose(1, 2));
                auto gradientScores = at::bmm(gradientHere, valuesHere.transpose(1, 2));
                kernel.backward(
                    scores, gradientScores, ranges, heads, first, scale, logSums.template data_ptr<float>(), deltas.template data_ptr<float>());
                gradientQ.narrow(1, first, count).copy_(at::bmm(gradientScores, keysHere));
                kernel.add(gradientK, at::bmm(gradientScores.transpose(1, 2), queriesHere));
                kernel.add(gradientV, at::bmm(scores.transpose(1, 2), gradientHere));
            }
        });
        return {byToken(gradientQ, batch, heads), byToken(gradientK.to(k.scalar_type()), batch, groups),
                byToken(gradientV.to(k.scalar_type()), batch, groups), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

/// softmax(scale·q·kᵀ + mask)·v, spelled out: other dtypes and devices, and what the tests hold the blocked form against.
at::Tensor plain(const at::Tensor &queries, const at::Tensor &keys, const at::Tensor &values, const at::Tensor &documents, bool causal, int64_t window,
                 double scale) {
    auto q = queries.transpose(1, 2), k = keys.transpose(1, 2), v = values.transpose(1, 2);
    int64_t rows = q.size(2), columns = k.size(2);
    bool whole = window <= 0 || window >= columns, square = causal && rows == columns && !documents.defined() && whole;
    bool grouped = k.size(1) != q.size(1);
    if (q.is_cuda() && (square || (!causal && !documents.defined()))) {
        return at::scaled_dot_product_attention(q, k, v, {}, 0.0, square, scale, grouped).transpose(1, 2);
    }
    auto mask = at::ones({rows, columns}, q.options().dtype(at::kBool));
    if (causal) mask = mask.tril(columns - rows);
    if (!whole) mask = mask.triu(columns - rows - window + 1);
    mask = mask.expand({1, 1, rows, columns});
    if (documents.defined()) {
        mask = mask & documents.narrow(1, columns - rows, rows).unsqueeze(2).eq(documents.unsqueeze(1)).unsqueeze(1);
    }
    return at::scaled_dot_product_attention(q, k, v, mask, 0.0, false, scale, grouped).transpose(1, 2);
}

/// Puts x [batch, new, group, width] into a cache [batch, group, place, width] from `start` on; gives what is in it now, [batch, start + new, group, width].
at::Tensor stored(const at::Tensor &x, const at::Tensor &cache, int64_t start) {
    TORCH_CHECK(x.dim() == 4 && cache.dim() == 4 && x.size(0) == cache.size(0) && x.size(2) == cache.size(1) && x.size(3) == cache.size(3)
                    && x.scalar_type() == cache.scalar_type() && start >= 0 && start + x.size(1) <= cache.size(2),
                "cache: ", x.sizes(), " do not fit places ", start, "… of ", cache.sizes());
    auto all = cache.narrow(2, 0, start + x.size(1)).transpose(1, 2);
    if (!x.is_cpu() || x.stride(3) != 1 || cache.stride(3) != 1) {
        all.narrow(1, start, x.size(1)).copy_(x);
        return all;
    }
    auto *from = static_cast<const char *>(x.data_ptr());
    auto *to = static_cast<char *>(cache.data_ptr());
    int64_t size = int64_t(x.element_size());
    for (int64_t b = 0; b < x.size(0); b++)
        for (int64_t group = 0; group < x.size(2); group++)
            for (int64_t i = 0; i < x.size(1); i++) {
                auto *target = to + size * (b * cache.stride(0) + group * cache.stride(1) + (start + i) * cache.stride(2));
                std::memcpy(target, from + size * (b * x.stride(0) + i * x.stride(1) + group * x.stride(2)), size_t(size * x.size(3)));
            }
    return all;
}

}  // namespace

at::Tensor attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &documents, bool causal, int64_t window,
                     double scale) {
    TORCH_CHECK(q.dim() == 4 && k.dim() == 4 && k.sizes() == v.sizes() && q.size(0) == k.size(0) && q.size(3) == k.size(3)
                    && q.size(2) % k.size(2) == 0 && (!(causal || documents.defined()) || q.size(1) <= k.size(1)),
                "attention: queries ", q.sizes(), ", keys ", k.sizes(), " and values ", v.sizes(), " do not fit");
    TORCH_CHECK(q.scalar_type() == k.scalar_type() && q.scalar_type() == v.scalar_type(),
                "attention: queries are ", q.scalar_type(), ", keys ", k.scalar_type(), " and values ", v.scalar_type());
    TORCH_CHECK(window <= 0 || causal, "attention: a window looks back, so it needs causal attention");
    if (window >= k.size(1)) window = 0;  // sees everything
    auto ids = documents.defined() ? documents.contiguous() : at::Tensor();
    TORCH_CHECK(!ids.defined() || (ids.size(0) == k.size(0) && ids.size(1) == k.size(1)),
                "attention: documents ", ids.defined() ? ids.sizes() : at::IntArrayRef(), " and keys ", k.sizes(), " do not fit");
    bool bfloat = q.scalar_type() == at::kBFloat16;
    if (!q.is_cpu() || !(bfloat || q.scalar_type() == at::kFloat)) return plain(q, k, v, ids, causal, window, scale);
    bool recorded = at::GradMode::is_enabled() && (q.requires_grad() || k.requires_grad() || v.requires_grad());
    bool dense = q.stride(3) == 1 && k.stride(3) == 1 && v.stride(3) == 1;
    if (!recorded && q.size(1) <= mostQueries && !ids.defined() && dense) return decodeAttention(q, k, v, causal, window, scale);
    return BlockedAttention::apply(q, k, v, ids.defined() ? std::optional(ids) : std::nullopt, causal, window, scale);
}

}  // namespace yy

yy_status yy_attention(
    yy_tensor queries, yy_tensor keys, yy_tensor values, yy_tensor documents, bool causal, int64_t window, double scale, yy_tensor *out) {
    return yy::guarded(out, [&] {
        auto ids = documents ? yy::tensor(documents) : at::Tensor();
        return yy::attention(yy::tensor(queries), yy::tensor(keys), yy::tensor(values), ids, causal, window, scale);
    });
}

yy_status yy_cached_attention(
    yy_tensor queries, yy_tensor new_keys, yy_tensor new_values, yy_tensor keys, yy_tensor values, int64_t start, yy_tensor documents, int64_t window,
    double scale, yy_tensor *out) {
    return yy::guarded(out, [&] {
        auto ids = documents ? yy::tensor(documents) : at::Tensor();
        auto k = yy::stored(yy::tensor(new_keys), yy::tensor(keys), start), v = yy::stored(yy::tensor(new_values), yy::tensor(values), start);
        return yy::attention(yy::tensor(queries), k, v, ids, /*causal=*/true, window, scale);
    });
}
