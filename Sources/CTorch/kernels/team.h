// Threads for work that takes microseconds, as each matrix of a decoding step does.
#pragma once

#include <cstdint>

namespace yy {

/// Threads of the team that the calling thread works with, itself included; 0: it works with libtorch's (`yy_team_begin`).
int64_t teamThreads();

/// Runs `run(context, piece)` once for each piece in [0, pieces), on the calling thread and on those of its team that are awake in time.
///
/// Nobody waits for a thread that has not begun: where the system does not let one run, the others do its share. A thread without work looks out for
/// some for a fifth of a millisecond before it sleeps: waking one takes longer than most of a step's products. (libtorch's OpenMP pool gives each thread
/// its part beforehand, and waits for all: on a busy machine that takes milliseconds for each product.)
void runPieces(int64_t pieces, void (*run)(const void *context, int64_t piece), const void *context);

}  // namespace yy
