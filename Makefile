# Everything that people and CI run. `make` alone lists it.
# A machine needs Python 3.11 to 3.13, make and a package index; uv is fetched into .uv/ when it is not on the PATH.

.DEFAULT_GOAL := help
.PHONY: help setup demo test check e2e figures docs clean

UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .uv/bin/uv)
RUN := $(UV) run --frozen
export UV_PYTHON_DOWNLOADS := never
export UV_COMPILE_BYTECODE := 1

help: ## list the targets
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-16s%s\n", $$1, $$2}'

setup: ## make .venv exactly as uv.lock says
	@workflow/scripts/setup.sh "$(UV)"

demo: setup ## simulate a cohort of 600 and run everything on it: report, patient pages, model
	$(RUN) nociomics simulate demo --patients 600 --seed 1
	$(RUN) nociomics run demo/study.yaml --cores 2

# The workflow cannot be read without a study; the demo's is made when it is not there.
demo/study.yaml: | setup
	$(RUN) nociomics simulate demo --patients 600 --seed 1

test: setup ## run the tests
	$(RUN) pytest -q -n 2 --dist loadscope

check: setup demo/study.yaml ## style, types, import rules, workflow lint: changes no file of ours
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) lint-imports
	$(RUN) snakefmt --check workflow
	$(RUN) snakemake --lint --configfile demo/study.yaml

e2e: setup ## only the tests that run the workflow
	$(RUN) pytest -q tests/workflow

figures: setup ## redraw the pictures and the reference tables from the code
	$(RUN) python workflow/scripts/draw_architecture.py
	$(RUN) python workflow/scripts/draw_references.py

docs: setup ## rewrite the pages that are made from the code
	mkdir -p docs/reference
	$(RUN) typer nociomics.cli.app utils docs --name nociomics --output docs/reference/commands.md

clean: ## remove what a run leaves behind (keeps .venv and .uv)
	rm -rf demo results logs .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
