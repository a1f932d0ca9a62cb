// Threads and vectors for the kernels of this folder.
#pragma once

#include "team.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

// A kernel is written once in plain C++ and compiled for each instruction set; the loader picks at start. (Tests under AddressSanitizer define the
// macro: for one instruction set.)
#if defined(YY_CLONES)
#elif defined(__x86_64__) && defined(__linux__)
#define YY_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define YY_CLONES
#endif
#define YY_INLINE inline __attribute__((always_inline))

// libtorch's own OpenMP run-time, called by its ABI: a second thread pool would fight with libtorch's for the cores.
extern "C" void GOMP_parallel(void (*body)(void *), void *context, unsigned threads, unsigned flags) __attribute__((weak));
extern "C" int omp_get_thread_num(void) __attribute__((weak));
extern "C" int omp_get_num_threads(void) __attribute__((weak));
extern "C" int omp_get_thread_limit(void) __attribute__((weak));
extern "C" void omp_set_num_threads(int threads) __attribute__((weak));

namespace yy {

/// Runs `body(begin, end)` over [0, count) in contiguous pieces, on libtorch's threads or the team's (team.h). The pieces depend on the count and the number
/// of threads alone.
template <class Body> void parallel(int64_t count, int64_t grain, const Body &body) {
    int64_t team = teamThreads(), threads = team > 0 ? team : GOMP_parallel ? at::get_num_threads() : 1;
    // Several for each of a team, of which nobody knows who will come.
    int64_t most = team > 1 ? 4 * team : threads, pieces = std::min(most, (count + grain - 1) / std::max<int64_t>(grain, 1));
    if (pieces <= 1) {
        if (count > 0) body(int64_t(0), count);
        return;
    }
    struct Context {
        const Body &body;
        int64_t count, pieces;
        void run(int64_t piece) const {
            int64_t begin = count * piece / pieces, end = count * (piece + 1) / pieces;
            if (begin < end) body(begin, end);
        }
    } context{body, count, pieces};
    if (team > 1) return runPieces(pieces, [](const void *raw, int64_t piece) { static_cast<const Context *>(raw)->run(piece); }, &context);
    GOMP_parallel(
        [](void *raw) {
            auto &c = *static_cast<const Context *>(raw);
            // The team may be smaller than asked for (OMP_THREAD_LIMIT): every piece is done all the same.
            for (int64_t piece = omp_get_thread_num(); piece < c.pieces; piece += omp_get_num_threads()) c.run(piece);
        },
        &context, static_cast<unsigned>(pieces), 0);
}

/// bfloat16 as its bits: the upper half of a float32. (c10::BFloat16 hides the bits from the vectoriser.)
using bf16 = uint16_t;

YY_INLINE float widen(bf16 value) {
    uint32_t bits = uint32_t(value) << 16;
    float result;
    std::memcpy(&result, &bits, 4);
    return result;
}
YY_INLINE float widen(float value) { return value; }

/// Round to nearest even; NaN stays NaN.
YY_INLINE bf16 narrow(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return bf16(value != value ? 0x7fc0u : rounded);
}
YY_INLINE void store(bf16 &target, float value) { target = narrow(value); }
YY_INLINE void store(float &target, float value) { target = value; }

/// e^x for x ≤ 0 by 2^n · p(r), |r| ≤ ln2/2, relative error under 2e-7; 0 below −87. Free of branches, so that loops vectorise.
YY_INLINE float exponential(float x) {
    float y = x < -87.0f ? -87.0f : x;
    float n = __builtin_rintf(y * 1.44269504088896341f);
    float r = y - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t bits = (int32_t(n) + 127) << 23;
    float power;
    std::memcpy(&power, &bits, 4);
    return x < -87.0f ? 0.0f : p * power;
}

/// The largest of some numbers; sixteen lanes, so that the loop vectorises.
template <class T> YY_INLINE float maximum(const T *x, int64_t count) {
    float lanes[16];
    for (float &lane : lanes) lane = -INFINITY;
    for (int64_t i = 0; i + 16 <= count; i += 16)
        for (int j = 0; j < 16; j++) lanes[j] = lanes[j] > widen(x[i + j]) ? lanes[j] : widen(x[i + j]);
    for (int64_t i = count / 16 * 16; i < count; i++) lanes[0] = lanes[0] > widen(x[i]) ? lanes[0] : widen(x[i]);
    return *std::max_element(lanes, lanes + 16);
}

/// Σ e^(x·scale − shift), where no exponent is positive.
template <class T> YY_INLINE float sumOfExponentials(const T *x, int64_t count, float scale, float shift) {
#pragma clang fp reassociate(on)
    float sum = 0;
    for (int64_t i = 0; i < count; i++) sum += exponential(widen(x[i]) * scale - shift);
    return sum;
}

}  // namespace yy
