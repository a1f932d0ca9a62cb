// How threads wait for each other.
#include "parallel.h"

#include <thread>

#if defined(__linux__)
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#endif

namespace yy {

// Where a thread waits for others, GNU OpenMP spins 300,000 times before it sleeps, and so holds the processor that they may be waiting for: beside
// compilers at work, decoding took some sixty times as long. With more threads than processors it spins 1,000 times. So there is one thread more, which
// sleeps. (GOMP_SPINCOUNT and OMP_WAIT_POLICY, where they are set, decide as before.)
void waitAsleep() {
#if defined(__linux__)
    if (!GOMP_parallel || at::get_num_threads() < 2) return;
    std::thread([] {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
        GOMP_parallel([](void *) {}, nullptr, 2, 0);
        for (;;) pause();  // its second thread lives as long as this one
    }).detach();
#endif
}

}  // namespace yy
