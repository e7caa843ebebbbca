# What a fresh machine needs: Python >= 3.11 with venv, git, make. Everything else is fetched here.
#
#   make demo [ROUTER=envoy|haproxy]   a release that goes well, then one that is turned back
#   make test [ARGS="-k envoy"]        all tests; as root missing Debian packages are installed (APT=no forbids it)
#   make lint                          all that a machine can check without running zdm
#   make pins                          renew requirements/dev.txt from requirements/dev.in

ROUTER ?= envoy
ARGS ?=
# More would disturb the tests that count what a client sees. Tests of one xdist_group share a worker.
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.zdm-requirements
SELF := collections/ansible_collections/zdm/rollout

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help demo test lint clean pins venv debian \
	lint-python lint-types lint-yaml lint-rules lint-changelog lint-ansible lint-sanity

help:
	@sed -n 's/^#   //p' Makefile

venv: $(STAMP)

$(STAMP): requirements/dev.txt tools/venv.sh
	@tools/venv.sh $(VENV) requirements/dev.txt
	@touch $@

demo: $(STAMP)
	@$(BIN)/python -m demo --router $(ROUTER)

debian:
	@tools/debian.sh

test: $(STAMP) debian
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --durations 10 --durations-min 1 $(ARGS)

lint: lint-python lint-types lint-yaml lint-rules lint-changelog lint-ansible lint-sanity

lint-python: $(STAMP)
	$(BIN)/ruff check --output-format concise --quiet .
	$(BIN)/ruff format --check --quiet .

lint-types: $(STAMP)
	$(BIN)/mypy

lint-yaml: $(STAMP)
	$(BIN)/yamllint --strict .

lint-rules: $(STAMP)
	$(BIN)/python -m tools.rules

lint-changelog: $(STAMP)
	$(BIN)/antsibull-changelog lint
	cd $(SELF) && $(CURDIR)/$(BIN)/antsibull-changelog lint

lint-ansible: $(STAMP)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ansible-lint --offline --strict

lint-sanity: $(STAMP)
	$(BIN)/python tools/sanity.py

pins:
	@tools/pins.sh requirements/dev.in requirements/dev.txt

clean:
	rm -rf $(VENV) .ansible build .mypy_cache .ruff_cache .pytest_cache .hypothesis $(SELF)/tests/output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
