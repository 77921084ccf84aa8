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
RUN   = $(RUNS)/$(RECIPE)

# The recipe knows its stages, teachers before students: make follows the files that they make.
follow = mkdir -p $(RUN)/$(1) && $(YT8M) stages $(RECIPE) $(1) --make > $(RUN)/$(1)/stages.mk && \
  $(MAKE) --no-print-directory -f $(RUN)/$(1)/stages.mk YT8M=$(YT8M) $(RUN)/$(1)/$(2)
need = $(if $($(1)),,echo "make $@ needs $(1)=, see: yt8m recipes" >&2; exit 2;)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test test-long submission submit results leaderboard faults bench clean

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

demo: RECIPE = demo
demo: .venv/installed  ## the whole pipeline on a synthesized set, ending in a score table
	$(YT8M) synthesize data/demo
	@YT8M_DATA=data/demo; export YT8M_DATA; $(call follow,blend,score.json) && \
	  $(call follow,blend,validate.graph.json)
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
	@$(call follow,$(ENSEMBLE),submission.csv)

submit: .venv/installed  ## RECIPE= ENSEMBLE= [DATA=] [TO=kaggle]: score the CSV here, or hand it in to Kaggle
	@$(call need,RECIPE) $(call need,ENSEMBLE)
	@$(if $(filter-out local kaggle,$(TO)),echo "TO must be local or kaggle; got TO=$(TO)" >&2; exit 2)
	@$(call follow,$(ENSEMBLE),$(if $(filter kaggle,$(TO)),submission.csv,score.json))
	$(if $(filter kaggle,$(TO)),$(YT8M) submit $(RECIPE) $(ENSEMBLE) --to=kaggle)
	$(if $(filter kaggle,$(TO)),$(YT8M) leaderboard)

results: .venv/installed  ## RECIPE= [DATA=]: train, export and score all members and ensembles; print the table
	@$(call need,RECIPE)
	@set -e; for name in $$($(YT8M) members $(RECIPE); $(YT8M) ensembles $(RECIPE)); do $(call follow,$$name,validate.graph.json); done
	$(YT8M) report $(RECIPE) --markdown

leaderboard: .venv/installed  ## regenerate submissions/README.md
	$(YT8M) leaderboard

faults: .venv/installed-tests  ## generate docs/faults.md: each fault of a submission to Kaggle (half an hour)
	$(BIN)/python -m tools.fault_table --write

# The machine first; reading, training, predicting; then codes and blends of docs/quantization.md.
BENCHMARKS := harness.machine data.reader data.reader_scaling data.download training.train_step \
  training.compilation training.growth training.jax_step training.start inference.predict inference.csv_text \
  inference.gap inference.validate_csv export.encode export.blend
bench: .venv/installed-tests  ## [DATA=]: run the benchmarks and write docs/performance.md, docs/quantization.md
	@set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name --write; done
	@# Three of its six cases: all of them take half an hour alone.
	$(BIN)/python -m benchmarks.export.export_at_size --cases=six_uint8,six_int4,eighteen_int4 --write
	@# Of trained members, each skipped with a line where they are not in RUNS.
	@$(BIN)/python -m benchmarks.export.blend --recipe reach --ensemble within_20_mb --write
	@set -e; for recipe in audioset expanded reach; do $(BIN)/python -m benchmarks.results $$recipe --write; done
	@$(BIN)/python -m benchmarks.training.techniques --write
	@$(BIN)/python -m benchmarks.training.soft_labels --student video_moe --write
	@$(BIN)/python -m benchmarks.export.codec_loss --write

clean:  ## remove .venv, runs/demo and data/demo
	rm -rf .venv runs/demo data/demo
