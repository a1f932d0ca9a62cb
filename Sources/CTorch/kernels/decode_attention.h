// Attention of a few queries over a cache, unrecorded.
#pragma once

#include "../shim.h"
#include "parallel.h"

namespace yy {

/// For more queries than these, one pass over the cache for each costs more than matrix products, in 8 bits than widening it once.
constexpr int64_t mostQueries = 8;
/// Heads of one group that go together.
constexpr int64_t mostHeads = 4;

/// Queries [batch, query, head, width], keys and values [batch, key, group, width], all of float32 or all of bfloat16, each head's numbers together.
at::Tensor decodeAttention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, bool causal, int64_t window, double scale);

/// The same of any number of queries, recorded or not, of all dtypes and devices (attention.cpp); `documents` undefined: one document.
at::Tensor attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &documents, bool causal, int64_t window,
                     double scale);

/// What attention of a few queries over a cache is divided into: one query with some heads of one group. Queries of one group follow each other: what the first
/// reads, the others find in the cache.
struct Parts {
    int64_t batch, queries, heads, groups, keys, width;
    bool causal;
    int64_t window;

    struct Part {
        int64_t batch, query, group, head, heads;
        int64_t first, last;  // keys that are seen
    };

    int64_t each() const { return heads / groups; }
    int64_t ofGroup() const { return (each() + mostHeads - 1) / mostHeads; }
    int64_t count() const { return batch * groups * ofGroup() * queries; }
    /// How many go together at least: fewer are not worth another thread.
    int64_t grain() const { return std::max<int64_t>(1, 16384 / std::max<int64_t>(1, keys * width)); }

    Part operator[](int64_t i) const {
        int64_t query = i % queries, part = i / queries % ofGroup(), group = i / queries / ofGroup() % groups, b = i / queries / ofGroup() / groups;
        int64_t last = causal ? keys - queries + query + 1 : keys;
        return {b, query, group, group * each() + part * mostHeads, std::min(mostHeads, each() - part * mostHeads),
                window > 0 ? std::max<int64_t>(0, last - window) : 0, last};
    }
};

/// Scores to exponentials, in place; gives their sum.
YY_INLINE float exponentials(float *scores, int64_t keys) {
    float top = maximum(scores, keys), lanes[16] = {}, total = 0;
    int64_t t = 0;
    for (; t + 16 <= keys; t += 16)
        for (int j = 0; j < 16; j++) lanes[j] += scores[t + j] = exponential(scores[t + j] - top);
    for (; t < keys; t++) lanes[0] += scores[t] = exponential(scores[t] - top);
    for (float lane : lanes) total += lane;
    return total;
}

}  // namespace yy
