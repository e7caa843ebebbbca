# What a fresh machine needs: Python >= 3.11 with venv, git, make. Everything else is fetched here.
#
#   make demo [ROUTER=envoy|haproxy|nginx]   a release that goes well, then one that is turned back
#   make test [ARGS="-k envoy"]        all tests; as root missing Debian packages are installed (APT=no forbids it)
#   make lint                          all that a machine can check without running zdm
#   make faults [RUNS=5]               all faults, so often each, on an idle machine: the table in docs/faults.md
#   make bench                         what zdm reaches and costs, on an idle machine: the table in docs/bench.md
#   make bench-judge                   how soon the judge finds what: the table and plots of docs/judge.md, in an hour
#   make schema                        renew docs/spec.schema.json from what the spec's validator reads
#   make pins                          renew the pinned requirements from what they are resolved from

ROUTER ?= envoy
ARGS ?=
# One for each of two cores: more would disturb those that count what a client sees. Tests of one xdist_group share a worker.
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.zdm-requirements
RUNS ?= 5
FAULTS := build/faults.jsonl
# Further ansible-cores, for the tests of what zdm reads of their inside.
CORES := build/.cores
SELF := collections/ansible_collections/zdm/rollout

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help demo test faults bench bench-judge lint clean pins schema venv debian \
	lint-python lint-types lint-yaml lint-rules lint-changelog lint-ansible lint-sanity

help:
	@sed -n 's/^#   //p' Makefile

venv: $(STAMP)

$(STAMP): requirements/dev.txt tools/venv.sh
	@tools/venv.sh $(VENV) requirements/dev.txt
	@touch $@

$(CORES): requirements/core-2.16.txt requirements/core-2.21.txt tools/cores.sh tools/venv.sh
	@tools/cores.sh $(@D)
	@touch $@

demo: $(STAMP)
	@$(BIN)/python -m demo --router $(ROUTER) $(ARGS)

debian:
	@tools/debian.sh

test: $(STAMP) $(CORES) debian
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --durations 10 --durations-min 1 $(ARGS)

faults: $(STAMP) debian
	@mkdir -p $(dir $(FAULTS)); rm -f $(FAULTS)
	ZDM_FAULT_RUNS=$(RUNS) ZDM_FAULT_NOTES=$(CURDIR)/$(FAULTS) $(BIN)/python -m pytest tests/faults $(ARGS)
	@$(BIN)/python -m tests.faults.table $(FAULTS) | $(BIN)/python -m tools.paste docs/faults.md faults

bench: $(STAMP) debian
	@$(BIN)/python -m bench $(ARGS) | $(BIN)/python -m tools.paste docs/bench.md bench

bench-judge: $(STAMP)
	@$(BIN)/python -m bench.judge docs $(ARGS) | $(BIN)/python -m tools.paste docs/judge.md judge

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

schema: $(STAMP)
	$(BIN)/python -m tools.schema

pins:
	@tools/pins.sh requirements/dev.in requirements/dev.txt
	@tools/pins.sh requirements/core-2.16.in requirements/core-2.16.txt
	@PYTHON=$$(tools/python.sh 3.12) tools/pins.sh requirements/core-2.21.in requirements/core-2.21.txt

clean:
	rm -rf $(VENV) .ansible build .mypy_cache .ruff_cache .pytest_cache .hypothesis $(SELF)/tests/output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
