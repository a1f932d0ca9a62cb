// A caching allocator for CPU tensors. malloc gives large blocks back to the system at once, and the next step pays for fresh, zeroed
// pages again: 8 % of a training step was spent there. Here a freed block waits for the next tensor of its size class. AddressSanitizer is told
// that only what a tensor asked for may be touched: not the header before it, not the rest of its class behind it, not a block that waits.
#include "../shim.h"
#include "parallel.h"

#include <c10/core/CPUAllocator.h>

#include <array>
#include <climits>
#include <cstdlib>
#include <mutex>
#include <vector>

#include <sanitizer/asan_interface.h>  // the macros do nothing in other builds

#if defined(__linux__)
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace yy {
namespace {

constexpr size_t alignment = 64;
constexpr size_t smallest = size_t(1) << 15;  // below, malloc is as good
constexpr int stepsPerDoubling = 8;           // so that at most an eighth of a block is wasted

/// In front of every block's data, one cache line.
struct alignas(alignment) Header {
    size_t capacity;
    int sizeClass;  // −1: not kept
};

struct Cache {
    std::mutex mutex;
    std::array<std::vector<Header *>, 64 * stepsPerDoubling> kept;
    yy_memory statistics{};
};

Cache &cache() {
    static auto *shared = new Cache;  // never destroyed: tensors may outlive static destruction
    return *shared;
}

/// The class of a size and the class's capacity: 2^k · (8 + i)/8.
std::pair<int, size_t> sizeClass(size_t bytes) {
    int doubling = 63 - __builtin_clzll(bytes - 1 | 1);
    size_t unit = (size_t(1) << doubling) / stepsPerDoubling;
    size_t steps = (bytes + unit - 1) / unit;  // 8 … 16
    return {doubling * stepsPerDoubling + int(steps - stepsPerDoubling), steps * unit};
}

void release(Header *header) {
    std::free(header);
}

Header *fresh(size_t capacity) {
    constexpr size_t hugePage = size_t(1) << 21;
    bool large = capacity >= 2 * hugePage;
    void *memory = nullptr;
    if (posix_memalign(&memory, large ? hugePage : alignment, capacity + sizeof(Header)) != 0) return nullptr;
#if defined(__linux__)
    if (large) madvise(memory, capacity + sizeof(Header), MADV_HUGEPAGE);
#endif
    return static_cast<Header *>(memory);
}

struct Allocator final : c10::Allocator {
    c10::DataPtr allocate(size_t bytes) override {
        if (bytes == 0) return {nullptr, c10::Device(c10::kCPU)};
        auto &shared = cache();
        auto [index, capacity] = bytes < smallest ? std::pair(-1, bytes) : sizeClass(bytes);
        Header *header = nullptr;
        {
            std::lock_guard lock(shared.mutex);
            if (index >= 0 && !shared.kept[index].empty()) {
                header = shared.kept[index].back();
                shared.kept[index].pop_back();
                shared.statistics.held -= int64_t(capacity);
            }
            shared.statistics.live += int64_t(capacity);
            shared.statistics.peak = std::max(shared.statistics.peak, shared.statistics.live);
        }
        if (!header) header = fresh(capacity);
        if (!header) {
            yy_memory_trim();
            header = fresh(capacity);
        }
        if (!header) {
            std::lock_guard lock(shared.mutex);
            shared.statistics.live -= int64_t(capacity);
            throw c10::OutOfMemoryError(
                {__func__, __FILE__, uint32_t(__LINE__)},
                c10::str("out of memory: a tensor of ", bytes, " bytes was asked for, ", shared.statistics.live, " bytes are in use"));
        }
        ASAN_UNPOISON_MEMORY_REGION(header, sizeof(Header));
        header->capacity = capacity;
        header->sizeClass = index;
        void *data = header + 1;
        ASAN_POISON_MEMORY_REGION(header, sizeof(Header) + capacity);
        ASAN_UNPOISON_MEMORY_REGION(data, bytes);
        return {data, data, &Allocator::free, c10::Device(c10::kCPU)};
    }

    static void free(void *data) {
        if (!data) return;
        auto *header = static_cast<Header *>(data) - 1;
        ASAN_UNPOISON_MEMORY_REGION(header, sizeof(Header));
        auto &shared = cache();
        {
            std::lock_guard lock(shared.mutex);
            shared.statistics.live -= int64_t(header->capacity);
            if (header->sizeClass >= 0) {
                shared.kept[header->sizeClass].push_back(header);
                shared.statistics.held += int64_t(header->capacity);
                ASAN_POISON_MEMORY_REGION(header, sizeof(Header) + header->capacity);
                return;
            }
        }
        release(header);
    }

    c10::DeleterFnPtr raw_deleter() const override { return &Allocator::free; }

    void copy_data(void *target, const void *source, size_t count) const override { default_copy_data(target, source, count); }
};

}  // namespace
}  // namespace yy

#if defined(__GLIBC__)
/// libtorch registers its operators before `main`: some 50 MB of code and texts that nobody reads again. Pages of its file that were not written are given back.
static void releaseLibtorchPages() {
    dl_iterate_phdr(
        [](dl_phdr_info *library, size_t, void *) {
            if (!std::strstr(library->dlpi_name, "libtorch_cpu")) return 0;
            auto page = uintptr_t(getpagesize());
            for (int i = 0; i < library->dlpi_phnum; i++) {
                const auto &part = library->dlpi_phdr[i];
                uintptr_t begin = library->dlpi_addr + part.p_vaddr, end = begin + part.p_filesz;
                if (part.p_type != PT_LOAD || part.p_flags & PF_W) continue;
                begin = (begin + page - 1) / page * page;
                end = end / page * page;
                if (begin < end) madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
            }
            return 1;
        },
        nullptr);
}
#endif

void yy_start(void) {
#if defined(__GLIBC__)
    releaseLibtorchPages();
    // oneDNN's scratch buffers come from malloc. Let it keep them too: no mmap for large blocks, nothing given back at the top, and one
    // arena, because the others cannot hold blocks of more than 64 MB.
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_TOP_PAD, 64 << 20);
#endif
    static yy::Allocator allocator;
    c10::SetCPUAllocator(&allocator, /*priority=*/100);
    // Under OMP_THREAD_LIMIT, oneDNN's bfloat16 products leave out the share of the threads that it counts on and does not get.
    if (omp_get_thread_limit && omp_get_thread_limit() < at::get_num_threads()) at::set_num_threads(omp_get_thread_limit());
}

yy_memory yy_memory_statistics(void) {
    std::lock_guard lock(yy::cache().mutex);
    return yy::cache().statistics;
}

void yy_memory_reset_peak(void) {
    std::lock_guard lock(yy::cache().mutex);
    yy::cache().statistics.peak = yy::cache().statistics.live;
}

void yy_memory_trim(void) {
    auto &shared = yy::cache();
    std::lock_guard lock(shared.mutex);
    for (auto &blocks : shared.kept) {
        for (auto *block : blocks) yy::release(block);
        blocks.clear();
    }
    shared.statistics.held = 0;
}
