# `make` lists the targets. Each sets up what it needs in .venv first; PYTHON= names the interpreter to make it with,
# ARGS= passes arguments on: make test ARGS="-k routing", make run ARGS="--port 9000". The tests run on every core;
# make test ARGS="-n0 --pdb" runs them in one process.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SETUP = PYTHON="$(PYTHON)" scripts/setup.sh
BIN = .venv/bin
PARALLEL = --numprocesses auto --dist worksteal

.PHONY: help run test check e2e bench chaos format lint spell guard types imports suite cov newcomer lock hooks clean setup \
	setup-dev image up down docs picture

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup:
	@$(SETUP) run

setup-dev:
	@$(SETUP) dev

run: setup ## set everything up and start the gateway in the foreground
	@exec $(BIN)/keyturn serve $(ARGS)

test: setup-dev ## set everything up and run the whole test suite
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

check: lint spell guard types imports suite ## what CI runs: all the checks, and the tests (those of make e2e apart)

e2e: setup-dev ## run the tests that drive the real Claude Code CLI (installs it under .e2e)
	@claude=$$(scripts/claude-cli.sh) && older=$$(scripts/claude-cli.sh older) && \
		KEYTURN_TEST_CLAUDE="$$claude" KEYTURN_TEST_OLDER_CLAUDE="$$older" $(BIN)/python -m pytest $(PARALLEL) tests/e2e $(ARGS)

bench: setup-dev ## measure the gateway's CPU time per request and per chunk
	@$(BIN)/python -m tests.bench $(ARGS)

chaos: setup-dev ## several gateways on one Redis, which is killed, hung, slow ...: a table of what came of it
	@$(BIN)/python -m tests.chaos $(ARGS)

format: setup-dev ## rewrite the source in the project's format
	@$(BIN)/ruff check --quiet --fix-only . && $(BIN)/ruff format .

lint: setup-dev ## check format and lint rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

spell: setup-dev ## check spelling
	@$(BIN)/codespell

guard: setup-dev ## refuse secrets, large files and lock files that are stale or carry addresses
	@$(BIN)/python scripts/guard.py

types: setup-dev ## check types
	@$(BIN)/mypy

imports: setup-dev ## check who imports whom
	@$(BIN)/lint-imports --no-logo

suite: setup-dev
	@$(BIN)/python -m pytest $(PARALLEL) --ignore=tests/e2e $(ARGS)

cov: setup-dev ## the same tests with branch coverage and its floor, which takes twice as long
	@$(BIN)/python -m pytest $(PARALLEL) --cov --ignore=tests/e2e $(ARGS)

docs: setup ## make .env.example, docs/providers.md and docs/configuration.md anew from the settings and the catalog
	@$(BIN)/python -m gateway.cli.env_example > .env.example
	@$(BIN)/python -m gateway.cli.providers_table > docs/providers.md
	@$(BIN)/python -m gateway.cli.configuration_page > docs/configuration.md

picture: setup-dev ## make docs/picture.svg anew (tmux, and the real Claude Code CLI, which it installs under .e2e)
	@claude=$$(scripts/claude-cli.sh) && KEYTURN_TEST_CLAUDE="$$claude" $(BIN)/python -m scripts.picture

newcomer: ## make run in a clean clone, twice, as the README has it
	@scripts/newcomer.sh

image: ## build the container image keyturn:latest (needs docker)
	@docker build -f deploy/Dockerfile -t keyturn:latest $(ARGS) .

COMPOSE = $$(docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

up: ## start the gateway with Redis, Prometheus and Grafana (needs docker with compose, and deploy/.env)
	@test -f deploy/.env || { echo "make up needs deploy/.env: cp deploy/env.example deploy/.env, and fill it in." >&2; exit 1; }
	@$(COMPOSE) -p keyturn -f deploy/compose.yaml up --detach --build $(ARGS)

down: ## stop what make up started
	@$(COMPOSE) -p keyturn -f deploy/compose.yaml down $(ARGS)

lock: ## pin the packages anew (needs uv); ARGS=--upgrade takes the newest
	@command -v uv >/dev/null || { echo "make lock needs uv on PATH." >&2; exit 1; }
	@uv pip compile $(LOCK) -o requirements/dev.txt $(ARGS) --extra dev pyproject.toml requirements/build.in
	@uv pip compile $(LOCK) -o requirements/run.txt $(ARGS) -c requirements/dev.txt pyproject.toml requirements/build.in
LOCK = --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links

hooks: setup-dev ## check every commit before it is made (pre-commit)
	@$(BIN)/pre-commit install

clean: ## remove everything that make made
	rm -rf .venv .e2e dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
