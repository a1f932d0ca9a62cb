"""Greedy decoding of a GGUF file by llama.cpp: the peer of `yuyan benchmark generate`. Prints one JSON object."""

import argparse
import ctypes
import json
import sys
import time

import llama_cpp
import numpy

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--prompt-tokens", type=int, default=256)
parser.add_argument("--tokens", type=int, default=64)
parser.add_argument("--batch", type=int, default=1)
parser.add_argument("--threads", type=int, default=2)
arguments = parser.parse_args()

quiet = llama_cpp.llama_log_callback(lambda *_: None)
llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
options = llama_cpp.llama_model_default_params()
options.n_gpu_layers = 0
model = llama_cpp.llama_model_load_from_file(arguments.model.encode(), options)
if not model:
    sys.exit(f"llama.cpp cannot load {arguments.model}")
options = llama_cpp.llama_context_default_params()
options.n_ctx = (arguments.prompt_tokens + arguments.tokens) * arguments.batch
options.n_batch = options.n_ubatch = arguments.prompt_tokens * arguments.batch
options.n_seq_max = arguments.batch
options.n_threads = options.n_threads_batch = arguments.threads
context = llama_cpp.llama_init_from_model(model, options)
size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))


def step(rows, position):
    """Feeds tokens, [batch][time], and gives the most probable next token of each row."""
    time = len(rows[0])
    batch = llama_cpp.llama_batch_init(len(rows) * time, 0, 1)
    batch.n_tokens = len(rows) * time
    for row, tokens in enumerate(rows):
        for index, token in enumerate(tokens):
            at = row * time + index
            batch.token[at], batch.pos[at], batch.n_seq_id[at], batch.seq_id[at][0] = token, position + index, 1, row
            batch.logits[at] = index == time - 1
    if llama_cpp.llama_decode(context, batch):
        sys.exit("llama.cpp cannot decode")
    chosen = []
    for row in range(len(rows)):
        logits = llama_cpp.llama_get_logits_ith(context, row * time + time - 1)
        chosen.append([int(numpy.ctypeslib.as_array(logits, (size,)).argmax())])
    llama_cpp.llama_batch_free(batch)
    return chosen


prompt = numpy.random.default_rng(1).integers(0, size, (arguments.batch, arguments.prompt_tokens)).tolist()
for _ in range(2):  # the first warms up
    llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
    start = time.perf_counter()
    rows = step(prompt, 0)
    prefill = time.perf_counter() - start
    seconds = []
    for position in range(arguments.prompt_tokens, arguments.prompt_tokens + arguments.tokens - 1):
        start = time.perf_counter()
        rows = step(rows, position)
        seconds.append(time.perf_counter() - start)

print(json.dumps({
    "prefill_tokens_per_second": arguments.batch * arguments.prompt_tokens / prefill,
    "decode_tokens_per_second": arguments.batch / sorted(seconds)[len(seconds) // 2],
    "seconds_per_token": seconds,
}))
