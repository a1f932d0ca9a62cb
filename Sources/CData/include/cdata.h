// C faces of the C++ that the data foundry stands on: simdjson, fastText, and vectorised kernels of our own. Each part has a header of its own.
#pragma once

#include "json.h"
#include "language.h"
#include "minhash.h"
#include "prefetch.h"
#include "search.h"
