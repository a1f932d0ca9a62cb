"""Holds our safetensors files against Python's safetensors.

    python safetensors_fixture.py write python.safetensors   makes the file that SafeTensorsTests.swift reads
    python safetensors_fixture.py read FILE...               prints what Python finds in our files, as JSON
"""

import json
import sys

import torch
from safetensors import safe_open
from safetensors.torch import save_file

DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}


def write(path):
    # Element i of every tensor is i, or whether i is odd.
    tensors = {f"layer.{name}": torch.arange(6).reshape(2, 3).to(dtype) for name, dtype in DTYPES.items() if name != "BOOL"}
    tensors["layer.BOOL"] = torch.arange(6).reshape(2, 3) % 2 == 1
    tensors["标量 \"scalar\"\n\U0001f426"] = torch.tensor(-2.5)
    tensors["empty"] = torch.zeros(4, 0, 2)
    save_file(tensors, path, metadata={"format": "pt", "注": "a\\b\t\"c\""})


def read(path):
    with safe_open(path, "pt") as file:
        tensors = {
            name: {
                "dtype": file.get_slice(name).get_dtype(),
                "shape": list(file.get_tensor(name).shape),
                "values": file.get_tensor(name).double().flatten().tolist(),
            }
            for name in file.keys()
        }
        return {"metadata": file.metadata(), "tensors": tensors}


if sys.argv[1] == "write":
    write(sys.argv[2])
else:
    json.dump([read(path) for path in sys.argv[2:]], sys.stdout)
