# make demo    compress a photograph and compare with scikit-learn
# make test    run the tests
#
# Each makes a virtual environment in .venv, installs what it needs and runs. PYTHON names the interpreter (3.11 or newer).

PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python
SOURCES = setup.py pyproject.toml $(wildcard kmc/*.pyx kmc/*.pxd kmc/*.pxi src_c/*.[ch] src_c/*/*.[ch])

.PHONY: demo test bench quantette tables plots lint coverage neon wheel clean

demo: $(VENV)/.installed
	$(RUN) benchmarks/demo.py

test: $(VENV)/.installed
	$(RUN) -m pytest

$(RUN):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kmc needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip

$(VENV)/.installed: $(SOURCES) | $(RUN)
	$(RUN) -m pip install --quiet --editable '.[test]'
	$(RUN) -c 'import kmc'
	touch $@

# The rest is for people who work on kmc.

$(VENV)/.dev: $(SOURCES) | $(RUN)
	$(RUN) -m pip install --quiet --editable '.[dev]'
	touch $(VENV)/.installed $@

lint: $(VENV)/.dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	PATH="$(abspath $(VENV)/bin):$$PATH" cython-lint kmc
	$(RUN) -m mypy
	$(VENV)/bin/clang-format --dry-run --Werror src_c/*.[ch] src_c/*/*.[ch] tests/*.c tests/*.h

# Line tracing needs its own build: in a copy, so that the ordinary one stays. The tests of the histogram come first:
# Cython's plugin finds an included file only from the folder of the build, and other tests change the current folder.
FIRST_TRACED = tests/test_histogram.py
# Left out: what runs no traced line, and the slowest tests, which take four minutes and reach two lines more.
NOT_TRACED = tests/test_neon.py tests/test_benchmarks.py tests/test_quality.py

coverage: $(VENV)/.dev
	rm -rf build/coverage && mkdir -p build/coverage
	cp -R setup.py pyproject.toml README.md LICENSE kmc src_c tests benchmarks Makefile build/coverage/
	rm -f build/coverage/kmc/*.so build/coverage/kmc/_kernels.c
	cd build/coverage && KMC_COVERAGE=1 $(abspath $(RUN)) setup.py -q build_ext --inplace
	cd build/coverage && PYTHONPATH="$$PWD" $(abspath $(RUN)) -m pytest -q --cov --cov-report=term-missing \
		--cov-fail-under=95 $(FIRST_TRACED) \
		$(filter-out $(FIRST_TRACED) $(NOT_TRACED), $(sort $(wildcard tests/test_*.py))) \
		-k "not equals_scikit_learn and not no_worse_than_scikit_learn and not the_same_bytes"

$(VENV)/.rivals: $(VENV)/.dev
	-$(RUN) -m pip install --quiet --editable '.[rivals]'
	touch $@

# One program in Rust; without cargo the race leaves it out.
quantette:
	@if command -v cargo >/dev/null; then cd benchmarks/rivals/quantette && cargo build --quiet --release; \
	else echo "quantette: left out, cargo is not installed"; fi

# PICTURES is a folder of photographs, the largest of 24 megapixels; without it those of scikit-learn are tiled.
THREADS ?= 2
RACE = $(RUN) benchmarks/race.py --threads $(THREADS) $(if $(PICTURES),--pictures $(PICTURES))

bench: $(VENV)/.rivals quantette
	$(RACE) --megapixels 0.4,2.5,10,24 --colors 16,64,256 --memory -o benchmarks/race.json
	$(RACE) --megapixels 0.1,0.4,2.5,10,24,100 --colors 64 --rounds 3 -o benchmarks/sizes.json
	$(RACE) --megapixels 2.5 --colors 2,4,8,16,32,64,128,256 --rounds 3 -o benchmarks/colors.json
	$(RACE) --megapixels 0.1,0.4,1,2.5,10,24,100 --colors 2,8,16,64,256 --rivals kmc.compress -o benchmarks/scaling.json
	$(RUN) -m pytest benchmarks -p benchmark --max-threads $(THREADS) --benchmark-json=benchmarks/stages.json

tables: $(VENV)/.dev
	$(RUN) benchmarks/report.py benchmarks/race.json benchmarks/stages.json

plots: $(VENV)/.dev
	$(RUN) benchmarks/plots.py --sizes benchmarks/sizes.json --colors benchmarks/colors.json \
		--scaling benchmarks/scaling.json

wheel: $(VENV)/.dev
	$(RUN) -m build

clean:
	rm -rf build dist .venv *.egg-info kmc/*.so kmc/_kernels.c out
