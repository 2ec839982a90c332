# segcompile: `make demo` from a paper's table to a trained network; `make test`; `make check`; `make bench`; `make peers`.
# PIP_ARGS reaches every pip install, e.g. PIP_ARGS="--index-url ..." for an index with CPU builds of torch.

PYTHON ?= python3
PIP_ARGS ?=
DEMO_STEPS ?= 1200
BIN := .venv/bin
PEERS := .venv-peers
DEMO := build/demo
GENERATED := dilated_large unet blue_marble fcn8s dilated8_voc hrnet_w18 unet3d \
  "deeplabv3_r101 --variant os8" "segformer --variant b0"
BACKENDS := --backend torch --backend jax
# Each process first gets its half of the tests, in their order, so that it makes the fixtures of that half and no more.
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal
QUICK := XLA_FLAGS=--xla_backend_optimization_level=0 # half of the cost of the short tests of JAX is LLVM's

.PHONY: setup demo test test-long check bench peers generated clean

setup: .venv/installed

.venv/installed: pyproject.toml backends/torch/pyproject.toml backends/jax/pyproject.toml backends/onnx/pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit('segcompile needs Python 3.11 or newer') if sys.version_info < (3, 11) else 0"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[dev]' -e backends/torch -e backends/jax -e backends/onnx
	touch $@

demo: setup
	$(BIN)/segcompile rf specs/dilated_large.yaml
	$(BIN)/segcompile build specs/dilated_large.yaml --backend torch --out $(DEMO)/dilated_large
	$(BIN)/segcompile build specs/blue_marble.yaml --backend torch --out $(DEMO)/blue_marble
	$(BIN)/python demo/blue_marble.py $(DEMO)/data
	rm -rf $(DEMO)/run
	$(BIN)/python $(DEMO)/blue_marble/train.py --list $(DEMO)/data/train.txt --steps $(DEMO_STEPS) --out $(DEMO)/run
	$(BIN)/python $(DEMO)/blue_marble/evaluate.py --list $(DEMO)/data/val.txt --weights $(DEMO)/run/last.pt
	$(BIN)/python $(DEMO)/blue_marble/predict.py --weights $(DEMO)/run/last.pt $(DEMO)/data/scene.png --out $(DEMO)/pictures
	@echo "look at $(DEMO)/pictures/scene_overlay.png"

test: setup
	$(QUICK) $(PYTEST) -m "not long"

test-long: setup
	$(PYTEST)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/segcompile check specs/*.yaml
	$(BIN)/python -m segcompile.index --check
	for model in $(GENERATED); do $(BIN)/segcompile build $$model $(BACKENDS) --check || exit 1; done

generated: setup
	$(BIN)/python -m segcompile.index
	for model in $(GENERATED); do $(BIN)/segcompile build $$model $(BACKENDS) || exit 1; done

bench: setup
	$(BIN)/python benchmarks/cost.py
	$(BIN)/python benchmarks/forward.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[bench]'
	$(BIN)/python benchmarks/receptive_field.py

# Networks of other libraries against ours, in an environment of their own: they ask for another torch than constraints.txt.
peers: $(PEERS)/installed
	$(PEERS)/bin/python benchmarks/peers.py
	$(PEERS)/bin/python benchmarks/peers.py --speed

$(PEERS)/installed: pyproject.toml backends/torch/pyproject.toml benchmarks/peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -r benchmarks/peers.txt -e . -e backends/torch
	touch $@

clean:
	rm -rf .venv .venv-peers build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
