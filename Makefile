# `make` alone lists the targets. Everything runs in .venv, which is made from the lock files when it is needed.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help environment setup demo test test-slow test-minimum chaos lint format dag status report bench evidence baselines tabulate clean

VENV := .venv
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c '$(SUPPORTED)' 2>/dev/null && command -v "$$python" && break; done)
CONFIG ?= config/presets/digits.yaml
CORES ?= all

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# An environment cannot be moved: its programs hold the path of its folder. So `made-for` holds this path with the locks.
# The lock has all packages but those of torch's CUDA builds, which the last but one command adds where torch needs them.
MADE_FOR := { pwd -P; cat requirements.lock requirements-torch.lock; }
INSTALL := python -m pip install --quiet --disable-pip-version-check
environment:
	@if ! $(MADE_FOR) | cmp -s - $(VENV)/made-for || ! $(VENV)/bin/python -c 'import nasmake, snakemake_executor_plugin_pbs.verdicts' 2>/dev/null; then \
		test ! -L $(VENV) || { echo "error: $(VENV) is a link to another environment, which would be made anew; type: rm $(VENV)"; exit 1; }; \
		test -n "$(PYTHON)" || { echo "error: no Python 3.11 to 3.14 found; install one, or: make PYTHON=/path/to/python"; exit 1; }; \
		echo "making $(VENV) with $$("$(PYTHON)" --version), since none fits this folder and its lock files; a few minutes"; \
		"$(PYTHON)" -m venv --clear $(VENV) && \
		$(INSTALL) --no-deps --require-hashes --requirement requirements.lock && \
		$(INSTALL) --requirement requirements-torch.lock && \
		$(INSTALL) --no-deps --no-build-isolation --editable . --editable ./packages/snakemake-executor-plugin-pbs && \
		$(MADE_FOR) > $(VENV)/made-for; \
	fi

setup: environment ## make the environment and link the profiles, so that `snakemake --profile abci` finds them
	@python scripts/link_profiles.py
	@echo "ready; in this shell type: source $(VENV)/bin/activate"

demo: environment ## search, retrain and test a network on real digits: minutes on a CPU, no network needed
	@snakemake --configfile config/presets/digits.yaml --cores $(CORES)
	@$(MAKE) --no-print-directory report CONFIG=config/presets/digits.yaml

# Three processes for two cores, since tests of clusters and of signals wait for much of their time.
PYTEST := python -m pytest -n 3 --dist loadfile
test: environment lint ## lint and the fast tests
	$(PYTEST) -m "not slow"

# The first failure ends the run: its report would come late after three quarters of an hour.
test-slow: environment ## whole studies, kill and resume, a real Slurm: up to 45 minutes
	$(PYTEST) --timeout 1500 --verbose --exitfirst -m slow

# Rooms whose tests run in seconds. torch and Lightning keep the lock's versions; scripts/minimum_requirements.py says why.
MINIMUM := .venv-minimum
test-minimum: environment ## the tests of six rooms with the lowest versions of the dependencies; needs Python 3.11 to 3.13
	"$(PYTHON)" -m venv --clear $(MINIMUM)
	python scripts/minimum_requirements.py > $(MINIMUM)/requirements.txt
	$(MINIMUM)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(MINIMUM)/requirements.txt
	$(MINIMUM)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	PATH="$(CURDIR)/$(MINIMUM)/bin:$$PATH" python -m pytest -m "not slow" \
		$(addprefix tests/,core config search_spaces costs study strategies)

N ?= 50
SEED ?= 1
EXECUTOR ?= local
chaos: environment ## disturb a small study N times at random, and compare its results: make chaos N=50 SEED=1
	@python tests/workflow/chaos.py --number $(N) --seed $(SEED) --executor $(EXECUTOR)

lint: environment ## ruff, snakefmt, mypy, import-linter, codespell, snakemake --lint
	ruff check --quiet .
	ruff format --quiet --check .
	snakefmt --check Snakefile workflow/rules
	mypy
	lint-imports --no-cache --no-logo
	codespell
	snakemake --lint --quiet

format: environment ## mend what can be mended by machine
	ruff check --quiet --fix .
	ruff format --quiet .
	python scripts/draw_tree.py
	snakefmt Snakefile workflow/rules

dag: environment ## draw the rule graph into README.md, and as SVG where graphviz is there
	@python scripts/draw_dag.py

status: environment ## how far a run is: make status CONFIG=my.yaml
	@python scripts/status.py --configfile "$(CONFIG)"

report: environment ## write one offline page about a run, also while it runs: make report CONFIG=my.yaml, or RUN=digits
	@python scripts/make_report.py $(if $(RUN),--run "$(RUN)",$(CONFIG))

bench: environment ## measure speed, side by side; writes bench/bench.json
	@python scripts/bench.py

evidence: environment ## does the search work? rankings and searches judged by a benchmark table; 20 to 30 minutes on 2 cores
	@snakemake --configfile config/presets/evidence.yaml --cores $(CORES) -- evidence

baselines: environment ## is a found network better than others of equal cost? Fashion-MNIST, 80 minutes on 2 cores
	@snakemake --configfile config/presets/baselines.yaml --cores $(CORES) -- baselines

SPACE ?= fashion_mnist
tabulate: environment ## train every network of a search space from scratch: make tabulate SPACE=fashion_mnist; hours
	@test -f "config/presets/tabulate_$(SPACE).yaml" || { echo "error: SPACE is $(SPACE); expected one of:" \
		$(patsubst config/presets/tabulate_%.yaml,%,$(wildcard config/presets/tabulate_*.yaml)); exit 1; }
	@snakemake --configfile "config/presets/tabulate_$(SPACE).yaml" --cores $(CORES) -- benchmark_table

clean: ## remove the environment and caches; results and data stay
	rm -rf $(VENV) $(MINIMUM) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
