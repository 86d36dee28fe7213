# Everything a newcomer types. `make help` lists it.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
TOOL := $(BIN)/bs4nn-tc
DEMO := demo
BOARDS := qemu-m0 qemu-m3 qemu-m4 qemu-m7 qemu-m33

.DEFAULT_GOAL := help
.PHONY: help setup system-packages test-packages demo test test-python test-firmware test-bounds bench fuzz fuzz-files faults tables drawing lines lint clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

setup: system-packages $(VENV)/ready ## install the compilers and the emulator (Debian), and the tool into .venv

system-packages:
	@sh tools/system-packages.sh

# What pip installs: this package, scikit-learn (digits), and the tools of the tests.
$(VENV)/ready: pyproject.toml
	@echo "setup: making $(VENV) and installing from PyPI: bs4nn-tc (editable), scikit-learn, pillow, matplotlib, optuna, tensorboard, tensorboardX, starlette, uvicorn, cmake, pytest, pytest-xdist, hypothesis, httpx, playwright, ruff, mypy, lizard"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than Python 3.11; name a newer one with make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: setup ## train on the bundled digits, generate, build, run on an emulated Cortex-M4 and here, verify
	@$(BIN)/python tools/demo.py $(DEMO)

test: setup test-python test-firmware ## all tests

test-packages:
	@sh tools/system-packages.sh tests

test-python: setup test-packages
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test-firmware: setup
	$(BIN)/python tools/pio.py test -e native $(addprefix -e ,$(BOARDS))

test-bounds: system-packages ## the oldest and the newest versions of what this needs, each in an environment of its own
	$(PYTHON) tools/bounds.py

bench: setup ## instructions, bytes and speed
	$(BIN)/python benchmarks/run.py

fuzz: setup ## 10 million inputs for the protocol's parser (clang), a minute of garbage for an emulated board
	$(BIN)/python tests/fuzz/run.py

fuzz-files: setup ## 100,000 hostile files and data sets through everything that reads them
	$(BIN)/python tests/fuzz/hostile.py

faults: setup ## the verbs killed, interrupted and failing at every event of the file system
	$(BIN)/python tests/faults/run.py

tables: setup ## put the measured figures into the README
	$(BIN)/python tools/tables.py

drawing: setup ## draw the rooms of the package into docs/
	$(BIN)/python tools/architecture.py

lines: ## count the lines of product code, by room and language
	@$(PYTHON) tools/lines.py

lint: setup ## ruff, mypy, and the limits of functions and modules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/limits.py

clean: ## remove what the other targets made
	rm -rf $(VENV) .venv-oldest .venv-newest $(DEMO) .pio build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
