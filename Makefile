# Everything here sets itself up: a machine needs Python 3.10-3.12 and make, nothing else.

RUN ?= runs/demo
MOTION ?= runs/motion
SEED ?= 0

VENV := .venv
PY := $(VENV)/bin/python
# make ... GPU=1 installs the CUDA libraries too, 3 GB more.
GPU ?=
ON_GPU := $(filter-out 0,$(GPU))
READY := $(VENV)/.ready$(if $(ON_GPU),_gpu)
MOTION_READY := $(VENV)/.motion

# The tested set of versions was frozen on 3.11; the interpreter must also be able to make virtual environments.
FIND_PYTHON = for p in $(PYTHON) python3.11 python3.12 python3.10 python3; do \
    $$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))' 2>/dev/null \
      && echo $$p && break; done

# Without compiled bytecode every process would compile TensorFlow anew, which takes tens of seconds.
unexport PYTHONDONTWRITEBYTECODE
unexport PIP_NO_COMPILE

comma := ,
# uv installs in half the time; where it cannot be had, pip does.
PIP := $(PY) -m pip install -qq --disable-pip-version-check --no-input
WHAT := -c constraints.txt -e ".[dev$(if $(ON_GPU),$(comma)gpu)]"
INSTALL = { $(PIP) uv 2>/dev/null && $(VENV)/bin/uv pip install -q --compile-bytecode --python $(PY) $(WHAT); } || \
  $(PIP) --compile $(WHAT)

# Each file on one of two processes, so that what its tests share is made once; the longest files first.
PYTEST := $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo motion-data images chaos speed test test-slow test-all nightly lint format clean

help:
	@echo "make demo       a whole progressive search on generated videos"
	@echo "                (make demo SEED=1 RUN=runs/demo_seed1: another seed, another run folder)"
	@echo "                (make demo GPU=1: with the CUDA libraries for an NVIDIA GPU, as all that follows)"
	@echo "make motion-data  films a simulated robot (Meta-World) and prepares the records: half an hour"
	@echo "make images     the pictures in README.md, from the demo's run folder (needs chromium)"
	@echo "make chaos      kills the demo at random moments and compares the end with an undisturbed run: an hour"
	@echo "make speed      how fast models are, beside docs/speed.json"
	@echo "make test       lint and the fast tests"
	@echo "make test-slow  the long tests: replicas, interruptions, end to end"
	@echo "make test-all   lint and both, which is what CI runs; the slowest 20 at the end"
	@echo "make nightly    what takes hours: chaos in every phase, seeds, full size (CONTRIBUTING.md)"
	@echo "make lint       ruff, without changing anything"
	@echo "make format     ruff, changing the files"
	@echo "make clean      removes caches and $(VENV); keeps runs/"

$(READY): setup.py constraints.txt
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
	  echo "error: expected Python 3.10 to 3.12 with venv on the PATH, found none (or: make PYTHON=/path/to/python)" >&2; \
	  exit 2; \
	fi; \
	echo "Setting up $(VENV) with $$($$python --version): downloads about $(if $(ON_GPU),4,1) GB, once, some minutes ..."; \
	$$python -m venv $(VENV)
	@$(INSTALL)
	@touch $@

demo: $(READY)
	@$(PY) bin/make_demo_videos.py --output=$(RUN)/videos
	@$(PY) bin/prepare_data.py --annotations=$(RUN)/videos/annotations.csv --short_side=48 --output=$(RUN)/data
	@$(PY) bin/progressive.py --gin_file=gin/demo.gin --workdir=$(RUN) \
	  --gin_bindings="seed = $(SEED)" --gin_bindings="data_dir = '$(RUN)/data'"
	@$(PY) bin/export.py --workdir=$(RUN)/train --output=$(RUN)/saved_model
	@video=$$(awk -F, '$$3 == "test" { print $$1; exit }' $(RUN)/videos/annotations.csv); \
	$(PY) bin/predict.py --saved_model=$(RUN)/saved_model --video=$(RUN)/videos/$$video
	@$(PY) bin/report.py --workdir=$(RUN)
	@echo "Everything is in $(RUN)/. Open $(RUN)/report.html in a browser; the numbers are in $(RUN)/summary.json."
	@echo "Curves: $(VENV)/bin/tensorboard --logdir $(RUN)"

# Meta-World's simulated robot, filmed and prepared. Mesa's off-screen library draws; of EGL it is MUJOCO_GL=egl.
motion-data: $(MOTION_READY)
	@if [ "$${MUJOCO_GL:-osmesa}" = osmesa ] && ! ldconfig -p | grep -q libOSMesa; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    { apt-get -qq update && apt-get -qq install -y --no-install-recommends libosmesa6; } >/dev/null; \
	  fi; \
	  ldconfig -p | grep -q libOSMesa || \
	    { echo "error: expected libOSMesa (Debian: apt-get install libosmesa6) or MUJOCO_GL=egl, found neither" >&2; exit 2; }; \
	fi
	@$(PY) bin/make_motion_videos.py --output=$(MOTION)/videos
	@$(PY) bin/prepare_data.py --annotations=$(MOTION)/videos/annotations.csv --short_side=48 --output=$(MOTION)/data
	@echo "Records of the filmed robot are in $(MOTION)/data; gin/data/motion.gin reads them."

$(MOTION_READY): $(READY)
	@$(PY) -m pip install -qq --disable-pip-version-check --no-input --compile -c constraints.txt -e ".[motion]"
	@touch $@

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
	@$(PYTEST)

test-slow: $(READY)
	@$(PYTEST) -m slow --durations=20

test-all: lint
	@$(PYTEST) -m "not nightly" --durations=20

nightly: $(READY)
	@$(PYTEST) -m nightly --durations=0

lint: $(READY)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

format: $(READY)
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
