// Which instruction set a kernel uses, where that is chosen by hand: kernels written in intrinsics. (YY_CLONES leaves it to the loader.)
#pragma once

#include <cstdint>

#if defined(__x86_64__)
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

}  // namespace yy
