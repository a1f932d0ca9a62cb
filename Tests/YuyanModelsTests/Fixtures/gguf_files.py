"""Holds our GGUF files against llama.cpp.

    python gguf_files.py write                         makes gguf_blocks.json (pip install gguf numpy)
    python gguf_files.py greedy FILE COUNT TOKENS      prints the tokens that llama.cpp chooses, and its last logits (pip install llama-cpp-python)
    python gguf_files.py source FILE COUNT TOKENS      the same of an encoder-decoder that reads TOKENS
    python gguf_files.py tokenize FILE TEXT…           prints the ids of each text

TOKENS are a JSON list.
"""

import ctypes
import json
import pathlib
import sys


def write():
    import gguf
    import numpy

    rng = numpy.random.default_rng(3)
    values = rng.normal(size=(6, 64)).astype(numpy.float32)
    values[1, :32] = 0
    values[2, 5] = -40
    values[3] *= 1e-4
    values[4, :] = numpy.arange(64) - 31.5
    types = {"q8_0": gguf.GGMLQuantizationType.Q8_0, "q4_0": gguf.GGMLQuantizationType.Q4_0}
    blocks = {name: gguf.quants.quantize(values, type) for name, type in types.items()}
    decoded = {name: gguf.quants.dequantize(blocks[name], type) for name, type in types.items()}
    halves = numpy.array([0, -0.0, 1, -2.5, 65504, 65519, 65520, 1e9, 6e-8, 2e-8, 6.1e-5, 6.097e-5, 0.1, 1 / 3, 2049, 2051], dtype=numpy.float32)
    pathlib.Path(__file__).with_name("gguf_blocks.json").write_text(
        json.dumps(
            {
                "values": [float(x) for x in values.flatten()],
                "blocks": {name: block.tobytes().hex() for name, block in blocks.items()},
                "decoded": {name: [float(x) for x in value.flatten()] for name, value in decoded.items()},
                "singles": [float(x) for x in halves],
                "halves": [int(x) for x in halves.astype(numpy.float16).view(numpy.uint16)],
            }
        )
    )


class LlamaCpp:
    def __init__(self, path, context):
        import llama_cpp

        self.lib = llama_cpp
        callback = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
        self.callback = callback  # kept alive
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), parameters)
        if not self.model:
            sys.exit(f"llama.cpp cannot load {path}")
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = context
        parameters.type_k = parameters.type_v = 0  # float32
        parameters.n_threads = parameters.n_threads_batch = 2
        if hasattr(parameters, "flash_attn_type"):
            parameters.flash_attn_type = 0
        self.context = llama_cpp.llama_init_from_model(self.model, parameters)
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.size = llama_cpp.llama_vocab_n_tokens(self.vocabulary)

    def feed(self, tokens, encode=False):
        array = (self.lib.llama_token * len(tokens))(*tokens)
        batch = self.lib.llama_batch_get_one(array, len(tokens))
        if (self.lib.llama_encode if encode else self.lib.llama_decode)(self.context, batch):
            sys.exit("llama.cpp cannot decode")

    def logits(self):
        values = self.lib.llama_get_logits_ith(self.context, -1)
        return [values[index] for index in range(self.size)]

    def tokenize(self, text):
        ids = (self.lib.llama_token * (2 * len(text) + 8))()
        return ids[: self.lib.llama_tokenize(self.vocabulary, text, len(text), ids, len(ids), False, True)]

    def greedy(self, tokens, count):
        out = []
        for _ in range(count):
            self.feed(tokens)
            logits = self.logits()
            tokens = [max(range(self.size), key=logits.__getitem__)]
            out += tokens
        return {"tokens": out, "logits": logits}


def main():
    command = sys.argv[1]
    if command == "write":
        return write()
    if command == "tokenize":
        model = LlamaCpp(sys.argv[2], 32)
        return json.dump([model.tokenize(text.encode()) for text in sys.argv[3:]], sys.stdout)
    count, tokens = int(sys.argv[3]), json.loads(sys.argv[4])
    model = LlamaCpp(sys.argv[2], len(tokens) + count)
    if command == "source":
        model.feed(tokens, encode=True)
        tokens = [model.lib.llama_model_decoder_start_token(model.model)]
    json.dump(model.greedy(tokens, count), sys.stdout)


main()
