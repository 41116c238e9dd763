# Everything here sets itself up: a machine needs Python 3.10-3.12 and make, nothing else.

RUN ?= runs/demo
SEED ?= 0

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

# The tested set of versions was frozen on 3.11; the interpreter must also be able to make virtual environments.
FIND_PYTHON = for p in $(PYTHON) python3.11 python3.12 python3.10 python3; do \
    $$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))' 2>/dev/null \
      && echo $$p && break; done

# Without compiled bytecode every process would compile TensorFlow anew, which takes tens of seconds.
unexport PYTHONDONTWRITEBYTECODE
unexport PIP_NO_COMPILE

.DEFAULT_GOAL := help
.PHONY: help demo images chaos speed test test-slow lint format clean

help:
	@echo "make demo       a whole progressive search on generated videos"
	@echo "                (make demo SEED=1 RUN=runs/demo_seed1: another seed, another run folder)"
	@echo "make images     the pictures in README.md, from the demo's run folder (needs chromium)"
	@echo "make chaos      kills the demo at random moments and compares the end with an undisturbed run: an hour"
	@echo "make speed      how fast models are, beside docs/speed.json"
	@echo "make test       lint and the fast tests"
	@echo "make test-slow  the long tests: full-size model, replicas, end to end"
	@echo "make lint       ruff, without changing anything"
	@echo "make format     ruff, changing the files"
	@echo "make clean      removes caches and $(VENV); keeps runs/"

$(READY): setup.py constraints.txt
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
	  echo "error: expected Python 3.10 to 3.12 with venv on the PATH, found none (or: make PYTHON=/path/to/python)" >&2; \
	  exit 2; \
	fi; \
	echo "Setting up $(VENV) with $$($$python --version): downloads about 1 GB, once, some minutes ..."; \
	$$python -m venv $(VENV)
	@$(PY) -m pip install -qq --disable-pip-version-check --no-input --compile -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(READY)
	@$(PY) bin/make_demo_videos.py --output=$(RUN)/videos
	@$(PY) bin/prepare_data.py --annotations=$(RUN)/videos/annotations.csv --short_side=32 --output=$(RUN)/data
	@$(PY) bin/progressive.py --gin_file=gin/demo.gin --workdir=$(RUN) \
	  --gin_bindings="seed = $(SEED)" --gin_bindings="data_dir = '$(RUN)/data'"
	@$(PY) bin/export.py --workdir=$(RUN)/train --output=$(RUN)/saved_model
	@video=$$(awk -F, '$$3 == "test" { print $$1; exit }' $(RUN)/videos/annotations.csv); \
	$(PY) bin/predict.py --saved_model=$(RUN)/saved_model --video=$(RUN)/videos/$$video
	@$(PY) bin/report.py --workdir=$(RUN)
	@echo "Everything is in $(RUN)/. Open $(RUN)/report.html in a browser; the numbers are in $(RUN)/summary.json."
	@echo "Curves: $(VENV)/bin/tensorboard --logdir $(RUN)"

# The pictures in README.md, from the demo's run folder.
images: $(READY)
	@test -f $(RUN)/summary.json || \
	  { echo "error: expected a finished demo in $(RUN), found no $(RUN)/summary.json; run make demo first" >&2; exit 2; }
	@command -v chromium >/dev/null || \
	  { echo "error: expected chromium on the PATH for docs/images/report.png, found none" >&2; exit 2; }
	@$(PY) bin/report.py --workdir=$(RUN) --png
	@for name in architecture film_strip_sparse samples_train; do \
	  cp $(RUN)/report/$$name.png $(RUN)/report/$${name}_dark.png $(RUN)/report/$$name.svg docs/images/; done
	@chromium --headless=new --no-sandbox --hide-scrollbars --window-size=1280,1900 \
	  --screenshot=docs/images/report.png file://$(abspath $(RUN))/report.html 2>/dev/null
	@echo "docs/images: architecture, film_strip_sparse, samples_train and report are of $(RUN)"

chaos: $(READY)
	@$(PY) tests/chaos.py --workdir=$(RUN)_chaos

# What speed has become, beside what docs/speed.json has stored; it never fails.
speed: $(READY)
	@$(PY) bin/benchmark.py model --check=docs/speed.json || echo "warning: speed could not be measured" >&2

test: lint
	@$(PY) -m pytest -n 2

test-slow: $(READY)
	@$(PY) -m pytest -m slow -n 2 --dist loadfile --durations=15

lint: $(READY)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

format: $(READY)
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
