# Every target makes its own environment on a fresh machine: Python 3.11 or newer and make are all it takes.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
# One BLAS thread: results do not depend on the number of cores, and small matrices are faster.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

.PHONY: demo test fast lint types notebooks docs bench data reference agreement clean

demo: $(STAMP) ## fit the built-in theory to the shipped data; writes trustsem-demo/
	$(BIN)/trustsem demo

test: lint types $(STAMP) ## everything: lint, types, all tests (slow ones too), notebooks, docs
	$(BIN)/python -m pytest -q
	$(MAKE) notebooks docs

fast: $(STAMP) ## tests that take seconds
	$(BIN)/python -m pytest -q -m "not slow"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

notebooks: $(STAMP) ## execute the notebooks; a cell that fails, fails the target
	$(BIN)/python notebooks/execute.py

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(STAMP) ## speed against lavaan (when R has it) and semopy, on one core
	$(BIN)/python -m benchmarks

data: $(STAMP) ## regenerate the shipped simulated data and compare with what is there
	$(BIN)/python data/simulated/regenerate.py

agreement: $(STAMP) ## regenerate the docs page "Agreement with other software"
	$(BIN)/python docs/make_agreement.py

clean:
	rm -rf $(VENV) site build dist trustsem-demo

$(STAMP):
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c constraints.txt -e . --group test --group lint --group types --group notebooks --group docs
	touch $@
