"""Makes gpt2_training.json: losses and gradient norms of AdamW steps by transformers' GPT-2 and torch, from weights made by a formula.

pip install torch transformers; python Tests/YuyanTrainingTests/Fixtures/gpt2_training.py
"""

import json
import pathlib
import sys

import torch

sys.path.append(str(pathlib.Path(__file__).parents[2] / "YuyanModelsTests" / "Fixtures"))
from gpt2 import model  # noqa: E402

CONFIGURATION = dict(vocab_size=61, n_positions=24, n_embd=32, n_layer=2, n_head=4)
RATE, BETAS, EPSILON, DECAY, CLIP = 1e-2, (0.9, 0.95), 1e-8, 0.1, 1.0
STEPS, ROWS, COLUMNS = 8, 4, 16


def main():
    gpt = model(CONFIGURATION)
    matrices = [p for p in gpt.parameters() if p.ndim >= 2]
    others = [p for p in gpt.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}], lr=RATE, betas=BETAS, eps=EPSILON
    )
    losses, norms = [], []
    for step in range(STEPS):
        words = CONFIGURATION["vocab_size"]
        text = torch.tensor(
            [[(step * 5 + row * 11 + column * column * 7 + column) % words for column in range(COLUMNS + 1)] for row in range(ROWS)]
        )
        labels = text[:, 1:].clone()
        labels[step % ROWS, : COLUMNS // 2] = -100
        logits = gpt(text[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        optimizer.zero_grad()
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(gpt.parameters(), CLIP)))
        losses.append(loss.item())
        optimizer.step()
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps({"losses": losses, "norms": norms}, indent=1) + "\n")
    print(f"{path}: {losses}")


if __name__ == "__main__":
    main()
