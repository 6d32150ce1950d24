# Everything a contributor runs, and what continuous integration runs too. `make help` lists it.
# Needs Python 3.11 or newer and make. Another interpreter: make PYTHON=python3.13 test

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
JOBS   ?= auto
UNDER  ?=

BIN     := $(VENV)/bin
PIP     := $(BIN)/python -m pip --disable-pip-version-check
PLUGINS := $(sort $(wildcard plugins/*/pyproject.toml))
# The editable installations: an edited source needs no new one, an edited list of dependencies does.
PACKAGES  := -e . $(foreach plugin,$(PLUGINS),-e ./$(patsubst %/,%,$(dir $(plugin))))
DECLARED  := pyproject.toml $(PLUGINS) constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test lint types docs bench format rules scaffold pin clean

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.installed ## a year of contracts in a moment, against an emulated provider
	$(BIN)/paygate demo $(ARGS)

# UNDER="-m coverage run" measures: coverage has to start before pytest loads the plugins, and ours with them.
test: $(VENV)/.installed-dev ## the test suite, on all cores; options for pytest in ARGS="-k expiry -x", one core by JOBS=0
	$(BIN)/python $(UNDER) -m pytest -n $(JOBS) $(ARGS)

lint: $(VENV)/.installed-dev ## style, forbidden constructs, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python scripts/make_sync_gateway.py --check
	$(BIN)/python scripts/catalogue.py

format: $(VENV)/.installed-dev ## put the style right where that is mechanical
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.installed-dev ## strict type check of all that ships, and of what users see of it
	$(BIN)/mypy src $(wildcard plugins/*/src) scripts typing_tests

docs: $(VENV)/.installed-dev ## the documentation, in docs/_build/html
	$(BIN)/python scripts/provider_matrix.py --check
	$(BIN)/python scripts/state_docs.py --check
	$(BIN)/sphinx-build -E -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

bench: $(VENV)/.installed-dev ## the benchmarks
	$(BIN)/python benchmarks/run.py

rules: $(VENV)/.installed-dev ## which domain rules have no test; options in ARGS="--all --list"
	$(BIN)/python scripts/rules_without_tests.py $(ARGS)

scaffold: $(VENV)/.installed-dev ## a new plugin project, tried in an environment of its own
	$(BIN)/python scripts/try_scaffold.py

pin: $(VENV)/.installed-dev ## write constraints.txt from the installed versions
	$(BIN)/python scripts/pin_constraints.py

clean: ## remove everything that was built
	rm -rf $(VENV) build dist docs/_build htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: each is newer than what it was built from, so that a second run starts at once.

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "paygate needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>/dev/null || echo not there)."; \
	  echo "Name another interpreter: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# pip first: dependency groups need 25.1, and the one a new environment brings may be older.
$(VENV)/.pip: $(VENV)/.created constraints.txt
	$(PIP) install --quiet --constraint constraints.txt --upgrade pip
	@touch $@

$(VENV)/.installed: $(VENV)/.pip $(DECLARED)
	$(PIP) install --quiet --constraint constraints.txt $(PACKAGES)
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.pip $(DECLARED)
	$(PIP) install --quiet --constraint constraints.txt $(PACKAGES) --group dev
	@touch $@ $(VENV)/.installed
