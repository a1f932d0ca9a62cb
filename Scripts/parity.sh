#!/usr/bin/env bash
# Compares this build with transformers, tokenizers and sentencepiece, live: runs each Tests/parity/*.py with the path of the
# yuyan binary.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=${1:?usage: parity.sh BINARY}
Scripts/peers.sh

shopt -s nullglob
scripts=(Tests/parity/*.py)
[ ${#scripts[@]} -gt 0 ] || echo "parity: there is nothing in Tests/parity yet"
for script in ${scripts[@]+"${scripts[@]}"}; do
    echo "parity: $script"
    .parity/bin/python "$script" "$PWD/$binary"
done
