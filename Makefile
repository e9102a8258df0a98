# Everything a newcomer types. `make demo` and `make test` need nothing but Python 3.11.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The real client libraries that tests/clients/ runs: an environment beside the main one, never in it.
CLIENTS := $(VENV)-clients
# An S3 server that tests/logstore/s3 runs beside Ceph's, likewise.
SERVERS := $(VENV)-servers
# Iceberg, Spark and DuckDB's reader of Iceberg, that tests/lake runs on top of the main environment.
LAKE := $(VENV)-lake

.PHONY: demo test quick clients servers lake check lint types bench lock clean

demo: $(VENV)/.installed
	$(BIN)/aircon demo

test: $(VENV)/.installed-dev clients servers lake
	$(BIN)/pytest -q -n auto

quick: $(VENV)/.installed-dev
	$(BIN)/pytest -q -n auto -m "not slow"

clients: $(CLIENTS)/.installed

lake: $(LAKE)/.installed
	tests/support/install-java.sh

servers: $(SERVERS)/.installed
	tests/support/install-ceph.sh

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(VENV)/.installed-dev
	$(BIN)/mypy

check: lint types test

bench: $(VENV)/.installed-dev
	$(BIN)/python -m bench

# The lock files carry hashes and no index address: pip uses whatever index the machine is set up for.
# They are complete, so they are installed without resolving (--no-deps): a release that came out after
# them can not stop an installation, as it did where a package asks for another one's extra.
lock: $(VENV)/.installed-dev
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --extra dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate tests/clients/requirements.in -o tests/clients/requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate tests/logstore/s3/requirements.in -o tests/logstore/s3/requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate -c requirements-dev.lock --no-emit-package duckdb \
	  tests/lake/requirements.in -o tests/lake/requirements.lock

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	touch $@

$(VENV)/.installed-dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	touch $@ $(VENV)/.installed

$(CLIENTS)/bin/python:
	$(PYTHON) -m venv $(CLIENTS)

$(CLIENTS)/.installed: tests/clients/requirements.lock | $(CLIENTS)/bin/python
	$(CLIENTS)/bin/pip install -q --disable-pip-version-check --no-compile --require-hashes --no-deps \
	  -r tests/clients/requirements.lock
	touch $@

$(SERVERS)/bin/python:
	$(PYTHON) -m venv $(SERVERS)

$(SERVERS)/.installed: tests/logstore/s3/requirements.lock | $(SERVERS)/bin/python
	$(SERVERS)/bin/pip install -q --disable-pip-version-check --no-compile --require-hashes --no-deps \
	  -r tests/logstore/s3/requirements.lock
	touch $@

$(LAKE)/bin/python:
	$(PYTHON) -m venv $(LAKE)

$(LAKE)/.installed: tests/lake/requirements.lock | $(LAKE)/bin/python
	$(LAKE)/bin/pip install -q --disable-pip-version-check --no-compile --require-hashes --no-deps \
	  -r tests/lake/requirements.lock
	touch $@

clean:
	rm -rf $(VENV) $(CLIENTS) $(SERVERS) $(LAKE) .mypy_cache .ruff_cache .pytest_cache .hypothesis
