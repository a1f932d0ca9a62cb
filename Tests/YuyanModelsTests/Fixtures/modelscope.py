"""ModelScope's Chinese GPT-3 in both layouts, computed in plain PyTorch as each of them says.

    python modelscope.py write                 makes the folder modelscope/, which ModelScopeTests.swift reads
    python modelscope.py read FOLDER TOKENS    prints the last logits of a folder that was written here, as JSON

pip install torch
"""

import json
import math
import pathlib
import shutil
import sys
import zipfile
from collections import OrderedDict

import torch
from torch.nn import functional as F

FOLDER = pathlib.Path(__file__).parent / "modelscope"
TOKENS = [3, 17, 8, 25, 0, 11, 30, 2, 19]


def parts_of(folder):
    """The ranks' tensors, and whether it is the layout of one file."""
    if (folder / "pytorch_model.bin").exists():
        return [torch.load(folder / "pytorch_model.bin", weights_only=True)], True
    files = sorted((folder / "model").glob("mp_rank_*_model_states.pt"))
    if any(zipfile.ZipFile(file).testzip() for file in files):
        sys.exit("a checksum is wrong")
    parts = [torch.load(file, weights_only=True) for file in files]
    return [part["module"] if "module" in part else part for part in parts], False


def attention(x, heads):
    """Attention of one rank: x [time, 3, heads, width of a head]."""
    q, k, v = (part.transpose(0, 1) for part in x.unbind(1))
    scores = q @ k.transpose(1, 2) / math.sqrt(q.size(-1))
    mask = torch.ones(scores.shape[1:]).tril() == 0
    return scores.masked_fill(mask, -1e4).softmax(-1) @ v  # [heads, time, width]


def logits(folder, tokens):
    c = json.loads((folder / "config.json").read_text())
    width, heads, epsilon = c["hidden_size"], c["num_attention_heads"], c.get("layernorm_epsilon", 1e-12)
    parts, whole = parts_of(folder)
    parts = [{name.removeprefix("model."): value.float() for name, value in part.items()} for part in parts]
    ranks = len(parts)
    embedding = "language_model." if whole else "language_model.embedding."
    encoder = "language_model.transformer." if whole else "language_model.encoder."
    kind = "attention" if whole else "self_attention"
    approximation = "none" if whole or not c.get("bias_gelu_fusion", True) else "tanh"

    def norm(x, name):
        return F.layer_norm(x, [width], parts[0][name + ".weight"], parts[0][name + ".bias"], epsilon)

    words = torch.cat([part[embedding + "word_embeddings.weight"] for part in parts])
    x = words[torch.tensor(tokens)] + parts[0][embedding + "position_embeddings.weight"][: len(tokens)]
    for layer in range(c["num_hidden_layers"]):
        name = f"{encoder}layers.{layer}."
        y, total = norm(x, name + "input_layernorm"), 0
        for part in parts:  # each rank has its heads; what they make adds up
            mixed = F.linear(y, part[f"{name}{kind}.query_key_value.weight"], part[f"{name}{kind}.query_key_value.bias"])
            own = heads // ranks
            # All queries, then all keys, then all values; or the three of each head together.
            mixed = mixed.view(len(tokens), 3, own, width // heads) if whole else mixed.view(len(tokens), own, 3, width // heads).transpose(1, 2)
            context = attention(mixed, own).transpose(0, 1).reshape(len(tokens), -1)
            total = total + F.linear(context, part[f"{name}{kind}.dense.weight"])
        x = x + total + parts[0][f"{name}{kind}.dense.bias"]
        y, total = norm(x, name + "post_attention_layernorm"), 0
        for part in parts:
            inner = F.gelu(F.linear(y, part[name + "mlp.dense_h_to_4h.weight"], part[name + "mlp.dense_h_to_4h.bias"]), approximate=approximation)
            total = total + F.linear(inner, part[name + "mlp.dense_4h_to_h.weight"])
        x = x + total + parts[0][name + "mlp.dense_4h_to_h.bias"]
    return F.linear(norm(x, encoder + "final_layernorm"), words)


def weights(whole, ranks, rank, words, width, inner, layers, context):
    """Random tensors of one rank; those that all ranks have are equal in all."""
    shared, own = torch.Generator().manual_seed(7), torch.Generator().manual_seed(100 + rank)

    def tensor(*shape, generator=shared, mean=0.0):
        return mean + 0.3 * torch.randn(*shape, generator=generator)

    embedding = "language_model." if whole else "language_model.embedding."
    encoder = "language_model.transformer." if whole else "language_model.encoder."
    kind = "attention" if whole else "self_attention"
    state = OrderedDict()
    state[embedding + "word_embeddings.weight"] = tensor(words // ranks, width, generator=own)
    state[embedding + "position_embeddings.weight"] = tensor(context, width)

    def norm(name):
        state[name + ".weight"], state[name + ".bias"] = tensor(width, mean=1.0), tensor(width)

    for layer in range(layers):
        name = f"{encoder}layers.{layer}."
        norm(name + "input_layernorm")
        state[f"{name}{kind}.query_key_value.weight"] = tensor(3 * width // ranks, width, generator=own)
        state[f"{name}{kind}.query_key_value.bias"] = tensor(3 * width // ranks, generator=own)
        state[f"{name}{kind}.dense.weight"] = tensor(width, width // ranks, generator=own)
        state[f"{name}{kind}.dense.bias"] = tensor(width)
        norm(name + "post_attention_layernorm")
        state[name + "mlp.dense_h_to_4h.weight"] = tensor(inner // ranks, width, generator=own)
        state[name + "mlp.dense_h_to_4h.bias"] = tensor(inner // ranks, generator=own)
        state[name + "mlp.dense_4h_to_h.weight"] = tensor(width, inner // ranks, generator=own)
        state[name + "mlp.dense_4h_to_h.bias"] = tensor(width)
    norm(encoder + "final_layernorm")
    return state


def write():
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name, ranks in [("whole", 0), ("one", 1), ("two", 2), ("four", 4)]:
        folder = FOLDER / name
        (folder / "model").mkdir(parents=True) if ranks else folder.mkdir(parents=True)
        words, width, heads, inner, layers, context = 32, 16, 4, 64 if ranks < 2 else 48, 2, 12
        configuration = {
            "vocab_size": words, "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads,
            "max_position_embeddings": context, "eod_id": 5,
        }
        if ranks != 1:  # some configurations do not say what they are
            configuration["model_type"] = "gpt3"
        if ranks == 0:
            configuration |= {"intermediate_size": inner, "hidden_act": "gelu", "layernorm_epsilon": 1e-12}
        else:
            configuration |= {"ffn_hidden_size": inner, "layernorm_epsilon": 1e-5, "bias_gelu_fusion": ranks != 4}
        (folder / "config.json").write_text(json.dumps(configuration, indent=2))
        for rank in range(max(ranks, 1)):
            state = weights(ranks == 0, max(ranks, 1), rank, words, width, inner, layers, context)
            if ranks == 0:
                torch.save({f"model.{key}": value for key, value in state.items()}, folder / "pytorch_model.bin")
            elif ranks == 2:
                torch.save(state, folder / f"model/mp_rank_{rank:02d}_model_states.pt")
            else:
                torch.save({"module": state, "global_steps": 12, "dp_world_size": 1}, folder / f"model/mp_rank_{rank:02d}_model_states.pt")
        expected = logits(folder, TOKENS)[-2:]
        (folder / "expected.json").write_text(json.dumps({"tokens": TOKENS, "logits": [[round(x, 6) for x in row] for row in expected.tolist()]}))


if sys.argv[1] == "write":
    write()
else:
    json.dump(logits(pathlib.Path(sys.argv[2]), json.loads(sys.argv[3]))[-1].tolist(), sys.stdout)
