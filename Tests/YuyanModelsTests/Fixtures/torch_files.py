"""Makes the folder torch/: files of torch.save in both of its layouts, and an old GPT2-Chinese folder, for TorchFileTests.swift.

pip install torch transformers; python Tests/YuyanModelsTests/Fixtures/torch_files.py
"""

import json
import pathlib
import shutil
from collections import OrderedDict

import torch
import transformers

FOLDER = pathlib.Path(__file__).parent / "torch"
DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"]


def tensors():
    """Element i of a tensor of [2, 3] is i, whatever its strides."""
    values = torch.arange(6).reshape(2, 3)
    state = OrderedDict((f"dtype.{name}", values.to(getattr(torch, name))) for name in DTYPES)
    state["dtype.bool"] = values % 2 == 1
    state["transposed"] = values.float().T.contiguous().T
    storage = torch.full((40,), -1.0)
    state["sliced"] = storage[3:33].reshape(2, 15)[:, 2:11:4]
    state["sliced"].copy_(values)
    state["shared"] = storage[5:18:4]  # the first row of `sliced`, and one more element
    state["parameter"] = torch.nn.Parameter(values.float())
    state["scalar"] = torch.tensor(-2.5)
    state["empty"] = torch.zeros(4, 0, 2)
    state["中文"] = values.float()
    return state


def gpt2(folder, prefix):
    """A tiny GPT-2 as GPT2-Chinese kept it: BERT's vocabulary, the configuration of transformers 2, the causal masks among the weights."""
    folder.mkdir()
    torch.manual_seed(5)
    words = [f"[{name}]" for name in ["PAD", "UNK", "CLS", "SEP", "MASK"]] + list("，。天地玄黄宇宙洪荒日月盈昃辰宿列张")
    layers, width, context = 2, 16, 24
    configuration = {
        "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "n_ctx": context, "n_embd": width, "n_head": 2, "n_layer": layers,
        "n_positions": context, "vocab_size": len(words), "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"],
        "activation_function": "gelu_new", "resid_pdrop": 0.1, "tokenizer_class": "BertTokenizer",
    }
    if prefix:
        configuration |= {"bos_token_id": 50256, "eos_token_id": 50256}
    else:
        del configuration["n_positions"]  # the first versions of the library had n_ctx only
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=len(words), n_positions=context, n_embd=width, n_layer=layers, n_head=2, bos_token_id=2, eos_token_id=3)
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    state = OrderedDict()
    for name, value in model.transformer.state_dict().items():
        state[prefix + name] = value.clone()
        if name.endswith("ln_1.bias"):
            state[prefix + name.replace("ln_1.bias", "attn.bias")] = torch.tril(torch.ones(context, context)).view(1, 1, context, context)
            state[prefix + name.replace("ln_1.bias", "attn.masked_bias")] = torch.tensor(-1e4)
    if prefix:
        state["lm_head.weight"] = state[prefix + "wte.weight"]
    (folder / "config.json").write_text(json.dumps(configuration, indent=2))
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=bool(prefix))
    tokens = [2, 7, 8, 9, 10, 5, 11, 12]
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0, -2:]
    (folder / "expected.json").write_text(json.dumps({"tokens": tokens, "logits": [[round(x, 6) for x in row] for row in logits.tolist()]}))


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    torch.save(tensors(), FOLDER / "zip.bin")
    torch.save(tensors(), FOLDER / "old.bin", _use_new_zipfile_serialization=False)
    torch.save(tensors(), FOLDER / "protocol4.bin", pickle_protocol=4)

    # What a trainer keeps: the model in a dictionary of other things. A state_dict has attributes (`_metadata`).
    torch.manual_seed(1)
    model = torch.nn.Sequential(OrderedDict(first=torch.nn.Linear(3, 2), second=torch.nn.LayerNorm(2)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.arange(parameter.numel()).reshape(parameter.shape))
    plain = {"lr": 1e-3, "steps": [1, 2, 2**40, -3, 2**90], "name": "试", "none": None, "flags": (True, False), "shape": torch.Size([1, 2]), "dtype": torch.float16}
    torch.save({"iteration": 70000, "args": plain, "module": model.state_dict()}, FOLDER / "trainer.pt")
    # Megatron's: dictionaries in dictionaries.
    nested = {"model": {"language_model": {"embedding": {"weight": torch.arange(4.0)}, "encoder": {"layers.0.bias": torch.arange(2.0)}}}, "iteration": 3}
    torch.save(nested, FOLDER / "nested.pt")

    shards = FOLDER / "shards"
    shards.mkdir()
    state = list(tensors().items())
    parts = {"pytorch_model-00001-of-00002.bin": state[:9], "pytorch_model-00002-of-00002.bin": state[9:]}
    for name, part in parts.items():
        torch.save(dict(part), shards / name)
    index = {"metadata": {"total_size": 1}, "weight_map": {key: name for name, part in parts.items() for key, _ in part}}
    (shards / "pytorch_model.bin.index.json").write_text(json.dumps(index))

    gpt2(FOLDER / "gpt2-chinese", "transformer.")
    gpt2(FOLDER / "gpt2-chinese-old", "")


main()
