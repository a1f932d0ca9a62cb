"""Makes nf4.json: every seventh number of a matrix that bitsandbytes has rounded to NF4 with double quantisation.

pip install torch bitsandbytes; python Tests/YuyanModelsTests/Fixtures/nf4.py
"""

import json
import pathlib

import torch
from bitsandbytes import functional

from gpt2 import formula

shape = (128, 136)  # 272 blocks: two groups of scales
matrix = (0.2 * formula("nf4", shape)).float()
codes, state = functional.quantize_4bit(matrix, blocksize=64, compress_statistics=True, quant_type="nf4")
values = functional.dequantize_4bit(codes, state).reshape(-1)[::7].tolist()
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"shape": shape, "values": [float(f"{value:.7g}") for value in values]}) + "\n")
print(path.stat().st_size, "bytes")
