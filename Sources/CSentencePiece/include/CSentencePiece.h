// The border to libsentencepiece: opaque handles and statuses; no C++ exception or type crosses it.
// A function that can fail returns NULL or false and, where it has `error`, sets it to a message for `yuyan_sp_release`.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yuyan_sp_model yuyan_sp_model;

typedef enum {
    yuyan_sp_normal = 0,
    yuyan_sp_unknown = 1,
    yuyan_sp_control = 2,
    yuyan_sp_unused = 3,
    yuyan_sp_byte = 4,
} yuyan_sp_kind;

/// Frees what any function here has allocated.
void yuyan_sp_release(void *memory);

/// A model from the bytes of a `tokenizer.model`.
yuyan_sp_model *yuyan_sp_load(const void *bytes, size_t length, char **error);
void yuyan_sp_free(yuyan_sp_model *model);

int32_t yuyan_sp_size(const yuyan_sp_model *model);
/// The piece with this id: UTF-8 that lives as long as the model, not null-terminated.
const char *yuyan_sp_piece(const yuyan_sp_model *model, int32_t id, size_t *length);
yuyan_sp_kind yuyan_sp_piece_kind(const yuyan_sp_model *model, int32_t id);
float yuyan_sp_score(const yuyan_sp_model *model, int32_t id);
/// Ids of the special pieces, -1 where the model has none.
int32_t yuyan_sp_bos(const yuyan_sp_model *model);
int32_t yuyan_sp_eos(const yuyan_sp_model *model);
int32_t yuyan_sp_pad(const yuyan_sp_model *model);
int32_t yuyan_sp_unk(const yuyan_sp_model *model);

/// Thread-safe. `ids` is allocated here, even when `count` is 0.
bool yuyan_sp_encode(const yuyan_sp_model *model, const char *text, size_t length, int32_t **ids, size_t *count, char **error);
bool yuyan_sp_decode(const yuyan_sp_model *model, const int32_t *ids, size_t count, char **text, size_t *length, char **error);

/// Trains on the lines that `next` hands out (false at the end; the bytes must live until the next call).
/// `arguments` are the library's own options, `name=value` on each line. `model` receives the serialised model.
bool yuyan_sp_train(const char *arguments, bool (*next)(void *context, const char **line, size_t *length), void *context,
                    void **model, size_t *length, char **error);

#ifdef __cplusplus
}
#endif
