# Set-up, training and checks; every target installs what it needs into .venv first.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
CLIENTS := .venv-clients
RUN := $(VENV)/bin/python
# The files of tests are shared out to two processes: most of them wait for one core. WORKERS=0 takes one process.
WORKERS ?= 2
SIDE_BY_SIDE = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
INSTALL := $(VENV)/bin/pip install --disable-pip-version-check --quiet --no-compile --constraint constraints.txt
# pip compiles on one core, and what nothing here imports as well; a few packages ship files that do not compile.
COMPILE := $(RUN) -m compileall -qq -j 0 -x '/tests/|/transformers/models/(?!__init__|auto|bert|roberta|xlm_roberta)' \
	$(VENV)/lib > /dev/null 2>&1 || true

export ZENML_ANALYTICS_OPT_IN = false
export ZENML_AUTO_OPEN_DASHBOARD = false
export MLFLOW_DISABLE_TELEMETRY = true
export DO_NOT_TRACK = 1

.DEFAULT_GOAL := help
.PHONY: help train serve monitor dashboard airflow-check test test-all browser monitoring-tools logql lint fmt clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(VENV)/.train: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python found; install Python 3.11, 3.12 or 3.13, or set PYTHON=/path/to/python" >&2; exit 2; }
	@test -x $(RUN) || $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); install Python 3.11, 3.12 or 3.13, or set PYTHON=/path/to/it" >&2; exit 2; }
	@echo "Setting up $(VENV) (some minutes the first time)"
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable '.[pipelines]'
	@$(COMPILE)
	@touch $@

$(VENV)/.serve: $(VENV)/.train
	$(INSTALL) --editable '.[pipelines,serving]'
	@$(COMPILE)
	@touch $@

$(VENV)/.test: $(VENV)/.train
	$(INSTALL) --editable '.[pipelines,serving,kubernetes,dev,parity]'
	@$(COMPILE)
	@touch $@

$(VENV)/.monitor: $(VENV)/.serve
	$(INSTALL) --editable '.[pipelines,serving,monitoring]'
	@$(COMPILE)
	@touch $@

# Other people's clients, in an environment of their own; uv takes seconds where pip takes minutes, but reads no pip.conf.
$(CLIENTS)/.ready: tests/clients/requirements.txt $(VENV)/.train
	@echo "Setting up $(CLIENTS)"
	@test -x $(CLIENTS)/bin/python || $(RUN) -m venv $(CLIENTS)
	@$(VENV)/bin/uv pip install --quiet --python $(CLIENTS)/bin/python --requirement $< 2> /dev/null || \
		$(CLIENTS)/bin/python -m pip install --disable-pip-version-check --quiet --requirement $<
	@touch $@

serve: $(VENV)/.serve ## Search the newest trained retriever in a browser, until Ctrl-C; ARGS=--in-process takes one process
	@$(RUN) -m deployment.serve --tied $(ARGS)

monitor: $(VENV)/.monitor monitoring-tools ## Watch running services: Prometheus, Alertmanager, Pushgateway and a page of panels, until Ctrl-C
	@$(RUN) -m monitoring.monitor --tied $(ARGS)

train: $(VENV)/.train ## Set up, then train on the bundled codes and print the result
	$(RUN) run.py --pipeline training

dashboard: $(VENV)/.train ## Show runs in the ZenML dashboard and the MLflow UI, until Ctrl-C
	@$(RUN) -m stacks.dashboard

airflow-check: $(VENV)/.train ## Have a real Airflow (installed into .venv-airflow) run the exported training pipeline
	$(RUN) -m stacks.airflow.check

test: $(VENV)/.test $(CLIENTS)/.ready browser monitoring-tools logql lint ## Lint, types, contracts and all tests but the slowest
	$(RUN) -m pytest -m "not slow" $(SIDE_BY_SIDE)

test-all: test ## The same, then the slowest tests
	$(RUN) -m pytest -m slow

browser: ## Install the browser of the page tests and fetch axe-core, where they are not there
	@.ci/browser
	@.ci/axe

monitoring-tools: ## Unpack Prometheus, Alertmanager and Pushgateway into .cache, where they are not installed
	@.ci/monitoring

logql: ## Fetch the parser of LogQL that Grafana uses, with which the tests read queries of logs
	@.ci/logql

lint: $(VENV)/.test ## Style, types, import contracts, and that generated files are as they would be made
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(RUN) -m retrieval.config.docs --check
	$(RUN) -m monitoring.rules --check
	$(RUN) -m monitoring.dashboards --check
	$(RUN) -m monitoring.monitor.compose_files --check

fmt: $(VENV)/.test ## Format, mend what can be mended and write generated files again
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .
	$(RUN) -m retrieval.config.docs
	$(RUN) -m monitoring.rules
	$(RUN) -m monitoring.dashboards
	$(RUN) -m monitoring.monitor.compose_files

clean: ## Remove what runs left behind, but not the environment or kept models
	rm -rf reports runs .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build *.egg-info
	find . -name __pycache__ -not -path './$(VENV)*/*' -prune -exec rm -rf {} +
