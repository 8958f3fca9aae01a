# Both commands do their own set-up in .venv; PYTHON=python3.12 chooses the interpreter.

MAKEFLAGS += --no-print-directory
bin := .venv/bin

.PHONY: help demo test test-slow constraints clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile | expand -t 20

demo: ## train on the demo leads and print what was measured
	@bash scripts/setup.sh
	$(bin)/python -m leadscore.train model=lightgbm features=+sessions

test: ## lint, formatting, types and the quick tests
	@bash scripts/setup.sh test
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/pytest -n 2 --dist worksteal

test-slow: ## the tests that take minutes
	@bash scripts/setup.sh test
	$(bin)/pytest -m slow

constraints: ## pin the newest versions that pyproject.toml allows
	rm -rf build/pins
	python3.11 -m venv build/pins # the oldest Python, so that the pins suit the newer ones too
	build/pins/bin/python -I -m pip install --quiet --upgrade --use-pep517 \
		editables hatchling setuptools wheel --editable '.[test]'
	build/pins/bin/python -I -m pip freeze --all --exclude pip --exclude-editable > constraints.txt

clean: ## remove .venv and the caches, never the runs in outputs/
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
