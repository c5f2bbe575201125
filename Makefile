# The project's habits, one word each. `make` alone lists them.
AS_OF  ?= 2012-01-31
ROWS   ?= 20000
SEED   ?= 20261121
# Processes that run tests, each with a Spark of its own (two cores, 2 GB).
WORKERS ?= 2
BIN    := .venv/bin
READY  := .venv/.ready
TOOLS  := .venv/.tools
LOCKED := --quiet --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.DEFAULT_GOAL := help
.PHONY: help setup tools comet nightly check test test-unit test-all coverage house bench bench-growth bench-wide bench-fit bench-train bench-profile bench-page bench-watched bench-check docs parity reasons pictures models months monitoring lock

help:  ## list these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

setup: $(READY)  ## what a run needs and this machine lacks: .venv from the lock, Java, Delta's JARs

tools: $(TOOLS)  ## what tests, benchmarks and documentation need besides

# Made again only when what it is made from changes: a second call needs no network.
$(READY): requirements.lock pyproject.toml conf/delta-jars.txt $(wildcard setup/*)
	@setup/java.sh
	@setup/python.sh requirements.lock
	@$(BIN)/python setup/jars.py conf/delta-jars.txt
	@touch $@

$(TOOLS): $(READY) requirements-dev.lock
	@setup/python.sh requirements-dev.lock
	@touch $@

comet: setup  ## DataFusion Comet's JAR, for --settings conf/comet.yml (docs/comet.md)
	@$(BIN)/python setup/jars.py conf/comet-jars.txt jars

nightly: setup  ## a batch of dirty sample loans (ROWS, SEED, AS_OF), from the landing files to the scores
	@$(BIN)/credit-spark sample --rows $(ROWS) --seed $(SEED) --as-of $(AS_OF)
	@$(BIN)/credit-spark nightly --portfolio lending_club --as-of $(AS_OF)

check: tools  ## ruff, its formatter, mypy and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test-unit: check  ## the tests that need no JVM
	@$(BIN)/python -m pytest -q src tests/unit -m "not spark and not release"

test: check  ## the tests of each change, on a real Spark and Delta, a real browser and PostgreSQL
	@setup/test_tools.sh
	@$(BIN)/python -m pytest -m "not release" -n $(WORKERS) --dist loadfile --durations=25

test-all: check  ## every test, also those of real portfolios, trainings, kills and processes
	@setup/test_tools.sh
	@$(BIN)/python -m pytest --durations=40

bench: ROWS = 5000000
bench: RUNS = 3
bench: tools  ## time a batch beside other programs, into docs/benchmark.md (ROWS, RUNS of each)
	@RUNS=$(RUNS) $(BIN)/python benchmarks/compare.py $(ROWS)

bench-growth: tools  ## time batches of several sizes, into docs/benchmark.md (SIZES="5000000 20000000")
	@$(BIN)/python benchmarks/growth.py $(SIZES)

bench-wide: ROWS = 1000000
bench-wide: tools  ## time the reading of files of 151 columns, into docs/benchmark.md (ROWS)
	@$(BIN)/python benchmarks/wide.py $(ROWS)

bench-profile: ROWS = 5000000
bench-profile: tools  ## where the time of a batch goes, query by query, into docs/benchmark.md (ROWS)
	@$(BIN)/python benchmarks/profiled.py $(ROWS)

bench-fit: ROWS = 2000000
bench-fit: tools  ## time a fit of 40 features beside scikit-learn's, into docs/benchmark.md (ROWS)
	@$(BIN)/python benchmarks/fits.py $(ROWS)

bench-train: DATA ?= ../shared/data
bench-train: tools  ## time trainings of the real books and SMOTE, into docs/benchmark.md (DATA)
	@$(BIN)/python benchmarks/trainings.py "$(DATA)"

bench-page: ROWS = 5000000
bench-page: tools  ## time look-ups and the page under load, into docs/benchmark.md (ROWS)
	@$(BIN)/python benchmarks/page.py $(ROWS)

bench-watched: ROWS = 5000000
bench-watched: tools  ## what monitoring and the report cost a batch, into docs/benchmark.md (ROWS)
	@$(BIN)/python benchmarks/watched.py $(ROWS)

bench-check: ROWS = 200000
bench-check: tools  ## fail where a batch is slower than the last release's (ROWS, BASE)
	@BASE=$(BASE) $(BIN)/python benchmarks/check.py $(ROWS)

docs: tools  ## what the documents say of the code, and their examples, from a run on sample loans
	@rm -rf .docs && $(BIN)/credit-spark sample --rows $(ROWS) --seed $(SEED) --as-of $(AS_OF) --out .docs/landing
	@$(BIN)/credit-spark nightly --portfolio lending_club --as-of $(AS_OF) \
		--landing .docs/landing --warehouse .docs/warehouse 2>/dev/null >.docs/nightly.txt
	@COLUMNS=100 $(BIN)/credit-spark explain 1000002 --portfolio lending_club --warehouse .docs/warehouse >.docs/explain.txt
	@$(BIN)/python scripts/write_docs.py .docs/landing .docs/warehouse .docs
	@rm -rf .docs

parity: tools  ## every engine's scores beside a batch's on the real files, into docs/engines.md
	@WRITE=parity $(BIN)/python -m pytest -q tests/e2e/test_parity.py

reasons: tools  ## how many reasons of the real books are false, into docs/models.md
	@WRITE=reasons $(BIN)/python -m pytest -q tests/spark/test_defensible_models.py -k document

pictures: tools  ## of the page and the report, as a browser shows them, into docs/
	@WRITE_PICTURES=1 $(BIN)/python -m pytest -q tests/e2e/test_browser.py tests/spark/test_reports.py -k browser

models: DATA ?= ../shared/data
models: tools  ## every imbalance strategy and benchmark on the real files, into docs/models.md (DATA, BOOKS)
	@rm -rf .models && PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python scripts/models.py .models "$(DATA)" $(BOOKS)
	@rm -rf .models

months: DATA ?= ../shared/data
months: tools  ## LendingClub's book month by month as batches, into docs/monitoring.md (DATA)
	@rm -rf .months && PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python scripts/months.py .months "$(DATA)"

monitoring: tools  ## books with known change, watched batch by batch, into docs/monitoring.md (SEEDS)
	@PYTHONPATH=scripts $(BIN)/python scripts/simulate.py $(or $(SEEDS),5) docs/monitoring.md

coverage: tools  ## the share of lines and branches that the tests of each change run, by module
	@setup/test_tools.sh
	@$(BIN)/coverage run -m pytest -q -m "not release"
	@$(BIN)/coverage report

house: tools  ## modules, lines, longest functions, names that two classes have (TESTS=FILE: slowest tests of a junit file)
	@$(BIN)/python scripts/house.py $(TESTS)

lock: tools  ## pin the newest versions that pyproject.toml allows
	@$(BIN)/python -m pip install --quiet pip-tools
	@$(BIN)/pip-compile --upgrade $(LOCKED) --output-file requirements.lock pyproject.toml
	@$(BIN)/pip-compile --upgrade $(LOCKED) --extra dev --extra binned --extra lstm \
		--constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
