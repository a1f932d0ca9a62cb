#include "instructions.h"

#include "../include/ctorch.h"

namespace yy {
namespace {

Instructions detect(yy_instructions limit) {
    Instructions found{};
#if YY_X86
    __builtin_cpu_init();
    found.avx2 = limit >= YY_UP_TO_AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    found.avx512 = limit >= YY_UP_TO_AVX512 && found.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
                   && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    found.vnni = found.avx512 && __builtin_cpu_supports("avx512vnni");
    found.bfloat16 = found.avx512 && __builtin_cpu_supports("avx512bf16");
#endif
    return found;
}

Instructions chosen = detect(YY_UP_TO_AVX512);

}  // namespace

const Instructions &instructions() { return chosen; }

}  // namespace yy

void yy_limit_instructions(yy_instructions limit) { yy::chosen = yy::detect(limit); }
