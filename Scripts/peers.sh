#!/usr/bin/env bash
# Installs the Python packages that Yuyan is compared with into .parity/, once; torch is the one that set-up installed.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(transformers==5.23.0 tokenizers==0.23.3 sentencepiece==0.2.3 numpy safetensors tensorboard)
# What torch itself imports.
packages+=(filelock typing-extensions sympy networkx jinja2 fsspec setuptools)
torch=${YUYAN_TORCH:-$PWD/.torch/torch}

if [ "$(cat .parity/.packages 2>/dev/null)" != "${packages[*]}" ]; then
    echo "peers: installing ${packages[*]} into .parity"
    rm -rf .parity
    python3 -m venv .parity || {
        echo "peers: python3 cannot make a virtual environment; install the package python3-venv" >&2
        exit 1
    }
    .parity/bin/python -m pip install --quiet --disable-pip-version-check "${packages[@]}"
    echo "${packages[*]}" >.parity/.packages
fi
site=$(.parity/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
dirname "$torch" >"$site/yuyan-torch.pth"
