// Attention of a few queries over a cache, unrecorded.
#pragma once

#include "../shim.h"

namespace yy {

/// Queries [batch, query, head, width], keys and values [batch, key, group, width], all of float32 or all of bfloat16, each head's numbers together.
at::Tensor decodeAttention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, bool causal, int64_t window, double scale);

}  // namespace yy
