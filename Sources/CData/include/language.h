// Language identification with a model of fastText (Joulin et al., "Bag of tricks for efficient text classification", 2017).
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cdata_language cdata_language;

/// Loads a .bin or .ftz model. NULL on failure; `error` then holds why, cut to `error_size` bytes with the NUL.
cdata_language *cdata_language_open(const char *path, char *error, size_t error_size);

void cdata_language_close(cdata_language *model);

/// The most probable label of a text without line ends, cut to `label_size` bytes with the NUL, and its probability. Returns 1; 0 where the model
/// knows nothing of the text; -1 on failure. May be called from several threads: a prediction only reads the model.
int cdata_language_predict(const cdata_language *model, const char *text, size_t length, char *label, size_t label_size, float *probability);

#ifdef __cplusplus
}
#endif
