# Two commands do all: `make quickstart` and `make test`. Each installs what is missing, builds and runs.

SWIFT := swift
# Tests look inside the modules; with the same flags everywhere, all targets share one build.
FLAGS := -c release -Xswiftc -enable-testing
BINARY := .build/release/yuyan

.PHONY: quickstart test build setup bench bench-inference parity lint sanitize clean

quickstart: build
	$(BINARY) quickstart

test: setup
	$(SWIFT) test $(FLAGS)

build: setup
	$(SWIFT) build $(FLAGS)

setup:
	@Scripts/setup.sh

bench: build
	Benchmarks/run.sh $(BINARY)

bench-inference: build
	Scripts/peers.sh && Scripts/peers.sh inference
	.parity/bin/python Benchmarks/inference.py --yuyan $(BINARY) --llama-cpp .parity-inference/bin/python

parity: build
	Scripts/parity.sh $(BINARY)

lint: setup
	Scripts/lint.sh $(FLAGS)

sanitize: setup
	Scripts/sanitize.sh

clean:
	rm -rf .build .parity .parity-data .parity-inference .bench
