# Two commands matter: `make demo` and `make test`. Both install what they need into .venv.
PY      ?= python3
VENV    := .venv
LITELLM := .venv-litellm
BIN     := $(VENV)/bin
PYTEST  ?= -n 2

.PHONY: demo test lint types docs bench bench-decide bench-classifier bench-ledger bench-transport bench-guarantee clean help

help:
	@echo "make demo          install and route a bundled mix of everyday requests through simulated models"
	@echo "make test          install and run everything CI checks"
	@echo "make bench         reproduce the published numbers"
	@echo "make docs          regenerate the generated documentation pages"
	@echo "make clean         remove what the targets made"

$(VENV)/.base: pyproject.toml
	$(PY) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: pyproject.toml
	$(PY) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.base

demo: $(VENV)/.base
	$(BIN)/pointsman demo

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

test: lint types
	$(BIN)/python scripts/make_docs.py --check
	$(BIN)/pytest $(PYTEST)

docs: $(VENV)/.dev
	$(BIN)/python scripts/make_docs.py

bench-decide: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_decide.py --check

bench-classifier: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_classifier.py

bench-ledger: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_ledger.py
	$(BIN)/python benchmarks/kill_ledger.py --rounds 20

bench-transport: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_transport.py

# LiteLLM is measured from an environment of its own: it pins versions that Pointsman does not.
$(LITELLM)/.made: benchmarks/litellm-requirements.txt
	$(PY) -m venv $(LITELLM)
	$(LITELLM)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

bench-litellm-env: $(LITELLM)/.made

# The rest measures recorded outcomes: DATA is a folder of Parquet files in the form that docs/evaluation.md describes.
bench-compare: $(VENV)/.dev $(LITELLM)/.made
	$(BIN)/python -m benchmarks.compare_routers $(DATA)

bench-guarantee: $(VENV)/.dev
	$(BIN)/python benchmarks/simulate_guarantee.py $(DATA)

bench: bench-decide bench-classifier bench-ledger bench-transport

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis pointsman-demo.db*
