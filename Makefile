# Everything a person or a machine does with a checkout. `make help` lists it.
# PYTHON names the interpreter that makes the environment: 3.11 or newer.

PYTHON := $(or $(PYTHON),$(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done))
BIN := .venv/bin
DEMO := .venv/demo.ok
DEV := .venv/dev.ok

.PHONY: docs lock newest lanes lane-lowest lane-newest audit faults kerberos help demo lab notebooks test lint bench clean system

help:
	@echo "make demo    the notebooks on the embedded default and TPC-H at scale factor 0.1, printed"
	@echo "make lab     the same notebooks in JupyterLab"
	@echo "make test    every test, on real Trino and PostgreSQL, which it fetches and starts"
	@echo "make notebooks    run the notebooks and store their outputs"
	@echo "make lint    format, lint, types, layers"
	@echo "make docs    the documentation as HTML: its pages are run, its links followed"
	@echo "make lock    the newest of every dependency into requirements.lock, with hashes"
	@echo "make newest  let the newest lane look at what is there today"
	@echo "make lanes   the embedded half of the tests on the lowest and on the newest versions that are allowed"
	@echo "make audit   look for known vulnerabilities in what the lock pins"
	@echo "make bench   the benchmarks against the peers"
	@echo "make faults  workers and schedulers killed 200 times, outages of a minute: half an hour"
	@echo "make kerberos  Trino behind a real KDC; the system's Kerberos must be there"

.venv/made.ok:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or name it with make PYTHON=/path/to/python3"; exit 1; }
	@echo "Making the environment .venv with $(PYTHON) …"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check $$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements.lock)
	touch $@

$(DEMO): .venv/made.ok requirements.lock pyproject.toml
	$(BIN)/uv pip install -q --python $(BIN)/python -c requirements.lock -e '.[widgets,pandas,fast]' \
		nbclient ipykernel tpchgen-cli
	touch $@

$(DEV): $(DEMO)
	$(BIN)/uv pip install -q --python $(BIN)/python -r requirements.lock -e .
	touch $@

demo: $(DEMO)
	$(BIN)/fusion demo --scale 0.1

lab: $(DEV)
	$(BIN)/fusion lab --scale 0.1

# Notebooks are run and compared without the person's own settings, in a job store of their own.
EMBEDDED = env -u FUSION_ENGINE_URL -u FUSION_STORE_URL -u FUSION_METADATA_URL -u FUSION_PROFILE \
	FUSION_PROGRESS=none FUSION_DATA_DIR="$$folder"

# The newest of every dependency, and the date up to which the newest lane looks.
lock newest: $(DEV)
	$(BIN)/python -m tests.lanes $(if $(filter lock,$@),lock,date)

# The embedded half of the suite on other versions than the lock's.
lanes: lane-lowest lane-newest
lane-lowest lane-newest: $(DEV)
	$(BIN)/python -m tests.lanes $(@:lane-%=%)

# Known vulnerabilities of what the lock pins; asks a database on the network.
audit: $(DEV)
	$(BIN)/uv tool run -q pip-audit --strict --require-hashes --disable-pip -r requirements.lock

system:
	@.ci/system-packages

test: system $(DEV)
	@echo "Notebooks: their cells are run and compared with the stored outputs."
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && $(EMBEDDED) $(BIN)/python -m pytest -q -W default \
		--nbval notebooks --nbval-sanitize-with notebooks/sanitize.cfg
	@echo "Tests: Trino and PostgreSQL are fetched and started when the first test needs them."
	$(BIN)/python -m pytest -q --durations=10

# After a change of what notebooks show.
notebooks: $(DEV)
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && $(EMBEDDED) $(BIN)/jupyter nbconvert --to notebook \
		--execute --inplace --ExecutePreprocessor.record_timing=False notebooks/*.ipynb

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Every page runs anew. Warnings are errors: a page that fails, a reference that leads nowhere.
docs: $(DEV)
	$(BIN)/python -m sphinx -q -E -a -W --keep-going -j auto -b html docs docs/_build/html
	$(BIN)/python docs/check_links.py docs/_build/html

bench: $(DEV)
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv .cache dist docs/_build docs/reference/generated fusion-demo

# Workers and schedulers killed 200 times, outages of 60 s; make test kills each 20 times, with shorter outages.
faults: system $(DEV)
	FUSION_TEST_KILLS=200 FUSION_TEST_OUTAGE_S=60 $(BIN)/python -m pytest -q -s tests/acceptance/faults

# In an environment of its own: requests-kerberos is compiled against the system's Kerberos (Debian: apt install krb5-kdc
# krb5-admin-server krb5-user libkrb5-dev gcc).
kerberos: system $(DEV)
	$(BIN)/uv venv -q --allow-existing .cache/kerberos
	$(BIN)/uv pip install -q --python .cache/kerberos/bin/python -r requirements.lock -e . requests-kerberos
	.cache/kerberos/bin/python -m pytest -q tests/engines/trino/kerberos.py
