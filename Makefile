# SPDX-License-Identifier: Apache-2.0
#
# make                 the library, shmipcctl, the bench and, where kernel headers are installed, the module
# make demo            builds all, then runs doorbell against Unix sockets, side by side
# make bench           the standard measurements, in about ten minutes, and one page made of them; make bench-docs
# make check           every test that must pass
# make check-debug     the module's tests on kernels that look for memory errors, lock and data races
# make check-kernels   the same tests on Debian's other kernels
# make soak, fuzz      long runs
# make examples        the programs of docs/examples
# make shell           a shell in a guest with the module loaded
# make install         library, headers, manual pages, shmipcctl, bench (PREFIX, DESTDIR)
# make module          the kernel module for KDIR; make modules_install
# make deps            installs what is missing of Debian's packages; demo and check call it
# make clean
#
# Each folder adds its own part in a build.mk; everything built goes below $(BUILD).

BUILD ?= build
PREFIX ?= /usr/local
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/shmipc
VERSION := $(shell cat VERSION)

CC ?= gcc
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	    -Wvla -Wundef -Wwrite-strings
override CFLAGS += -std=gnu11 $(WARNINGS) $(if $(WERROR),-Werror)
CPPFLAGS += -D_GNU_SOURCE -Ilibshmipc/include -Ikmod/include/uapi
export BUILD CACHE CC CFLAGS_EXTRA

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help clean demo bench bench-docs shell install test-programs

all:

help:
	@sed -n '3,/^$$/s/^# \{0,1\}//p' Makefile

demo: deps-demo
	$(MAKE) all
	bench/demo

bench: deps-demo
	$(MAKE) all
	bench/standard

bench-docs: bench-build
	bench/standard --docs

shell:
	tests/guest/run --shell

install:
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include/linux
	install -m 755 $(BUILD)/bench/shmipc-bench $(DESTDIR)$(PREFIX)/bin/
	install -m 644 kmod/include/uapi/linux/shmipc.h $(DESTDIR)$(PREFIX)/include/linux/

install: bench-build

test-programs: unit-programs stress-programs kselftest-programs ctl-programs bench-programs

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_EXTRA) -MMD -MP -c -o $@ $<

include kmod/build.mk
include libshmipc/build.mk
include tools/build.mk
include bench/build.mk
include docs/examples/build.mk
include tests/build.mk

clean:
	rm -rf $(BUILD)

-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d')
