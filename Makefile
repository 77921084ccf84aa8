# make alone lists the targets. Everything is installed into .venv; runs/ and data/ hold what is made.
PYTHON   ?= python3
RUNS     ?= runs
DATA     ?=
export YT8M_RUNS := $(RUNS)
ifneq ($(DATA),)
export YT8M_DATA := $(DATA)
endif

BIN  := .venv/bin
YT8M := $(BIN)/yt8m
RUN  := $(RUNS)/$(RECIPE)

need = $(if $($(1)),,echo "make $@ needs $(1)=, see: yt8m recipes" >&2; exit 2;)

.DEFAULT_GOAL := help
.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: help install demo test test-long submission submit results leaderboard bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

install: .venv/installed  ## make .venv and install the kit with its pinned requirements

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/installed-tests: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

demo: .venv/installed  ## the whole pipeline on a synthesized set, ending in a score table
	$(YT8M) synthesize data/demo
	@$(MAKE) --no-print-directory submission RECIPE=demo ENSEMBLE=blend DATA=
	@$(MAKE) --no-print-directory submit RECIPE=demo ENSEMBLE=blend DATA=
	@$(MAKE) --no-print-directory $(RUNS)/demo/blend/validate.graph.json RECIPE=demo ENSEMBLE=blend DATA=
	$(YT8M) report demo

test: .venv/installed-tests  ## lint, types and tests (under 10 minutes)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

test-long: .venv/installed-tests  ## the tests that take minutes
	$(BIN)/pytest -m long

submission: .venv/installed  ## RECIPE= ENSEMBLE= [DATA=]: from records to the CSV
	@$(call need,RECIPE) $(call need,ENSEMBLE)
	@$(MAKE) --no-print-directory $(RUN)/$(ENSEMBLE)/submission.csv

submit: .venv/installed  ## RECIPE= ENSEMBLE= [DATA=]: score the CSV on the local board
	@$(call need,RECIPE) $(call need,ENSEMBLE)
	@$(MAKE) --no-print-directory $(RUN)/$(ENSEMBLE)/score.json

results: .venv/installed  ## RECIPE= [DATA=]: train, export and score every member; print the table
	@$(call need,RECIPE)
	@set -e; for name in $$($(YT8M) members $(RECIPE)); do \
	  $(MAKE) --no-print-directory $(RUN)/$$name/validate.graph.json ENSEMBLE=$$name; done
	$(YT8M) report $(RECIPE) --markdown

leaderboard: .venv/installed  ## regenerate submissions/README.md
	$(YT8M) leaderboard

bench: .venv/installed-tests  ## run the benchmarks
	@set -e; for script in benchmarks/*.py; do $(BIN)/python $$script; done

clean:  ## remove .venv, runs/demo and data/demo
	rm -rf .venv runs/demo data/demo

# What follows what. A recipe is an order-only prerequisite: train itself refuses a changed member.
ifneq ($(and $(RECIPE),$(ENSEMBLE)),)
MEMBERS := $(if $(wildcard $(YT8M)),$(shell $(YT8M) members $(RECIPE) $(ENSEMBLE)))

$(RUN)/%/trained.weights.h5: | .venv/installed
	$(YT8M) train $(RECIPE) $*

$(RUN)/%/averaged.weights.h5: $(RUN)/%/trained.weights.h5
	$(YT8M) average $(RECIPE) $*

$(RUN)/%/validate.weights.json: $(RUN)/%/averaged.weights.h5
	$(YT8M) evaluate $(RECIPE) $*

$(RUN)/$(ENSEMBLE)/ensemble.json: $(MEMBERS:%=$(RUN)/%/validate.weights.json)
	$(YT8M) ensemble $(RECIPE) $(ENSEMBLE)

$(RUN)/$(ENSEMBLE)/plan.json: $(RUN)/$(ENSEMBLE)/ensemble.json
	$(YT8M) quantize $(RECIPE) $(ENSEMBLE)

$(RUN)/$(ENSEMBLE)/graph/saved_model.pb: $(RUN)/$(ENSEMBLE)/plan.json
	$(YT8M) export $(RECIPE) $(ENSEMBLE)

$(RUN)/$(ENSEMBLE)/validate.graph.json: $(RUN)/$(ENSEMBLE)/graph/saved_model.pb
	$(YT8M) evaluate $(RECIPE) $(ENSEMBLE)

$(RUN)/$(ENSEMBLE)/submission.csv: $(RUN)/$(ENSEMBLE)/graph/saved_model.pb
	$(YT8M) predict $(RECIPE) $(ENSEMBLE)

$(RUN)/$(ENSEMBLE)/score.json: $(RUN)/$(ENSEMBLE)/submission.csv
	$(YT8M) submit $(RECIPE) $(ENSEMBLE)
endif
