# Everyday commands; `make` alone lists them.

PYTHON ?= python3
RECIPE ?= recipes/quickstart.yaml
DATA   ?=
NPROC  ?= 1
ARGS   ?=
MODEL  ?=

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
RUFF_PATHS := ecgclip tests benchmarks docs

# One process runs the command itself; several go through accelerate, which takes GPUs where there are any
# and processes of the CPU (gloo) where there are none.
ifeq ($(NPROC),1)
LAUNCH := $(BIN)/ecgclip
else
LAUNCH := $(BIN)/accelerate launch --multi_gpu --num_processes $(NPROC) --num_machines 1 \
	--mixed_precision no --dynamo_backend no -m ecgclip.cli
endif

.DEFAULT_GOAL := help
.PHONY: help install pretrain test test-slow lint format benchmark clean

help: ## List the targets
	@echo "ecgclip: make TARGET [VARIABLE=value]"
	@echo
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  PYTHON  interpreter that makes .venv, 3.10 or later        now: $(PYTHON)"
	@echo "  RECIPE  what make pretrain trains                          now: $(RECIPE)"
	@echo "  DATA    corpus on disk or a prepared store                 now: $(or $(DATA),none)"
	@echo "  NPROC   processes; above 1 through accelerate launch       now: $(NPROC)"
	@echo "  ARGS    handed on, such as ARGS='--set schedule.epochs=2'  now: $(or $(ARGS),none)"
	@echo "  MODEL   run folder that make benchmark measures            now: $(or $(MODEL),none)"

install: $(STAMP) ## Make .venv and install ecgclip with its tools, once

$(STAMP): setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

pretrain: $(STAMP) ## Train RECIPE (the quickstart on simulated recordings needs no data)
	$(LAUNCH) pretrain $(RECIPE) $(if $(DATA),--data $(DATA)) $(ARGS)

test: $(STAMP) ## Run the tests, two at a time
	$(BIN)/python -m pytest -n 2 $(ARGS)

test-slow: $(STAMP) ## Run the proofs that take minutes
	$(BIN)/python -m pytest -m slow $(ARGS)

lint: $(STAMP) ## Check style, types and the order of the rooms
	$(BIN)/ruff check $(RUFF_PATHS)
	$(BIN)/ruff format --check $(RUFF_PATHS)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Format the code and sort its imports
	$(BIN)/ruff check --fix-only $(RUFF_PATHS)
	$(BIN)/ruff format $(RUFF_PATHS)

benchmark: $(STAMP) ## Every protocol for MODEL on the test split of DATA; without MODEL, speed
ifeq ($(MODEL),)
	@for script in benchmarks/speed/*.py; do \
		echo "== $$script"; $(BIN)/python $$script $(ARGS) || exit 1; \
	done
else
	$(if $(DATA),,$(error make benchmark MODEL=... also needs DATA=, a corpus with labels))
	$(BIN)/ecgclip benchmark $(MODEL) --data $(DATA) --allow-missing $(ARGS)
endif

clean: ## Remove caches and build folders; .venv, runs and stores stay
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find ecgclip tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
