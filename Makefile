# Live Relight: `make run` is all it takes; `make help` lists the rest.
# PYTHON=python3.12 chooses another Python, ARGS="…" goes to the program, PYTEST_ARGS="…" to pytest.

BOOTSTRAP := scripts/bootstrap.sh
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run install test lint bench golden test-vm synth-sheet train lock clean

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

run: ## install what is missing, then relight: make run ARGS="--source demo --frames 120 --sink file:out.mp4"
	@$(BOOTSTRAP) run
	@$(BIN)/live-relight run $(ARGS)

install: ## only the environment, in .venv
	@$(BOOTSTRAP) run

test: ## install what is missing, then every check and test that CI runs
	@$(BOOTSTRAP) run dev train tools
	@$(MAKE) --no-print-directory checks
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: ## format check, ruff, mypy, import rules
	@$(BOOTSTRAP) run dev
	@$(MAKE) --no-print-directory checks

.PHONY: checks
checks:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: ## measure the pipeline on this machine: make bench ARGS="--json bench.json"
	@$(BOOTSTRAP) run
	@$(BIN)/live-relight bench $(ARGS)

golden: ## draw the golden pictures anew (look at them before you commit them)
	@$(BOOTSTRAP) run dev
	$(BIN)/python -m pytest tests --update-golden -m golden $(PYTEST_ARGS)

test-vm: ## only the tests in a virtual machine with a camera and a virtual camera
	@$(BOOTSTRAP) run dev tools
	$(BIN)/python -m pytest tests/device -m vm $(PYTEST_ARGS)

synth-sheet: ## render a few training pictures and clips; contact sheets and plots go to build/synth-*.png
	@$(BOOTSTRAP) run train
	$(BIN)/python -m training.synth make --out build/synth --count 240 --clips 10 --bodies 64 --seed 1 $(ARGS)
	$(BIN)/python -m training.synth sheet build/synth build/synth-sheet.png
	$(BIN)/python -m training.synth sheet --clips --rows 6 build/synth build/synth-clips.png
	$(BIN)/python -m training.synth stats build/synth build/synth-stats.png

# Both steps go on where they stopped. Hours on a CPU: PICTURES=2000 ARGS="--minutes 15" for a taste.
DATA ?= build/data
RUN ?= build/train
PICTURES ?= 40000
train: ## render the training set and train the network: make train ARGS="--minutes 60"
	@$(BOOTSTRAP) run train
	$(BIN)/python -m training.synth make --out $(DATA) --count $(PICTURES) --seed 0
	$(BIN)/python -m training.train --data $(DATA) --out $(RUN) $(ARGS)

lock: ## write requirements/*.lock anew; UPGRADE=1 takes newer versions
	scripts/lock.sh

clean: ## remove the environment and what was built
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
