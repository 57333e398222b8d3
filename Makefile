.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
# A venv holds absolute paths: one that was copied or moved is made anew.
PLACE := $(VENV)/.place
MOVED := $(subst =$(CURDIR)=,,=$(shell cat $(PLACE) 2>/dev/null)=)
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input
# Three workers for two cores, for tests wait for servers: each has its own servers, and
# a module's tests stay together.
PYTEST := $(BIN)/pytest --numprocesses 3 --dist loadscope
COMPOSE := docker compose --file deploy/compose.yaml

.PHONY: help
help: ## Show the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(VENV)/.run $(VENV)/.front ## Make .venv with the pinned packages and .venv/bin/opseer

.PHONY: run
run: install ## Run Opseer here: embedded NATS and Postgres, data in .opseer/
	@exec $(BIN)/opseer up --stop-with-parent

.PHONY: demo
demo: install ## The same with a made-up company; ONCE=1 stops after the report
	@exec $(BIN)/opseer demo --stop-with-parent

# Properties are tried on the same examples each time, so only a change can break them;
# test-deep looks for new ones.
.PHONY: test
test: $(VENV)/.dev ## Tests on embedded NATS and Postgres
	@echo "the tests in a browser are apart: make test-browser"
	@exec $(PYTEST) --hypothesis-profile ci -m "not deep and not docker and not browser"

.PHONY: test-deep
test-deep: $(VENV)/.dev ## All tests with the full counts
	@exec $(PYTEST) -m "not docker and not browser"

.PHONY: test-browser
test-browser: $(VENV)/.dev ## The pages in a headless Chromium; IMAGES=folder keeps pictures
	@exec $(BIN)/pytest -rs tests/browser $(if $(IMAGES),--images $(IMAGES))

# The servers of compose.yaml with fresh data, reached by ports of their own.
TEST_COMPOSE := $(COMPOSE) --file deploy/compose.test.yaml --project-name opseer-test
.PHONY: test-docker
test-docker: $(VENV)/.dev ## The tests on the containers' Postgres and NATS
	@$(BIN)/python -m opseer_cli.deployment deploy
	$(TEST_COMPOSE) up --detach --build --wait postgres nats
	@password=$$(cat deploy/.secrets/postgres-admin-password); \
	DATABASE_URL="postgresql://opseer_admin:$$password@127.0.0.1:55432/opseer" \
	NATS_URL=nats://127.0.0.1:54222 OPSEER_SECRETS_DIR=$(CURDIR)/deploy/.secrets \
	$(BIN)/pytest -m "not deep"; status=$$?; \
	$(TEST_COMPOSE) down --volumes; exit $$status

.PHONY: check
check: $(VENV)/.dev ## Format, lint, types, import rules, dead code, dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/vulture
	$(BIN)/deptry .
	git ls-files -z | xargs -0 -n 200 -P 2 \
	  $(BIN)/detect-secrets-hook --no-verify --baseline .secrets.baseline
	$(BIN)/pytest --quiet tests/structure

.PHONY: audit
audit: $(VENV)/.dev ## Ask for known weaknesses of the pinned packages
	@$(BIN)/pip-audit --require-hashes --disable-pip --progress-spinner off --strict \
	  --requirement requirements/run.txt || { status=$$?; \
	  echo "audit: weaknesses were found, or the service that knows them was not" \
	    "reached: see the lines above" >&2; exit $$status; }

.PHONY: sbom
sbom: $(VENV)/.dev ## Write sbom.json: what a release is made of, in CycloneDX
	@$(BIN)/cyclonedx-py requirements requirements/run.txt --pyproject pyproject.toml \
	  --mc-type application --output-reproducible --of JSON -o sbom.json
	@echo "sbom.json lists $$(grep -c '"purl"' sbom.json) packages"

.PHONY: messages
messages: $(VENV)/.dev ## Make docs/MESSAGES.md and docs/asyncapi.json from the contracts
	@$(BIN)/python -m opseer_cli.messages docs

.PHONY: bench
bench: $(VENV)/.dev ## Run the benchmarks in tests/bench/
	@for file in tests/bench/bench_*.py; do \
	  test -f "$$file" || { echo "no benchmarks in tests/bench/ yet"; exit 0; }; \
	  echo "$$file" && $(BIN)/python "$$file" || exit 1; \
	done

.PHONY: up
up: install ## Run in containers: official Postgres and NATS, our image four times
	@$(BIN)/python -m opseer_cli.deployment deploy
	$(COMPOSE) up --detach --build --wait
	@echo "Opseer is ready: http://localhost:8080, or where deploy/.env says"
	@echo "The setup code is in deploy/.secrets/setup-code"

.PHONY: down
down: ## Stop the containers; their data stay
	$(COMPOSE) down

# Needs uv. Names and hashes only: the files name no index. The image's two are cut
# from run.txt, so that containers run what the tests ran.
LOCK := uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate
.PHONY: lock
lock: ## Pin the packages again in requirements/
	$(LOCK) --extra embedded pyproject.toml requirements/build.in \
	  --output-file requirements/run.txt
	$(LOCK) --extra embedded pyproject.toml requirements/build.in requirements/dev.in \
	  --output-file requirements/dev.txt
	$(LOCK) --extra cli pyproject.toml --constraint requirements/run.txt \
	  --output-file requirements/service.txt
	$(LOCK) requirements/build.in --constraint requirements/run.txt \
	  --output-file requirements/build.txt
	$(LOCK) requirements/node.in --output-file requirements/node.txt

.PHONY: clean
clean: ## Remove .venv and caches; .opseer/ stays
	rm -rf $(VENV) frontend/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first Python that runs (a name on PATH may be an empty shim) and fits.
FITS := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

$(PLACE): $(if $(MOVED),always)
	@for python in $${PYTHON:-python3 python3.13 python3.12 python3.11}; do \
	  if "$$python" -c '$(FITS)' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Opseer needs Python 3.11, 3.12 or 3.13 with its venv module" >&2; \
	  echo "(Debian and Ubuntu: apt install python3-venv)." >&2; \
	  echo "Name one with: make install PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	echo "making $(VENV) with $$("$$found" --version)"; \
	"$$found" -m venv --clear $(VENV) && printf '%s' '$(CURDIR)' > $@

$(VENV)/.run: requirements/build.txt requirements/run.txt pyproject.toml $(PLACE)
	@echo "installing $$(grep -c == requirements/run.txt) pinned packages: a minute or less"
	@$(PIP) --require-hashes --requirement requirements/build.txt
	@$(PIP) --require-hashes --no-build-isolation --requirement requirements/run.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
# Services that run as users of their own can't write these, and start slower without.
	@$(BIN)/python -m compileall -q libs services
	@touch $@

# Without it the pages work, too: a failure is told, and the next call tries again.
$(VENV)/.front: requirements/node.txt $(wildcard frontend/*.* frontend/src/*) $(PLACE)
	@echo "building the scripts of the pages"
	@if sh frontend/install.sh $(CURDIR)/$(VENV)/node $(CURDIR)/$(BIN)/python; then touch $@; fi

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run | $(VENV)/.front
	@echo "installing the tools for tests and checks"
	@$(PIP) --require-hashes --requirement requirements/dev.txt
	@touch $@

.PHONY: always
always:
