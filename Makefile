# Builds Portcullis, its sandbox and its tests. `make help` lists the targets; V=1 shows every command in full.

BUILD    ?= build
CC       := $(if $(filter default,$(origin CC)),gcc,$(CC))
PREFIX   ?= /usr/local
V        ?= 0

# The version is the newest one of the changelog.
VERSION  := $(shell sed -n 's/^\#\# \[\([0-9][0-9.]*\)\].*/\1/p' CHANGELOG.md | head -n 1)

# What `make run` and `make test` call may still have to install the compiler, so nothing that asks the compiler or
# pkg-config is expanded before a recipe needs it; it is then kept.
once      = $(eval $(1) := $(2))$($(1))
supported = $(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null 2>/dev/null && echo '$(1)')

OPTIMIZE ?= -O3
SANITIZE ?=
PACKAGES := libevent_core libevent_extra libevent_pthreads libevent_openssl jansson libpcre2-8 openssl libseccomp
LINKED    = $(shell pkg-config --libs $(PACKAGES))
# STATIC_LIBEVENT=1 links libevent in from its archives: its security updates then need a new build.
LIBRARIES = $(call once,LIBRARIES,$(if $(STATIC_LIBEVENT),$(patsubst -levent%,-l:libevent%.a,$(LINKED)),$(LINKED)))
PACKAGE_CFLAGS = $(call once,PACKAGE_CFLAGS,$(shell pkg-config --cflags $(PACKAGES)))

# Variables that begin as zero: gcc 12 and clang 16 take the first spelling, clang 14 needs the second.
ZERO_INIT := -ftrivial-auto-var-init=zero
ZERO_INIT_OLD := $(ZERO_INIT) -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang
AUTO_INIT = $(call once,AUTO_INIT,$(or $(call supported,$(ZERO_INIT)),$(call supported,$(ZERO_INIT_OLD))))

HARDEN   ?= -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-clash-protection -fstack-protector-strong \
            -fcf-protection=full $(AUTO_INIT)
WARN     := -Wall -Wextra -Werror -Wformat=2 -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wimplicit-fallthrough -Wvla -Werror=format-security
# Without these a compiler may drop checks that the source contains.
LANGUAGE := -std=c11 -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing

CFLAGS   ?= -g
# FAULTS=1 builds in the places where tests let the gate die: see proxy/base/fault_point.h.
FAULTS   ?=
override CPPFLAGS += -I. -D_GNU_SOURCE -DPORTCULLIS_VERSION='"$(VERSION)"' $(if $(FAULTS),-DFAULT_POINTS)
override CFLAGS   += $(LANGUAGE) $(OPTIMIZE) $(WARN) $(HARDEN) $(SANITIZE) $(PACKAGE_CFLAGS) -fPIE -pthread -MMD -MP
override LDFLAGS  += -pie -pthread $(SANITIZE) -Wl,-z,relro,-z,now,-z,noexecstack,-z,nodlopen,--as-needed

POLICY_SOURCES  := $(wildcard policies/*.c)
PROXY_SOURCES   := $(filter-out proxy/main.c,$(wildcard proxy/*.c proxy/*/*.c))
SANDBOX_SOURCES := $(wildcard tests/sandbox/*.c)
UNIT_SOURCES    := $(wildcard tests/unit/*/test_*.c tests/unit/*/*/test_*.c)
BENCH_SOURCES   := $(wildcard tests/bench/*.c)
FUZZ_SOURCES    := $(wildcard tests/fuzz/fuzz_*.c)
C_SOURCES       := $(POLICY_SOURCES) $(PROXY_SOURCES) proxy/main.c $(SANDBOX_SOURCES) $(UNIT_SOURCES) $(BENCH_SOURCES) $(FUZZ_SOURCES)
C_FILES         := $(C_SOURCES) tests/crash/powercut.c $(wildcard policies/*.h proxy/*.h proxy/*/*.h tests/*/*.h tests/unit/*/*.h)

objects       = $(patsubst %.c,$(BUILD)/objects/%.o,$(1))
UNIT_PROGRAMS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SOURCES))
PROGRAMS      := $(BUILD)/portcullis $(BUILD)/portcullis-sandbox
BENCH         := $(BUILD)/bench/relay $(BUILD)/bench/upstream
JOURNAL_BENCH := $(BUILD)/bench/journal $(BUILD)/bench/parse $(BUILD)/bench/scale
APPROVE       := $(BUILD)/bench/approve $(BUILD)/bench/claims
FUZZERS       := $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/fuzz/%,$(FUZZ_SOURCES))

# Goals that see to the packages first; a plain `make` only builds.
INSTALLS := $(if $(filter test check,$(MAKECMDGOALS)),deps,$(if $(filter run,$(MAKECMDGOALS)),deps-run,$(if $(filter bench bench-%,$(MAKECMDGOALS)),deps-bench,$(if $(filter soak-slow soak-tls,$(MAKECMDGOALS)),deps-soak))))

# The tests read these. A sanitizer's report ends the process with status 66, which the tests look for.
export ASAN_OPTIONS   := exitcode=66:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS  := exitcode=66:print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS   := exitcode=66:halt_on_error=0:second_deadlock_stack=1:suppressions=$(CURDIR)/tests/sanitize/tsan.supp
export LSAN_OPTIONS   := exitcode=66
export PYTHONDONTWRITEBYTECODE := 1
PYTEST      := /usr/bin/python3 -m pytest -p no:cacheprovider -q
# Most of a flow is waiting: more run at a time than there are cores.
PYTEST_ARGS ?= -n $(shell echo $$(($$(nproc) * 2)))
FLOWS       ?= tests/flow
SOAK        ?= 100000
ROUNDS      ?= 1000
POLICY_CASES ?= 1000000
FUZZ        ?= $(notdir $(FUZZERS))
FUZZ_SECONDS ?= 600
FAULT_BUILD  = $(BUILD)-fault

ASAN := BUILD=build-asan OPTIMIZE=-O1 HARDEN= SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'
FUZZING := BUILD=build-fuzz CC=clang OPTIMIZE=-O1 HARDEN= \
           SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'
LTO  := BUILD=build-lto OPTIMIZE='-O3 -flto=auto' AR=gcc-ar STATIC_LIBEVENT=1
TSAN := BUILD=build-tsan OPTIMIZE=-O1 HARDEN= CPPFLAGS='-include tests/sanitize/tsan.h' SANITIZE='-fsanitize=thread -fno-omit-frame-pointer'

ifeq ($(V),0)
quiet = @printf '  %-4s %s\n' '$(1)' '$@';
else
quiet =
endif

## all: build the gate and the sandbox (the default)
all: $(PROGRAMS)

## run: see it work: a sandbox, a gate before it, and the commands to try
run: $(PROGRAMS)
	@BUILD=$(BUILD) bash tests/demo.sh

## deps: install what building and testing need and is missing (Debian; root or sudo)
deps:
	@sh tests/deps.sh test

deps-run:
	@sh tests/deps.sh run

## test: every test: unit programs, then whole flows with real processes
test: unit flow

## check: the fast tests alone: unit programs and the tables that they read
check: unit

## model: spin looks through every course of a change that needs approval, a crash among them; and finds its mutants
model:
	@sh tests/deps.sh model
	@sh tests/model/run.sh $(BUILD)

unit: $(UNIT_PROGRAMS)
	@sh tests/unit/run.sh $(UNIT_PROGRAMS)

# After `unit`, so that what is broken in the small is named first; both use all cores.
flow: $(PROGRAMS) $(BENCH) $(APPROVE) $(BUILD)/bench/scale fault | $(if $(filter test,$(MAKECMDGOALS)),unit)
	PORTCULLIS_BUILD=$(BUILD) $(PYTEST) $(PYTEST_ARGS) $(FLOWS)

PYTHON_BENCH := PORTCULLIS_BUILD=$(BUILD) /usr/bin/python3 tests/bench

## bench: what a request costs, beside other proxies: QUICK=1 in two minutes, COMPARE=old.json for what changed
bench: $(PROGRAMS) $(BENCH) $(JOURNAL_BENCH) lto
	$(PYTHON_BENCH)/bench.py $(if $(QUICK),--quick) $(if $(COMPARE),--compare $(COMPARE)) $(BENCH_ARGS)
	$(PYTHON_BENCH)/bench_journal.py $(if $(QUICK),--quick)
	$(if $(QUICK),,$(PYTHON_BENCH)/scale.py)

## bench-journal: the last part of it alone: what durable mutations, verifying, asking and opening cost
bench-journal: $(PROGRAMS) $(BENCH) $(JOURNAL_BENCH)
	$(PYTHON_BENCH)/bench_journal.py $(if $(QUICK),--quick) $(BENCH_ARGS)

## bench-profile: what a request costs in syscalls, instructions, allocations and copies, and where
bench-profile:
	+$(MAKE) BUILD=build-profile STATIC_LIBEVENT=1 bench-profile-here

# Debian's shared library does not name its functions, its archive does.
bench-profile-here: $(PROGRAMS) $(BENCH)
	$(PYTHON_BENCH)/bench_profile.py $(BENCH_ARGS)

## bench-growth: what a request costs with many grants and connections, and memory over a million requests
bench-growth: $(PROGRAMS) $(BENCH)
	$(PYTHON_BENCH)/growth.py $(BENCH_ARGS)

## bench-scale: what a policy of up to 100,000 organisations or a million grants costs to load, to keep and to ask
bench-scale: $(JOURNAL_BENCH)
	$(PYTHON_BENCH)/scale.py $(BENCH_ARGS)

## lto: the gate with libevent linked statically, -O3 and link-time optimisation, in build-lto/
lto:
	+$(MAKE) $(LTO) build-lto/portcullis

deps-bench:
	@sh tests/deps.sh bench

## soak: the long one: SOAK=100000 mixed requests over 64 connections, under ASan and under TSan, the crash matrix, and soak-policy
soak: soak-asan soak-tsan soak-crash soak-rounds soak-policy

soak-asan:
	+$(MAKE) $(ASAN) soak-here

# One after the other: both want all cores.
soak-tsan: | $(if $(filter soak,$(MAKECMDGOALS)),soak-asan)
	+$(MAKE) $(TSAN) soak-here

soak-here: $(PROGRAMS)
	PORTCULLIS_BUILD=$(BUILD) /usr/bin/python3 tests/soak/soak.py --requests $(SOAK)

## soak-crash: ROUNDS=1000 deaths of the gate, at fault points and at random, by kill -9 and by power cuts
soak-crash: fault | $(if $(filter soak,$(MAKECMDGOALS)),soak-asan soak-tsan)
	PORTCULLIS_BUILD=$(FAULT_BUILD) /usr/bin/python3 tests/crash/matrix.py --rounds $(ROUNDS) $(CRASH_ARGS)

## soak-rounds: ROUNDS=1000 storms of changes, approvals, keys, budgets, leaps of the clock and deaths, held against what may be
soak-rounds: fault | $(if $(filter soak,$(MAKECMDGOALS)),soak-crash)
	PORTCULLIS_BUILD=$(FAULT_BUILD) /usr/bin/python3 tests/rounds/many.py --rounds $(ROUNDS) $(ROUNDS_ARGS)

## soak-policy: a million made-up requests (POLICY_CASES=) judged by the gate and by a second evaluator, and the mutants
soak-policy: mutants | $(if $(filter soak,$(MAKECMDGOALS)),soak-rounds)
	PORTCULLIS_BUILD=$(BUILD) /usr/bin/python3 tests/property/agree.py --cases $(POLICY_CASES) --minutes 20 $(AGREE_ARGS)
	PORTCULLIS_BUILD=$(BUILD) /usr/bin/python3 tests/property/changes.py --pairs 5000

## mutants: the gate with one line of its judgement, or of its reservations, changed, many times: property test and storms must see each
mutants: $(PROGRAMS) $(BENCH) $(APPROVE) fault
	PORTCULLIS_BUILD=$(BUILD) CC="$(CC)" /usr/bin/python3 tests/property/mutants.py $(MUTANTS_ARGS)
	PORTCULLIS_BUILD=$(FAULT_BUILD) CC="$(CC)" /usr/bin/python3 tests/rounds/seeded.py $(SEEDED_ARGS)

## soak-slow: slowhttptest's four modes, idle connections and floods, with a good client timed beside them
soak-slow: $(PROGRAMS)
	PORTCULLIS_BUILD=$(BUILD) /usr/bin/python3 tests/soak/slow.py $(SLOW_ARGS)

## soak-tls: testssl.sh at a listener with TLS: no finding above LOW; a minute
soak-tls: $(PROGRAMS)
	PORTCULLIS_BUILD=$(BUILD) /usr/bin/python3 tests/soak/tls.py

deps-soak:
	@sh tests/deps.sh soak

# The gate with its fault points, the library that keeps what a power cut would leave, and what reads its claims in two ways.
fault:
	+$(MAKE) BUILD=$(FAULT_BUILD) FAULTS=1 $(FAULT_BUILD)/portcullis $(FAULT_BUILD)/portcullis-sandbox $(FAULT_BUILD)/powercut.so $(FAULT_BUILD)/bench/claims

## asan: every test with AddressSanitizer and UndefinedBehaviorSanitizer, in build-asan/
asan:
	+$(MAKE) $(ASAN) test

## tsan: every test with ThreadSanitizer, in build-tsan/
tsan:
	+$(MAKE) $(TSAN) test

## fuzz: every parser with made-up inputs under both, FUZZ_SECONDS=600 each; FUZZ=name for some, FUZZ_SEED= for the same again
fuzz:
	+$(MAKE) $(FUZZING) fuzz-here

fuzz-here: $(FUZZERS)
	@BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) sh tests/fuzz/run.sh $(FUZZ)

## fuzz-keep: take what fuzzing found into tests/fuzz/corpus, the least that reaches as far
fuzz-keep:
	+$(MAKE) $(FUZZING) fuzz-keep-here

fuzz-keep-here: $(FUZZERS)
	@BUILD=$(BUILD) sh tests/fuzz/keep.sh $(FUZZ)

## lint: cppcheck and clang-tidy
lint:
	@sh tests/lint/run.sh $(filter-out tests/unit/%,$(C_SOURCES)) tests/crash/powercut.c

## format: lay out all C as .clang-format says
format:
	@clang-format -i $(C_FILES)

## format-check: fail where `make format` would change something
format-check:
	@clang-format --dry-run --Werror $(C_FILES)

## install: the gate to PREFIX/bin, sample configuration and contract to PREFIX/share/portcullis (DESTDIR= goes before both)
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/portcullis
	install -m 755 $(BUILD)/portcullis $(DESTDIR)$(PREFIX)/bin/portcullis
	install -m 644 $(wildcard conf/*) README.md LICENSE CHANGELOG.md $(DESTDIR)$(PREFIX)/share/portcullis
	sed -i 's|/usr/local/bin/|$(PREFIX)/bin/|' $(DESTDIR)$(PREFIX)/share/portcullis/portcullis.service

## uninstall: take away what install laid down
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/portcullis
	rm -rf $(DESTDIR)$(PREFIX)/share/portcullis

## clean: take away everything that was built
clean:
	rm -rf $(BUILD) build-*

## help: this list
help:
	@sed -n 's/^## \([a-z-]*\): \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf '  %-13s %s\n' "$$name" "$$text"; done

$(BUILD)/objects/%.o: %.c $(BUILD)/flags | $(INSTALLS)
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

$(BUILD)/libpolicies.a: $(call objects,$(POLICY_SOURCES))
$(BUILD)/libproxy.a: $(call objects,$(PROXY_SOURCES))
$(BUILD)/%.a:
	@rm -f $@
	$(call quiet,AR)$(AR) rcs $@ $^

$(BUILD)/portcullis: $(call objects,proxy/main.c) $(BUILD)/libproxy.a $(BUILD)/libpolicies.a
	$(call quiet,LD)$(CC) $(CFLAGS) $^ $(LDFLAGS) $(LIBRARIES) -o $@

$(BUILD)/portcullis-sandbox: $(call objects,$(SANDBOX_SOURCES)) $(BUILD)/libpolicies.a
	$(call quiet,LD)$(CC) $(CFLAGS) $^ $(LDFLAGS) $(LIBRARIES) -o $@

$(BENCH): $(BUILD)/bench/%: $(BUILD)/objects/tests/bench/%.o $(BUILD)/objects/tests/bench/net.o
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(CFLAGS) $^ $(LDFLAGS) $(LIBRARIES) -o $@

$(JOURNAL_BENCH) $(APPROVE): $(BUILD)/bench/%: $(BUILD)/objects/tests/bench/%.o $(BUILD)/libproxy.a $(BUILD)/libpolicies.a
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(CFLAGS) $^ $(LDFLAGS) $(LIBRARIES) -o $@

$(BUILD)/fuzz/%: $(BUILD)/objects/tests/fuzz/fuzz_%.o $(BUILD)/libproxy.a $(BUILD)/libpolicies.a
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(CFLAGS) -fsanitize=fuzzer $^ $(LDFLAGS) $(LIBRARIES) -o $@

$(BUILD)/powercut.so: tests/crash/powercut.c $(BUILD)/flags
	$(call quiet,LD)$(CC) $(CPPFLAGS) $(LANGUAGE) -O2 $(WARN) -fPIC -shared $< -o $@

$(BUILD)/unit/%: $(BUILD)/objects/tests/unit/%.o $(BUILD)/libproxy.a $(BUILD)/libpolicies.a
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(CFLAGS) $^ $(LDFLAGS) $(LIBRARIES) -lcmocka -o $@

# Holds the flags of the last build: when they change, everything is built anew.
$(BUILD)/flags: FORCE | $(INSTALLS)
	@mkdir -p $(@D)
	@printf '%s\n' "$(subst ",\",$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS))" >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; cat $@; fi

print-flags:
	@echo '$(CPPFLAGS) $(CFLAGS)'

print-libraries:
	@echo '$(LDFLAGS) $(LIBRARIES)'

-include $(shell find $(BUILD)/objects -name '*.d' 2>/dev/null)

.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all model run deps deps-run test check unit flow bench bench-profile bench-profile-here bench-growth bench-journal bench-scale lto deps-bench soak soak-asan soak-tsan soak-here \
        soak-crash soak-rounds soak-policy mutants soak-slow soak-tls deps-soak fault asan tsan fuzz fuzz-here fuzz-keep fuzz-keep-here lint format format-check install uninstall clean help print-flags print-libraries FORCE
