#!/usr/bin/env bash
# Compares this build with transformers, tokenizers and sentencepiece, live: runs each Tests/parity/*.py with the path of the
# yuyan binary. The packages live in .parity/; torch is the one that set-up installed.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(transformers==5.23.0 tokenizers==0.23.3 sentencepiece==0.2.3 numpy safetensors tensorboard)
# What torch itself imports.
packages+=(filelock typing-extensions sympy networkx jinja2 fsspec setuptools)
binary=${1:?usage: parity.sh BINARY}
torch=${YUYAN_TORCH:-$PWD/.torch/torch}

if [ "$(cat .parity/.packages 2>/dev/null)" != "${packages[*]}" ]; then
    echo "parity: installing ${packages[*]} into .parity"
    rm -rf .parity
    python3 -m venv .parity || {
        echo "parity: python3 cannot make a virtual environment; install the package python3-venv" >&2
        exit 1
    }
    .parity/bin/python -m pip install --quiet --disable-pip-version-check "${packages[@]}"
    echo "${packages[*]}" >.parity/.packages
fi
site=$(.parity/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
dirname "$torch" >"$site/yuyan-torch.pth"

shopt -s nullglob
scripts=(Tests/parity/*.py)
[ ${#scripts[@]} -gt 0 ] || echo "parity: there is nothing in Tests/parity yet"
for script in ${scripts[@]+"${scripts[@]}"}; do
    echo "parity: $script"
    .parity/bin/python "$script" "$PWD/$binary"
done
