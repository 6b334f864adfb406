# Each target makes its own virtual environment where it is needed: python3 (3.11 or newer) and make are enough.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= twinseq-demo

.PHONY: demo test lint format docs dist bench clean

demo: $(VENV)/.ready
	$(BIN)/twinseq demo -o $(DEMO)

# A worker a core, each with one thread; neighbouring tests stay together, since they share what was fitted.
test: $(VENV)/.ready-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/.ready-dev docs
	$(BIN)/ruff check src tests benchmarks packaging
	$(BIN)/ruff format --check src tests benchmarks packaging
	$(BIN)/mypy

format: $(VENV)/.ready-dev
	$(BIN)/ruff check --fix src tests benchmarks packaging
	$(BIN)/ruff format src tests benchmarks packaging

docs: $(VENV)/.ready-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

dist: $(VENV)/.ready-dev
	$(BIN)/python -m build

bench: $(VENV)/.ready-dev
	$(BIN)/python benchmarks/fidelity.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/de_speed.py
	$(BIN)/python benchmarks/red_team.py
	$(BIN)/python benchmarks/red_team_checks.py
	$(BIN)/python benchmarks/privacy_frontier.py
	$(BIN)/python benchmarks/community.py --shadow

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("twinseq needs Python 3.11 or newer; say which: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint,docs]'
	touch $@

clean:
	rm -rf $(VENV) $(DEMO) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
