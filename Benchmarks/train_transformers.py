"""One training step after another of a transformers GPT-2 on random tokens: the peer of `yuyan benchmark train`.

Prints one JSON object: tokens_per_second (median step), peak_rss_mb, losses.
"""

import argparse
import json
import resource
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel

parser = argparse.ArgumentParser()
parser.add_argument("--layers", type=int, default=12)
parser.add_argument("--heads", type=int, default=12)
parser.add_argument("--width", type=int, default=768)
parser.add_argument("--vocab-size", type=int, default=21128)
parser.add_argument("--batch", type=int, default=4)
parser.add_argument("--sequence", type=int, default=512)
parser.add_argument("--steps", type=int, default=8)
parser.add_argument("--compile", action="store_true")
parser.add_argument("--float32", action="store_true")
parser.add_argument("--device", default="cpu")
arguments = parser.parse_args()

torch.manual_seed(0)
configuration = GPT2Config(
    vocab_size=arguments.vocab_size, n_positions=1024, n_embd=arguments.width, n_layer=arguments.layers, n_head=arguments.heads,
    resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
)
device = torch.device(arguments.device)
model = GPT2LMHeadModel(configuration).to(device).train()
optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
forward = torch.compile(model) if arguments.compile else model
tokens = torch.randint(0, arguments.vocab_size, (arguments.batch, arguments.sequence), generator=torch.Generator().manual_seed(1)).to(device)

seconds, losses = [], []
for _ in range(arguments.steps):
    start = time.perf_counter()
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=not arguments.float32):
        loss = forward(input_ids=tokens, labels=tokens).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    losses.append(loss.item())
    seconds.append(time.perf_counter() - start)

measured = sorted(seconds[2:] or seconds)
median = measured[len(measured) // 2]
print(json.dumps({
    "peer": "transformers" + (" compiled" if arguments.compile else "") + (" float32" if arguments.float32 else ""),
    "tokens_per_second": arguments.batch * arguments.sequence / median,
    "best_tokens_per_second": arguments.batch * arguments.sequence / measured[0],
    "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "peak_cuda_mb": torch.cuda.max_memory_allocated() / 1e6 if device.type == "cuda" else None,
    "losses": losses,
}))
