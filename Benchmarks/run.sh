#!/usr/bin/env bash
# Yuyan and its peers side by side in one run: `Benchmarks/run.sh path/to/yuyan [train|generate|tokenize]...`. Prints a table of ratios.
set -euo pipefail
binary=$(realpath "$1")
shift
cd "$(dirname "$0")/.."
Scripts/peers.sh
exec .parity/bin/python Benchmarks/compare.py --yuyan "$binary" "$@"
