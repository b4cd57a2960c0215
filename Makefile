# Two commands matter: `make demo` and `make test`. Each sets up all it needs below .venv, from the package index alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SESSIONS ?=
# Carries the tokenizer's vocabulary files, which tiktoken would fetch from elsewhere at run time. A tool of the set-up,
# never imported, and no dependency of the product.
VOCABULARY := llama-index-core==0.14.25

# Tools of the audit, apart from what they judge.
AUDIT := $(VENV)/audit

.PHONY: demo test test-long clients lint lock audit clean
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

$(AUDIT)/.ready:
	test -x $(AUDIT)/bin/python || $(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9' 'pip-tools>=7.5'
	touch $@

# Pins and hashes of all that is installed with us, anew.
lock: $(AUDIT)/.ready
	$(AUDIT)/bin/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe --no-annotate --no-header \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options \
		--output-file $(AUDIT)/requirements.lock pyproject.toml
	{ sed -n '/^#/p' requirements.lock; cat $(AUDIT)/requirements.lock; } > $(AUDIT)/whole.lock
	mv $(AUDIT)/whole.lock requirements.lock

# Known vulnerabilities in what the lock file names. Fails as well where the index has no such list: not audited is not clean.
audit: $(AUDIT)/.ready
	$(AUDIT)/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
