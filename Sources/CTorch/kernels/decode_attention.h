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
