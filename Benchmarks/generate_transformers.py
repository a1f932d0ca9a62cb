"""Greedy decoding by transformers, of a folder or of a GPT-2 with random weights: the peer of `yuyan benchmark generate`. Prints one JSON object."""

import argparse
import json
import time

import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

parser = argparse.ArgumentParser()
parser.add_argument("--model", help="a folder; by default a GPT-2 of random weights")
parser.add_argument("--vocab-size", type=int, default=21128)
parser.add_argument("--prompt-tokens", type=int, default=128)
parser.add_argument("--tokens", type=int, default=64)
parser.add_argument("--dtype", default="bfloat16")
parser.add_argument("--device", default="cpu")
arguments = parser.parse_args()

torch.manual_seed(0)
if arguments.model:
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=getattr(torch, arguments.dtype))
else:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=arguments.vocab_size, bos_token_id=0, eos_token_id=0))
model = model.to(arguments.device, getattr(torch, arguments.dtype)).eval()
prompt = torch.randint(0, model.config.vocab_size, (1, arguments.prompt_tokens), generator=torch.Generator().manual_seed(1)).to(arguments.device)


def synchronize():
    if arguments.device != "cpu":
        torch.cuda.synchronize()


with torch.inference_mode():
    for _ in range(2):  # the first warms up
        start = time.perf_counter()
        out = model(prompt, use_cache=True)
        token = out.logits[:, -1:].argmax(-1)
        synchronize()
        prefill = time.perf_counter() - start
        seconds = []
        for _ in range(arguments.tokens - 1):
            start = time.perf_counter()
            out = model(token, past_key_values=out.past_key_values, use_cache=True)
            token = out.logits[:, -1:].argmax(-1)
            synchronize()
            seconds.append(time.perf_counter() - start)

print(json.dumps({
    "prefill_tokens_per_second": arguments.prompt_tokens / prefill,
    "decode_tokens_per_second": 1 / sorted(seconds)[len(seconds) // 2],
    "seconds_per_token": seconds,
}))
