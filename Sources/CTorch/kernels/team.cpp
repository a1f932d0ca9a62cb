#include "team.h"
#include "../include/ctorch.h"
#include "parallel.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

namespace yy {
namespace {

/// How long a thread without work stays awake.
constexpr auto lookout = std::chrono::microseconds(200);

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/// The calling thread and some helpers. Never destroyed: at the end of the process helpers may still look out.
class Team {
public:
    void run(int64_t pieces, int64_t threads, void (*body)(const void *, int64_t), const void *with) {
        std::unique_lock alone(calling, std::try_to_lock);
        if (!alone) {  // another thread has the team
            for (int64_t piece = 0; piece < pieces; piece++) body(with, piece);
            return;
        }
        resize(threads - 1);
        work = body;
        context = with;
        count = pieces;
        done.store(0, std::memory_order_relaxed);
        left.store((left.load(std::memory_order_relaxed) | 0xffffffffu) + 1 + uint64_t(pieces));  // the next round
        if (asleep.load() > 0) wake();
        int64_t own = take();
        for (int spins = 0; done.load(std::memory_order_acquire) < pieces - own; spins++) {
            if (spins < 1000) {
                pause();
            } else {
                std::this_thread::yield();  // whoever has the last piece may want this processor
            }
        }
    }

private:
    std::mutex calling;
    std::vector<std::thread> helpers;
    // Of the present round: whoever holds a piece may read them.
    void (*work)(const void *, int64_t);
    const void *context;
    int64_t count;
    /// In the upper half the number of the round, in the lower the pieces that nobody has taken. As one number, a piece cannot be taken of a round that is over.
    alignas(64) std::atomic<uint64_t> left{0};
    /// Pieces that helpers have done.
    alignas(64) std::atomic<int64_t> done{0};
    /// What sleepers wait to change.
    alignas(64) std::atomic<uint32_t> calls{0};
    std::atomic<int> asleep{0};
    std::atomic<bool> leaving{false};

    /// Does pieces until nobody has to; gives how many.
    int64_t take() {
        int64_t taken = 0;
        for (uint64_t seen = left.load(std::memory_order_acquire); uint32_t(seen) > 0;) {
            if (!left.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
            work(context, count - int64_t(uint32_t(seen)));
            taken++;
            seen = left.load(std::memory_order_acquire);
        }
        return taken;
    }

    void help() {
        using Clock = std::chrono::steady_clock;
        while (!leaving.load(std::memory_order_relaxed)) {
            if (int64_t taken = take()) done.fetch_add(taken, std::memory_order_release);
            bool found = false;
            for (auto until = Clock::now() + lookout; !found && Clock::now() < until;) {
                for (int i = 0; !found && i < 64; i++) {
                    pause();
                    found = uint32_t(left.load(std::memory_order_relaxed)) > 0;
                }
            }
            if (found) continue;
            uint32_t call = calls.load();
            asleep.fetch_add(1);
            if (uint32_t(left.load()) == 0 && !leaving.load()) calls.wait(call);
            asleep.fetch_sub(1);
        }
    }

    void wake() {
        calls.fetch_add(1);
        calls.notify_all();
    }

    void resize(int64_t size) {
        if (size == int64_t(helpers.size())) return;
        leaving.store(true);
        wake();
        for (auto &helper : helpers) helper.join();
        helpers.clear();
        leaving.store(false);
        while (int64_t(helpers.size()) < size) helpers.emplace_back([this] { help(); });
    }
};

/// 0 where it works with libtorch's.
thread_local int64_t threadsOfTeam = 0;

}  // namespace

int64_t teamThreads() { return threadsOfTeam; }

void runPieces(int64_t pieces, void (*run)(const void *, int64_t), const void *context) {
    static auto *team = new Team;
    team->run(pieces, threadsOfTeam, run, context);
}

}  // namespace yy

// libtorch's own operations go on alone meanwhile: its threads, which look out for work for milliseconds, would hold the processors that the team needs.
int yy_team_begin(void) {
    int before = int(yy::threadsOfTeam);
    if (before == 0 && omp_set_num_threads) {
        yy::threadsOfTeam = at::get_num_threads();
        omp_set_num_threads(1);
    }
    return before;
}

void yy_team_end(int before) {
    if (before != 0 || yy::threadsOfTeam == 0) return;
    omp_set_num_threads(int(yy::threadsOfTeam));
    yy::threadsOfTeam = 0;
}
