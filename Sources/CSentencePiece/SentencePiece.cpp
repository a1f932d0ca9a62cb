#include "CSentencePiece.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

struct yuyan_sp_model {
    sentencepiece::SentencePieceProcessor processor;
};

namespace {

void *copied(const void *bytes, size_t length) {
    void *memory = std::malloc(length + 1);
    if (memory == nullptr) throw std::bad_alloc();
    if (length > 0) std::memcpy(memory, bytes, length);
    static_cast<char *>(memory)[length] = 0;
    return memory;
}

void report(const char *message, char **error) {
    *error = static_cast<char *>(std::malloc(std::strlen(message) + 1));
    if (*error != nullptr) std::strcpy(*error, message);
}

/// Runs `body`, which answers with the library's status; false and a message for a bad status or an exception.
template <typename Body>
bool guarded(char **error, Body body) {
    try {
        const sentencepiece::util::Status status = body();
        if (status.ok()) return true;
        report(status.error_message(), error);
    } catch (const std::exception &exception) {
        report(exception.what(), error);
    } catch (...) {
        report("an unknown C++ exception", error);
    }
    return false;
}

class Lines : public sentencepiece::SentenceIterator {
  public:
    Lines(bool (*next)(void *, const char **, size_t *), void *context) : next_(next), context_(context) { Next(); }
    bool done() const override { return done_; }
    void Next() override {
        const char *line = nullptr;
        size_t length = 0;
        done_ = !next_(context_, &line, &length);
        if (!done_) line_.assign(line, length);
    }
    const std::string &value() const override { return line_; }
    sentencepiece::util::Status status() const override { return {}; }

  private:
    bool (*next_)(void *, const char **, size_t *);
    void *context_;
    std::string line_;
    bool done_ = false;
};

}  // namespace

void yuyan_sp_release(void *memory) { std::free(memory); }

yuyan_sp_model *yuyan_sp_load(const void *bytes, size_t length, char **error) {
    yuyan_sp_model *model = nullptr;
    const bool loaded = guarded(error, [&] {
        model = new yuyan_sp_model();
        return model->processor.LoadFromSerializedProto({static_cast<const char *>(bytes), length});
    });
    if (loaded) return model;
    delete model;
    return nullptr;
}

void yuyan_sp_free(yuyan_sp_model *model) { delete model; }

int32_t yuyan_sp_size(const yuyan_sp_model *model) { return model->processor.GetPieceSize(); }

const char *yuyan_sp_piece(const yuyan_sp_model *model, int32_t id, size_t *length) {
    const std::string &piece = model->processor.IdToPiece(id);
    *length = piece.size();
    return piece.data();
}

yuyan_sp_kind yuyan_sp_piece_kind(const yuyan_sp_model *model, int32_t id) {
    const auto &processor = model->processor;
    if (processor.IsUnknown(id)) return yuyan_sp_unknown;
    if (processor.IsControl(id)) return yuyan_sp_control;
    if (processor.IsUnused(id)) return yuyan_sp_unused;
    if (processor.IsByte(id)) return yuyan_sp_byte;
    return yuyan_sp_normal;
}

float yuyan_sp_score(const yuyan_sp_model *model, int32_t id) { return model->processor.GetScore(id); }
int32_t yuyan_sp_bos(const yuyan_sp_model *model) { return model->processor.bos_id(); }
int32_t yuyan_sp_eos(const yuyan_sp_model *model) { return model->processor.eos_id(); }
int32_t yuyan_sp_pad(const yuyan_sp_model *model) { return model->processor.pad_id(); }
int32_t yuyan_sp_unk(const yuyan_sp_model *model) { return model->processor.unk_id(); }

bool yuyan_sp_encode(const yuyan_sp_model *model, const char *text, size_t length, int32_t **ids, size_t *count, char **error) {
    return guarded(error, [&] {
        std::vector<int> encoded;
        const auto status = model->processor.Encode(std::string_view(text, length), &encoded);
        if (status.ok()) {
            static_assert(sizeof(int) == sizeof(int32_t));
            *ids = static_cast<int32_t *>(copied(encoded.data(), encoded.size() * sizeof(int32_t)));
            *count = encoded.size();
        }
        return status;
    });
}

bool yuyan_sp_decode(const yuyan_sp_model *model, const int32_t *ids, size_t count, char **text, size_t *length, char **error) {
    return guarded(error, [&] {
        std::string decoded;
        const auto status = model->processor.Decode(std::vector<int>(ids, ids + count), &decoded);
        if (status.ok()) {
            *text = static_cast<char *>(copied(decoded.data(), decoded.size()));
            *length = decoded.size();
        }
        return status;
    });
}

bool yuyan_sp_train(const char *arguments, bool (*next)(void *, const char **, size_t *), void *context,
                    void **model, size_t *length, char **error) {
    return guarded(error, [&] {
        // The overload that takes one string logs it before it reads the log level in it.
        std::unordered_map<std::string, std::string> options;
        std::istringstream stream(arguments);
        for (std::string option; std::getline(stream, option);) {
            const size_t equals = option.find('=');
            if (equals != std::string::npos) options[option.substr(0, equals)] = option.substr(equals + 1);
        }
        Lines lines(next, context);
        std::string serialized;
        const auto status = sentencepiece::SentencePieceTrainer::Train(options, &lines, &serialized);
        if (status.ok()) {
            *model = copied(serialized.data(), serialized.size());
            *length = serialized.size();
        }
        return status;
    });
}
