"""The baseline of recipes/classify-waimai.yaml: logistic regression on the n-grams of characters, on the same parts of the same reviews.

    pip install scikit-learn zstandard; python Benchmarks/classify_baseline.py runs/classify-waimai/split

C is chosen on the validation part; the test part is read once. Prints one JSON object.
"""

import argparse
import io
import json
import pathlib
import time

import zstandard
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

parser = argparse.ArgumentParser()
parser.add_argument("split", type=pathlib.Path, help="the folder of the split stage")
parser.add_argument("--ngram", type=int, default=3, help="characters of the longest n-gram")
arguments = parser.parse_args()


def part(name):
    records = []
    for file in sorted((arguments.split / name / "documents").glob("*.jsonl.zst")):
        with open(file, "rb") as compressed:
            lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(compressed), encoding="utf-8")
            records += [json.loads(line) for line in lines]
    return [record["text"] for record in records], [record["metadata"]["label"] for record in records]


start = time.perf_counter()
train, validation, test = part("train"), part("validation"), part("test")
vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, arguments.ngram), sublinear_tf=True, lowercase=True)
features = vectorizer.fit_transform(train[0])
scores = {}
for c in (0.3, 1, 3, 10, 30):
    scores[c] = LogisticRegression(C=c, max_iter=2000).fit(features, train[1]).score(vectorizer.transform(validation[0]), validation[1])
best = max(scores, key=scores.get)
model = LogisticRegression(C=best, max_iter=2000).fit(features, train[1])
print(
    json.dumps(
        {
            "examples": {"train": len(train[0]), "validation": len(validation[0]), "test": len(test[0])},
            "features": features.shape[1],
            "c": best,
            "validation_accuracy": round(scores[best], 4),
            "test_accuracy": round(model.score(vectorizer.transform(test[0]), test[1]), 4),
            "seconds": round(time.perf_counter() - start, 1),
        }
    )
)
