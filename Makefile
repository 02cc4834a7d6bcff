# Builds Portcullis, its sandbox and its tests. `make help` lists what there is.

BUILD    ?= build
CC       ?= gcc
PREFIX   ?= /usr/local
VERSION  := $(shell sed -n 's/^\#\# \[\([0-9.]*\)\].*/\1/p' CHANGELOG.md 2>/dev/null | head -1)

OPTIMIZE ?= -O2
HARDEN   ?= -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-clash-protection -fstack-protector-strong -fcf-protection=full \
            -ftrivial-auto-var-init=zero -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing
WARN     := -Wall -Wextra -Werror -Wformat=2 -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wimplicit-fallthrough -Wvla -Werror=format-security
SANITIZE ?=
PACKAGES := libevent_core libevent_extra libevent_pthreads libevent_openssl jansson libpcre2-8 openssl
LIBRARIES = $(shell pkg-config --libs $(PACKAGES))

CPPFLAGS += -I. -D_GNU_SOURCE -DPORTCULLIS_VERSION='"$(or $(VERSION),0)"'
CFLAGS   ?= -g
override CFLAGS += -std=c11 $(OPTIMIZE) $(WARN) $(HARDEN) $(SANITIZE) -fPIE -pthread -MMD -MP
LDFLAGS  += -pie -pthread $(SANITIZE) -Wl,-z,relro,-z,now,-z,noexecstack,-z,nodlopen,--as-needed

POLICY_SOURCES  := $(wildcard policies/*.c)
PROXY_SOURCES   := $(filter-out proxy/main.c,$(wildcard proxy/*.c proxy/*/*.c))
SANDBOX_SOURCES := $(wildcard tests/sandbox/*.c)
UNIT_SOURCES    := $(wildcard tests/unit/*/test_*.c tests/unit/*/*/test_*.c)

objects = $(patsubst %.c,$(BUILD)/objects/%.o,$(1))
UNIT_PROGRAMS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SOURCES))

all: $(BUILD)/portcullis $(BUILD)/portcullis-sandbox

$(BUILD)/objects/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

$(BUILD)/libpolicies.a: $(call objects,$(POLICY_SOURCES))
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/libproxy.a: $(call objects,$(PROXY_SOURCES))
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/portcullis: $(call objects,proxy/main.c) $(BUILD)/libproxy.a $(BUILD)/libpolicies.a
	$(CC) $(CFLAGS) $^ $(LDFLAGS) $(LIBRARIES) -o $@

$(BUILD)/portcullis-sandbox: $(call objects,$(SANDBOX_SOURCES)) $(BUILD)/libpolicies.a
	$(CC) $(CFLAGS) $^ $(LDFLAGS) $(LIBRARIES) -o $@

$(BUILD)/unit/%: $(BUILD)/objects/tests/unit/%.o $(BUILD)/libproxy.a $(BUILD)/libpolicies.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $^ $(LDFLAGS) $(LIBRARIES) -lcmocka -o $@

print-flags:
	@echo '$(CPPFLAGS) $(CFLAGS)'

clean:
	rm -rf $(BUILD) build-*

-include $(shell find $(BUILD)/objects -name '*.d' 2>/dev/null)

.PHONY: all clean print-flags
