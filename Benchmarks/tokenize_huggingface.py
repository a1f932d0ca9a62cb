"""One thread of Hugging Face tokenizers over the lines of files: the peer of `yuyan benchmark tokenize`. Prints one JSON object."""

import json
import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import BertWordPieceTokenizer, Tokenizer

folder, *files = sys.argv[1:]
if os.path.exists(f"{folder}/tokenizer.json"):
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
else:
    tokenizer = BertWordPieceTokenizer(f"{folder}/vocab.txt", lowercase=True)
lines = [line for file in files for line in open(file, encoding="utf-8", errors="replace").read().split("\n")]
size = sum(len(line.encode()) for line in lines)
best, tokens = float("inf"), 0
for _ in range(2):
    start = time.perf_counter()
    tokens = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(lines, add_special_tokens=False))
    best = min(best, time.perf_counter() - start)
print(json.dumps({"megabytes_per_second": size / best / 1e6, "tokens": tokens}))
