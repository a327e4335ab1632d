# Two commands matter: `make demo` and `make test`. Both install what they need into .venv.
PY      ?= python3
VENV    := .venv
LITELLM := .venv-litellm
DOCS    := .venv-docs
DEPLOY  := .venv-deploy
BIN     := $(VENV)/bin
PYTEST  ?= -n 2

.PHONY: demo test test-clients test-ray check-wheel audit lint types docs pages lint-deploy lock sbom clean help bench bench-recorded bench-decide bench-classifier bench-ledger \
	bench-transport bench-soak bench-idle bench-overload bench-replicas bench-translate bench-train bench-evaluate bench-litellm-env bench-gateway bench-gateway-env fuzz-gateway \
	bench-compare bench-curve bench-calibration bench-honest bench-guarantee bench-answer-scoring bench-cascade-buffer \
	bench-answer-auc bench-cascade-guarantee data

help:
	@echo "make demo          install and route a bundled mix of everyday requests through simulated models"
	@echo "make test          install and run everything CI checks"
	@echo "make test-clients  install real clients (SDKs, frameworks, coding agents) and run them against the gateway"
	@echo "make test-ray      install Ray and run the tests that need a cluster, and those that need an object store"
	@echo "make bench         reproduce the published numbers; DATA=FOLDER adds those on recorded outcomes"
	@echo "make docs          regenerate the generated pages and build the documentation site into site/"
	@echo "make check-wheel   build the wheel twice and hold it to the repository"
	@echo "make audit         ask PyPI whether anything pinned has a known vulnerability"
	@echo "make lint-deploy   check what stands in deploy/ with the tools that know its formats"
	@echo "make clean         remove what the targets made"

$(VENV)/.base: pyproject.toml
	$(PY) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: pyproject.toml
	$(PY) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.base

demo: $(VENV)/.base
	$(BIN)/pointsman demo

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

# The pages are tested in Debian's Chromium: Playwright's own browsers come from a host that not every machine reaches.
CHROMIUM := /usr/bin/chromium
$(CHROMIUM):
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; \
	else echo "the dashboard's tests need $(CHROMIUM): run 'apt-get install chromium' as root" >&2; exit 2; fi

# What replicas share is tested with the real server.
REDIS := /usr/bin/redis-server
$(REDIS):
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server; \
	else echo "the tests of several replicas need $(REDIS): run 'apt-get install redis-server' as root" >&2; exit 2; fi

# The ledger on a server is tested on Debian's, a cluster of whose own each test process makes and deletes.
POSTGRES := $(firstword $(wildcard /usr/lib/postgresql/*/bin/initdb) /usr/lib/postgresql)
/usr/lib/postgresql:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; \
	else echo "the ledger's tests need PostgreSQL: run 'apt-get install postgresql' as root" >&2; exit 2; fi

test: lint types $(CHROMIUM) $(REDIS) $(POSTGRES)
	$(BIN)/python scripts/make_docs.py --check
	$(BIN)/pytest $(PYTEST)

# Clients pin what other clients cannot live with: each has an environment of its own. Node 20 or newer must be there.
CLIENTS := $(patsubst tests/clients/requirements/%.txt,.venv-clients/%/.made,$(wildcard tests/clients/requirements/*.txt))
NODE_CLIENTS := tests/clients/node_modules/.made
.venv-clients/%/.made: tests/clients/requirements/%.txt
	$(PY) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(NODE_CLIENTS): tests/clients/package.json
	npm install --prefix tests/clients --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

test-clients: $(VENV)/.dev $(CLIENTS) $(NODE_CLIENTS)
	$(BIN)/pytest tests/clients -m clients -rs --dist loadgroup $(PYTEST)

# Ray has 240 MB and starts a cluster for the tests: it has an environment of its own.
RAY := .venv-ray
$(RAY)/.made: pyproject.toml
	$(PY) -m venv $(RAY)
	$(RAY)/bin/pip install --quiet --disable-pip-version-check -e '.[dev,ray,s3]' 'moto[server]>=5.1,<6'
	@touch $@

test-ray: $(RAY)/.made
	$(RAY)/bin/pytest tests/engine tests/staging -m ray -n 0

pages: $(VENV)/.dev
	$(BIN)/python scripts/make_docs.py

$(DOCS)/.made: scripts/docs-requirements.txt
	$(PY) -m venv $(DOCS)
	$(DOCS)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

docs: pages $(DOCS)/.made
	$(BIN)/pytest tests/docs
	$(DOCS)/bin/zensical build --clean --strict

$(DEPLOY)/.made: scripts/deploy-requirements.txt
	$(PY) -m venv $(DEPLOY)
	$(DEPLOY)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

lint-deploy: $(DEPLOY)/.made
	PYTHONPATH=. $(DEPLOY)/bin/python scripts/lint_deploy.py

# The same versions as long as nothing asks for others; `make lock UPGRADE=--upgrade` takes the newest.
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --quiet --custom-compile-command "make lock"
lock: $(DEPLOY)/.made
	$(DEPLOY)/bin/$(COMPILE) $(UPGRADE) --extra postgres --extra redis pyproject.toml -o requirements.lock > /dev/null
	echo "hatchling>=1.27" | $(DEPLOY)/bin/$(COMPILE) $(UPGRADE) - -o deploy/build.lock > /dev/null

# The wheel is built twice, and held to the repository file by file.
check-wheel: $(VENV)/.base
	$(BIN)/python scripts/check_wheel.py

# Asks PyPI about every pinned version: this needs the internet.
AUDIT := .venv-audit
audit:
	$(PY) -m venv $(AUDIT)
	$(AUDIT)/bin/pip install --quiet --disable-pip-version-check -r scripts/audit-requirements.txt
	$(AUDIT)/bin/pip-audit --disable-pip --require-hashes -r requirements.lock -r deploy/build.lock

# Lists what the lock installs on Python 3.11 and Linux, as in the image; addresses of projects are left out.
sbom: $(DEPLOY)/.made
	$(PY) -m venv --clear build/locked
	build/locked/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	build/locked/bin/pip uninstall --quiet --yes pip setuptools
	$(DEPLOY)/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml --sv 1.6 build/locked/bin/python \
		| $(PY) scripts/trim_sbom.py > deploy/sbom.cdx.json

bench-decide: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_decide.py --check

bench-classifier: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_classifier.py

bench-ledger: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_ledger.py
	$(BIN)/python benchmarks/kill_ledger.py --rounds 20

bench-transport: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_transport.py

bench-idle: $(VENV)/.dev
	$(BIN)/python benchmarks/idle_streams.py

bench-overload: $(VENV)/.dev
	$(BIN)/python -m benchmarks.overload

bench-soak: $(VENV)/.dev
	$(BIN)/python benchmarks/soak_gateway.py

# Replicas are measured behind nginx.
NGINX := /usr/sbin/nginx
$(NGINX):
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light; \
	else echo "replicas are measured behind $(NGINX): run 'apt-get install nginx-light' as root" >&2; exit 2; fi

bench-replicas: $(VENV)/.dev $(REDIS) $(NGINX)
	$(BIN)/python -m benchmarks.replicas $(if $(LEDGER),--ledger $(LEDGER))

bench-translate: $(VENV)/.dev
	$(BIN)/python -m benchmarks.bench_translate

bench-train: $(VENV)/.dev
	$(BIN)/python -m benchmarks.bench_train

bench-evaluate: $(VENV)/.dev
	$(BIN)/python -m benchmarks.bench_evaluate --check

bench-answer-scoring: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_answer_scoring.py

bench-cascade-buffer: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_cascade_buffer.py

# LiteLLM is measured from an environment of its own: it pins versions that Pointsman does not.
$(LITELLM)/.made: benchmarks/litellm-requirements.txt
	$(PY) -m venv $(LITELLM)
	$(LITELLM)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

bench-litellm-env: $(LITELLM)/.made

# So are the gateways that ours is measured beside. LiteLLM's proxy is of the last version whose extra can be installed.
.venv-litellm-proxy/.made: benchmarks/litellm-proxy-requirements.txt
.venv-tensorzero/.made: benchmarks/tensorzero-requirements.txt
.venv-litellm-proxy/.made .venv-tensorzero/.made:
	$(PY) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

PORTKEY := benchmarks/portkey/node_modules/.made
$(PORTKEY): benchmarks/portkey/package.json
	npm install --prefix benchmarks/portkey --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

bench-gateway-env: .venv-litellm-proxy/.made .venv-tensorzero/.made $(PORTKEY)

.venv-schemathesis/.made: benchmarks/schemathesis-requirements.txt
	$(PY) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

fuzz-gateway: $(VENV)/.dev .venv-schemathesis/.made
	$(BIN)/python -m benchmarks.fuzz_gateway

bench-gateway: $(VENV)/.dev bench-gateway-env
	$(BIN)/python -m benchmarks.bench_gateway

# The rest measures recorded outcomes: DATA is a folder of Parquet files in the form that docs/evaluation.md describes.
RECORDED := bench-compare bench-curve bench-calibration bench-honest bench-guarantee bench-answer-auc \
	bench-cascade-guarantee
data:
	@test -n "$(DATA)" || { echo "recorded outcomes are measured here: give a folder of them, DATA=FOLDER" >&2; exit 2; }

bench-compare: data $(VENV)/.dev $(LITELLM)/.made
	$(BIN)/python -m benchmarks.compare_routers $(DATA) --check

bench-guarantee: data $(VENV)/.dev
	$(BIN)/python -m benchmarks.simulate_guarantee $(DATA)

bench-curve: data $(VENV)/.dev
	$(BIN)/python -m benchmarks.learning_curve $(DATA)

bench-calibration: data $(VENV)/.dev
	$(BIN)/python -m benchmarks.calibration_error $(DATA) --check

bench-honest: data $(VENV)/.dev
	$(BIN)/python -m benchmarks.honest_verdicts $(DATA) --check

bench-answer-auc: data $(VENV)/.dev
	$(BIN)/python -m benchmarks.answer_auc $(DATA) --check

bench-cascade-guarantee: data $(VENV)/.dev
	$(BIN)/python benchmarks/simulate_cascade_guarantee.py $(DATA)/cascades*.parquet \
		--models gpt-4o-mini,llama3.1-70b,gpt-4o --worlds 150

ifdef DATA
bench-recorded: $(RECORDED)
else
bench-recorded:
	@echo "Left out without DATA=FOLDER: $(RECORDED)"
endif

bench: bench-decide bench-classifier bench-ledger bench-transport bench-translate bench-train bench-evaluate bench-answer-scoring \
	bench-cascade-buffer bench-recorded

clean:
	rm -rf $(VENV) $(LITELLM) $(DOCS) $(DEPLOY) .venv-clients .venv-litellm-proxy .venv-tensorzero .venv-schemathesis $(AUDIT) \
		tests/clients/node_modules benchmarks/portkey/node_modules site build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis pointsman-demo.db*
