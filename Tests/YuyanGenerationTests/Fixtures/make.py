"""Makes the golden files of YuyanGenerationTests with transformers and tokenizers.

    python Tests/YuyanGenerationTests/Fixtures/make.py

A tiny random GPT-2 (float32) with more rows in its embedding than its tokenizer has tokens, what it generates, and at which uniform numbers.
"""
import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from transformers.generation.logits_process import (
    LogitsProcessorList, MinPLogitsWarper, RepetitionPenaltyLogitsProcessor, SuppressTokensLogitsProcessor, TemperatureLogitsWarper,
    TopKLogitsWarper, TopPLogitsWarper)

here = Path(__file__).parent
folder = here / "tiny-gpt2"
text = "燕子在屋檐下做窝。春天来了，燕子飞回来了。雨燕一生都在飞，雨燕不落地。the swift flies, the swift sleeps in the air. " * 3

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
tokenizer.train_from_iterator([text], trainers.BpeTrainer(
    vocab_size=340, special_tokens=["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"],
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
words = tokenizer.get_vocab_size()
fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", clean_up_tokenization_spaces=False)
fast.save_pretrained(folder)

torch.manual_seed(7)
config = GPT2Config(
    vocab_size=words + 12, n_positions=48, n_embd=24, n_layer=2, n_head=3, initializer_range=0.35, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
    bos_token_id=0, eos_token_id=0)
model = GPT2LMHeadModel(config).eval()
with torch.no_grad():
    for p in model.parameters():  # nothing is left at 0 or 1, where a mistake would not show
        p.add_(torch.randn_like(p) * 0.05)
    model.transformer.wpe.weight.mul_(3)  # or it would say one thing for ever
    model.transformer.wte.weight[words:] += 3  # padded rows would win if they were not masked
model.save_pretrained(folder)
padded = list(range(words, config.vocab_size))

# Single bytes, what is not whole scalars alone, and the end of text: what is left decodes to readable pieces.
banned = [i for i in range(words) if i <= 260 or "\ufffd" in fast.decode([i])]
prompt = tokenizer.encode("燕子飞, the swift").ids


def logits_of(ids):
    with torch.no_grad():
        out = model(torch.tensor([ids])).logits[:, -1].clone()
    out[:, words:] = -torch.inf
    return out


def greedy(steps, penalty=1.0, suppress=(), stop_strings=None):
    arguments = dict(max_new_tokens=steps, do_sample=False, suppress_tokens=padded + list(suppress), pad_token_id=0, repetition_penalty=penalty)
    if stop_strings:
        arguments |= dict(stop_strings=stop_strings, tokenizer=fast)
    return model.generate(torch.tensor([prompt]), **arguments)[0, len(prompt):].tolist()


def logprobs(ids):
    result = []
    for i in range(len(ids)):
        logs = logits_of(prompt + ids[:i]).double().log_softmax(-1)[0]
        top = logs.topk(3)
        result.append({"chosen": logs[ids[i]].item(), "top": top.indices.tolist(), "top_logprobs": top.values.tolist()})
    return result


def sampled(uniforms, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, penalty=1.0, suppress=()):
    steps = LogitsProcessorList()
    if penalty != 1: steps.append(RepetitionPenaltyLogitsProcessor(penalty))
    if suppress: steps.append(SuppressTokensLogitsProcessor(list(suppress)))
    if temperature != 1: steps.append(TemperatureLogitsWarper(temperature))
    if top_k: steps.append(TopKLogitsWarper(top_k))
    if top_p < 1: steps.append(TopPLogitsWarper(top_p))
    if min_p: steps.append(MinPLogitsWarper(min_p))
    ids = []
    for u in uniforms:
        scores = steps(torch.tensor([prompt + ids]), logits_of(prompt + ids))
        cumulative = scores.double().softmax(-1)[0].cumsum(-1)
        ids.append(int((cumulative <= u * cumulative[-1]).sum()))
    return ids


random = np.random.default_rng(11)
plain = greedy(32, suppress=banned)
pieces = [fast.decode([i]) for i in plain]
at = next(i for i in range(3, 30) if len(pieces[i]) > 1 and "".join(pieces).find(pieces[i][-1] + pieces[i + 1]) == len("".join(pieces[:i + 1])) - 1)
stop = pieces[at][-1] + pieces[at + 1]  # begins inside one token and ends with the next
settings = [
    {}, {"temperature": 0.7}, {"temperature": 1.3, "top_k": 12}, {"top_p": 0.8}, {"temperature": 1.5, "min_p": 0.1},
    {"temperature": 2.0, "top_k": 60, "top_p": 0.9, "min_p": 0.02, "penalty": 1.3}, {"penalty": 1.8}, {"temperature": 3.0, "suppress": banned},
]
golden = {
    "prompt": prompt, "banned": banned, "vocabulary": words,
    "greedy": {"ids": greedy(36), "logprobs": logprobs(greedy(36))},
    "greedy_penalty": {"penalty": 1.4, "ids": greedy(36, penalty=1.4)},
    "stop": {"stop": stop, "unstopped": fast.decode(plain), "ids": greedy(32, suppress=banned, stop_strings=[stop])},
    "sampled": [],
}
for setting in settings:
    uniforms = random.random(30).tolist()
    golden["sampled"].append({"setting": {k: v for k, v in setting.items() if k != "suppress"}, "banned": setting.get("suppress", []),
                              "uniforms": uniforms, "ids": sampled(uniforms, **setting)})
(here / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n")
print(words, "tokens; stop", repr(stop), "in", repr(fast.decode(plain)))
