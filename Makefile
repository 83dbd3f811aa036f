# `make` lists the targets. Everything that they need is installed into .venv and node_modules.
# Written for GNU make 3.81, which macOS has, and a POSIX shell.
PYTHON ?= python3
PORT ?= 8000
STACK ?= dev
URL ?=
ARGS ?=
BIN := .venv/bin
ENVIRONMENT := .venv/.installed
COMPILED := .venv/.compiled
COLLECTED := .venv/.collected
PULUMI := .tools/bin/pulumi
POLICY := .tools/policy/.installed
NODE := node_modules/.installed-from
ATLASSIAN := .venv-mcp-atlassian/.installed-from
INSTALL := sh scripts/python.sh "$(PYTHON)" "$(firstword $(origin PYTHON))" "$(MAKECMDGOALS)"
# Many tests wait for other processes, so three workers keep two cores busy.
PARALLEL := --numprocesses 3 --no-loadscope-reorder --dist
LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11

# Modules are compiled once, not by every process.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help up agent preflight pin verify lock-tools admin test test-engine test-clients test-conformance lint format check clean lock force

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile

up: $(COMPILED) $(NODE) $(ATLASSIAN) ## Run the dev stack on this machine (PORT=8000)
	@exec $(BIN)/python -m twin up --agents --port $(PORT) $(ARGS)

# STACK on the command line selects a stack on Azure; without it the local twin is used.
agent: $(ENVIRONMENT) ## Chat with the demo agent, which uses all servers (of the local twin, or STACK=dev)
	@exec $(BIN)/python -m agent_demo $(if $(filter command environment,$(firstword $(origin STACK))),--stack $(STACK),--url $(or $(URL),http://localhost:$(PORT))) $(ARGS)

preflight: $(ENVIRONMENT) ## Check a stack before it is deployed (STACK=dev)
	@exec $(BIN)/python -m preflight --stack $(STACK) $(ARGS)

pin: $(ENVIRONMENT) ## Pin the images of a stack by digest (STACK=dev)
	@exec $(BIN)/python -m preflight.images --stack $(STACK) $(ARGS)

verify: $(ENVIRONMENT) ## Check a running stack (STACK=dev, or URL=http://localhost:8000)
	@exec $(BIN)/python -m verify $(URL) --stack $(STACK) $(ARGS)

lock-tools: $(ENVIRONMENT) ## Write the tools of a stack to tools.lock.json (of the local twin, or STACK=dev)
	@exec $(BIN)/python -m verify.lock_tools $(if $(URL),$(URL) --stack $(STACK),$(if $(filter command environment,$(firstword $(origin STACK))),--stack $(STACK),http://localhost:$(PORT))) $(ARGS)

admin: $(ENVIRONMENT) ## Manage grants, clients and keys of a stack (ARGS="grants --stack dev")
	@exec $(BIN)/python -m gateway.admin $(ARGS)

test: $(COLLECTED) $(NODE) $(ATLASSIAN) ## Run the tests (ARGS="-k name" for some)
	@$(BIN)/python -m tests.clients.install --fast
	$(BIN)/pytest $(PARALLEL) loadfile $(ARGS)

test-engine: $(COMPILED) $(PULUMI) $(POLICY) ## Deploy stacks with Pulumi's engine and doubles of its providers
	$(BIN)/pytest $(PARALLEL) loadscope tests/engine $(ARGS)

# The clients' packages are installed into .clients/. Missing toolchains (Go, Rust, Java) are listed.
test-clients: $(COMPILED) $(NODE) ## Connect real MCP clients to the twin and write their table
	@$(BIN)/python -m tests.clients.install
	$(BIN)/pytest --numprocesses 2 tests/clients --all-clients $(ARGS)
	@$(BIN)/python -m tests.clients.page

# CI fails if the results differ from docs/conformance.md.
test-conformance: $(COMPILED) $(NODE) ## Run external conformance suites against a twin and write their tables
	$(BIN)/pytest tests/conformance $(ARGS)
	@$(BIN)/python -m tests.conformance.report

lint: $(ENVIRONMENT) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check --quiet

format: $(ENVIRONMENT) ## Format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

check: lint test test-engine ## Lint, then run all tests

clean: ## Remove the twin's state (registrations, sign-ins, snippets) and reports
	@$(PYTHON) -m twin.clean .twin .policy-coverage

lock: $(BIN)/uv ## Pin all requirements again from pyproject.toml
	$(LOCK) --universal pyproject.toml --group dev --output-file requirements-dev.txt
	$(LOCK) --universal pyproject.toml --constraint requirements-dev.txt --output-file requirements.txt
	$(LOCK) --no-annotate --python-platform linux --group functions --constraint requirements-dev.txt --output-file functions_app/requirements.txt
	$(LOCK) --universal requirements-mcp-atlassian.in --output-file requirements-mcp-atlassian.txt

# The script checks .venv each time. It writes the file only when it installs something, so targets that depend on
# the file are not rebuilt without need.
$(ENVIRONMENT): force
	@$(INSTALL)

force:

# `make lock` needs only uv, not the requirements that it is about to change.
$(BIN)/uv:
	@$(INSTALL)

# The Pulumi CLI, which tools/pulumi pins. Without Go the tests are skipped and report what they need.
$(PULUMI): tools/pulumi/go.mod tools/pulumi/go.sum | $(ENVIRONMENT)
	@$(BIN)/python scripts/pulumi_cli.py

# An error in the program is ignored here and reported by the command that follows.
$(COMPILED): $(ENVIRONMENT)
	@$(BIN)/python -m twin.first_start 2>/dev/null || true
	@touch $@

# Otherwise each worker of the first run would compile all tests.
$(COLLECTED): $(ENVIRONMENT)
	@$(BIN)/pytest --collect-only --quiet >/dev/null 2>&1 & $(BIN)/python -m twin.first_start 2>/dev/null; wait
	@touch $(COMPILED) $@

# Pulumi's SDK for policy packs: tools/policy/requirements.txt says why it is not in .venv.
$(POLICY): tools/policy/requirements.txt | $(ENVIRONMENT)
	@$(BIN)/uv pip install --quiet --no-deps --require-hashes --target .tools/policy --requirements $<
	@touch $@

$(NODE): package-lock.json $(ENVIRONMENT)
	@echo "Installing Node packages into node_modules (once)"
	@$(BIN)/python -m twin.node
	@touch $@

$(ATLASSIAN): requirements-mcp-atlassian.txt $(ENVIRONMENT)
	@$(BIN)/python -m twin.mcp_atlassian
	@touch $@
