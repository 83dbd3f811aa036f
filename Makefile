# `make` lists the targets. Everything that they need is installed into .venv and node_modules.
PYTHON ?= python3
PORT ?= 8000
ARGS ?=
BIN := .venv/bin
TOOLS := .venv/.installed
NODE := node_modules/.installed-from
ATLASSIAN := .venv-mcp-atlassian/.installed-from

.DEFAULT_GOAL := help
.PHONY: help up test lint format check clean lock

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(TOOLS) $(NODE) $(ATLASSIAN) ## Run the dev stack on this machine (PORT=8000)
	@exec $(BIN)/python -m twin up --port $(PORT) $(ARGS)

test: $(TOOLS) $(NODE) $(ATLASSIAN) ## Run all tests (ARGS="-k name" for some)
	$(BIN)/pytest --numprocesses 2 --dist loadfile $(ARGS)

lint: $(TOOLS) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check --quiet

format: $(TOOLS) ## Format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

check: lint test ## Lint, then test

clean: ## Remove the twin's state (registrations, sign-ins, snippets) and reports
	rm -rf .twin .policy-coverage

lock: $(TOOLS) ## Pin all requirements again from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml --group dev --output-file requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml --constraint requirements-dev.txt --output-file requirements.txt
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --python-platform linux --group functions --constraint requirements-dev.txt --output-file functions_app/requirements.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 requirements-mcp-atlassian.in --output-file requirements-mcp-atlassian.txt

$(TOOLS): requirements-dev.txt
	@echo "Installing Python packages into .venv (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -c 'import uv' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements-dev.txt
	@# Compiles what a start needs, and not the thousands of modules of which it uses a few.
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -c 'import twin.cli, twin.session, twin.supervisor, twin.functions.host; from twin.azure.cloud import Cloud; from twin.stack import evaluate; evaluate({"local": "true", "entraAuthority": "http://localhost:8002"}, cloud=Cloud(gateway_url="http://localhost:8000"))'
	@touch $@

$(NODE): package-lock.json $(TOOLS)
	@echo "Installing Node packages into node_modules (once)"
	@$(BIN)/python -m twin.node
	@touch $@

$(ATLASSIAN): requirements-mcp-atlassian.txt $(TOOLS)
	@$(BIN)/python -m twin.mcp_atlassian
	@env -u PYTHONDONTWRITEBYTECODE .venv-mcp-atlassian/bin/python -W ignore -c 'import mcp_atlassian.servers'
	@touch $@
