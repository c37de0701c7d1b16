# Everything on one page: `make help`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all check fix bench serve lock example-env clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## Make .venv and install everything at locked versions

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; try make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: setup ## Make a small campus, load it, and show it on http://127.0.0.1:8000
	$(BIN)/schoolhouse demo

serve: setup ## Serve the pages over ./schoolhouse-data
	$(BIN)/schoolhouse serve

test: setup ## Run all tests but the long proofs (under ten minutes)
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m "not slow"

test-all: test ## Run every test, then the long proofs
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m slow

check: setup ## Lint, format, types, and the contracts between layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: setup ## Mend what the linters can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## Measure the promises of speed; prints ratios
	$(BIN)/python -m bench

lock: ## Choose the newest allowed versions anew (needs uv)
	uv pip compile --quiet --no-header --no-annotate --no-emit-index-url --python-version 3.11 \
	  --extra web --extra s3 --extra postgres --extra kafka --extra lake --extra dev pyproject.toml requirements-build.in -o requirements.lock
	uv pip compile --quiet --no-header --no-annotate --no-emit-index-url --python-version 3.11 \
	  deploy/airflow/requirements.in requirements-build.in -o deploy/airflow/requirements.lock

example-env: setup ## Write example.env from the settings
	$(BIN)/python -c 'from schoolhouse.settings import example_env; print(example_env(), end="")' > example.env

clean: ## Remove what was built (not ./schoolhouse-data)
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
