// Which instruction set a kernel uses, where that is chosen by hand: kernels written in intrinsics. (YY_CLONES leaves it to the loader.)
#pragma once

#include "parallel.h"

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#define YY_X86 1
#define YY_AVX2 __attribute__((target("arch=x86-64-v3")))
#define YY_AVX512 __attribute__((target("arch=x86-64-v4,avx512vnni")))
#define YY_AVX512_BF16 __attribute__((target("arch=x86-64-v4,avx512bf16")))
#else
#define YY_X86 0
#endif

namespace yy {

/// What this processor has, within the limit that `yy_limit_instructions` set.
struct Instructions {
    bool avx2, avx512, vnni, bfloat16;
};
const Instructions &instructions();

#if YY_X86
/// Sixteen numbers in float32.
__attribute__((target("arch=x86-64-v4"))) YY_INLINE __m512 sixteen(const float *x) { return _mm512_loadu_ps(x); }
__attribute__((target("arch=x86-64-v4"))) YY_INLINE __m512 sixteen(const bf16 *x) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(x))), 16));
}
#endif

}  // namespace yy
