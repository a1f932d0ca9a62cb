"""Makes lora/: tiny models with LoRA adapters as peft saves them, and the logits they give.

pip install torch transformers peft; python Tests/YuyanModelsTests/Fixtures/lora.py
"""

import json
import pathlib
import shutil

import peft
import torch
import transformers

from gpt2 import formula

root = pathlib.Path(__file__).with_suffix("")
shutil.rmtree(root, ignore_errors=True)
tokens = [[(column * column * 7 + column) % 37 for column in range(16)]]


def make(name, model, **settings):
    folder = root / name
    model = model.float().eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_((1 if parameter.ndim == 1 and not key.endswith("bias") else 0) + 0.2 * formula(key, parameter.shape))
    model.save_pretrained(folder / "base")
    adapted = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
    with torch.no_grad():
        for key, parameter in adapted.named_parameters():
            if "lora_" in key:
                parameter.copy_(0.3 * formula(key, parameter.shape))
        logits = adapted(torch.tensor(tokens)).logits[0]
    adapted.save_pretrained(folder / "adapter")
    for file in [*folder.glob("*/README.md"), *folder.glob("base/generation_config.json")]:
        file.unlink()
    (folder / "logits.json").write_text(json.dumps({"tokens": tokens[0], "last": logits[-1].tolist(), "first": logits[0].tolist()}) + "\n")


small = dict(vocab_size=37, bos_token_id=0, eos_token_id=0)
make(
    "gpt2", transformers.GPT2LMHeadModel(transformers.GPT2Config(n_positions=24, n_embd=16, n_layer=2, n_head=2, **small)),
    r=3, lora_alpha=12, target_modules=["c_attn", "mlp.c_proj"], fan_in_fan_out=True,
)
make(
    "llama",
    transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=32, **small)
    ),
    r=4, lora_alpha=8, target_modules="all-linear", use_rslora=True, lora_dropout=0.1,
)
print(sum(file.stat().st_size for file in root.rglob("*")), "bytes, peft", peft.__version__)
