// Threads for work that takes microseconds, as each matrix of a decoding step does.
#pragma once

#include <cstdint>

namespace yy {

/// Runs `run(context, piece)` once for each piece in [0, pieces), on the calling thread and on those of the team that are awake in time.
///
/// Nobody waits for a thread that has not begun: where the system does not let one run, the others do its share. A thread without work looks out for
/// some for a fifth of a millisecond before it sleeps: waking one takes longer than most of a step's products. (libtorch's OpenMP pool gives each thread
/// its part beforehand, and waits for all: on a busy machine that takes milliseconds for each product.)
///
/// Not for work between libtorch's own parallel operations, whose threads would still hold the processors; `parallel` is for that.
void runPieces(int64_t pieces, void (*run)(const void *context, int64_t piece), const void *context);

/// Pieces that `grain` items at least make up, a few for each thread.
int64_t piecesFor(int64_t count, int64_t grain);

/// Runs `body(begin, end)` over [0, count) in contiguous pieces, which do not depend on who runs them.
template <class Body> void share(int64_t count, int64_t grain, const Body &body) {
    int64_t pieces = piecesFor(count, grain);
    if (pieces <= 1) {
        if (count > 0) body(int64_t(0), count);
        return;
    }
    struct Context {
        const Body &body;
        int64_t count, pieces;
    } context{body, count, pieces};
    runPieces(
        pieces,
        [](const void *raw, int64_t piece) {
            auto &c = *static_cast<const Context *>(raw);
            c.body(c.count * piece / c.pieces, c.count * (piece + 1) / c.pieces);
        },
        &context);
}

}  // namespace yy
