// Numbers in [−1, 1] or [0, 1] as 8 bits (dynamic tree quantisation: Dettmers et al. 2022, "8-bit optimizers via block-wise quantization",
// section 1.3): seven decades from 1e-7 to 1, each cut into twice as many intervals as the one below, whose middles are the numbers; and 0 and 1.
#pragma once

#include "../shim.h"
#include "hash.h"

#include <array>
#include <optional>
#include <utility>

namespace yy {

/// Numbers that share one float32 scale, their largest absolute value.
constexpr int64_t dynamicBlock = 256;

/// What is needed of each decade to find the numbers on both sides of a value. `Intervals`: of the lowest decade, 1 with sign and 2 without.
template <int Intervals> struct Dynamic8 {
    static constexpr int decades = 7, highest = Intervals * 127 + 1;
    alignas(64) std::array<float, 256> value;  // of each code, ascending
    std::array<float, 8> scale, count, perUnit, below, above;
    std::array<int32_t, 8> first;

    Dynamic8() : value{}, scale{}, count{}, perUnit{}, below{}, above{}, first{} {
        int zero = Intervals == 1 ? 127 : 0;
        value[size_t(zero + highest)] = 1;
        for (int i = 0; i < decades; i++) {
            auto at = size_t(i);
            double unit = std::pow(10.0, i - decades + 1), n = Intervals << i;
            first[at] = 1 + Intervals * ((1 << i) - 1);
            for (int j = 0; j < int(n); j++) {
                float middle = float(unit * (0.1 + 0.9 * (j + 0.5) / n));
                value[size_t(zero + first[at] + j)] = middle;
                if (Intervals == 1) value[size_t(zero - first[at] - j)] = -middle;
            }
            scale[at] = float(1 / unit);
            count[at] = float(n);
            perUnit[at] = float(n / 0.9);
            // From the first middle down to the number below it, and from the last up to the one above, in intervals of this decade.
            below[at] = float(i > 0 ? 0.5 + 0.5 * 0.2 : 0.1 * n / 0.9 + 0.5);
            above[at] = float(i < decades - 1 ? 0.5 + 0.5 * 5 : 0.5);
        }
    }

    static const Dynamic8 &shared() {
        static const Dynamic8 tables;
        return tables;
    }

    /// The code of x: the number below it, or the one above as often as x is near to that, when `uniform` is drawn from [0, 1); the nearest with 0.5.
    YY_INLINE uint8_t code(float x, float uniform) const {
        float a = __builtin_fabsf(x);
        int i = (a >= 1e-6f) + (a >= 1e-5f) + (a >= 1e-4f) + (a >= 1e-3f) + (a >= 1e-2f) + (a >= 1e-1f);
        // Middle j lies at t = j.
        float t = (a * scale[size_t(i)] - 0.1f) * perUnit[size_t(i)] - 0.5f, last = count[size_t(i)] - 1;
        float lower = t / below[size_t(i)], upper = last + (t - last) / above[size_t(i)];
        t = t < 0 ? lower : t > last ? upper : t;
        int number = first[size_t(i)] + int(__builtin_floorf(t + uniform));
        number = number < 0 ? 0 : number > highest ? highest : number;
        if (Intervals == 2) return uint8_t(number);
        return uint8_t(x < 0 ? 127 - (number > 127 ? 127 : number) : 127 + number);
    }
};

using Signed8 = Dynamic8<1>;
using Unsigned8 = Dynamic8<2>;

/// Codes in the shape of float32 x and the scale of each block; to the nearest, or with a key at random (blockwise.cpp).
std::pair<at::Tensor, at::Tensor> quantizeBlocks(const at::Tensor &x, bool isSigned, std::optional<uint64_t> key);
at::Tensor dequantizeBlocks(const at::Tensor &codes, const at::Tensor &scales, bool isSigned);

}  // namespace yy
