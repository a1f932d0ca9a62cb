#!/usr/bin/env bash
# Installs the Python packages that Yuyan is compared with, once: `peers.sh` those for models and tokenizers into .parity/, with the torch that set-up
# installed; `peers.sh data` those for cleaning data into .parity-data/, with the versions that they ask for; `peers.sh inference` llama.cpp, compiled for this
# processor, into .parity-inference/.
set -euo pipefail
cd "$(dirname "$0")/.."

# install FOLDER PACKAGE...
install() {
    local folder=$1
    shift
    [ "$(cat "$folder/.packages" 2>/dev/null)" != "$*" ] || return 0
    echo "peers: installing $* into $folder" >&2
    rm -rf "$folder"
    python3 -m venv "$folder" || {
        echo "peers: python3 cannot make a virtual environment; install the package python3-venv" >&2
        exit 1
    }
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
    echo "$*" >"$folder/.packages"
}

if [ "${1:-}" = data ]; then
    install .parity-data py-data-juicer==1.6.1 datatrove==0.10.1 datasketch==2.0.0 tokenizers orjson zstandard
    exit
fi
if [ "${1:-}" = inference ]; then
    install .parity-inference --no-binary=llama-cpp-python llama-cpp-python==0.3.36
    exit
fi
# The last ones are what torch itself imports.
install .parity transformers==5.23.0 tokenizers==0.23.3 sentencepiece==0.2.3 numpy safetensors tensorboard peft==0.21.2 \
    filelock typing-extensions sympy networkx jinja2 fsspec setuptools
torch=${YUYAN_TORCH:-$PWD/.torch/torch}
site=$(.parity/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
dirname "$torch" >"$site/yuyan-torch.pth"
