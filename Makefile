# Two commands matter: `make demo` and `make test`. Each sets up all it needs below .venv, from the package index alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SESSIONS ?=
# Carries the tokenizer's vocabulary files, which tiktoken would fetch from elsewhere at run time. A tool of the set-up,
# never imported, and no dependency of the product.
VOCABULARY := llama-index-core==0.14.25

.PHONY: demo test test-long clients lint clean
.DELETE_ON_ERROR:

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "TokenPak needs Python 3.11 or newer; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps '$(VOCABULARY)'
	touch $@

demo: $(READY)
	$(BIN)/tokenpak demo $(if $(SESSIONS),--sessions '$(SESSIONS)')

test: lint
	$(BIN)/python -m pytest -m 'not long and not clients'

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-long: $(READY)
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -m long

clients: $(READY)
	$(BIN)/python -m pytest -m clients -rs

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
