# make alone lists the targets. Everything is installed into .venv; runs/ and data/ hold what is made.
PYTHON   ?= python3
RUNS     ?= runs
DATA     ?=
EXTRA    ?=
PORT     ?=
PROCESSES ?= 2
EXTRAS   := cuda docs extract gcs http jax litert onnx ray report s3 serve tensorboard test test-stores
export YT8M_RUNS := $(RUNS)
ifneq ($(DATA),)
export YT8M_DATA := $(DATA)
endif

BIN  := .venv/bin
YT8M := $(BIN)/yt8m
# Two processes, as many of a test's steps take one core: starts, tracing, waiting.
PYTEST := $(BIN)/pytest --numprocesses=$(PROCESSES) --dist=loadfile

PIP  := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# pip takes five warnings and two errors to say that it is offline.
LOG  := .venv/pip.log
pip   = $(PIP) $(1) > $(LOG) 2>&1 || { if grep -q 'Retrying (Retry(total=0' $(LOG); \
  then echo "pip reaches no package index; go online, or set PIP_INDEX_URL or PIP_FIND_LINKS (see $(LOG))"; \
  else cat $(LOG); fi >&2; exit 1; }

# Mistakes on the command line are named before anything is installed.
need = $(if $(filter $(1),$(MAKECMDGOALS)),$(foreach name,$(2),$(if $($(name)),,\
  $(error make $(1) needs $(name)=; submissions/ has the recipes, each with its ensembles))))
$(call need,submission,RECIPE ENSEMBLE)$(call need,submit,RECIPE ENSEMBLE)$(call need,results,RECIPE)$(call need,tensorboard,RECIPE)$(call need,serve,RECIPE NAME)
$(if $(filter-out local kaggle,$(TO)),$(error TO must be local or kaggle; got TO=$(TO)))
$(if $(filter-out $(EXTRAS),$(EXTRA)),$(error EXTRA must be one of $(EXTRAS); got EXTRA=$(EXTRA)))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install environment constraints demo videos-demo test test-long coverage submission submit results \
  leaderboard tensorboard serve faults fuzz kills bench docs clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

install: .venv/installed $(EXTRA:%=.venv/installed-%)  ## [EXTRA=cuda]: make .venv, install the kit as pinned

# Looked at before every target that uses .venv: an upgrade of the system's Python or a moved folder breaks it.
SUPPORTED := 3.11.*|3.12.*|3.13.*
environment:
	@fail() { echo "$$1" >&2; exit 2; }; \
	if test -e .venv/unfinished; then rm -rf .venv; fi; \
	version() { "$$1" -c 'import platform; print(platform.python_version())' 2>/dev/null || echo not found; }; \
	if test -e .venv || test -h .venv; then \
	  case $$(version $(BIN)/python) in $(SUPPORTED)) ;; \
	    *) fail ".venv has no working Python 3.11 to 3.13; delete it (rm -rf .venv) and run make again";; esac; \
	  test -x "$$(sed -n '1s/^#!//p' $(BIN)/pip 2>/dev/null)" || \
	    fail ".venv is incomplete or was moved; delete it (rm -rf .venv) and run make again"; \
	else \
	  found=$$(version $(PYTHON)); case $$found in $(SUPPORTED)) ;; \
	    *) fail "the kit needs Python 3.11 to 3.13; $(PYTHON) is $$found; set PYTHON=, e.g. python3.12";; esac; \
	  mkdir .venv && touch .venv/unfinished && $(PYTHON) -m venv .venv && rm .venv/unfinished \
	    || { rm -rf .venv; exit 1; }; \
	fi

.venv/installed: requirements.txt constraints.txt pyproject.toml | environment
	@echo "installing into .venv"; $(call pip,-r requirements.txt)
	@$(call pip,--no-deps -e .)
	@touch $@

.venv/installed-%: .venv/installed
	@echo "installing the extra $* into .venv"; $(call pip,-e '.[$*]')
	@touch $@

constraints:  ## [UPGRADE=1]: resolve constraints.txt again, with uv (UPGRADE=1: to newer versions)
	uv pip compile pyproject.toml $(patsubst %,--extra %,$(EXTRAS)) --universal --python-version 3.11 --quiet \
	  --no-emit-index-url --custom-compile-command "make constraints" $(if $(UPGRADE),--upgrade) -o constraints.txt

demo: .venv/installed-report  ## the whole pipeline on a synthesized set, ending in a score table
	$(YT8M) synthesize data/demo
	$(YT8M) run demo blend --to=submit,evaluate --data=data/demo
	$(YT8M) report demo

DRAWN   := data/drawn
EXTRACT := --recipe=videos --image=MobileNetV3Small --size=96 --segments=4 --jobs=2 \
  --image_weights=$(DRAWN)/image.weights.h5 --audio_weights=$(DRAWN)/sound.ckpt
videos-demo: .venv/installed-report .venv/installed-extract  ## from drawn video files to the name of one's own video
	$(BIN)/python -m tools.draw_videos $(DRAWN)
	@set -e; for split in train validate test; do \
	  $(YT8M) extract $(DRAWN)/$$split data/videos --split=$$split $(EXTRACT); done
	$(YT8M) run videos all --to=evaluate,predict --data=data/videos
	$(YT8M) report videos --data=data/videos
	$(YT8M) show videos all --data=data/videos --video=own.mp4

test: .venv/installed-test  ## [PROCESSES=2]: lint, types and tests (under 10 minutes)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST)

# In the order of names: by number of tests, a file with one test of ten minutes would come last, alone.
test-long: .venv/installed-test  ## [PROCESSES=2]: the tests that take minutes
	$(PYTEST) --no-loadscope-reorder -m long

coverage: .venv/installed-test  ## which lines of yt8m_kit the tests run, their child processes included
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

submission: .venv/installed  ## RECIPE= ENSEMBLE= [DATA=]: from records to the CSV
	$(YT8M) run $(RECIPE) $(ENSEMBLE)

submit: .venv/installed  ## RECIPE= ENSEMBLE= [DATA=] [TO=kaggle]: score the CSV here, or submit it to Kaggle
	$(YT8M) run $(RECIPE) $(ENSEMBLE) --to=$(if $(filter kaggle,$(TO)),predict,submit)
	$(if $(filter kaggle,$(TO)),$(YT8M) submit $(RECIPE) $(ENSEMBLE) --to=kaggle)
	$(if $(filter kaggle,$(TO)),$(YT8M) leaderboard)

results: .venv/installed  ## RECIPE= [DATA=]: train, export and score all members and ensembles; print the table
	$(YT8M) run $(RECIPE) --to=evaluate
	$(YT8M) report $(RECIPE) --markdown

leaderboard: .venv/installed  ## regenerate submissions/README.md
	$(YT8M) leaderboard

tensorboard: .venv/installed-tensorboard  ## RECIPE= [PORT=6006]: curves, scores and settings in TensorBoard
	$(YT8M) tensorboard $(RECIPE) $(PORT:%=--port=%)

serve: .venv/installed-serve  ## RECIPE= NAME= [PORT=8501]: answer predictions of an exported graph over HTTP
	$(YT8M) serve $(RECIPE) $(NAME) $(PORT:%=--port=%)

faults: .venv/installed-test  ## generate docs/faults.md: each fault of a submission to Kaggle (half an hour)
	$(BIN)/python -m tools.fault_table --write

fuzz: .venv/installed-test  ## generate docs/faults_files.md: damage to every kind of file (ten minutes)
	$(BIN)/python -m tools.fuzz --write

kills: .venv/installed-test  ## generate docs/faults_kills.md: kills and full disks in every stage (an hour)
	$(BIN)/python -m tools.kill_campaign --write
	$(BIN)/python -m tools.full_disk --write

# The machine first; reading, training, predicting; then codes and blends of docs/quantization.md.
BENCHMARKS := harness.machine data.reader data.reader_scaling data.download data.extract training.train_step \
  training.share training.compilation training.growth training.jax_step training.start inference.predict \
  inference.csv_text inference.top inference.gap inference.validate_csv export.serving export.encode \
  export.blend export.arithmetic
bench: .venv/installed-test  ## [DATA=]: run the benchmarks and write docs/performance.md, docs/quantization.md
	@set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name --write; done
	@# Three of its six cases: all of them take half an hour alone.
	$(BIN)/python -m benchmarks.export.export_at_size --cases=six_uint8,six_int4,eighteen_int4 --write
	@# Of trained members, each skipped with a line where they are not in RUNS.
	@$(BIN)/python -m benchmarks.export.blend --recipe reach --ensemble within_20_mb --write
	@set -e; for recipe in audioset expanded reach; do $(BIN)/python -m benchmarks.results $$recipe --write; done
	@$(BIN)/python -m benchmarks.training.techniques --write
	@$(BIN)/python -m benchmarks.training.soft_labels --student video_moe --write
	@$(BIN)/python -m benchmarks.export.codec_loss --write
	@$(BIN)/python -m benchmarks.export.arithmetic_loss --write

docs: .venv/installed  ## the pages of docs/ and an API reference as a site, site/index.html
	$(PIP) -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

clean:  ## remove .venv, runs/demo, runs/videos and what the demos put into data/
	rm -rf .venv runs/demo runs/videos data/demo $(DRAWN) data/videos
