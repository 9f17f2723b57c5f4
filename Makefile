# Everything a developer does, from a clean clone. `make help` lists it.
# `run` and `test` set themselves up: the first time takes a minute, later times nothing.
# The page (webui/) needs Node 20.19 or newer with npm; without them everything else goes on.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
# quart and quart-trio exist in two pairs, one up to Python 3.12 and one from 3.13 on.
ifneq ($(filter 3.11 3.12,$(PYTHON_VERSION)),)
CONSTRAINTS := constraints/python-3.11.txt
else
CONSTRAINTS := constraints/python-3.13.txt
endif
# Its name carries the version, so that another PYTHON rebuilds the environment.
STAMP := $(VENV)/installed-$(PYTHON_VERSION)

HAS_NODE := $(shell command -v npm >/dev/null 2>&1 && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null && echo yes)
PAGE_SOURCES := webui/index.html webui/vite.config.ts webui/tsconfig.json \
	$(shell find webui/src webui/plugins -type f)
CEPH := ceph-mon ceph-osd ceph-common radosgw
PAGE := osqueue/server/static/index.html
PAGE_STAMP := webui/node_modules/.installed
ifeq ($(HAS_NODE),yes)
WITH_PAGE := $(PAGE)
WITH_NODE := $(PAGE_STAMP)
else
WITH_PAGE := no-node
WITH_NODE := no-node
endif

.DEFAULT_GOAL := help
.PHONY: help setup run page dev test test-ceph coverage sim mutants lint format types bench check clean no-node

help: ## list what there is to do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | \
		while IFS='|' read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done
	@echo
	@echo '  PYTHON=python3.13 chooses the interpreter (3.11 or newer);'
	@echo '  ARGS="..." is passed on, as in: make test ARGS="tests/core -x"'

setup: $(STAMP) ## create the environment (done by every other target too)

run: $(STAMP) $(WITH_PAGE) ## start a broker on the file store at 127.0.0.1:8080 (BROKER_PORT=... and the like override)
	@exec $(BIN)/python -m osqueue.server $(ARGS)

page: $(WITH_PAGE) ## build the page that the broker serves (needs Node)
	@test '$(HAS_NODE)' = yes

dev: $(STAMP) $(WITH_NODE) ## broker and page, both reloading on change; the page is at http://127.0.0.1:5173
	@test '$(HAS_NODE)' = yes
	@cd webui && exec node_modules/.bin/vite $(ARGS)

test: $(STAMP) $(WITH_PAGE) ## run all tests
ifeq ($(HAS_NODE)$(ARGS),yes)
	@cd webui && node_modules/.bin/vitest run --reporter=dot
endif
	@$(BIN)/python -m pytest $(ARGS)

# Its files are not named as tests are, so that `make test` does not collect them.
test-ceph: $(STAMP) ## run the S3 adapter against Ceph's gateway (Debian's packages; installed if you are root)
	@missing=; for program in ceph-mon ceph-osd radosgw; do \
		command -v $$program >/dev/null || missing=yes; done; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
			echo 'The tests on Ceph need its programs. As root on Debian or Ubuntu:' >&2; \
			echo '  apt-get install --no-install-recommends $(CEPH)' >&2; exit 1; \
		fi; \
		apt-get update --quiet && DEBIAN_FRONTEND=noninteractive \
			apt-get install --quiet --yes --no-install-recommends $(CEPH); \
	fi
	@$(BIN)/python -m pytest tests/ceph/gateway.py $(ARGS)

coverage: $(STAMP) ## check that the tests of core and protocol take every branch of them
	@$(BIN)/coverage run --branch --source=osqueue.core,osqueue.protocol -m pytest -q --no-header -p no:cacheprovider tests/core tests/protocol
	@$(BIN)/coverage report --fail-under=100

# A third of the time is for the real shells, whose seeds are called shells-123.
sim: $(STAMP) ## simulate failures with fresh seeds for SECONDS (60), or replay one SEED
ifneq ($(SEED),)
	@$(BIN)/python -m tests.simulation$(if $(filter shells-%,$(SEED)),.shells).run --seed $(SEED:shells-%=%) $(ARGS)
else
	@$(BIN)/python -m tests.simulation.run --seconds $$(( $(or $(SECONDS),60) * 2 / 3 )) $(ARGS)
	@$(BIN)/python -m tests.simulation.shells.run --seconds $$(( $(or $(SECONDS),60) / 3 )) $(ARGS)
endif

# Part of no other target: it takes long (docs/testing.md).
mutants: $(STAMP) ## plant known faults one by one and see who notices (docs/testing.md)
	@$(BIN)/python -u -m tests.mutants.run $(ARGS)

lint: $(STAMP) $(WITH_NODE) ## check style and formatting
ifeq ($(HAS_NODE),yes)
	@cd webui && node_modules/.bin/biome check --error-on-warnings --log-level=warn .
endif
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(STAMP) $(WITH_NODE) ## repair what `make lint` can repair by itself
ifeq ($(HAS_NODE),yes)
	@cd webui && node_modules/.bin/biome check --write --log-level=warn .
endif
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(STAMP) $(WITH_NODE) ## check the types, strictly
ifeq ($(HAS_NODE),yes)
	@cd webui && node_modules/.bin/tsc --noEmit
endif
	@$(BIN)/pyright

bench: $(STAMP) ## run every benchmark (the files in benchmarks/ that can be run)
	@set -e; scripts=$$(grep -l '^if __name__ == "__main__":' benchmarks/*.py); \
		for script in $$scripts; do echo "== $$script"; $(BIN)/python "$$script" $(ARGS); done

check: ## everything that must pass before a commit: lint, types, coverage, test
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory coverage
	@$(MAKE) --no-print-directory test

clean: ## remove the environment and all caches (never the data in osqueue-data)
	rm -rf webui/node_modules osqueue/server/static
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

no-node:
	@echo 'The page is left out: it needs Node 20.19 or newer, with npm.' >&2

$(PAGE): $(PAGE_STAMP) $(PAGE_SOURCES)
	@echo 'Building the page ...'
	@cd webui && node_modules/.bin/vite build --logLevel warn
	@touch $@

$(PAGE_STAMP): webui/package.json webui/package-lock.json webui/.npmrc
	@echo 'Installing what the page is built with into webui/node_modules ...'
	@cd webui && npm ci --no-progress --loglevel=error >/dev/null
	@touch $@

$(STAMP): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'osqueue needs Python 3.11 or newer as "$(PYTHON)"; found: $(or $(PYTHON_VERSION),none).' >&2; \
		echo 'Install it (Debian, Ubuntu: apt-get install python3 python3-venv),' >&2; \
		echo 'or name another one: make PYTHON=/path/to/python3.12 ...' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo '"$(PYTHON)" lacks the venv module (Debian, Ubuntu: apt-get install python3-venv).' >&2; exit 1; }
	@# An environment of another version, or one whose interpreter is gone, is made anew.
	@test "$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = '$(PYTHON_VERSION)' \
		|| $(PYTHON) -m venv --clear $(VENV)
	@rm -f $(VENV)/installed-*
	@echo 'Installing osqueue and its tools into $(VENV), pinned by $(CONSTRAINTS) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) hatchling editables
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) \
		--no-build-isolation --editable '.[dev]'
	@touch $@
