SHELL := /bin/bash
.DEFAULT_GOAL := help

BIN := .venv/bin
STAMP := .venv/.installed
# Tried in this order; the first that really is 3.11 or newer makes the virtual environment.
PYTHONS := python3.11 python3
ARGS ?=

.PHONY: help run test test-long bench simulate chaos check format proto api compliance compile uncompile lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp is written last, so that an interrupted installation is done again.
$(STAMP): requirements.lock pyproject.toml
	@for candidate in $(PYTHONS); do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$${python:-}" ]; then echo "Tidegate needs Python 3.11 or newer: put python3.11 or a newer python3 on the PATH." >&2; exit 1; fi; \
	echo "Setting up .venv from requirements.lock (about a minute) ..."; \
	"$$python" -m venv .venv
	@$(BIN)/python -m pip install --disable-pip-version-check -q --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	@touch $@

run: $(STAMP)  ## Run the gate on real prices and serve until Ctrl-C; ARGS="--exit" ends after the last bar
	@exec $(BIN)/tidegate run examples/portfolio.yaml $(ARGS)

test: $(STAMP)  ## Run the tests
	@exec $(BIN)/python -m pytest -m "not long" $(ARGS)

test-long: $(STAMP)  ## Run the long tests: soak, chaos, browser, cluster
	@exec $(BIN)/python -m pytest -m long $(ARGS)

bench: $(STAMP)  ## Measure the gateway against a bare gRPC echo, about 3 minutes; ARGS="--quick" only tries it
	@exec $(BIN)/python -m bench $(ARGS)

simulate: $(STAMP)  ## Check 10,000 simulated histories with faults; ARGS="--seed 7 --histories 1" runs one again
	@exec $(BIN)/python -m chaos.simulation $(ARGS)

chaos: $(STAMP)  ## Kill real processes under load, then check; ARGS="--seed 7 --minutes 20"
	@exec $(BIN)/python -m chaos $(ARGS)

check: $(STAMP)  ## Check style, types, protos and that what is generated is fresh
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/buf lint
	$(BIN)/python scripts/generate_protos.py --check
	$(BIN)/python scripts/generate_api_page.py --check
	$(BIN)/python scripts/generate_compliance_page.py --check

format: $(STAMP)  ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

proto: $(STAMP)  ## Generate tidegate/v1/ from protos/
	$(BIN)/python scripts/generate_protos.py

api: $(STAMP)  ## Generate docs/api.md from protos/, roles and reason codes
	$(BIN)/python scripts/generate_api_page.py

compliance: $(STAMP)  ## Generate docs/compliance.md from docs/controls.yaml and the markers on the tests
	$(BIN)/python scripts/generate_compliance_page.py

compile: $(STAMP)  ## Compile the engine with mypyc, for speed; needs a C compiler
	@echo "Compiling the engine (about a minute) ..."
	@$(BIN)/python scripts/compile_engine.py

uncompile: $(STAMP)  ## Go back to the engine's sources
	@$(BIN)/python scripts/compile_engine.py --remove

lock: $(STAMP)  ## Resolve requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras --upgrade --generate-hashes --no-emit-index-url \
		--python-version 3.11 --custom-compile-command "make lock" --quiet -o requirements.lock

# The journal under var/ stays: it is data, not a build product.
clean:  ## Remove the virtual environment and all caches, never the journal
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
