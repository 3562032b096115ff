# `make demo` tries everything out, `make test` and `make check` are what CI runs. All install into .venv first.

PORT ?= 8000
DEMO_DIR ?= var/demo
# The first of 3.11 or newer that can make virtual environments, else the first of 3.11 or newer. The system's own comes
# before what version managers put into PATH: it is built with profile-guided optimisation, and what takes it five
# seconds takes others six. To have another: make PYTHON=python3.13
PYTHON ?= $(shell for needed in ensurepip sys; do \
	for p in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if $$p -c "import sys, $$needed; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; then echo $$p; exit; fi; done; done)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock

# Kept byte code saves each of the many processes that tests start from compiling everything anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-long check bench screenshots clean

demo: .venv/installed
	exec $(BIN)/python -m scheduler demo --dir $(DEMO_DIR) --port $(PORT)

test: .venv/installed-tools
	$(BIN)/python -m pytest -n 3  # one waits while two compute

# A thousand kills, and every SQL statement failing once (minutes); KILLS= changes how many.
test-long: .venv/installed-tools
	$(BIN)/python -m pytest -m long

check: .venv/installed-tools
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_imports.py tests/test_translations.py

# How fast it is, each figure beside the ceiling measured in the same run; fails when a target is missed.
bench: .venv/installed-tools
	$(BIN)/python -m bench

# The pictures of the README, taken from the running demonstration; needs Debian's chromium and fonts-noto-cjk.
screenshots: .venv/installed-tools
	$(BIN)/python docs/screenshots.py

clean:
	rm -rf .venv var

.venv/bin/python:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer is needed." >&2; exit 1; fi
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "A virtual environment cannot be made; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

# Order-only: a newer interpreter in the system is no reason to install again.
.venv/installed: pyproject.toml requirements.lock | .venv/bin/python
	$(INSTALL) --editable .
	@touch $@

.venv/installed-tools: pyproject.toml requirements.lock | .venv/bin/python
	$(INSTALL) --editable '.[test,check,bench]'
	@touch $@ .venv/installed
