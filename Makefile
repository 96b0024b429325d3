# What people type: make demo, make test, make lint. Each sets up what it needs first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

DEMO_CASES := cmdline hot-syscall stall
DEMO_KERNELS := -k debian:6.1-cloud -k debian:6.12-cloud
# A fix that Debian shipped, built from its source diff, on the last kernel that lacks it. When the
# archive has that no more: the newest kernel, given the flaw by a livepatch and healed by another.
FIX := ext4-mballoc-null-folio
FIX_KERNEL := debian:6.1.0-55-cloud-amd64
GIVEN := ext4-mballoc-given-flaw
GIVEN_KERNEL := debian:6.1-cloud
# Those of kernels/profiles.toml: configuration/toolchain.
OWN_KERNELS := small/gcc-12 small/clang-14 debug/gcc-12
PYTEST_ARGS ?=
ROLE := lpharness/rollout/ansible/roles/lpharness_livepatch
SCRIPTS := $(shell find lpharness tests -name "*.sh")
ROLE_SCRIPTS := $(ROLE)/files/lpharness-livepatch $(ROLE)/files/verify
# A guest keeps one processor busy under emulation; what shares a kernel or a daemon stays together.
GUESTS := --numprocesses auto --maxprocesses 4 --dist loadfile
# A trial of a fault mostly waits, and shares nothing with others.
FAULTS := --numprocesses 4 --dist worksteal

.PHONY: help setup demo test test-unit test-vm test-profiles test-ppc64el lint format clean

help: ## Show what there is.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## Install what is missing and leave .venv/bin/lpharness.

$(READY): pyproject.toml ci/debian-packages.txt
	ci/install-packages ci/debian-packages.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dask,dev,drgn,libvirt,parquet,pdf,postgresql,serve,simulation]'
	$(BIN)/pip install --quiet --no-deps dask-kubernetes # its schemas are all that is used of it
	@touch $@

demo: setup ## Patch real kernels live, and back; ends with verdicts and a report.
	$(BIN)/lpharness run $(DEMO_CASES) $(DEMO_KERNELS)
	@if $(BIN)/lpharness kernels fetch $(FIX_KERNEL) >/dev/null; then \
	  $(BIN)/lpharness run $(FIX) -k $(FIX_KERNEL); \
	else $(BIN)/lpharness run $(GIVEN) -k $(GIVEN_KERNEL); fi

test: setup ## Run every test: without guests, with guests, in a browser, and the planted faults.
	$(BIN)/pytest --numprocesses auto tests/unit tests/engine tests/fuzz $(PYTEST_ARGS)
	$(BIN)/pytest $(GUESTS) tests/vm tests/browser $(PYTEST_ARGS)
	$(BIN)/pytest $(FAULTS) tests/faults $(PYTEST_ARGS)

test-unit: setup ## Run the tests that need no guest.
	$(BIN)/pytest --numprocesses auto tests/unit tests/engine tests/fuzz $(PYTEST_ARGS)

test-vm: setup ## Run the tests that boot guests.
	$(BIN)/pytest $(GUESTS) tests/vm $(PYTEST_ARGS)
	$(BIN)/pytest $(FAULTS) tests/faults $(PYTEST_ARGS)

test-profiles: setup ## Build our own kernels (an hour on two CPUs, once) and try all profiles.
	ci/install-packages ci/kernel-build-packages.txt
	for kernel in $(OWN_KERNELS); do \
	  $(BIN)/lpharness kernels build --source debian:6.1 \
	    --config $${kernel%%/*} --toolchain $${kernel##*/} || exit; done
	LPHARNESS_TEST_PROFILES=1 $(BIN)/pytest tests/vm/profiles_test.py tests/vm/debug_kernel_test.py $(PYTEST_ARGS)

test-ppc64el: setup ## Build our ppc64el kernel with a cross compiler (minutes, once) and try it.
	ci/install-packages ci/kernel-build-packages.txt
	ci/install-packages ci/ppc64el-packages.txt
	$(BIN)/lpharness kernels build --source debian:6.1 --config small --arch ppc64el
	LPHARNESS_TEST_PROFILES=1 $(BIN)/pytest tests/vm/ppc64el_test.py $(PYTEST_ARGS)

lint: setup ## Check style, types, layers, shell and C.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	shellcheck .ci/run ci/install-packages $(SCRIPTS) $(ROLE_SCRIPTS)
	cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability \
	  --inline-suppr -I images/programs images/programs
	cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability \
	  --inline-suppr --include=ci/cppcheck-kernel.h -I patches/include beats images/modules models patches

format: setup ## Rewrite the Python sources in the project's style.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove the virtual environment and caches of tools (not the kernels' cache).
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
