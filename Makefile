# One set of commands for people, .ci/run and the GitHub workflow.
# Each target does the set-up it needs: `make demo` works in a fresh clone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
IMAGE_STAMP := build/.image
IMAGE_SOURCES := Dockerfile requirements/run.txt $(shell find src/admit tools/image -type f -not -name '*.pyc')

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format assets node-assets cluster-test node-test image bench kinds docs lock clean

help:  ## Show what there is to type
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## A virtual environment in .venv from the locked requirements

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "admit needs Python 3.11 or newer; this is %d.%d (make PYTHON=python3.12 ...)" % v[:2])'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes --requirement requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)  ## The tutorial's webhook over TLS, on real reviews
	@$(BIN)/python examples/tutorial/demo.py

test: $(STAMP)  ## All tests that need no API server
	@$(BIN)/python -m pytest -m "not cluster and not node" $(ARGS)

check: $(STAMP)  ## Lint, types, layers, spelling
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy src tests examples
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pyright
	@$(BIN)/lint-imports
	@$(BIN)/codespell

format: $(STAMP)  ## Format the code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

assets:  ## Build the API server, its friends and helm (needs Go; once)
	@tools/assets/build cluster

node-assets:  ## Build what a node with containers needs on top (needs Go; once)
	@tools/assets/build

cluster-test: $(STAMP)  ## The tests that drive a real kube-apiserver
	@if command -v go >/dev/null; then tools/assets/build cluster >/dev/null; fi
	@$(BIN)/python -m pytest -m cluster $(ARGS)

node-test: $(STAMP)  ## The tests on a node with containers (needs root, Linux, Go)
	@tools/node/run $(ARGS)

image: $(STAMP)  ## The container image as build/admit-VERSION.tar, without a daemon
	@$(BIN)/python tools/image/build.py $(ARGS)
	@test -n "$(ARGS)" || touch $(IMAGE_STAMP)

$(IMAGE_STAMP): $(IMAGE_SOURCES) | $(STAMP)
	@$(BIN)/python tools/image/build.py
	@touch $@

bench: $(STAMP)  ## Ratios to baselines, side by side in one run
	@$(BIN)/python bench/run.py $(ARGS)

kinds: $(STAMP)  ## Generate src/admit/kinds from the API server's OpenAPI
	@$(BIN)/python tools/kinds/generate.py

docs: $(STAMP)  ## Write the tables of docs/ from the tables of the code
	@$(BIN)/python tools/reference.py

lock: $(STAMP)  ## Resolve the requirement files again (hashes, no index named)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/lock.py

clean:  ## Remove what the other targets made in the clone
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
