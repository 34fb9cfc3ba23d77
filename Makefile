# `make demo` and `make test` are the whole set-up: each installs what it needs.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

VENV := .venv
PYTHON := $(VENV)/bin/python

# Passed on to the program:  make demo ARGS='--for 20s',  make test ARGS='-k store'
ARGS ?=

# Tests spend about half of their time waiting for servers and processes, so there are more workers than cores.
CORES := $(shell getconf _NPROCESSORS_ONLN)

# Ignore a virtual environment that is active in the caller's shell.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH
# Without bytecode each process compiles all modules again, and pytest rewrites all asserts.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

##@ Use

.PHONY: help
help: ## Show this list
	@[ -t 1 ] && bold=$$'\e[1m' plain=$$'\e[0m' || bold= plain=; \
	awk -v bold="$$bold" -v plain="$$plain" 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s%s%s\n", bold, substr($$0, 5), plain } \
		/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV)/.runtime ## Watch Overheard at work on the bundled Reddit simulator (ARGS='--for 20s')
	@$(VENV)/bin/overheard demo $(ARGS)

# In the environment, so that the shell does not interpret a query's quotes.
export QUERY ?=

.PHONY: listen
listen: $(VENV)/.runtime ## Listen to Hacker News for a query, live, without credentials (QUERY='"acme db" OR acmedb')
	@[ -n "$$QUERY" ] || { echo "Which query? Run: make listen QUERY='\"acme db\" OR acmedb'" >&2; exit 2; }
	@$(VENV)/bin/overheard listen $(ARGS) -- "$$QUERY"

##@ Work on it

.PHONY: install
install: $(VENV)/.dev ## Make .venv with Overheard and the development tools

.PHONY: test
test: servers $(VENV)/.dev ## Run the tests, with private RabbitMQ and PostgreSQL servers (ARGS='-k store')
	$(PYTHON) -m pytest --numprocesses $$(( $(CORES) * 2 )) --maxprocesses 8 --dist worksteal $(ARGS)

.PHONY: quick
quick: $(VENV)/.dev ## Run the tests that need no servers, without those that try very many inputs (ARGS='-k store')
	$(PYTHON) -m pytest tests/unit tests/contract -m 'not servers and not thorough' --numprocesses $$(( $(CORES) * 2 )) --maxprocesses 8 --dist worksteal $(ARGS)

.PHONY: lint
lint: $(VENV)/.dev ## Check format, style, types, import rules, names, words and references
	@failed=; step() { echo "$$*"; "$$@" || failed+=$$'\n'"  $$*"; }; \
	step $(VENV)/bin/ruff format --check .; \
	step $(VENV)/bin/ruff check .; \
	step $(VENV)/bin/mypy; \
	step $(VENV)/bin/lint-imports; \
	step $(PYTHON) -m pytest --noconftest -p no:cacheprovider tests/unit/test_names.py tests/unit/test_references.py tests/unit/test_words.py; \
	if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

.PHONY: format
format: $(VENV)/.dev ## Format the code, and fix what can be fixed automatically
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

.PHONY: generate
generate: $(VENV)/.dev ## Write the files generated from the tables of stages, metrics and panels
	$(PYTHON) -m deploy.generate

.PHONY: messages
messages: $(VENV)/.dev ## Draw docs/messages.md from what the senders really send (needs chromium and pngquant)
	@$(PYTHON) -m tests.messages

.PHONY: day
day: $(VENV)/.dev ## Deliver a day of OVERHEARD_CORPUS through every medium, to be read (ARGS='build/day --pictures')
	@$(PYTHON) -m tests.messages.day $(ARGS)

.PHONY: bench
bench: servers $(VENV)/.dev ## Measure against the budgets
	$(PYTHON) -m tests.benchmarks $(ARGS)

.PHONY: quality
quality: $(VENV)/.dev ## Measure precision and recall of queries on labelled items of OVERHEARD_CORPUS
	@$(PYTHON) -m tests.quality $(ARGS)

.PHONY: queries
queries: $(VENV)/.dev ## Compare 100,000 pairs of a query and an item with a plain evaluator (ARGS='--pairs 1000')
	@$(PYTHON) -m tests.evaluator $(ARGS)

.PHONY: mutants
mutants: servers $(VENV)/.dev ## Break the code on purpose, and check that the tests notice (ARGS=NAME)
	$(PYTHON) -m tests.mutants $(ARGS)

.PHONY: faults
faults: servers $(VENV)/.dev ## Kill and cut off servers and processes, and check that nothing is lost
	$(PYTHON) -m pytest tests/faults $(ARGS)

.PHONY: soak
soak: servers $(VENV)/.dev ## Ten minutes under load with a kill -9 every minute, then a table of results (ARGS='--minutes 2')
	@$(PYTHON) -m tests.soak $(ARGS)

.PHONY: machine
machine: $(VENV)/.dev ## Install it on a fresh Debian with systemd, and break it there (as root; ARGS='--suite bookworm')
	@$(PYTHON) -m tests.machine $(ARGS)

.PHONY: lock
lock: ## Write the lock files: versions for deployment and tests (ARGS=--upgrade)
	deploy/lock $(ARGS)

.PHONY: clean
clean: ## Remove .venv, caches and build output; databases stay
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Install missing server programs (as root), or print how to.
.PHONY: servers
servers:
	@deploy/install --test

$(PYTHON):
	@python=$$(deploy/install --python) && \
	echo "Making $(VENV) with $$python" && \
	"$$python" -m venv --clear $(VENV)

NO_PIP := { echo "pip failed, see above. It needs PyPI, or an index named in pip.conf. Then run make again." >&2; exit 1; }

# The deployed versions and those of the development tools; written by `make lock`.
LOCK := deploy/development.lock

# Two stamps, so that a demo needs no development tools. A change of pyproject.toml or the lock outdates both.
$(VENV)/.runtime: pyproject.toml $(LOCK) | $(PYTHON)
	@echo "Installing Overheard and its libraries into $(VENV)"
	@$(PYTHON) -m pip install --quiet --constraint $(LOCK) --editable . || $(NO_PIP)
	@touch $@

$(VENV)/.dev: pyproject.toml $(LOCK) | $(PYTHON)
	@echo "Installing Overheard, its libraries and the development tools into $(VENV)"
	@$(PYTHON) -m pip install --quiet --constraint $(LOCK) --editable '.[dev]' || $(NO_PIP)
	@touch $(VENV)/.runtime $@
