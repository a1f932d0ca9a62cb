#include "language.h"

#include <fasttext/fasttext.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

struct cdata_language {
    fasttext::FastText model;
};

cdata_language *cdata_language_open(const char *path, char *error, size_t error_size) {
    try {
        auto language = std::make_unique<cdata_language>();
        language->model.loadModel(path);
        if (language->model.getArgs().model != fasttext::model_name::sup) {
            std::snprintf(error, error_size, "it holds word vectors, not a classifier");
            return nullptr;
        }
        return language.release();
    } catch (const std::exception &failure) {
        std::snprintf(error, error_size, "%s", failure.what());
        return nullptr;
    }
}

void cdata_language_close(cdata_language *model) { delete model; }

int cdata_language_predict(const cdata_language *model, const char *text, size_t length, char *label, size_t label_size, float *probability) {
    try {
        std::istringstream line(std::string(text, length) + "\n");
        std::vector<std::pair<fasttext::real, std::string>> predictions;
        if (!model->model.predictLine(line, predictions, 1, 0) || predictions.empty()) return 0;
        std::snprintf(label, label_size, "%s", predictions[0].second.c_str());
        // The library adds 1e-5 before it takes the logarithm, so a certain label comes out a little above 1.
        *probability = std::min(predictions[0].first, 1.0f);
        return 1;
    } catch (const std::exception &) {
        return -1;
    }
}
