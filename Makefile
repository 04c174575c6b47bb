# The two commands of the course are `make run` and `make test`; both make .venv first.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/ready

.PHONY: help run test test-slow lab bench lint lessons check outputs classifiers verdicts results
help:
	@echo "make run        lesson 1 from start to end: digits in runs/lesson01/"
	@echo "make test       unit tests, and every notebook in the short profile"
	@echo "make test-slow  what takes longer: real downloads"
	@echo "make lab        JupyterLab in notebooks/"
	@echo "make bench      how fast this machine trains, in runs/bench/"
	@echo "for authors:    make lessons | check | outputs | lint | results"
	@echo "                make classifiers | verdicts"

run: $(READY)
	$(PY) -m course_utils run 01 --out runs/lesson01

test: $(READY)
	$(PY) -m pytest --nbval

test-slow: $(READY)
	$(PY) -m pytest -m slow tests

lab: $(READY)
	$(PY) -m jupyterlab --notebook-dir=notebooks

bench: $(READY)
	$(PY) -m course_utils bench

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

# Both editions from solutions/*.py; executes nothing.
lessons: $(READY)
	$(PY) -m course_utils lessons build

# Fails where notebooks have drifted from their source.
check: $(READY)
	$(PY) -m course_utils lessons check

# Executes the solved editions: outputs, figures, measured minutes.
outputs: $(READY)
	$(PY) -m course_utils lessons outputs

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
