# Needs make and Python 3.11 or newer; tools/bootstrap.py brings the packages of uv.lock, tools/prerequisites.py those of
# Debian that the tests need.
PYTHON ?= python3
BOOTSTRAP := $(PYTHON) tools/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help run test unit lint fmt perf guard cluster-tools cluster cluster-down test-cluster-quick test-cluster-short test-cluster clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 28

run: ## Install and run the whole service until Ctrl-C (PORT=8080, data in UPSCHEDULE_DATA=.data)
	@$(BOOTSTRAP) servers upschedule local

test: ## Lint, types and all tests against the real servers
	@$(BOOTSTRAP) --prerequisites test
	@$(BOOTSTRAP) dev nox --session lint
	@$(BOOTSTRAP) dev pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

unit: ## Unit tests and tests of the documentation, without servers (ARGS=-k words)
	@$(BOOTSTRAP) dev nox --session unit $(if $(ARGS),-- $(ARGS))

lint: ## Format, lint, types, import contracts, SQL, secrets, pinned hashes
	@$(BOOTSTRAP) dev nox --session lint

fmt: ## Format the code and fix what ruff can fix
	@$(BOOTSTRAP) lint ruff check --fix --exit-zero --quiet .
	@$(BOOTSTRAP) lint ruff format .

perf: ## Print the figures of every program under perf/
	@$(BOOTSTRAP) dev nox --session perf

guard: ## Fail where a route has become more than 1.5 times slower beside a bare one (a minute)
	@$(BOOTSTRAP) dev nox --session guard

cluster-tools: ## Find or build nomad, consul, nomad-autoscaler and pulumi (a quarter of an hour the first time)
	@$(PYTHON) -m tools.cluster.build

cluster: ## Start or update the whole cluster on this machine, in .cluster (needs root; ARGS=--free-ports, …)
	@$(BOOTSTRAP) cluster python -m tools.local_cluster up $(ARGS)

cluster-down: ## Stop it; its data stay (ARGS=--remove-data)
	@$(BOOTSTRAP) cluster python -m tools.local_cluster down $(ARGS)

test-cluster-quick: ## Test the cluster's plugins, program and job files (needs root; a few minutes)
	@$(BOOTSTRAP) --prerequisites test cluster
	@$(BOOTSTRAP) dev nox --session cluster_quick

test-cluster-short: ## Test releases, failures and numbers of instances on the whole cluster (needs root; 15 minutes)
	@$(BOOTSTRAP) --prerequisites test cluster
	@$(BOOTSTRAP) dev nox --session cluster_short

test-cluster: ## Test the cluster's tools, and the cluster of `make cluster` (needs root)
	@$(BOOTSTRAP) --prerequisites test cluster
	@$(BOOTSTRAP) dev nox --session cluster_tooling cluster

clean: ## Remove what tools made; the data of `make run` stay
	@rm -rf .venv .tools .nox .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
