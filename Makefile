# The two commands of the course are `make run` and `make test`; both make .venv first.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/ready
BROWSER := $(VENV)/browser
COLAB := .venv-colab
GET_CHROMIUM := apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium
LIKE_COLAB := $(wildcard $(patsubst %,tests/test_%.py,animation dashboard explorer share))

.PHONY: help run test test-slow test-colab lab bench gpu-day lint lessons check outputs mutants classifiers verdicts results
help:
	@echo "make run        lesson 1 from start to end: digits in runs/lesson01/"
	@echo "make test       unit tests, and every notebook in the short profile"
	@echo "make test-slow  what takes longer: real downloads, lessons in a browser"
	@echo "make test-colab widgets and lessons with the versions that Colab holds"
	@echo "make lab        JupyterLab in notebooks/"
	@echo "make bench      how fast this machine trains, in runs/bench/"
	@echo "make gpu-day    for authors: all that needs a GPU, in fifteen minutes"
	@echo "for authors:    make lessons | check | outputs | lint | results"
	@echo "                make classifiers | verdicts | mutants"

run: $(READY)
	$(PY) -m course_utils run 01 --out runs/lesson01

test: $(READY)
	$(PY) -m pytest --nbval

test-slow: $(READY) $(BROWSER)
	$(PY) -m pytest -m slow tests

# In an environment of its own, of 5 GB more.
test-colab: $(COLAB)/ready
	$(COLAB)/bin/python -m pytest --nbval $(LIKE_COLAB) notebooks

# With the settings of jupyter_server_config.py besides your own.
lab: $(READY)
	JUPYTER_CONFIG_PATH=$(CURDIR) $(PY) -m jupyterlab --notebook-dir=notebooks

bench: $(READY)
	$(PY) -m course_utils bench

# Goes on where it stopped. `python -m course_utils gpu-day --fill` writes the tables.
gpu-day: $(READY)
	$(PY) -m course_utils gpu-day

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

# Both editions from solutions/*.py; executes nothing.
lessons: $(READY)
	$(PY) -m course_utils lessons build

# Fails where notebooks have drifted from their source.
check: $(READY)
	$(PY) -m course_utils lessons check

# Executes the solved editions: outputs, figures, measured minutes, also in the README.
outputs: $(READY)
	$(PY) -m course_utils lessons outputs
	$(PY) -m course_utils gpu-day --fill

# Thousands of wrong answers made from each exercise's own: which does its check call right?
mutants: $(READY)
	$(PY) -m tests.mutants

# Trains the two classifiers that judge samples, and replaces those in course_utils/weights/.
classifiers: $(READY)
	$(PY) -m course_utils classifiers

# Trains every recipe from several seeds, hours long, but only what docs/results.md lacks.
results: $(READY)
	$(PY) -m course_utils results

# Plays every run of the gallery from several seeds: how often is a verdict right?
verdicts: $(READY)
	$(PY) -m course_utils verdicts

$(READY): requirements.txt requirements-test.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --editable ".[test]"
	@touch $(READY)

# What tests/browser/ needs. Where it cannot be had, its tests skip and say why; the next try is
# the next `make test-slow`.
$(BROWSER): $(READY) requirements-browser.txt
	-@$(PY) -m pip install --quiet --requirement requirements-browser.txt
	-@$(PY) tests/browser/chromium.py || if [ "$$(id -u)" = 0 ]; then $(GET_CHROMIUM); fi
	-@$(PY) -c "import playwright" && $(PY) tests/browser/chromium.py && touch $(BROWSER)

$(COLAB)/ready: requirements.txt requirements-test.txt requirements-colab.txt pyproject.toml
	$(PYTHON) -m venv $(COLAB)
	$(COLAB)/bin/python -m pip install --quiet --constraint requirements-colab.txt --editable ".[test]"
	@touch $(COLAB)/ready
