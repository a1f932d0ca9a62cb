// The rows of a cache change places where they are: beams go on from each other at every step, and most of them from themselves.
#include "../shim.h"
#include "parallel.h"

#include <vector>

using namespace yy;

yy_status yy_reorder(yy_tensor cache_, const int64_t *order, int64_t places) {
    return guarded([&] {
        const auto &cache = tensor(cache_);
        TORCH_CHECK(cache.is_cpu() && cache.is_contiguous() && cache.dim() >= 3 && places >= 0 && places <= cache.size(2), "reorder: ", cache.sizes(),
                    " is no cache of ", places, " places");
        std::vector<int64_t> changed;
        for (int64_t row = 0; row < cache.size(0); row++) {
            TORCH_CHECK(order[row] >= 0 && order[row] < cache.size(0), "reorder: row ", order[row], " of ", cache.size(0));
            if (order[row] != row) changed.push_back(row);
        }
        int64_t groups = cache.size(1), size = cache.stride(2) * int64_t(cache.element_size());
        int64_t rowSize = cache.stride(0) * int64_t(cache.element_size()), groupSize = cache.stride(1) * int64_t(cache.element_size());
        auto *data = static_cast<char *>(cache.data_ptr());
        // A few places of all rows at a time: what they were is kept in the nearest cache until all are written.
        int64_t together = std::max<int64_t>(1, 4096 / std::max<int64_t>(size, 1)), blocks = (places + together - 1) / together;
        parallel(changed.empty() ? 0 : groups * blocks, 4, [&](int64_t begin, int64_t end) {
            thread_local std::vector<char> kept;
            kept.resize(changed.size() * size_t(together * size));
            for (int64_t i = begin; i < end; i++) {
                int64_t first = i % blocks * together, bytes = std::min(together, places - first) * size;
                auto *at = data + i / blocks * groupSize + first * size;
                for (size_t k = 0; k < changed.size(); k++) std::memcpy(&kept[k * size_t(bytes)], at + order[changed[k]] * rowSize, size_t(bytes));
                for (size_t k = 0; k < changed.size(); k++) std::memcpy(at + changed[k] * rowSize, &kept[k * size_t(bytes)], size_t(bytes));
            }
        });
    });
}
