# make bench      the quick study: searches on the shipped bank, tables and figures under results/quick/
# make test       the tests
# make lint       style, and imports that respect the floors
# make typecheck  mypy, strict
# make speed      measured ratios of our kernels to the naive ways, side by side
# make report     tables, figures and page of the quick study anew, from its records
# make regress    the gate: a small study held against results/baseline.json, and floors of our kernels' speed
# make baseline   renew results/baseline.json: make baseline REASON="why numbers may change"
# make docs       the documentation, into docs/_build/html, its examples run
# make clean      remove the environment and caches (results stay)
#
# Each installs what it needs into .venv first and skips what is done.
# TORCH names the PyTorch build: cpu (default), or a CUDA build such as cu130.

TORCH ?= cpu
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed-$(TORCH)
PIP := $(BIN)/pip install --quiet --constraint .ci/constraints.txt

.PHONY: bench test lint typecheck speed report regress baseline docs clean

bench: $(STAMP)
	$(BIN)/ness-bench study run benchmarks/studies/quick.toml --out results/quick

report: $(STAMP)
	$(BIN)/ness-bench study report results/quick

test: $(STAMP)-dev
	$(BIN)/pytest --numprocesses auto

lint: $(STAMP)-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

typecheck: $(STAMP)-dev
	$(BIN)/mypy

speed: $(STAMP)-dev
	$(BIN)/pytest benchmarks --benchmark-only

regress: $(STAMP)-dev
	rm -rf results/gate # records are told apart by version, and code under work keeps its version
	$(BIN)/ness-bench study run benchmarks/studies/gate.toml --out results/gate
	$(BIN)/ness-bench study check results/gate --against results/baseline.json
	$(BIN)/pytest benchmarks -m quick --benchmark-only --benchmark-max-time=0.3 --benchmark-min-rounds=3

baseline: $(STAMP)
	rm -rf results/gate
	$(BIN)/ness-bench study run benchmarks/studies/gate.toml --out results/gate
	$(BIN)/ness-bench study baseline results/gate --reason "$(REASON)"

docs: $(STAMP)-dev
	$(BIN)/sphinx-build --quiet --fail-on-warning --builder html docs docs/_build/html
	$(BIN)/sphinx-build --quiet --fail-on-warning --builder doctest docs docs/_build/doctest

$(STAMP): pyproject.toml .ci/constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ness_bench needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv --clear .venv
	# torch alone comes from PyTorch's own index, which serves the CPU and CUDA builds
	$(PIP) --no-deps --extra-index-url https://download.pytorch.org/whl/$(TORCH) torch
	$(PIP) --editable .
	touch $@

$(STAMP)-dev: $(STAMP)
	$(PIP) --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv docs/_build .mypy_cache .ruff_cache .hypothesis .benchmarks .import_linter_cache build *.egg-info
