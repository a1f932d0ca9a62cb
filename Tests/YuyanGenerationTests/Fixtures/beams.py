"""Makes beams.json and the folder tiny-t5: what transformers' beam search finds with the tiny GPT-2 of make.py and with a tiny random T5.

    python Tests/YuyanGenerationTests/Fixtures/beams.py
"""
import json
from pathlib import Path

import torch
import transformers

here = Path(__file__).parent
gpt = transformers.GPT2LMHeadModel.from_pretrained(here / "tiny-gpt2").eval()
words = json.loads((here / "golden.json").read_text())["vocabulary"]

torch.manual_seed(3)
configuration = transformers.T5Config(
    vocab_size=61, d_model=24, d_kv=6, d_ff=40, num_layers=2, num_decoder_layers=2, num_heads=4, feed_forward_proj="gated-gelu",
    pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, dropout_rate=0.0, initializer_factor=1.0,
    tie_word_embeddings=False)
t5 = transformers.T5ForConditionalGeneration(configuration).eval()
t5.lm_head.weight = torch.nn.Parameter(torch.randn(61, 24) * 1.5)
t5.config.tie_word_embeddings = False  # transformers ties them all the same, and would say so
t5.save_pretrained(here / "tiny-t5")

prompts = {"tiny-gpt2": [[5, 6, 7], [200, 201], [330, 17, 4, 80]], "tiny-t5": [[5, 9, 13, 17, 1], [40, 41, 42, 43, 2, 1], [7, 1]]}
settings = [
    dict(num_beams=2),
    dict(num_beams=4, length_penalty=0.0),
    dict(num_beams=4, length_penalty=2.0, num_return_sequences=4),
    dict(num_beams=3, length_penalty=-1.0, early_stopping=True, num_return_sequences=2),
    dict(num_beams=5, early_stopping=True, num_return_sequences=5),
    dict(num_beams=3, repetition_penalty=1.5, num_return_sequences=3),
]
cases = []
for name, model in [("tiny-gpt2", gpt), ("tiny-t5", t5)]:
    for setting in settings:
        for prompt in prompts[name]:
            # What ends an answer is frequent enough that beams finish at different lengths.
            ends = {"tiny-gpt2": [0, 95, 96, 201, 300, 30, 31], "tiny-t5": [1, 11, 23, 37]}[name]
            with torch.no_grad():
                found = model.generate(
                    torch.tensor([prompt]), max_new_tokens=20, do_sample=False, eos_token_id=ends, pad_token_id=words + 1 if model is gpt else 0,
                    suppress_tokens=list(range(words, gpt.config.vocab_size)) if model is gpt else None, **setting)
            start = len(prompt) if model is gpt else 1
            answers = []
            for row in found[:, start:].tolist():
                end = next((i + 1 for i, id in enumerate(row) if id in ends), len(row))
                answers.append(row[:end])
            cases.append({"model": name, "prompt": prompt, "ends": ends, "setting": setting, "answers": answers})
(here / "beams.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
print(len(cases), "cases; lengths", sorted({len(a) for case in cases for a in case["answers"]}))
