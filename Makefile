# Everything runs in an environment of its own; nothing outside this folder is touched.
PYTHON ?= python3.11
VENV ?= .venv
OUT ?= out/demo
BENCHMARKS ?= fusion segmentation sam_oracle pose_size reconstruction gates chair twins packs
BENCH_FLAGS ?=

BIN := $(VENV)/bin
# Only what requirements/ lists with its hash is installed, and `pip check` finds what it lacks. Python compiles a
# module when it is first imported: compiling all that is installed would take minutes.
PIP := PIP_NO_COMPILE=1 $(BIN)/python -m pip install --disable-pip-version-check --quiet
HASHED := $(PIP) --require-hashes --no-deps --only-binary :all:
EDITABLE := $(PIP) --no-deps --no-build-isolation --no-index -e .
LOCK := $(wildcard requirements/*.txt)
# PyTorch's build without CUDA where pip finds it; else the index's, with the CUDA libraries that it needs.
TORCH ?= $(shell $(BIN)/python -m pip install --quiet --no-deps --dry-run --require-hashes \
	-r requirements/torch-cpu.txt >/dev/null 2>&1 && echo torch-cpu || echo torch-cuda)
# One thread in each worker keeps two pytest workers from fighting over two cores.
THREADS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1

.PHONY: demo test test-slow base-check regress mutants lint licences audit wheel lock format bench docs docs-check clean

demo: $(VENV)/.run
	$(BIN)/cousins demo -o $(OUT) --force

test: $(VENV)/.dev
	$(THREADS) $(BIN)/python -m pytest -n 2 -m "not slow"

# What `make test` leaves out: clusters, processes that are killed, and every example of the fuzzing tests.
test-slow: $(VENV)/.dev
	$(THREADS) COUSINS_FULL_FUZZING=1 $(BIN)/python -m pytest -n 2 -m "slow or not slow" $$(grep -rlE "mark.slow|fuzzed\(" tests --include='test_*.py')

# Builds the wheel, installs it without extras into a new environment, and runs every command there; some minutes.
base-check: $(VENV)/.dev
	$(BIN)/python -m tests.flows.base_install.check_wheel

# Small edits of the modules that decide, and whether a test notices them; goes on where it was cut.
mutants: $(VENV)/.dev
	$(BIN)/python benchmarks/robustness/mutants.py

# Our own regression suite on a pack that this code makes of the demo capture's twin; TWIN may name one that is there.
TWIN ?=
REGRESS ?= run
regress: $(VENV)/.dev
	$(if $(TWIN),,$(BIN)/cousins scan assets/demo_capture/capture -o out/regress/twin --force)
	rm -rf out/regress/pack
	$(BIN)/cousins vary $(or $(TWIN),out/regress/twin) -n 20 --seed 7 -o out/regress/pack
	$(BIN)/cousins regress $(REGRESS) benchmarks/regression/own_suite/push.toml --store out/regress/store

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/conventions/plain_words.py
	$(BIN)/python -m supply_chain.licences

# Every installed licence, and GPL libraries that are linked into compiled modules; half a minute.
licences: $(VENV)/.dev
	$(BIN)/python -m supply_chain.licences --modules

# Known vulnerabilities of the locked versions; exit code 1 where there are some, 3 where the database is out of reach.
audit: $(VENV)/.dev
	$(BIN)/python -m supply_chain.audit

# The wheel and its bill of materials (CycloneDX), in out/wheel.
wheel: $(VENV)/.dev
	$(BIN)/python -m supply_chain.wheel -o out/wheel

# Resolves anew and writes requirements/; NAMES may change their versions, all others stay. Needs uv.
lock:
	python3 -m supply_chain.lock $(if $(NAMES),--upgrade $(NAMES))

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench
	@for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python benchmarks/$$name.py $(BENCH_FLAGS) || exit 1; done

# The site, in out/site; pages that follow from the code are written anew first.
docs: $(VENV)/.docs
	$(BIN)/python docs/make_reference.py
	$(BIN)/zensical build --strict

# Every console and Python block of README and docs, slow ones included: some twenty minutes.
docs-check: $(VENV)/.dev
	$(BIN)/python tests/docs/blocks.py

clean:
	rm -rf $(VENV) out

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp by lock file: an install is done once, and again when the pins change.
$(VENV)/.run: pyproject.toml $(LOCK) | $(BIN)/python
	$(HASHED) -r requirements/base.txt -r requirements/run.txt -r requirements/$(TORCH).txt
	$(EDITABLE)
	$(BIN)/python -m pip check
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(HASHED) -r requirements/dev.txt
	$(BIN)/python -m pip check
	touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(HASHED) -r requirements/bench.txt
	$(BIN)/python -m pip check
	touch $@

$(VENV)/.docs: $(VENV)/.dev
	$(HASHED) -r requirements/docs.txt
	$(BIN)/python -m pip check
	touch $@
