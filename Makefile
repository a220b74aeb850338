# Needs Python 3.11 or newer and a package index; nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PACKAGES := agent api embark evals guardrails ingest onboarding retrieval tools
BENCH ?= $(filter-out soak,$(basename $(notdir $(sort $(wildcard benchmarks/*.py)))))
NONE_IS_FINE := || [ $$? -eq 5 ]
STYLE := ../shared/checks/style_metrics.py

.PHONY: lock setup demo test check format format-check lint types layers style web bench soak soak-server soak-actions soak-tenancy clean help

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv and install; quick when nothing changed

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Embark needs Python 3.11 or newer; name one: make PYTHON=python3.12 setup")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar off -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: setup ## Start Harbor, index its docs, serve them and open the chat page
	$(BIN)/embark --config examples/harbor/embark.toml demo $(ARGS)

test: setup ## Run every test; ARGS narrows it (ARGS=tests/agent)
	$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder -m "not alone" $(ARGS) $(NONE_IS_FINE)
	$(BIN)/python -m pytest -q -m alone $(ARGS) $(NONE_IS_FINE)

check: setup format-check lint types layers style test ## Everything that a change must pass

format: setup ## Rewrite the code in the one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .

format-check: setup
	$(BIN)/ruff format --check .

lint: setup
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

layers: setup
	$(BIN)/lint-imports

style: setup
	@if [ -f $(STYLE) ]; then \
		$(BIN)/python $(STYLE) $(PACKAGES) --name embark --header --worst 5 --gate; \
	else \
		echo "style metrics: skipped, $(STYLE) is not here"; \
	fi

web: ## Check and build the widget from its sources (needs Node 20)
	npm ci --prefix web --no-audit --no-fund
	npm run check --prefix web
	npm test --prefix web
	npm run build --prefix web

bench: setup ## Measure speed and quality; prints tables (BENCH=encoder for one of them)
	@for name in $(BENCH); do echo "== $$name"; $(BIN)/python benchmarks/$$name.py $(ARGS) || exit 1; done

# Counts of the long runs; smaller ones run in every `make test`.
KILLS ?= 10000
SCHEDULES ?= 1000000
MUTATIONS ?= 100000
RECEIPTS ?= 1000000
ATTACKS ?= 10000
TENANCY ?= 1000000
TENANTS ?= 1000

soak: soak-server soak-actions soak-tenancy ## Everything that takes hours

soak-server: setup ## Keep the server under load while the index switches
	$(BIN)/python benchmarks/soak.py $(ARGS)

soak-actions: setup ## Kills, schedules, forged receipts and attacks in full numbers
	$(BIN)/python -m tests.e2e.killing --kills $(KILLS)
	$(BIN)/python -m tests.tools.simulation --schedules $(SCHEDULES)
	$(BIN)/python -m tests.tools.receipts --mutations $(MUTATIONS)
	$(BIN)/python -m tests.agent.attacking --cases $(ATTACKS)
	$(BIN)/python benchmarks/receipts.py --count $(RECEIPTS)

STORE_TESTS := tests/tools/journal tests/tools/held tests/agent/test_conversations_sql.py \
	tests/api tests/guardrails tests/retrieval

soak-tenancy: setup ## Requests to every route as other tenants, and every statement of the stores watched
	$(BIN)/python -m tests.e2e.tenancy --requests $(TENANCY) --tenants $(TENANTS)
	EMBARK_TEST_TENANTS=$(TENANTS) EMBARK_TEST_REVOCATIONS=1000 \
		$(BIN)/python -m pytest -q tests/e2e/tenancy/test_stores.py tests/agent/test_revoking.py
	$(BIN)/python -m pytest -q -p tests.e2e.tenancy.plugin $(STORE_TESTS)

clean: ## Remove the environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

lock: ## Write requirements.lock from the environment: names and versions only
	@{ echo "# Exact versions that resolve together; made by: make lock"; \
	$(BIN)/python -m pip freeze --all --exclude-editable --disable-pip-version-check \
		| sed -E 's/ @ .*//; s/\+cpu$$//' | grep -Ev '^(pip|embark-copilot)(=|$$)' | LC_ALL=C sort -f; } > requirements.lock
